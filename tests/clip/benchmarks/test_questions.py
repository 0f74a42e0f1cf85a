"""Reading questions: what is kept, what is left out and said, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pmcoa_build.clip.benchmarks.questions import Question, Splits, finder, questions, records, whole
from pmcoa_build.errors import RunFailed

ROW = {"image_name": "a.jpg", "question": "Is it?", "answer": "Yes", "answer_type": "CLOSED"}


@pytest.mark.parametrize(("changed", "text", "answer", "closed"), [
    ({}, "Is it?", "yes", True),
    ({"answer_type": "CLOSED "}, "Is it?", "yes", True),
    ({"answer_type": "open"}, "Is it?", "yes", False),
    ({"answer": 4}, "Is it?", "4", True),
    ({"question": "Is the mass well-defined? -yes/no"}, "Is the mass well-defined?", "yes", True),
    ({"question": " Where is it? - OPEN "}, "Where is it?", "yes", True),
])
def test_spellings_of_records(tmp_path: Path, changed: dict[str, Any], text: str, answer: str, closed: bool) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.jpg")
    said: list[str] = []
    found, lost = questions([{**ROW, **changed}], "image_name", finder(tmp_path), "x.json", said.append)
    assert found == [Question(tmp_path / "a.jpg", text, answer, closed)]
    assert not said and lost == 0


def test_questions_without_their_image_are_counted_and_said(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "images" / "a.jpg")
    (tmp_path / "images" / "c.jpg").write_text("<html>404</html>")
    said: list[str] = []
    rows = [ROW, {**ROW, "image_name": "b.jpg"}, {**ROW, "image_name": "c.jpg"}]
    found, lost = questions(rows, "image_name", finder(tmp_path), "x.json", said.append)
    assert [question.image for question in found] == [tmp_path / "images" / "a.jpg"] and lost == 2
    assert said == ["x.json: 2 of 3 questions are left out, their images cannot be read"]


@pytest.mark.parametrize(("content", "sentence"), [
    ("{", "cannot be read as JSON"),
    ('{"a": 1}', "no list of questions"),
    ("[1]", "no list of questions"),
    (json.dumps([ROW, {"question": "Why?", "answer_type": "OPEN"}]), "Question 2 of .* has no 'answer'"),
])
def test_files_that_hold_no_questions_are_refused(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    with pytest.raises(RunFailed, match=sentence):
        records(path)


@pytest.mark.parametrize(("changed", "sentence"), [
    ({"answer_type": "MAYBE"}, "OPEN or CLOSED, not 'MAYBE'"),
    ({"image_name": None}, "has no 'image_name'"),
])
def test_bad_records_are_refused(tmp_path: Path, changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RunFailed, match=sentence):
        questions([{**ROW, **changed}], "image_name", finder(tmp_path), "x.json", print)


@pytest.mark.parametrize(("missing", "name"), [(0, "training"), (2, "test")])
def test_both_ends_are_needed(tmp_path: Path, missing: int, name: str) -> None:
    one = [Question(tmp_path, "", "", True)]
    parts = [[] if at == missing else one for at in range(3)]
    with pytest.raises(RunFailed, match=f"no {name} question"):
        whole(Splits(parts[0], parts[1], parts[2], [], 0), tmp_path)
