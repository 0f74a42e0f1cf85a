"""Sheets of tiles: each tile a panel, or each row where letters name rows."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmcoa_build.figures.boxes import intersection
from pmcoa_build.figures.synth import sheets
from pmcoa_build.figures.synth.sheets import draw_sheet


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(320, 1300))
def test_panels_lie_apart_on_the_sheet(bank: Any, seed: int, width: int) -> None:
    image, panels = draw_sheet(np.random.default_rng(seed), bank, width)
    height, wide = image.shape[:2]
    assert image.dtype == np.uint8
    assert len(panels) > 1
    for panel in panels:
        x0, y0, x1, y1 = panel.box
        assert 0 <= x0 < x1 <= wide
        assert 0 <= y0 < y1 <= height
        assert (panel.label is None) == (panel.label_box is None)
    if not panels[0].label:
        assert all(intersection(a.box, b.box) == 0 for a, b in combinations(panels, 2))


def test_letters_name_whole_rows(bank: Any) -> None:
    lettered = 0
    for seed in range(60):
        image, panels = draw_sheet(np.random.default_rng(seed), bank, 700)
        if panels[0].label:
            lettered += 1
            assert len({panel.label for panel in panels}) == len(panels)
            assert all(panel.box[2] - panel.box[0] > 0.5 * image.shape[1] for panel in panels)
    assert 5 < lettered < 40


@pytest.mark.parametrize("number", range(len(sheets._VIEWS)))
def test_views_keep_the_size(number: int) -> None:
    rng = np.random.default_rng(number)
    for shape in ((60, 90, 3), (36, 36, 3)):
        tile = rng.integers(0, 255, shape, dtype=np.uint8)
        seen = sheets._VIEWS[number](rng)(tile)
        assert seen.shape == shape
        assert seen.dtype == np.uint8
    assert sheets._VIEWS[number](rng)(np.zeros((40, 40, 3), np.uint8)).shape == (40, 40, 3)
