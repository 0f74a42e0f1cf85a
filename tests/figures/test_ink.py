"""The ink of a page: frames round the whole figure are none."""

from __future__ import annotations

import numpy as np
import pytest

from pmcoa_build.figures.boxes import shrink_to_ink
from pmcoa_build.figures.ink import without_frame


def framed(thick: int, at: int = 10) -> np.ndarray:
    """A page of 300 x 400 with a frame `at` pixels from its edges."""
    ink = np.zeros((300, 400), bool)
    ink[at : 300 - at, at : 400 - at] = True
    ink[at + thick : 300 - at - thick, at + thick : 400 - at - thick] = False
    return ink


@pytest.mark.parametrize("thick", [1, 2])
@pytest.mark.parametrize("at", [0, 10])
def test_a_thin_frame_is_no_ink(thick: int, at: int) -> None:
    ink = framed(thick, at)
    ink[80:200, 100:250] = True
    assert shrink_to_ink(without_frame(ink), (0, 0, 400, 300)) == (100, 80, 250, 200)


def test_a_panel_that_touches_the_frame_keeps_its_edge() -> None:
    ink = framed(2)
    ink[10:150, 10:200] = True
    assert shrink_to_ink(without_frame(ink), (0, 0, 400, 300)) == (10, 10, 200, 150)


@pytest.mark.parametrize("ink", [framed(20), np.zeros((300, 400), bool), np.ones((300, 400), bool), np.eye(40, 60) > 0,
                                 np.ones((1, 1), bool), framed(1)])
def test_what_is_no_frame_stays(ink: np.ndarray) -> None:
    if ink.sum() == framed(1).sum():  # a frame round nothing
        assert without_frame(ink) is ink
    else:
        assert (without_frame(ink) == ink).all()


def test_three_sides_are_no_frame() -> None:
    ink = framed(1)
    ink[10, 12:388] = False
    ink[80:200, 100:250] = True
    assert (without_frame(ink) == ink).all()
