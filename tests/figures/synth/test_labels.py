"""Labels: what they are called, where they stand, that they fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmcoa_build.figures.synth.labels import Lettering, choose_style, corner, measure, stamp, words
from pmcoa_build.figures.synth.text import extent

SEEDS = st.integers(0, 2**32 - 1)
STYLE = replace(choose_style(np.random.default_rng(0), 3, 600, True), pattern="({})", plate="", face="sans-bold",
                size=20)
PART = (100, 200, 400, 500)


@settings(deadline=None)
@given(SEEDS, st.integers(1, 26))
def test_labels_of_a_figure_differ(seed: int, count: int) -> None:
    style = choose_style(np.random.default_rng(seed), count, 700, pictures=seed % 2 == 0)
    assert len(set(style.names)) == count
    assert all(name in style.text(index) for index, name in enumerate(style.names))
    assert style.size >= 10


@pytest.mark.parametrize(("place", "kind", "side"), [
    ("top left", "photo", "on"), ("top left", "plot", "above"), ("bottom right", "plot", "below"),
    ("top right", "blot", "above"), ("above middle", "photo", "above"), ("below left", "table", "below"),
    ("left", "radiology", "left"),
])
def test_only_pictures_are_printed_on(place: str, kind: str, side: str) -> None:
    assert Lettering(replace(STYLE, place=place), "(A)", "A").side(kind) == side


@pytest.mark.parametrize("kind", ["photo", "plot"])
@pytest.mark.parametrize("place", ["top left", "bottom left", "bottom right", "top right", "above", "above middle",
                                   "left", "below", "below left"])
def test_a_label_stays_in_its_part_and_leaves_room(place: str, kind: str) -> None:
    lettering = Lettering(replace(STYLE, place=place), "(A)", "A")
    room = lettering.room(PART, kind)
    x, y = lettering.at(room, PART, kind)
    wide, tall = measure("(A)", STYLE)
    assert PART[0] <= x <= PART[2] - wide
    assert PART[1] <= y <= PART[3] - tall
    assert room[0] >= PART[0]
    assert room[3] <= PART[3]


def test_room_is_not_taken_from_what_is_small() -> None:
    lettering = Lettering(replace(STYLE, place="above"), "(A)", "A")
    assert lettering.room((0, 0, 40, 40), "plot") == (0, 0, 40, 40)


def test_labels_below_stand_by_the_lower_part() -> None:
    cell = ((0, 0, 100, 40), (0, 50, 40, 100))
    assert Lettering(replace(STYLE, place="below left"), "A", "A").part(cell) == cell[1]
    assert Lettering(replace(STYLE, place="above"), "A", "A").part(cell) == cell[0]


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("plate", ["", "white", "black", "disc"])
def test_a_stamp_can_be_seen(level: int, plate: str) -> None:
    image = np.full((60, 60, 3), level, np.uint8)
    x0, y0, x1, y1 = stamp(image, "A", (20, 20), replace(STYLE, plate=plate, place="top left", colour=(0, 0, 0)))
    assert (x0, y0) == (20, 20)
    assert int(np.ptp(image[y0:y1, x0:x1])) > 150


def test_corners() -> None:
    box, size = (10, 20, 110, 220), (8, 6)
    assert corner(box, size, "top left", 2) == (12, 22)
    assert corner(box, size, "bottom right", 2) == (100, 212)


@given(SEEDS, st.integers(0, 300))
def test_words_fit(seed: int, room: int) -> None:
    said = words(np.random.default_rng(seed), "sans", 12, room)
    assert not said or extent(said, "sans", 12)[2] <= room
