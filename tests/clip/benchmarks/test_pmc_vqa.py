"""PMC-VQA from its published form: which choice is right, what is scored, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmcoa_build.clip.benchmarks import answering, pmc_vqa
from pmcoa_build.clip.benchmarks.pmc_vqa import choices, joined, right_choice
from pmcoa_build.clip.benchmarks.questions import finder
from pmcoa_build.clip.benchmarks.recipe import Recipe
from pmcoa_build.clip.benchmarks.store import read
from pmcoa_build.clip.tokenizer import load_tokenizer
from stages.__main__ import main
from tests.clip.benchmarks.made_up_vqa import pmc_rows, write_csv, write_pmc

ROW = {"Choice A": " A:Left lung ", "Choice B": "B: Right lung", "Choice C": "C.Both", "Choice D": "Neither"}


@pytest.mark.parametrize(("given", "right"), [
    ({"Answer": "Right lung", "Answer_label": "B"}, 1),
    ({"Answer": "Right lung", "Answer_label": " b: "}, 1),
    ({"Answer": "D"}, 3),
    ({"Answer": "Both"}, 2),
    ({"Answer": "A:Left lung", "Answer_label": ""}, 0),
    ({"Answer": " C: both"}, 2),
    ({"Answer": "Neither "}, 3),
    ({"Answer": "Heart"}, None),
    ({"Answer": "", "Answer_label": "E"}, None),
])
def test_the_right_choice_is_found_by_letter_or_by_text(given: dict[str, str], right: int | None) -> None:
    assert right_choice({**ROW, **given}) == right


def test_choices_lose_their_letters_and_only_those() -> None:
    assert choices(ROW) == ("Left lung", "Right lung", "Both", "Neither")
    assert choices({**ROW, "Choice D": "A: B"})[3] == "A: B"


def test_a_choice_fits_behind_any_question() -> None:
    tokenizer = load_tokenizer("bundled", 16)
    text = joined("what is seen " * 20, "left lung", tokenizer)
    assert text.endswith(" left lung") and text.startswith("what is seen")
    whole = load_tokenizer("bundled", 64)
    assert 14 <= sum(token != 0 for token in whole.encode(text)) <= 16
    assert joined("what is seen", "left lung", tokenizer) == "what is seen left lung"


def test_zero_shot_and_tuned_go_through_the_command(
    tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pmc_vqa, "RECIPE", Recipe(3, 12, 300))
    monkeypatch.setattr(answering, "LR", 3e-4)  # to be quick
    words = ["benchmark", str(exported), "--pmc-vqa", str(write_pmc(tmp_path / "pmc")), "--out", str(tmp_path)]
    assert main(words) == 0
    rows = [row for row in read(tmp_path / "scores.parquet") if row["metric"] == "accuracy"]
    assert [(row["protocol"], row["n"]) for row in rows] == [
        ("pmc-vqa-zero-shot-test", 12), ("pmc-vqa-tuned-test", 12)]
    assert rows[1]["value"] >= 0.6  # chance 0.25
    assert rows[0]["dataset_id"] != rows[1]["dataset_id"]
    capsys.readouterr()
    assert main(words) == 0
    assert capsys.readouterr().out.count("stored already") == 2


def test_each_test_file_is_scored_where_its_training_file_is_there(
    tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pmc_vqa, "RECIPE", Recipe(1, 8, 1))
    folder = write_pmc(tmp_path / "pmc")
    write_csv(folder / "test_clean.csv", pmc_rows(folder, "clean", 4, 5))
    second = [{"index": "1", **row, "Answer": row.pop("Answer_label"), "split": "test"}
              for row in pmc_rows(folder, "second", 4, 6)]
    write_csv(folder / "test_2.csv", second)
    assert main(["benchmark", str(exported), "--pmc-vqa", str(folder), "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "pmc-vqa-tuned-test_2 is left out" in out and out.count("epoch 1 of 1") == 1
    rows = read(tmp_path / "out" / "scores.parquet")
    assert [row["protocol"] for row in rows if row["metric"] == "accuracy"] == [
        "pmc-vqa-zero-shot-test", "pmc-vqa-zero-shot-test_clean", "pmc-vqa-zero-shot-test_2",
        "pmc-vqa-tuned-test", "pmc-vqa-tuned-test_clean"]


def test_the_misspelt_columns_of_the_first_release_are_read(tmp_path: Path) -> None:
    rows = pmc_rows(tmp_path, "test", 4, 0)
    write_csv(tmp_path / "right.csv", rows)
    write_csv(tmp_path / "wrong.csv", [
        {key.replace("Answer", "Anwser"): value for key, value in row.items()} for row in rows])
    found = [pmc_vqa.read(tmp_path / f"{name}.csv", finder(tmp_path), print) for name in ("right", "wrong")]
    assert found[0].asked == found[1].asked and len(found[0].asked) == 4
    assert [question.choices[question.right] for question in found[0].asked] == [row["Answer"] for row in rows]


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    rows = pmc_rows(tmp_path, "test", 4, 0)
    rows[0]["Figure_path"] = "gone.jpg"
    rows[1] |= {"Answer": "no choice", "Answer_label": ""}
    write_csv(tmp_path / "test.csv", rows)
    with (tmp_path / "test.csv").open("a", encoding="utf-8") as file:
        file.write("cut.jpg,Why")
    said: list[str] = []
    sheet = pmc_vqa.read(tmp_path / "test.csv", finder(tmp_path), said.append)
    assert len(sheet.asked) == 2 and sheet.lost == 3
    assert [line.partition(": ")[2] for line in said] == [
        "2 of 5 questions are left out, their images cannot be read",
        "1 of 5 questions are left out, their answer is none of the choices"]


@pytest.mark.parametrize(("content", "code", "sentence"), [
    (None, 2, "holds no PMC-VQA"),
    ("Figure_path,Question\na.jpg,Why?\n", 4, "no column 'Answer'"),
    ("Figure_path,Question,Answer,Choice A,Choice B,Choice C,Choice D\na.jpg,Why?,A,1,2,3,4\n", 4, "no question whose"),
    ("", 4, "no column 'Figure_path'"),
    (b"\xff\xfe\x00", 4, "cannot be read as CSV"),
])
def test_what_cannot_be_used_is_one_sentence(
    tmp_path: Path, exported: Path, capsys: pytest.CaptureFixture[str], content: str | bytes | None, code: int,
    sentence: str,
) -> None:
    folder = tmp_path / "pmc"
    folder.mkdir()
    if content is not None:
        (folder / "test.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["benchmark", str(exported), "--pmc-vqa", str(folder), "--out", str(tmp_path / "out")]) == code
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
