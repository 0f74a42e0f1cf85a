"""PMC-VQA (Zhang et al. 2023, arXiv 2305.10415): questions about figures of PMC, each with four choices.

As on Hugging Face (xmcmic/PMC-VQA): `train.csv` with `test.csv` and `test_clean.csv`, `train_2.csv` with `test_2.csv`,
each test file that is there scored by itself; images in `images` or `figures`. Columns: Figure_path, Question,
Choice A to Choice D, and the right choice as its letter (Answer_label, or Answer) or its text (Answer).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pmcoa_build.clip.benchmarks.questions import Find, finder
from pmcoa_build.clip.benchmarks.recipe import Example, Recipe
from pmcoa_build.clip.benchmarks.store import Protocol, Say, Score, identity
from pmcoa_build.clip.benchmarks.subject import Subject
from pmcoa_build.clip.benchmarks.vqa import left_out
from pmcoa_build.clip.tokenizer import Tokenizer
from pmcoa_build.errors import RunFailed, UsageError

if TYPE_CHECKING:
    from pmcoa_build.clip.benchmarks.answering import Answerer

RECIPE = Recipe(epochs=3, batch_size=16, steps=600)
"""Four texts an example."""
LETTERS = "ABCD"
_TRAINED_ON = {"test": "train", "test_clean": "train", "test_2": "train_2"}
_SPELLINGS = {"Anwser": "Answer", "Anwser_label": "Answer_label"}
"""The first release misspelt both."""


class Choice(NamedTuple):
    """A question about an image, its four choices without their letters, and which is right (0 to 3)."""

    image: Path
    text: str
    choices: tuple[str, ...]
    right: int


class Sheet(NamedTuple):
    """The questions of one file that can be asked, and how many are `lost`: image or right choice cannot be read."""

    path: Path
    asked: list[Choice]
    lost: int


def protocols(folder: Path, subject: Subject, seed: int, say: Say) -> Iterator[Protocol]:
    """`pmc-vqa-zero-shot-TEST`, by similarity of the image to question and choice, for each TEST that is there.

    And `pmc-vqa-tuned-TEST`, by a head on the fusion module that scores each choice, where its training file is there;
    the last epoch is scored, there is no validation split.
    """
    find = finder(folder)
    tests = {name: read(path, find, say) for name in _TRAINED_ON if (path := folder / f"{name}.csv").exists()}
    if not tests:
        raise UsageError(f"{folder} holds no PMC-VQA: none of {', '.join(f'{name}.csv' for name in _TRAINED_ON)}.")
    for name, test in tests.items():
        yield Protocol(identity("pmc-vqa", contents(test)), f"pmc-vqa-zero-shot-{name}",
                       partial(_zero_shot, test, subject))
    training: dict[Path, tuple[Sheet, Callable[[], Answerer]]] = {}
    for name, test in tests.items():
        path = folder / f"{_TRAINED_ON[name]}.csv"
        if not path.exists():
            say(f"pmc-vqa-tuned-{name} is left out: {path} is not there")
            continue
        if path not in training:
            train = read(path, find, say)
            training[path] = train, cache(partial(_tune, train, subject, seed, say))
        train, tuned = training[path]
        yield Protocol(identity("pmc-vqa", [*contents(train), *contents(test)]), f"pmc-vqa-tuned-{name}",
                       partial(_tuned, test, subject, tuned))


def _zero_shot(test: Sheet, subject: Subject) -> list[Score]:
    from pmcoa_build.clip.benchmarks.answering import most_similar

    return _scores(most_similar(subject, examples(test.asked, subject.tokenizer)), test)


def _tune(train: Sheet, subject: Subject, seed: int, say: Say) -> Answerer:
    from pmcoa_build.clip.benchmarks.answering import tune

    return tune(subject, 1, examples(train.asked, subject.tokenizer), [], RECIPE, seed=seed, say=say)


def _tuned(test: Sheet, subject: Subject, net: Callable[[], Answerer]) -> list[Score]:
    from pmcoa_build.clip.benchmarks.answering import guesses

    return _scores(guesses(net(), subject, examples(test.asked, subject.tokenizer)), test)


def _scores(given: Sequence[int], test: Sheet) -> list[Score]:
    right = sum(guess == question.right for guess, question in zip(given, test.asked, strict=True))
    return [Score("accuracy", right / len(test.asked), len(test.asked)), left_out(test.lost, len(test.asked))]


def contents(sheet: Sheet) -> list[tuple[str, bytes | Path]]:
    """What identifies the data: the file, and name and size of each image (there are up to 19 GB of them)."""
    images = {question.image for question in sheet.asked}
    sizes = "\n".join(sorted(f"{image.name} {image.stat().st_size}" for image in images))
    return [(sheet.path.name, sheet.path), (f"images of {sheet.path.name}", sizes.encode())]


def examples(asked: Sequence[Choice], tokenizer: Tokenizer) -> list[Example]:
    """Each question with each of its choices as one text."""
    return [Example(question.image, tuple(joined(question.text, choice, tokenizer) for choice in question.choices),
                    question.right) for question in asked]


def joined(question: str, choice: str, tokenizer: Tokenizer) -> str:
    """"question choice", the question cut where both would not fit into the model's context."""
    room = tokenizer.context_length - 2 - sum(map(tokenizer.word_length, choice.split()))
    words = []
    for word in question.split():
        room -= tokenizer.word_length(word)
        if room < 0:
            break
        words.append(word)
    return " ".join([*words, choice])


