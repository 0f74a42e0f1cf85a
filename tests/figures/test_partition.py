"""Pages divided among their letters by straight cuts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmcoa_build.figures.boxes import iou
from pmcoa_build.figures.ink import read_page
from pmcoa_build.figures.partition import arrange, divide, wrapped

Box = tuple[int, int, int, int]


def page_of(boxes: Sequence[Box], width: int = 400, height: int = 300) -> np.ndarray:
    """Grey boxes on white paper."""
    rgb = np.full((height, width, 3), 255, np.uint8)
    for x0, y0, x1, y1 in boxes:
        rgb[y0:y1, x0:x1] = 120
    return rgb


def letter(x: int, y: int) -> Box:
    return (x, y, x + 10, y + 14)


def test_cuts_run_through_the_gaps() -> None:
    boxes = [(10, 30, 190, 140), (220, 30, 390, 140), (10, 180, 390, 290)]
    anchors = [letter(10, 10), letter(220, 10), letter(10, 160)]
    cost, parts = divide(read_page(page_of(boxes)), anchors, [14] * 3)
    assert cost < 5
    (a, b, c) = (parts[i] for i in range(3))
    assert a[2] == b[0] and 190 <= a[2] <= 220
    assert a[3] == b[3] == c[1] and 140 <= c[1] <= 160


def test_a_cut_would_rather_be_far_from_its_letter_than_cross_ink() -> None:
    boxes = [(10, 30, 190, 290), (205, 30, 390, 290)]
    _, parts = divide(read_page(page_of(boxes)), [letter(10, 10), letter(240, 10)], [14] * 2)
    assert 190 <= parts[0][2] <= 205


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 380), st.integers(0, 280)), min_size=1, max_size=9, unique=True))
def test_parts_tile_the_page(corners: list[tuple[int, int]]) -> None:
    """Whatever the letters: disjoint parts inside the page, and with well separated letters nothing is left over."""
    page = read_page(page_of([(50, 50, 180, 120), (200, 90, 390, 250)]))
    _, parts = divide(page, [letter(x, y) for x, y in corners], [14] * len(corners))
    covered = np.zeros((300, 400), int)
    for x0, y0, x1, y1 in parts.values():
        assert 0 <= x0 < x1 <= 400 and 0 <= y0 < y1 <= 300
        covered[y0:y1, x0:x1] += 1
    assert (covered == 1).all()


def test_what_wraps_over_a_neighbour_is_told() -> None:
    boxes = [(10, 30, 180, 290), (200, 30, 390, 120), (210, 180, 390, 290)]
    page = read_page(page_of(boxes))
    anchors, parts = [letter(10, 10), letter(200, 150)], {0: (0, 0, 190, 300), 1: (190, 0, 400, 300)}
    assert wrapped(page, anchors, [14, 14], parts) == {0: (200, 30, 390, 120)}
    low = [letter(10, 200), letter(200, 150)]
    assert wrapped(page, low, [14, 14], parts) == {}


@pytest.mark.parametrize(("right", "below"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_mirrored_page_is_cut_alike(right: bool, below: bool) -> None:
    boxes = [(10, 30, 190, 140), (220, 30, 390, 140), (10, 180, 390, 290)]
    anchors = [letter(10, 10), letter(220, 10), letter(10, 160)]
    cost, parts = divide(read_page(page_of(boxes)), anchors, [14] * 3)

    def turned(box: Box) -> Box:
        x0, y0, x1, y1 = box
        x0, x1 = (400 - x1, 400 - x0) if right else (x0, x1)
        y0, y1 = (300 - y1, 300 - y0) if below else (y0, y1)
        return (x0, y0, x1, y1)

    page = read_page(page_of([turned(box) for box in boxes]))
    other, mirrored = divide(page, [turned(box) for box in anchors], [14] * 3, right=right, below=below)
    assert other == cost
    assert mirrored == {index: turned(part) for index, part in parts.items()}


@pytest.mark.parametrize("place", ["upper left", "upper right", "lower left", "lower right", "top", "bottom"])
@pytest.mark.parametrize("gutter", [0, 6])
def test_letters_anywhere_in_abutting_pictures(place: str, gutter: int) -> None:
    rgb, boxes, anchors = page_of([]), [], []
    for index in range(6):
        x, y = index % 3 * 130, index // 3 * 145
        box = (x, y, x + 130 - gutter, y + 145 - gutter)
        rgb[box[1] : box[3], box[0] : box[2]] = 60 + 50 * (index % 2)
        left = {"left": x + 5, "ight": box[2] - 15}.get(place[-4:], (x + box[2]) // 2 - 5)
        anchors.append(letter(left, y + 5 if place in ("top", "upper left", "upper right") else box[3] - 19))
        boxes.append(box)
    page = read_page(np.ascontiguousarray(rgb[:290, :390]))
    parts = arrange(page, anchors, [14] * 6)[0].parts
    assert min(iou(page.shrunk(parts[i]) or parts[i], box) for i, box in enumerate(boxes)) > 0.9
