"""The glyph reader on freshly drawn glyphs, and what counts as a lone glyph."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, strategies
from PIL import Image, ImageDraw, ImageFont

from pmcoa_build.figures.glyph_training import NONE, draw_patches, fonts_of
from pmcoa_build.figures.glyphs import _MOST, CLASSES, SIDE, _components, find_glyphs, read_patches


def fonts() -> list[Path]:
    import matplotlib

    return fonts_of([Path(matplotlib.get_data_path()) / "fonts" / "ttf"])


@given(strategies.integers(1, 40), strategies.integers(1, 40), strategies.floats(0, 1), strategies.integers(0, 99))
def test_components_are_those_that_opencv_measures(height: int, width: int, share: float, seed: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    stats = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)[2][1:]
    stats[:, 2:4] += stats[:, :2]
    assert (_components(mask) == stats).all()


def test_the_reader_reads_drawn_letters() -> None:
    patches, classes = draw_patches(fonts(), 1500, seed=99)
    assert patches.shape == (1500, SIDE, SIDE)
    guess = read_patches(patches).argmax(axis=1)
    names = np.array([c.lower() for c in CLASSES] + [""])
    letters = classes < 52
    assert (names[guess] == names[classes])[letters].mean() > 0.94
    assert (guess == NONE)[classes == NONE].mean() > 0.85


def test_drawing_repeats() -> None:
    one, other = draw_patches(fonts(), 50, seed=1), draw_patches(fonts(), 50, seed=1)
    assert (one[0] == other[0]).all()
    assert (one[1] == other[1]).all()


def written(text: str, ink: int, paper: int) -> np.ndarray:
    import matplotlib

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans-Bold.ttf"
    page = Image.new("L", (300, 100), paper)
    ImageDraw.Draw(page).text((100, 30), text, font=ImageFont.truetype(path, 30), fill=ink)
    return np.asarray(page)


@pytest.mark.parametrize("letter", list("ABCDEFGHKabdefghijk"))
@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0)])
def test_a_letter_that_stands_alone_is_read(letter: str, ink: int, paper: int) -> None:
    found = find_glyphs(written(letter, ink, paper))
    best = int(found.probs[:, :-1].max(axis=1).argmax())
    assert CLASSES[found.probs[best, :-1].argmax()].lower() == letter.lower()
    assert bool(found.light[best]) == (ink > paper)
    assert found.crowded[best] == 0


def test_letters_of_words_are_not_lone() -> None:
    found = find_glyphs(written("mAbEd", 0, 255))
    assert not ((found.probs[:, -1] < 0.5) & (found.crowded == 0)).any()


def test_an_empty_page() -> None:
    found = find_glyphs(np.full((40, 50), 255, np.uint8))
    assert len(found) == 0
    assert found.probs.shape == (0, NONE + 1)


def test_a_page_of_noise_stays_within_bounds() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (700, 700)).astype(np.uint8)
    found = find_glyphs(noise)
    assert len(found) <= 6 * _MOST
    assert found.probs.shape == (len(found), NONE + 1)
