"""How answers are weighed against each other."""

from __future__ import annotations

import numpy as np
import pytest

from pmcoa_build.figures.answers import agreement, distinct, separate
from pmcoa_build.figures.glyphs import CLASSES, Glyphs
from pmcoa_build.figures.ink import read_page

LEFT, RIGHT, BOTH = (0, 0, 100, 100), (100, 0, 200, 100), (0, 0, 200, 100)
NONE = Glyphs(np.zeros((0, 4), int), np.zeros(0, bool), np.zeros((0, 63)), np.zeros(0))


@pytest.mark.parametrize(("boxes", "proposals", "least", "most"), [
    ([LEFT, RIGHT], [(LEFT, 1.0), (RIGHT, 1.0)], 1.0, 1.0),
    ([LEFT, RIGHT], [(LEFT, 0.5), (RIGHT, 0.5)], 0.6, 0.7),
    ([LEFT, RIGHT], [(LEFT, 1.0)], 0.6, 0.7),
    ([BOTH], [(LEFT, 1.0), (RIGHT, 1.0)], 0.0, 0.0),
    ([LEFT], [(LEFT, 1.0), (LEFT, 1.0)], 0.6, 0.7),
    ([LEFT, RIGHT], [], 0.0, 0.0),
])
def test_agreement(boxes: list[tuple[int, int, int, int]], proposals: list[tuple[tuple[int, int, int, int], float]],
                   least: float, most: float) -> None:
    assert least <= agreement(boxes, proposals) <= most


def test_boxes_that_lie_in_better_ones_go() -> None:
    inner = (110, 10, 190, 90)
    assert distinct([(inner, 0.6), (LEFT, 0.9), (RIGHT, 0.8)]) == [(LEFT, 0.9), (RIGHT, 0.8)]
    assert distinct([(BOTH, 0.3), (LEFT, 0.9), (RIGHT, 0.8)]) == [(LEFT, 0.9), (RIGHT, 0.8)]


def pair_of_pictures() -> np.ndarray:
    """Two noisy pictures with a white gutter."""
    rgb = np.full((200, 420, 3), 255, np.uint8)
    rng = np.random.default_rng(0)
    for left in (10, 220):
        rgb[10:190, left : left + 190] = rng.integers(40, 90, (180, 190, 1))
    return rgb


def test_the_network_decides_whether_a_gutter_parts_panels() -> None:
    page = read_page(pair_of_pictures())
    one = separate(page, NONE, (), [((12, 8, 408, 192), 0.9)])
    two = separate(page, NONE, (), [((12, 8, 198, 192), 0.9), ((222, 8, 408, 192), 0.9)])
    assert [f.box for f in one.panels] == [(10, 10, 410, 190)]
    assert sorted(f.box for f in two.panels) == [(10, 10, 200, 190), (220, 10, 410, 190)]


def test_the_caption_s_number_of_labels_counts() -> None:
    page = read_page(pair_of_pictures())
    unsure = [((12, 8, 408, 192), 0.5)]
    assert len(separate(page, NONE, ("A", "B"), unsure).panels) == 2
    assert len(separate(page, NONE, (), [((12, 8, 408, 192), 0.95)]).panels) == 1


def test_a_page_without_anything_is_whole() -> None:
    answer = separate(read_page(np.full((50, 60, 3), 255, np.uint8)), NONE, ("A", "B"))
    assert (answer.source, [f.box for f in answer.panels]) == ("whole", [(0, 0, 60, 50)])
    assert answer.panels[0].score <= 0.2


def lettered(labels: str, corners: list[tuple[int, int]], boxes: list[tuple[int, int, int, int]]
             ) -> tuple[np.ndarray, Glyphs]:
    """A page of 420 x 420 with noisy pictures at `boxes`, and letters read with certainty, 10 x 14 at `corners`."""
    rgb = np.full((420, 420, 3), 255, np.uint8)
    rng = np.random.default_rng(0)
    for x0, y0, x1, y1 in boxes:
        rgb[y0:y1, x0:x1] = rng.integers(40, 90, (y1 - y0, x1 - x0, 1))
    probs = np.full((len(labels), len(CLASSES) + 1), 1e-4)
    for row, (letter, (x, y)) in enumerate(zip(labels, corners, strict=True)):
        rgb[y : y + 14, x : x + 10] = 0
        probs[row, CLASSES.index(letter)] = 0.99
    places = np.array([(x, y, x + 10, y + 14) for x, y in corners])
    return rgb, Glyphs(places, np.zeros(len(labels), bool), probs, np.zeros(len(labels)))


COLUMNS = [(x, y, x + 180, y + 110) for x in (10, 220) for y in (30, 160, 290)]


def test_pieces_under_one_letter_are_one_panel() -> None:
    rgb, glyphs = lettered("AB", [(10, 10), (220, 10)], COLUMNS)
    found = separate(read_page(rgb), glyphs, ("A", "B"), [(box, 0.8) for box in COLUMNS])
    assert [(f.label, f.box) for f in found.panels] == [("A", (10, 10, 190, 400)), ("B", (220, 10, 400, 400))]


def test_boxes_of_the_network_that_leave_ink_out_give_way_to_cuts() -> None:
    rgb, glyphs = lettered("AB", [(10, 10), (220, 10)], COLUMNS)
    seen = [((10, 10, 190, 270), 0.8), ((220, 10, 400, 270), 0.8), (COLUMNS[2], 0.35), (COLUMNS[5], 0.35)]
    found = separate(read_page(rgb), glyphs, ("A", "B"), seen)
    assert [f.box for f in found.panels] == [(10, 10, 190, 400), (220, 10, 400, 400)]


def test_a_shared_legend_lies_in_no_panel() -> None:
    pictures, legend = [(10, 30, 190, 300), (220, 30, 400, 300)], (20, 340, 160, 380)
    rgb, glyphs = lettered("AB", [(10, 10), (220, 10)], [*pictures, legend])
    seen = [((10, 8, 190, 302), 0.8), ((220, 8, 400, 302), 0.8)]
    assert [f.box for f in separate(read_page(rgb), glyphs, ("A", "B"), seen).panels] == [
        (10, 10, 190, 300), (220, 10, 400, 300)]
