"""SLAKE (Liu et al. 2021, https://www.med-vqa.com/slake): the English questions about 642 radiology images.

`train.json`, `validation.json` (or `validate.json`), `test.json`, and `imgs/xmlab…/source.jpg`. The epoch that is best
on the validation split is scored.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pmcoa_build.clip.benchmarks import vqa
from pmcoa_build.clip.benchmarks.questions import Splits, finder, questions, records, whole
from pmcoa_build.clip.benchmarks.store import Protocol, Say
from pmcoa_build.clip.benchmarks.subject import Subject
from pmcoa_build.errors import UsageError


def protocols(folder: Path, subject: Subject, seed: int, say: Say) -> Iterator[Protocol]:
    """`slake`: a head on the fusion module, fine-tuned with the whole model, its best epoch by validation."""
    yield vqa.protocol("slake", read(folder, say), subject, vqa.SLAKE, seed, say)


def read(folder: Path, say: Say) -> Splits:
    """The English questions. Raises UsageError where a file is missing, RunFailed for one that is not usable."""
    find = finder(folder)
    files = [_first(folder, names) for names in (("train.json",), ("validation.json", "validate.json"), ("test.json",))]
    train, validation, test = (questions(_english(path), "img_name", find, str(path), say) for path in files)
    return whole(Splits(train[0], validation[0], test[0], files, test[1]), folder)


def _english(path: Path) -> list[dict[str, Any]]:
    return [record for record in records(path) if record.get("q_lang", "en") == "en"]


def _first(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).exists():
            return folder / name
    raise UsageError(f"{folder} holds no SLAKE: {names[0]} is missing.")