def read(path: Path, find: Find, say: Say) -> Sheet:
    """The questions of a file; says how many lack an image that can be read, or a right choice.

    Raises RunFailed where a column is missing, or nothing is left.
    """
    rows = _rows(path)
    kept, imageless, untold = [], 0, 0
    for row in rows:
        image, right = find(row["Figure_path"]), right_choice(row)
        if image is None:
            imageless += 1
        elif right is None:
            untold += 1
        else:
            kept.append(Choice(image, row["Question"].strip(), choices(row), right))
    for count, why in ((imageless, "their images cannot be read"), (untold, "their answer is none of the choices")):
        if count:
            say(f"{path}: {count} of {len(rows)} questions are left out, {why}")
    if not kept:
        raise RunFailed(f"{path} holds no question whose image can be read.")
    return Sheet(path, kept, imageless + untold)


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, restval="")
            names = [_SPELLINGS.get(name, name) for name in table.fieldnames or ()]
            table.fieldnames = names
            rows = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RunFailed(f"{path} cannot be read as CSV ({error}).") from None
    for column in ("Figure_path", "Question", "Answer", *(f"Choice {letter}" for letter in LETTERS)):
        if column not in names:
            raise RunFailed(f"{path} has no column {column!r}.")
    return rows


def choices(row: dict[str, str]) -> tuple[str, ...]:
    """The four choices without the letters that some begin with ("A: …", " B:…")."""
    return tuple(_without_letter(row[f"Choice {letter}"], letter) for letter in LETTERS)


def right_choice(row: dict[str, str]) -> int | None:
    """0 to 3 by the letter (Answer_label, else Answer), else by the text of Answer; None where neither is a choice."""
    for given in (row.get("Answer_label"), row["Answer"]):
        letter = (given or "").strip().rstrip(":.)").upper()
        if len(letter) == 1 and letter in LETTERS:
            return LETTERS.index(letter)
    offered = [choice.casefold() for choice in choices(row)]
    for text in (row["Answer"].strip(), _without_letter(row["Answer"], f"[{LETTERS}]")):
        if text.casefold() in offered:
            return offered.index(text.casefold())
    return None


def _without_letter(text: str, letter: str) -> str:
    return re.sub(rf"^\s*{letter}\s*[:.)]\s*", "", text).strip()
