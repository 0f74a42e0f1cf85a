"""SLAKE from its published form, through the command: what is read, stored, learned, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pmcoa_build.clip.benchmarks import answering, slake, vqa
from pmcoa_build.clip.benchmarks.questions import Question
from pmcoa_build.clip.benchmarks.recipe import Recipe
from pmcoa_build.clip.benchmarks.store import read
from stages.__main__ import main
from tests.clip.benchmarks.made_up_vqa import COUNTS, write_slake


@pytest.mark.parametrize("validation", ["validation", "validate"])
def test_the_english_questions_are_read(tmp_path: Path, validation: str) -> None:
    said: list[str] = []
    splits = slake.read(write_slake(tmp_path, validation), said.append)
    assert [len(part) for part in splits[:3]] == [2 * count for count in COUNTS.values()]
    assert splits.train[1].text == "Is the picture red?"
    assert splits.train[0] == Question(tmp_path / "imgs" / "xmlab1" / "source.jpg", "What colour is the picture?",
                                       splits.train[0].answer, False)
    assert {question.answer for question in splits.train} == {"red", "green", "blue", "yellow", "yes", "no"}
    assert not said


def test_the_head_learns_to_see_and_what_is_stored_is_not_computed_again(
    tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(vqa, "SLAKE", Recipe(6, 16, 160))
    monkeypatch.setattr(answering, "LR", 3e-4)  # to be quick
    words = ["benchmark", str(exported), "--slake", str(write_slake(tmp_path / "slake")), "--out", str(tmp_path)]
    assert main(words) == 0
    rows = read(tmp_path / "scores.parquet")
    assert [(row["protocol"], row["metric"], row["n"], row["seed"]) for row in rows] == [
        ("slake", "open", 12, 0), ("slake", "closed", 12, 0), ("slake", "overall", 24, 0),
        ("slake", "questions_without_image", 24, 0)]
    values = {row["metric"]: row["value"] for row in rows}
    assert values["open"] >= 0.7  # chance 0.25, and the questions alone give no more
    assert values["closed"] >= 0.8  # "no" is right of 0.75
    assert "84.30" in capsys.readouterr().out
    assert main(words) == 0
    assert read(tmp_path / "scores.parquet") == rows
    assert "epoch" not in capsys.readouterr().out


def test_half_a_result_is_not_stored(tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vqa, "SLAKE", Recipe(3, 8, 1))
    folder, said = write_slake(tmp_path / "slake"), 0

    def stop(line: str, **_: object) -> None:
        nonlocal said
        said += 1
        if "epoch 2" in line:
            raise KeyboardInterrupt

    monkeypatch.setattr("stages.benchmark._say", stop)
    words = ["benchmark", str(exported), "--slake", str(folder), "--out", str(tmp_path / "out")]
    assert main(words) == 130
    assert said and not (tmp_path / "out" / "scores.parquet").exists()
    monkeypatch.setattr("stages.benchmark._say", lambda line: None)
    assert main(words) == 0
    assert len(read(tmp_path / "out" / "scores.parquet")) == 4


def test_missing_images_are_said_and_not_scored(
    tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(vqa, "SLAKE", Recipe(1, 8, 1))
    folder = write_slake(tmp_path / "slake")
    name = json.loads((folder / "test.json").read_text("utf-8"))[0]["img_name"]
    (folder / "imgs" / name).unlink()
    assert main(["benchmark", str(exported), "--slake", str(folder), "--out", str(tmp_path / "out")]) == 0
    assert "test.json: 2 of 24 questions are left out, their images cannot be read" in capsys.readouterr().out
    rows = read(tmp_path / "out" / "scores.parquet")
    assert {row["metric"]: row["n"] for row in rows} == {
        "open": 11, "closed": 11, "overall": 22, "questions_without_image": 24}
    assert rows[-1]["value"] == 2


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize(("spoil", "code", "sentence"), [
    (lambda folder: (folder / "train.json").unlink(), 2, "train.json is missing"),
    (lambda folder: (folder / "validation.json").unlink(), 2, "validation.json is missing"),
    (lambda folder: (folder / "test.json").write_text("[]"), 4, "no test question whose image can be read"),
    (lambda folder: (folder / "train.json").write_text("not"), 4, "cannot be read as JSON"),
    (lambda folder: (folder / "imgs").rename(folder.parent / "elsewhere"), 4, "no training question whose image"),
    (lambda folder: _cut(next((folder / "imgs").glob("*/*"))), 4, "cannot be decoded"),
])
def test_what_cannot_be_used_is_one_sentence(
    tmp_path: Path, exported: Path, capsys: pytest.CaptureFixture[str], spoil: object, code: int, sentence: str
) -> None:
    folder = write_slake(tmp_path / "slake")
    spoil(folder)  # type: ignore[operator]
    assert main(["benchmark", str(exported), "--slake", str(folder), "--out", str(tmp_path / "out")]) == code
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
