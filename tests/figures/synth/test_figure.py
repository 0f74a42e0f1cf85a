"""Whole figures: any seed gives one, and the truth is true."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pmcoa_build.figures.boxes import area, intersection
from pmcoa_build.figures.kinds import DRAWINGS, IMAGES
from pmcoa_build.figures.synth.figure import draw_figure


def inside(inner: tuple[int, int, int, int], outer: tuple[int, int, int, int]) -> bool:
    return outer[0] <= inner[0] < inner[2] <= outer[2] and outer[1] <= inner[1] < inner[3] <= outer[3]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 2**32 - 1))
def test_any_seed_gives_a_valid_figure(bank: Any, seed: int) -> None:
    figure = draw_figure(np.random.default_rng(seed), bank)
    height, width = figure.image.shape[:2]
    assert figure.image.dtype == np.uint8
    assert figure.panels
    for panel in figure.panels:
        assert inside(panel.box, (0, 0, width, height))
        assert panel.kind in IMAGES + DRAWINGS
        assert (panel.label is None) == (panel.label_box is None)
        assert panel.label_box is None or inside(panel.label_box, panel.box)
        x0, y0, x1, y1 = panel.box
        assert np.ptp(figure.image[y0:y1, x0:x1]) > 30
    labels = [panel.label for panel in figure.panels if panel.label]
    assert len(set(labels)) == len(labels)


def test_panels_hardly_overlap(bank: Any) -> None:
    figures = [draw_figure(np.random.default_rng(seed), bank) for seed in range(60)]
    pairs = [intersection(a.box, b.box) / min(area(a.box), area(b.box))
             for figure in figures for a, b in combinations(figure.panels, 2)]
    assert np.mean([share > 0.02 for share in pairs]) < 0.02


def test_the_seed_decides(bank: Any) -> None:
    first, again = (draw_figure(np.random.default_rng(7), bank) for _ in range(2))
    assert np.array_equal(first.image, again.image)
    assert first.panels == again.panels
    assert draw_figure(np.random.default_rng(8), bank).image.shape != first.image.shape
