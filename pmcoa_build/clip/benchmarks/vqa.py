"""Visual question answering as the choice of one of the training split's answers, and its scores."""

from __future__ import annotations

from collections.abc import Sequence

from pmcoa_build.clip.benchmarks.questions import Question, Splits, images
from pmcoa_build.clip.benchmarks.recipe import Example, Recipe
from pmcoa_build.clip.benchmarks.store import Protocol, Say, Score, identity
from pmcoa_build.clip.benchmarks.subject import Subject

VQA_RAD = Recipe(epochs=50, batch_size=64)
SLAKE = Recipe(epochs=15, batch_size=32)
"""Epochs and batches of M3AE (zhjohnchan/M3AE, `config.py`), in whose way PMC-CLIP's authors compare."""


def protocol(name: str, splits: Splits, subject: Subject, recipe: Recipe, seed: int, say: Say) -> Protocol:
    """A head over the training split's answers, tuned with the whole model; `open`, `closed`, `overall` accuracy."""
    files = [(file.name, file) for file in splits.files]
    pictures = [(image.name, image) for image in images(splits[:3])]
    return Protocol(identity(name, [*files, *pictures]), name, lambda: _compute(splits, subject, recipe, seed, say))


def _compute(splits: Splits, subject: Subject, recipe: Recipe, seed: int, say: Say) -> list[Score]:
    from pmcoa_build.clip.benchmarks.answering import guesses, tune

    answers = {answer: at for at, answer in enumerate(sorted({question.answer for question in splits.train}))}
    train, validation, test = (
        [Example(question.image, (question.text,), answers.get(question.answer, -1)) for question in part]
        for part in splits[:3]
    )
    known = sum(example.target >= 0 for example in test)
    say(f"  {len(train)} questions train, {len(answers)} answers; {known} of {len(test)} test answers are among them")
    net = tune(subject, len(answers), train, validation, recipe, seed=seed, say=say)
    given = guesses(net, subject, test)
    right = [guess == example.target for guess, example in zip(given, test, strict=True)]
    return [*accuracies(splits.test, right), left_out(splits.lost, len(test))]


def accuracies(asked: Sequence[Question], right: Sequence[bool]) -> list[Score]:
    """Share of right answers to open, to closed and to all questions; a kind that was not asked has no score."""
    kinds = {
        "open": [good for question, good in zip(asked, right, strict=True) if not question.closed],
        "closed": [good for question, good in zip(asked, right, strict=True) if question.closed],
        "overall": list(right),
    }
    return [Score(kind, sum(found) / len(found), len(found)) for kind, found in kinds.items() if found]


def left_out(lost: int, kept: int) -> Score:
    """How many test questions are left out, of all: their image cannot be read."""
    return Score("questions_without_image", lost, lost + kept)
