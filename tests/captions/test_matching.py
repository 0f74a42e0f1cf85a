from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.captions.matching import PanelView, best_assignment, match, named

LETTERS = "ABCDEFGHIJ"


def grid(labels: list[str | None], columns: int = 3, score: float = 0.9) -> list[PanelView]:
    """Panels row by row, 100 pixels a side."""
    corners = [(i % columns * 100, i // columns * 100) for i in range(len(labels))]
    return [PanelView((x, y, x + 90, y + 90), label, None if label is None else score)
            for (x, y), label in zip(corners, labels, strict=True)]  # fmt: skip


def labels_of(panels: list[PanelView], labels: str) -> list[str | None]:
    return [None if place is None else labels[place] for place in match(panels, labels)]


@st.composite
def struck(draw: st.DrawFn) -> tuple[int, set[int]]:
    """A number of panels and some of them, never all."""
    count = draw(st.integers(3, 10))
    return count, draw(st.sets(st.integers(0, count - 1), max_size=count - 1))


@given(struck(), st.integers(1, 4))
def test_letters_that_are_not_read_come_from_order(case: tuple[int, set[int]], columns: int) -> None:
    count, hit = case
    labels = LETTERS[:count]
    panels = grid([None if i in hit else label for i, label in enumerate(labels)], columns)
    assert labels_of(panels, labels) == list(labels)


@given(st.integers(3, 10), st.data())
def test_a_misread_letter_shifts_no_other(count: int, data: st.DataObject) -> None:
    labels = LETTERS[:count]
    at = data.draw(st.integers(0, count - 1))
    printed: list[str | None] = list(labels)
    printed[at] = data.draw(st.sampled_from([letter for letter in LETTERS if letter != labels[at]]))
    assert labels_of(grid(printed), labels) == list(labels)


@given(struck(), st.data())
def test_a_lost_panel_shifts_no_other(case: tuple[int, set[int]], data: st.DataObject) -> None:
    """What is printed is kept, and no panel gets another's label."""
    count, hit = case
    labels, gone = LETTERS[:count], data.draw(st.integers(0, count - 1))
    panels = [
        panel for i, panel in enumerate(grid([None if i in hit else a for i, a in enumerate(labels)])) if i != gone
    ]
    left = [i for i in range(count) if i != gone]
    for i, found in zip(left, labels_of(panels, labels), strict=True):
        assert found == labels[i] or (i in hit and (found is None or gone in hit))


@given(struck(), st.data())
def test_a_surplus_panel_shifts_no_other(case: tuple[int, set[int]], data: st.DataObject) -> None:
    count, hit = case
    labels, at = LETTERS[:count], data.draw(st.integers(0, count))
    printed = [None if i in hit else label for i, label in enumerate(labels)]
    found = labels_of(grid([*printed[:at], None, *printed[at:]]), labels)
    del found[at]
    assert all(found[i] == labels[i] for i in range(count) if i not in hit)


@pytest.mark.parametrize(
    ("printed", "columns", "expected"),
    [
        ("A-B-", 2, "ACBD"),  # the letters run down the columns
        ("A--B--C--", 3, "ADGBEHCFI"),
        ("A-C-", 2, "ABCD"),
        ("AB-D", 4, "ABCD"),
        ("A-D", 3, "A?D"),  # of two labels left, nothing says which
        ("A-CE", 4, "ABCE"),  # D's panel is lost
        ("A-B--D", 3, "A?B??D"),
        ("ABXD", 2, "ABCD"),  # X is no label of the caption
        ("ABCDE", 3, "ABCD?"),
        ("DDCD", 4, "ABCD"),  # of three that are read as D, the last is where D belongs; A and B by order
    ],
)
def test_order(printed: str, columns: int, expected: str) -> None:
    labels = LETTERS[: max(4, *(ord(letter) - 64 for letter in expected.replace("?", "A")))]
    if printed == "A-CE":
        labels = "ABCDE"
    found = labels_of(grid([None if letter == "-" else letter for letter in printed], columns), labels)
    assert "".join(letter or "?" for letter in found) == expected


def test_two_images_are_read_one_after_the_other() -> None:
    views = [PanelView(box, label, 0.9 if label else None, page) for page, box, label in [
        (0, (0, 0, 90, 90), "A"), (0, (100, 0, 190, 90), "C"), (0, (0, 100, 90, 190), None),
        (0, (100, 100, 190, 190), None), (1, (0, 0, 90, 90), None), (1, (100, 0, 190, 90), "F")]]  # fmt: skip
    assert labels_of(views, "ABCDEF") == ["A", "C", "B", "D", "E", "F"]


def test_looks_decide_what_letters_and_order_leave_open() -> None:
    lost_one = grid(["A", None, "D"])  # B's or C's panel is lost
    assert match(lost_one, "ABCD") == [0, None, 3]
    shares = [[0.25] * 4, [0.1, 0.1, 0.7, 0.1], [0.25] * 4]
    assert match(lost_one, "ABCD", shares) == [0, 2, 3]
    assert match(lost_one, "ABCD", [[0.25] * 4] * 3) == [0, None, 3]
    against = [[0.0, 0.0, 0.0, 1.0]] * 4
    assert match(grid(list("ABCD")), "ABCD", against) == [0, 1, 2, 3]  # letters are never outvoted
    assert match(grid(["A", None, "C", "D"]), "ABCD", against) == [0, 1, 2, 3]


def test_sub_labels_share_the_letter_of_the_caption() -> None:
    assert labels_of(grid(["A1", "A2", "B", "C"], 2), "ABC") == ["A", "A", "B", "C"]
    assert match(grid(["A1", "A2", "B"]), ["A1", "A2", "B"]) == [0, 1, 2]


def test_the_callers_spelling() -> None:
    assert named("a", ["A", "B"]) == "A"
    assert named("a", ["A", "a"]) == "a"
    assert named("B2", ["A", "B"]) == "B"
    assert named("Q", ["A", "B"]) is None
    assert named("", ["A"]) is None


@given(st.lists(st.lists(st.integers(-5, 9), min_size=3, max_size=3), min_size=1, max_size=4))
def test_the_assignment_is_the_best_there_is(worth: list[list[int]]) -> None:
    found = best_assignment(worth)
    taken = [place for place in found if place is not None]
    assert len(set(taken)) == len(taken)
    slots = [0, 1, 2, *([None] * len(worth))]
    best = max(
        sum(max(row[place], 0) for row, place in zip(worth, chosen, strict=True) if place is not None)
        for chosen in permutations(slots, len(worth))
    )
    assert sum(row[place] for row, place in zip(worth, found, strict=True) if place is not None) == best
