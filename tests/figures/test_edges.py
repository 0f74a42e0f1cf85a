"""Rough boxes on a page with a gutter, a seam, and neither."""

from __future__ import annotations

import numpy as np
import pytest

from pmcoa_build.figures.edges import snapped, trimmed
from pmcoa_build.figures.ink import read_page

Box = tuple[int, int, int, int]


def pictures(gutter: int) -> np.ndarray:
    """Two noisy pictures of 200 x 150 side by side, 40 pixels from the page's edges, `gutter` pixels apart."""
    rng = np.random.default_rng(0)
    rgb = np.full((230, 480 + gutter, 3), 255, np.uint8)
    for left, low in ((40, 20), (240 + gutter, 150)):
        rgb[40:190, left : left + 200] = rng.integers(low, low + 30, (150, 200, 1))
    return rgb


@pytest.mark.parametrize("gutter", [0, 2, 20])
@pytest.mark.parametrize("off", [(0, 0, 0, 0), (5, -4, 3, 6), (-7, 5, -5, -6), (8, 8, 8, 8)])
def test_edges_move_to_gutters_and_seams(gutter: int, off: Box) -> None:
    page = read_page(pictures(gutter))
    for x0 in (40, 240 + gutter):
        true = (x0, 40, x0 + 200, 190)
        rough = tuple(a + b for a, b in zip(true, off, strict=True))
        assert snapped(page, rough) == true  # type: ignore[arg-type]


def test_without_gutter_or_seam_an_edge_stays() -> None:
    page = read_page(np.full((200, 200, 3), 90, np.uint8) + np.random.default_rng(0).integers(0, 9, (200, 200, 1),
                                                                                              dtype=np.uint8))
    assert snapped(page, (60, 70, 130, 140)) == (60, 70, 130, 140)


def test_an_edge_near_the_page_s_own_is_meant_there() -> None:
    page = read_page(pictures(0)[40:190, 40:440])
    assert snapped(page, (3, 3, 197, 146)) == (0, 0, 200, 150)


LEGEND = (60, 240, 220, 260)


def plot_and_legend() -> np.ndarray:
    """A picture of 200 x 150 at (40, 40), and below a gap a legend at LEGEND."""
    rgb = pictures(20)
    rgb = np.concatenate((rgb, np.full((70, rgb.shape[1], 3), 255, np.uint8)))
    rgb[:, 250:] = 255
    rgb[LEGEND[1] : LEGEND[3], LEGEND[0] : LEGEND[2]] = 0
    return rgb


@pytest.mark.parametrize(("seen", "kept", "bottom"), [
    ((42, 38, 243, 195), [], 190),  # the network leaves the legend out
    ((42, 38, 243, 195), [LEGEND], 260),  # but something else of its says what the legend is
    ((42, 38, 243, 120), [], 260),  # no clean cut near by
    ((42, 38, 243, 250), [], 260),  # hardly anything to cut off
])
def test_shared_legends_are_cut_off_where_the_network_leaves_them_out(seen: Box, kept: list[Box], bottom: int) -> None:
    assert trimmed(read_page(plot_and_legend()), (40, 40, 240, 260), seen, kept) == (40, 40, 240, bottom)
