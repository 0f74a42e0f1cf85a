from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.captions.corrections import agreement, iou, load_corrections, match_corrections, move_boxes, unmatched
from pmcoa_build.errors import UsageError

Box = tuple[int, int, int, int]
GOOD = {"image_id": "PMC1.1/a.jpg", "box": [0, 0, 100, 100], "label": "B"}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def test_matched_by_image_and_best_overlap(tmp_path: Path) -> None:
    far = {**GOOD, "box": [200, 0, 300, 100], "drop": True, "label": None}
    corrections = load_corrections(write(tmp_path / "c.jsonl", GOOD, "", far))
    boxes = [(0, 0, 60, 100), (2, 2, 100, 100), (400, 0, 500, 100), (190, 0, 300, 100)]
    matched = match_corrections(corrections["PMC1.1/a.jpg"], boxes)
    assert [m and (m.label, m.drop) for m in matched] == [None, ("B", False), None, (None, True)]
    assert unmatched(corrections["PMC1.1/a.jpg"], matched) == 0
    assert unmatched(corrections["PMC1.1/a.jpg"], match_corrections(corrections["PMC1.1/a.jpg"], boxes[:2])) == 1
    assert match_corrections([], boxes) == [None] * 4


def test_the_last_of_two_for_one_place_holds(tmp_path: Path) -> None:
    corrections = load_corrections(write(tmp_path / "c.jsonl", GOOD, {**GOOD, "label": "C"}))
    (matched,) = match_corrections(corrections["PMC1.1/a.jpg"], [(0, 0, 100, 100)])
    assert matched is not None and matched.label == "C"


def test_a_moved_panel_is_matched_where_it_went(tmp_path: Path) -> None:
    lines = load_corrections(write(tmp_path / "c.jsonl", {**GOOD, "new_box": [200, 0, 300, 100]}))["PMC1.1/a.jpg"]
    matched = match_corrections(lines, [(0, 0, 100, 100), (200, 0, 300, 100)])
    assert [m and m.label for m in matched] == [None, "B"]


A, B, NEW = (0, 0, 100, 100), (100, 0, 200, 100), (10, 10, 90, 95)


@pytest.mark.parametrize(
    ("boxes", "moves", "wanted"),
    [
        ([A, B], [(A, NEW)], [(NEW, 0), (B, 1)]),
        ([A, B], [((3, 2, 104, 99), NEW)], [(NEW, 0), (B, 1)]),
        ([B, NEW], [(A, (12, 12, 88, 94))], [(B, 0), ((12, 12, 88, 94), 1)]),
        ([A], [(A, B), (B, NEW)], [(NEW, 0)]),
        ([B], [(A, NEW)], [(B, 0), (NEW, None)]),
        ([(0, 0, 30, 100), (30, 0, 60, 100), B], [(A, A)], [(B, 2), (A, None)]),
        ([A], [(A, (10, 10, 900, 95))], [((10, 10, 200, 95), 0)]),
        ([A], [(A, (500, 500, 600, 600))], [(A, 0)]),
        ([], [(A, A)], [(A, None)]),
    ],
    ids=["moved", "by overlap", "found better since", "moved twice", "found no longer", "cut up since",
         "cut to the image", "outside", "nothing found"],
)
def test_boxes_go_where_a_person_wants_them(boxes: list[Box], moves: list[tuple[Box, Box]], wanted: object) -> None:
    assert move_boxes(boxes, moves, 200, 100) == wanted


def _boxes() -> st.SearchStrategy[Box]:
    edges = st.tuples(st.integers(0, 180), st.integers(0, 80), st.integers(1, 40), st.integers(1, 40))
    return edges.map(lambda e: (e[0], e[1], min(200, e[0] + e[2]), min(100, e[1] + e[3])))


@given(st.lists(_boxes(), max_size=6, unique=True), st.lists(_boxes(), min_size=1, max_size=3))
def test_the_box_said_last_is_there_and_saying_it_again_changes_nothing(boxes: list[Box], new: list[Box]) -> None:
    moves = [(box, box) for box in new]
    once = [box for box, _ in move_boxes(boxes, moves, 200, 100)]
    assert new[-1] in once
    assert all(max(iou(box, kept) for kept in once) > 0 for box in new)
    assert [box for box, _ in move_boxes(once, moves[-1:], 200, 100)].count(new[-1]) >= 1


def test_agreement_by_method(tmp_path: Path) -> None:
    say = {"image_id": "i", "method": "label"}
    lines = [
        {**say, "box": [0, 0, 1, 1], "verdict": "wrong"},
        {**say, "box": [0, 0, 1, 1], "verdict": "right", "subcaption": "x"},
        {**say, "box": [0, 0, 2, 1], "verdict": "right", "subcaption": "x", "label": ""},
        {**say, "box": [0, 0, 3, 1], "verdict": "wrong"},
        {**say, "box": [0, 0, 4, 1], "verdict": "wrong", "label": "B"},
        {**say, "box": [0, 0, 5, 1], "verdict": "right", "subcaption": "x", "new_box": [0, 0, 6, 1]},
        {**say, "box": [0, 0, 6, 1], "drop": True, "method": "order"},
        {"image_id": "i", "box": [0, 0, 7, 1], "drop": True},
    ]
    counted = agreement(load_corrections(write(tmp_path / "c.jsonl", *lines)))
    assert counted == {"label": {"right": 2, "wrong": 1, "corrected": 2}, "order": {"left out": 1}}


def test_unusual_but_good_lines(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    line = json.dumps({**GOOD, "subcaption": "a\u2028b\x85c"}, ensure_ascii=False)
    path.write_text(f"\ufeff{line}\r\n\r\n", "utf-8")
    assert load_corrections(path)["PMC1.1/a.jpg"][0].subcaption == "a\u2028b\x85c"


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
        {**GOOD, "new_box": [5, 5, 5, 9]},
        {**GOOD, "new_box": [-5, 5, 5, 9]},
        {**GOOD, "verdict": "maybe"},
        {"image_id": "x", "box": [0, 0, 1, 1], "verdict": "right"},
        {"image_id": "x", "box": [0, 0, 1, 1], "verdict": "right", "subcaption": " "},
        {**GOOD, "method": 1},
        '{"image_id": "x", "box": [0, 0, 1, Infinity], "drop": true}',
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
