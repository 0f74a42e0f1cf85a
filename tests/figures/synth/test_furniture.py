"""Furniture stands in the margins that it asks for, never on panels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmcoa_build.figures.synth.furniture import Furniture, choose_furniture, draw_arrows, draw_furniture, draw_link
from pmcoa_build.figures.synth.layout import Arrangement
from pmcoa_build.figures.synth.paper import blank

WHITE = (255, 255, 255)
GRID = Arrangement(tuple(((x, y, x + 190, y + 140),) for y in (0, 160) for x in (0, 210)), 400, 300,
                   ((0, 140), (160, 300)), ((0, 190), (210, 400)))
BARE = Furniture(14, False, "", False, "", "")


def drawn(what: Furniture, seed: int) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    left, top, right, bottom = what.margins
    sheet = blank(left + 400 + right, top + 300 + bottom, WHITE)
    draw_furniture(sheet, np.random.default_rng(seed), what, GRID, (left, top))
    return sheet.image.min(axis=2) < 200, (left, top, left + 400, top + 300)


@settings(deadline=None, max_examples=60)
@given(st.builds(Furniture, st.integers(9, 28), st.booleans(), st.sampled_from(["", "upright", "plain"]), st.booleans(),
                 st.sampled_from(["", "below", "above", "right"]), st.sampled_from(["", "above", "below"]),
                 st.integers(1, 3)),
       st.integers(0, 1000))
def test_panels_stay_clear(what: Furniture, seed: int) -> None:
    ink, (x0, y0, x1, y1) = drawn(what, seed)
    assert not ink[y0:y1, x0:x1].any()


@pytest.mark.parametrize("part", [{"heads": True}, {"names": "upright"}, {"names": "plain"}, {"axis": True},
                                  {"legend": "right"}, {"legend": "below"}, {"legend": "above"}, {"note": "above"},
                                  {"note": "below"}])
def test_each_part_leaves_ink(part: dict) -> None:
    assert any(drawn(BARE._replace(**part), seed)[0].any() for seed in range(5))


def test_a_legend_stands_in_a_vacant_place() -> None:
    what, found = BARE._replace(legend="vacant"), Arrangement(GRID.cells[:3], 400, 300, vacant=(210, 160, 400, 300))
    sheet = blank(400, 300, WHITE)
    draw_furniture(sheet, np.random.default_rng(0), what, found, (0, 0))
    ink = sheet.image.min(axis=2) < 200
    assert ink[160:, 210:].any()
    assert ink.sum() == ink[160:, 210:].sum()


def test_headings_need_a_plain_grid() -> None:
    ragged = Arrangement(GRID.cells, 400, 300)
    for seed in range(200):
        what = choose_furniture(np.random.default_rng(seed), ragged, light=True)
        assert not what.heads
        assert not what.names


def test_arrows_stand_in_gaps() -> None:
    sheet = blank(400, 300, WHITE)
    draw_arrows(sheet, np.random.default_rng(0), GRID, (0, 0), 20)
    assert (sheet.image[:, 191:209].min(axis=(0, 2)) < 200).any()
    for (x0, y0, x1, y1), in GRID.cells:
        assert sheet.image[y0:y1, x0:x1].min() == 255


def test_links_run_from_panel_to_panel() -> None:
    boxes = [cell[0] for cell in GRID.cells]
    for seed in range(20):
        sheet = blank(400, 300, WHITE)
        draw_link(sheet, np.random.default_rng(seed), boxes)
        inked = [bool((sheet.image[y0:y1, x0:x1].min(axis=2) < 200).any()) for x0, y0, x1, y1 in boxes]
        assert sum(inked) >= 2
