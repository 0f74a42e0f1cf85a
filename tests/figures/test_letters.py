"""Panel letters chosen among glyphs that are known: order, case, longer labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.figures.glyphs import CLASSES, Glyphs
from pmcoa_build.figures.ink import read_page
from pmcoa_build.figures.letters import evidence, find_letters, guess_missing, in_order

PAGE = read_page(np.full((400, 600, 3), 255, np.uint8))


def written(labels: Sequence[str], places: Sequence[tuple[int, int]], sure: float = 0.95) -> Glyphs:
    """What a reader makes of labels at (left, base line): characters 10 wide, 14 high, 3 apart, their ends alone."""
    boxes, probs, crowded = [], [], []
    for label, (x, y) in zip(labels, places, strict=True):
        for at in sorted({0, len(label) - 1}):
            height = 14 if label[at].isupper() or label[at].isdigit() or label[at] in "bdfhkli" else 11
            boxes.append((x + 13 * at, y - height, x + 13 * at + 10, y))
            row = np.full(len(CLASSES) + 1, (1 - sure) / len(CLASSES))
            row[CLASSES.index(label[at])] = sure
            probs.append(row)
            crowded.append(float(len(label) > 1))
    return Glyphs(np.array(boxes), np.zeros(len(boxes), bool), np.array(probs), np.array(crowded))


def grid(count: int) -> list[tuple[int, int]]:
    return [(20 + 190 * (i % 3), 30 + 90 * (i // 3)) for i in range(count)]


@pytest.mark.parametrize("labels", [
    "ABCDEF", "abcdef", "123456", ["A1", "A2", "B1", "B2", "B3"], ["Aa", "Ab", "Ba", "Bb"], ["8", "9", "10", "11"],
    ["i", "ii", "iii", "iv", "v"], ["A", "B", "C1", "C2", "D"]])
def test_labels_are_found_in_their_places(labels: Sequence[str]) -> None:
    places = grid(len(labels))
    _, found = find_letters(PAGE, written(labels, places), list(labels))[0]
    assert [letter.label for letter in found] == list(labels)
    assert [(letter.box[0], letter.box[3]) for letter in found] == places
    assert all(letter.box[2] - letter.box[0] == 13 * len(letter.label) - 3 for letter in found)


def test_long_labels_that_no_caption_names_are_not_looked_for() -> None:
    assert find_letters(PAGE, written(["A1", "A2", "A3"], grid(3))) == []


def test_a_missing_long_label_is_guessed_from_the_grid() -> None:
    labels = ["A1", "A2", "A3", "B1", "B2", "B3"]
    places = grid(6)
    _, found = find_letters(PAGE, written(labels[:4] + labels[5:], places[:4] + places[5:]), labels)[0]
    assert [(guess.label, guess.box[0], guess.box[3]) for guess in guess_missing(found, labels)] == [("B2", *places[4])]


@pytest.mark.parametrize(("labels", "ordered"), [
    ("cAb", ["a", "b", "c"]),
    (["iv", "i", "iii", "ii", "v"], ["i", "ii", "iii", "iv", "v"]),
    (["10", "9", "1"], ["1", "9", "10"]),
    (["B1", "A10", "A2", "A"], ["a", "a2", "a10", "b1"]),
    ("ivx", ["i", "v", "x"]),
    ([], []),
])
def test_labels_in_the_order_of_their_alphabet(labels: Sequence[str], ordered: list[str]) -> None:
    assert in_order(labels) == ordered


@given(st.lists(st.text(st.sampled_from("abivxABIVX0129"), min_size=1, max_size=4)))
def test_order_keeps_every_label_once(labels: list[str]) -> None:
    assert sorted(in_order(labels)) == sorted({label.lower() for label in labels})


def test_evidence_grows_with_the_score() -> None:
    assert 0 < evidence(0.1) < evidence(0.5) < evidence(1.0)
