"""Scores by hand, and what the data's identity depends on."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from pmcoa_build.clip.benchmarks.questions import Question, Splits
from pmcoa_build.clip.benchmarks.recipe import Recipe
from pmcoa_build.clip.benchmarks.store import Score
from pmcoa_build.clip.benchmarks.subject import Subject
from pmcoa_build.clip.benchmarks.vqa import accuracies, protocol
from tests.clip.benchmarks.made_up_vqa import draw_picture


def asked(closed: bool) -> Question:
    return Question(Path("x"), "", "", closed)


def test_accuracies_by_hand() -> None:
    questions = [asked(closed) for closed in (True, False, True, False, False)]
    assert accuracies(questions, [True, False, False, True, True]) == [
        Score("open", pytest.approx(2 / 3), 3), Score("closed", 0.5, 2), Score("overall", 0.6, 5),
    ]
    assert accuracies(questions[:1], [True]) == [Score("closed", 1.0, 1), Score("overall", 1.0, 1)]


def _split(folder: Path, answer: str) -> list[Question]:
    draw_picture(folder / "a.png", "red", np.random.default_rng(0))
    return [Question(folder / "a.png", "What?", answer, False)]


def test_an_answer_that_never_occurs_in_training_is_wrong(tmp_path: Path, subject: Subject) -> None:
    train, test = _split(tmp_path, "red") * 2, _split(tmp_path, "blue")
    said: list[str] = []
    found = protocol("x", Splits(train, [], test, [], 3), subject, Recipe(1, 2, 1), seed=0, say=said.append)
    assert found.compute() == [Score("open", 0.0, 1), Score("overall", 0.0, 1), Score("questions_without_image", 3, 4)]
    assert "1 answers; 0 of 1 test answers" in said[0]
    found = protocol("x", Splits(train, [], train[:1], [], 0), subject, Recipe(1, 2, 1), seed=0, say=said.append)
    assert found.compute() == [Score("open", 1.0, 1), Score("overall", 1.0, 1), Score("questions_without_image", 0, 1)]


def test_the_identity_is_of_names_and_contents(tmp_path: Path, subject: Subject) -> None:
    def data(folder: Path) -> str:
        splits = Splits(_split(folder, "red"), [], [], [folder / "x.json"], 0)
        (folder / "x.json").write_text("[]")
        return protocol("x", splits, subject, Recipe(1, 1), seed=0, say=print).data

    first, second = data(tmp_path / "1" / "images"), data(tmp_path / "2" / "figures")
    assert first == second
    assert re.fullmatch("x:[0-9a-f]{64}", first)
    draw_picture(tmp_path / "3" / "images" / "a.png", "blue", np.random.default_rng(0))
    other = Question(tmp_path / "3" / "images" / "a.png", "What?", "red", False)
    splits = Splits([other], [], [], [tmp_path / "1" / "images" / "x.json"], 0)
    assert protocol("x", splits, subject, Recipe(1, 1), seed=0, say=print).data != first
