"""Content on a page: sizes, and the ink that is left."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.figures.synth.paper import blank, contain, cover, divided, paste, put

SIDES = st.integers(1, 120)


def framed(height: int, width: int, margin: int) -> np.ndarray:
    drawing = np.full((height, width, 3), 255, np.uint8)
    drawing[margin : height - margin, margin : width - margin] = 0
    return drawing


@given(SIDES, SIDES, SIDES, SIDES)
def test_sizes(height: int, width: int, tall: int, wide: int) -> None:
    picture = np.zeros((height, width, 3), np.uint8)
    assert cover(picture, wide, tall).shape == (tall, wide, 3)
    drawn = contain(picture, wide, tall).shape
    assert drawn[0] <= max(tall, 1)
    assert drawn[1] <= max(wide, 1)


@pytest.mark.parametrize(("ground", "box"), [
    ((255, 255, 255), (35, 25, 65, 55)), ((240, 240, 250), (35, 25, 65, 55)), ((0, 0, 0), (30, 20, 70, 60)),
])
def test_white_is_paper_on_light_pages_only(ground: tuple[int, int, int], box: tuple[int, int, int, int]) -> None:
    sheet = blank(100, 80, ground)
    assert paste(sheet, framed(40, 40, 5), (30, 20)) == box
    corner = tuple(int(v) for v in sheet.image[21, 31])
    assert corner == (ground if sum(ground) > 380 else (255, 255, 255))


def test_blank_content_leaves_no_ink() -> None:
    assert paste(blank(50, 50, (255, 255, 255)), framed(20, 20, 10), (3, 4)) is None


@pytest.mark.parametrize("kind", ["photo", "plot"])
def test_pictures_cover_and_drawings_stand_inside(bank, kind: str) -> None:
    box = (10, 10, 90, 170)
    found, said = put(blank(200, 200, (255, 255, 255)), np.random.default_rng(0), bank, box, kind)
    assert said == kind
    assert found is not None
    assert (found == box) == (kind == "photo")
    assert box[0] <= found[0] < found[2] <= box[2]
    assert box[1] <= found[1] < found[3] <= box[3]


@pytest.mark.parametrize(("rows", "several"), [
    ((), False), ((20,), True), ((2,), False), ((19, 20, 21), True), ((38,), False),
])
def test_white_across_the_middle_divides(rows: tuple[int, ...], several: bool) -> None:
    content = np.full((40, 60, 3), 90, np.uint8)
    content[list(rows)] = 255
    assert divided(content) == several
    assert divided(content.transpose(1, 0, 2)) == several


def test_one_thing_is_taken_where_it_is_wanted() -> None:
    whole = np.full((40, 40, 3), 90, np.uint8)
    parts = whole.copy()
    parts[:, 18:22] = 255

    left = [parts, parts, whole]

    class Turns:
        def take(self, rng: np.random.Generator, kind: str | None, aspect: float, *, whole: bool = False
                 ) -> tuple[np.ndarray, str]:
            del whole
            return left.pop(0), "plot"

    sheet = blank(40, 40, (255, 255, 255))
    put(sheet, np.random.default_rng(0), Turns(), (0, 0, 40, 40), "plot", whole=True)
    assert sheet.image.max() == 90
