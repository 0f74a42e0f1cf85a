"""VQA-RAD (Lau et al. 2018, https://osf.io/89kps): questions of clinicians about 315 radiology images.

Two published forms: the JSON of OSF with its image folder, and the `trainset.json`, `testset.json` that papers use
(aioz-ai/MICCAI19-MedVQA). Of OSF's, rows whose `phrase_type` begins with "test" are the test split (451 questions).
The others train, each with its framed question, where it has one, as one more; framed questions of test rows are left
out. There is no validation split: the last epoch is scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pmcoa_build.clip.benchmarks import vqa
from pmcoa_build.clip.benchmarks.questions import Splits, finder, questions, records, whole
from pmcoa_build.clip.benchmarks.store import Protocol, Say
from pmcoa_build.clip.benchmarks.subject import Subject
from pmcoa_build.errors import UsageError

_OSF = "VQA_RAD Dataset Public.json"
_PAPERS = ("trainset.json", "testset.json")


def protocols(folder: Path, subject: Subject, seed: int, say: Say) -> Iterator[Protocol]:
    """`vqa-rad`: a head on the fusion module, fine-tuned with the whole model for a fixed number of epochs."""
    yield vqa.protocol("vqa-rad", read(folder, say), subject, vqa.VQA_RAD, seed, say)


def read(folder: Path, say: Say) -> Splits:
    """Both splits. Raises UsageError for a folder that holds neither form, RunFailed for files that are not usable."""
    find = finder(folder)
    papers, osf = [folder / name for name in _PAPERS], sorted(folder.glob(_OSF.replace(" ", "?")))
    if all(file.exists() for file in papers):
        files, sources = papers, [(records(file), file) for file in papers]
    elif osf:
        rows = records(osf[0])
        tested = [row for row in rows if _of_test(row)]
        trained = [row for row in rows if not _of_test(row)]
        files, sources = osf[:1], [([*trained, *_framed(trained)], osf[0]), (tested, osf[0])]
    else:
        raise UsageError(f"{folder} holds no VQA-RAD: neither {_OSF!r} nor {' and '.join(_PAPERS)}.")
    train, test = (questions(rows, "image_name", find, str(path), say) for rows, path in sources)
    return whole(Splits(train[0], [], test[0], files, test[1]), folder)


def _of_test(row: dict[str, Any]) -> bool:
    return str(row.get("phrase_type")).startswith("test")


def _framed(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        text = row.get("question_frame")
        if isinstance(text, str) and text.strip() and text.strip().upper() != "NULL":
            yield {**row, "question": text}
