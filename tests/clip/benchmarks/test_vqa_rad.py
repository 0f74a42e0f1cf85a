"""VQA-RAD from both its published forms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pmcoa_build.clip.benchmarks import vqa, vqa_rad
from pmcoa_build.clip.benchmarks.recipe import Recipe
from pmcoa_build.clip.benchmarks.store import read
from pmcoa_build.errors import UsageError
from stages.__main__ import main
from tests.clip.benchmarks.made_up_vqa import COUNTS, rad_rows, write_rad


@pytest.mark.parametrize("name", ["VQA_RAD Dataset Public.json", "VQA_RAD_Dataset_Public.json"])
def test_osf_form_is_split_by_phrase_type(tmp_path: Path, name: str) -> None:
    (write_rad(tmp_path) / "VQA_RAD Dataset Public.json").rename(tmp_path / name)
    splits = vqa_rad.read(tmp_path, print)
    assert [len(part) for part in splits[:3]] == [COUNTS["train"], 0, COUNTS["test"]]
    assert all("synpictrain" in question.image.name for question in splits.train)
    assert all("synpictest" in question.image.name for question in splits.test)


def test_framed_questions_train_and_those_of_test_rows_do_not(tmp_path: Path) -> None:
    train, test = rad_rows(tmp_path)
    train[0]["question_frame"], test[0]["question_frame"] = "Is/Are it red?", "Is/Are it blue?"
    train[1]["question_frame"] = None
    test[0]["phrase_type"] = "test_para"
    (tmp_path / "VQA_RAD Dataset Public.json").write_text(json.dumps([*test, *train]))
    splits = vqa_rad.read(tmp_path, print)
    assert len(splits.train) == COUNTS["train"] + 1 and len(splits.test) == COUNTS["test"]
    assert splits.train[-1] == splits.train[0]._replace(text="Is/Are it red?")


def test_the_papers_form_gives_the_same(tmp_path: Path) -> None:
    osf = vqa_rad.read(write_rad(tmp_path), print)
    (tmp_path / "VQA_RAD Dataset Public.json").unlink()
    for name, rows in zip(("trainset", "testset"), rad_rows(tmp_path), strict=True):
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    papers = vqa_rad.read(tmp_path, print)
    assert papers[:3] == osf[:3]
    assert [path.name for path in papers.files] == ["trainset.json", "testset.json"]


def test_scores_go_through_the_command(tmp_path: Path, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vqa, "VQA_RAD", Recipe(2, 8, 1))
    words = ["benchmark", str(exported), "--vqa-rad", str(write_rad(tmp_path / "rad")), "--out", str(tmp_path)]
    assert main([*words, "--seed", "3"]) == 0
    rows = read(tmp_path / "scores.parquet")
    assert [(row["protocol"], row["metric"], row["n"], row["seed"]) for row in rows] == [
        ("vqa-rad", "open", 6, 3), ("vqa-rad", "closed", 6, 3), ("vqa-rad", "overall", 12, 3),
        ("vqa-rad", "questions_without_image", 12, 3)]
    assert all(row["dataset_id"].startswith("vqa-rad:") for row in rows)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "trainset.json").write_text("[]")
    with pytest.raises(UsageError, match="holds no VQA-RAD"):
        vqa_rad.read(tmp_path, print)
