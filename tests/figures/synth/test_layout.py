"""Arrangements: inside the page, apart from each other, as many as asked for."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmcoa_build.figures.boxes import area, intersection
from pmcoa_build.figures.synth import layout
from pmcoa_build.figures.synth.layout import arrange, shares, split_box

SEEDS = st.integers(0, 2**32 - 1)
ASPECT = (0.7, 1.6)


@settings(deadline=None)
@given(SEEDS, st.integers(1, 24), st.integers(320, 1400), st.integers(0, 40))
def test_panels_stand_apart_on_the_page(seed: int, count: int, width: int, gap: int) -> None:
    found = arrange(np.random.default_rng(seed), count, width, (gap, gap), ASPECT)
    boxes = [box for cell in found.cells for box in cell]
    assert 1 <= len(found.cells) <= count
    assert found.width <= width
    for x0, y0, x1, y1 in boxes:
        assert 0 <= x0 < x1 <= found.width
        assert 0 <= y0 < y1 <= found.height
    assert all(intersection(a, b) == 0 for a, b in combinations(boxes, 2))


@pytest.mark.parametrize("way", sorted(layout._WAYS))
def test_every_way_gives_all_panels_where_there_is_room(way: str) -> None:
    least, _, _, draw = layout._WAYS[way]
    for seed in range(30):
        for count in range(least, least + 4):
            found = draw(np.random.default_rng(seed), count, 1200, (8, 8), ASPECT)
            assert len(found.cells) == count


def test_a_wrapping_panel_has_two_areas() -> None:
    found = layout._wrap(np.random.default_rng(0), 3, 800, (6, 6), ASPECT)
    assert sorted(len(cell) for cell in found.cells) == [1, 1, 2]


def test_a_spanning_panel_keeps_the_gaps_between_columns() -> None:
    for seed in range(20):
        found = layout._spans(np.random.default_rng(seed), 4, 800, (20, 20), (1.0, 1.1))
        wide = [cell for cell in found.cells if len(cell) > 1]
        assert wide
        assert all(b[0] - a[2] == 20 or b[1] - a[3] >= 20 for cell in wide for a, b in pairwise(cell))


def test_an_incomplete_row_leaves_a_vacant_place() -> None:
    found = [layout._grid(np.random.default_rng(seed), 5, 800, (10, 10), (1.0, 1.1)) for seed in range(40)]
    vacant = [(each.cells, each.vacant) for each in found if each.vacant]
    assert vacant
    assert all(intersection(cell[0], place) == 0 for cells, place in vacant for cell in cells)


def test_no_straight_cut_divides_a_pinwheel() -> None:
    found = layout._pinwheel(np.random.default_rng(3), 5, 800, (6, 6), ASPECT)
    boxes = [cell[0] for cell in found.cells]
    for axis, side in ((0, found.width), (1, found.height)):
        assert all(any(b[axis] < cut < b[axis + 2] for b in boxes) for cut in range(8, side - 8))


@given(SEEDS, st.integers(40, 900), st.integers(1, 12), st.integers(0, 9), st.floats(0, 0.4))
def test_shares_fill_the_length(seed: int, length: int, parts: int, gap: int, jitter: float) -> None:
    pieces = shares(np.random.default_rng(seed), length, parts, gap, jitter)
    assert pieces[0][0] == 0
    assert all(b[0] - a[1] == gap for a, b in pairwise(pieces))
    assert pieces[-1][1] == max(length, parts + gap * (parts - 1))


@given(SEEDS, st.integers(1, 9))
def test_a_split_box_is_filled(seed: int, count: int) -> None:
    pieces = split_box(np.random.default_rng(seed), (10, 20, 700, 620), count, (0, 0))
    assert sum(area(piece) for piece in pieces) == 690 * 600
    assert len(pieces) <= count
