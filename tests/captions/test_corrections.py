from __future__ import annotations

import json
from pathlib import Path

import pytest

from pmcoa_build.captions.corrections import load_corrections, match_corrections
from pmcoa_build.errors import UsageError

GOOD = {"image_id": "PMC1.1/a.jpg", "box": [0, 0, 100, 100], "label": "B"}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def test_matched_by_image_and_best_overlap(tmp_path: Path) -> None:
    far = {**GOOD, "box": [200, 0, 300, 100], "drop": True, "label": None}
    corrections = load_corrections(write(tmp_path / "c.jsonl", GOOD, "", far))
    boxes = [(0, 0, 60, 100), (2, 2, 100, 100), (400, 0, 500, 100), (190, 0, 300, 100)]
    matched = match_corrections(corrections, "PMC1.1/a.jpg", boxes)
    assert [m and (m.label, m.drop) for m in matched] == [None, ("B", False), None, (None, True)]
    assert match_corrections(corrections, "PMC1.1/b.jpg", boxes) == [None] * 4


def test_the_last_of_two_for_one_place_holds(tmp_path: Path) -> None:
    corrections = load_corrections(write(tmp_path / "c.jsonl", GOOD, {**GOOD, "label": "C"}))
    (matched,) = match_corrections(corrections, "PMC1.1/a.jpg", [(0, 0, 100, 100)])
    assert matched is not None and matched.label == "C"


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        "[]",
        "[" * 100_000,
        {**GOOD, "box": [0, 0, 1]},
        {**GOOD, "box": [0, 0, "1", 1]},
        {**GOOD, "box": [0, 0, True, 1]},
        {**GOOD, "box": [5, 0, 5, 1]},
        {**GOOD, "image_id": ""},
        {**GOOD, "label": 3},
        {**GOOD, "drop": "yes"},
        {**GOOD, "lable": "A"},
        {"image_id": "x", "box": [0, 0, 1, 1]},
        '{"image_id": "x", "box": [0, 0, NaN, 1], "drop": true}',
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, bad: object) -> None:
    path = write(tmp_path / "c.jsonl", GOOD, bad)
    with pytest.raises(UsageError, match=r"Line 2 of the corrections file .*c\.jsonl"):
        load_corrections(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_corrections(tmp_path / "gone.jsonl")
