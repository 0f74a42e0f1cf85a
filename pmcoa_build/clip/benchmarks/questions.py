"""Questions about images, as VQA-RAD and SLAKE publish them: a JSON list of records, and a folder of images."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from pmcoa_build.clip.benchmarks.answers import normalise
from pmcoa_build.clip.benchmarks.store import Say
from pmcoa_build.clip.images import readable
from pmcoa_build.errors import RunFailed

_KEYS = ("question", "answer", "answer_type")
_HINT = re.compile(r"\s*-\s*(yes/no|open)\s*$", re.IGNORECASE)
"""Some questions of VQA-RAD end in the kind of their answer; it is no part of the question (MEVF, `dataset_RAD.py`)."""


class Question(NamedTuple):
    """A question about an image, its answer (`answers.normalise`), and whether it offers its answers (closed)."""

    image: Path
    text: str
    answer: str
    closed: bool


class Splits(NamedTuple):
    """The questions whose image can be read. `files`: what they were read from; `validation` may be empty.

    `lost`: test questions left out because their image cannot be read.
    """

    train: list[Question]
    validation: list[Question]
    test: list[Question]
    files: list[Path]
    lost: int


Find = Callable[[str], Path | None]


def finder(folder: Path) -> Find:
    """Looks an image up by its published name, in `folder` and the folders in it.

    Gives None where it is not there or does not begin as an image.
    """
    places = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]

    @cache
    def find(name: str) -> Path | None:
        return next((place / name for place in places if readable(place / name)), None)

    return find


def records(path: Path) -> list[dict[str, Any]]:
    """The records of a JSON list. Raises RunFailed where it is none, or a record lacks what every question has."""
    try:
        found = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise RunFailed(f"{path} cannot be read as JSON ({error}).") from None
    if not isinstance(found, list) or not all(isinstance(record, dict) for record in found):
        raise RunFailed(f"{path} is no list of questions.")
    for number, record in enumerate(found, 1):
        missing = [key for key in _KEYS if record.get(key) is None]
        if missing:
            raise RunFailed(f"Question {number} of {path} has no {missing[0]!r}.")
    return found


def questions(found: Iterable[dict[str, Any]], image_key: str, find: Find, source: str,
              say: Say) -> tuple[list[Question], int]:
    """The records whose image can be read, as questions, and how many others there are (said, too).

    Raises RunFailed for a bad record.
    """
    kept: list[Question] = []
    lost = 0
    for record in found:
        kind = str(record["answer_type"]).strip().upper()
        if kind not in ("OPEN", "CLOSED"):
            raise RunFailed(f"{source}: answer_type must be OPEN or CLOSED, not {record['answer_type']!r}.")
        if not isinstance(name := record.get(image_key), str) or not name:
            raise RunFailed(f"{source}: a question has no {image_key!r}.")
        image = find(name)
        if image is None:
            lost += 1
        else:
            text = _HINT.sub("", str(record["question"]).strip())
            kept.append(Question(image, text, normalise(record["answer"]), kind == "CLOSED"))
    if lost:
        say(f"{source}: {lost} of {lost + len(kept)} questions are left out, their images cannot be read")
    return kept, lost


def whole(splits: Splits, folder: Path) -> Splits:
    """The same, once there is something to train on and to score. Raises RunFailed where there is not."""
    for name, part in (("training", splits.train), ("test", splits.test)):
        if not part:
            raise RunFailed(f"{folder} holds no {name} question whose image can be read.")
    return splits


def images(parts: Sequence[Sequence[Question]]) -> list[Path]:
    """Every image once, in the order of their paths."""
    return sorted({question.image for part in parts for question in part})
