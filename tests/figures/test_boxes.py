"""Overlap, suppression, shrinking and reading order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.figures.boxes import area, intersection, iou, nms, reading_order, shrink_to_ink, union


@st.composite
def boxes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    x0, y0 = draw(st.integers(0, 80)), draw(st.integers(0, 80))
    return (x0, y0, x0 + draw(st.integers(1, 50)), y0 + draw(st.integers(1, 50)))


def pixels(box: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros((140, 140), bool)
    mask[box[1] : box[3], box[0] : box[2]] = True
    return mask


@given(boxes(), boxes())
def test_iou_counts_pixels(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> None:
    both, either = pixels(a) & pixels(b), pixels(a) | pixels(b)
    assert iou(a, b) == pytest.approx(both.sum() / either.sum())
    assert intersection(a, b) == both.sum()
    assert iou(a, b) == iou(b, a)
    assert iou(a, a) == 1


@given(st.lists(st.tuples(boxes(), st.floats(0, 1)), max_size=12), st.floats(0.1, 0.9))
def test_nms_keeps_a_maximal_set_of_unlike_boxes(scored: list, threshold: float) -> None:
    table, scores = [b for b, _ in scored], [s for _, s in scored]
    kept = nms(table, scores, threshold)
    assert all(iou(table[i], table[j]) <= threshold for i in kept for j in kept if i != j)
    for i in set(range(len(table))) - set(kept):
        assert any(iou(table[i], table[j]) > threshold and scores[j] >= scores[i] for j in kept)
    assert [scores[i] for i in kept] == sorted((scores[i] for i in kept), reverse=True)


@given(boxes(), st.lists(st.tuples(st.integers(0, 139), st.integers(0, 139)), max_size=8))
def test_shrinking_keeps_all_ink_and_no_margin(box: tuple[int, int, int, int], points: list) -> None:
    ink = np.zeros((140, 140), bool)
    for x, y in points:
        ink[y, x] = True
    inside = ink & pixels(box)
    got = shrink_to_ink(ink, box)
    if got is None:
        assert not inside.any()
        return
    rows, columns = np.nonzero(inside)
    assert got == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_union_and_area() -> None:
    assert union([(0, 5, 10, 10), (3, 0, 4, 6)]) == (0, 0, 10, 10)
    assert area((5, 5, 3, 9)) == 0


@pytest.mark.parametrize(("given", "wanted"), [
    ([], []),
    ([(0, 0, 10, 10)], [0]),
    ([(20, 0, 30, 10), (0, 0, 10, 10)], [1, 0]),
    ([(0, 20, 10, 30), (20, 20, 30, 30), (20, 0, 30, 10), (0, 0, 10, 10)], [3, 2, 0, 1]),
    ([(0, 3, 10, 13), (20, 0, 30, 10), (40, 5, 50, 12)], [0, 1, 2]),            # ragged tops
    ([(0, 0, 10, 100), (20, 0, 30, 40), (20, 60, 30, 100)], [0, 1, 2]),         # a tall one beside two
    ([(20, 60, 30, 100), (20, 0, 30, 40), (0, 2, 10, 100)], [2, 1, 0]),
    ([(0, 40, 100, 80), (0, 0, 30, 30), (60, 4, 100, 34)], [1, 2, 0]),          # a wide one below two
], ids=["none", "one", "row", "grid", "ragged", "tall", "tall-shuffled", "wide"])
def test_reading_order(given: list, wanted: list) -> None:
    assert reading_order(given) == wanted


@given(st.lists(boxes(), max_size=10))
def test_reading_order_is_a_permutation(table: list) -> None:
    assert sorted(reading_order(table)) == list(range(len(table)))


@given(st.integers(1, 4), st.integers(1, 5), st.randoms(use_true_random=False))
def test_grids_read_row_by_row(rows: int, columns: int, random) -> None:
    grid = [(c * 50 + random.randint(0, 4), r * 50 + random.randint(0, 12), c * 50 + 40, r * 50 + 45)
            for r in range(rows) for c in range(columns)]
    mixed = list(range(len(grid)))
    random.shuffle(mixed)
    assert [mixed[i] for i in reading_order([grid[k] for k in mixed])] == list(range(len(grid)))
