"""What drawn panels show."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pmcoa_build.figures.kinds import DRAWINGS, IMAGES, KINDS, decide, load_kinds, see_kinds


def micrograph(dark: bool) -> np.ndarray:
    rng = np.random.default_rng(2)
    low, high = (0, 120) if dark else (60, 250)
    coarse = rng.integers(low, high, (50, 60, 3)).astype(np.uint8)
    page = np.asarray(Image.fromarray(coarse).resize((360, 300), Image.Resampling.BICUBIC)).astype(float)
    return np.clip(page + rng.normal(0, 6, page.shape), 0, 255).astype(np.uint8)


def kinds_of(crops: list[np.ndarray]) -> list[tuple[str, float]]:
    return decide(see_kinds(crops))


def drawing(fill: str | None) -> np.ndarray:
    page = Image.new("RGB", (360, 300), "white")
    draw = ImageDraw.Draw(page)
    for k in range(4):
        draw.rectangle((30 + 80 * k, 250 - 50 * k, 80 + 80 * k, 270), fill=fill, outline="black", width=2)
        draw.text((30 + 80 * k, 20), f"group {k}", fill="black", font=ImageFont.load_default(14))
    draw.line((20, 10, 20, 275, 350, 275), fill="black", width=2)
    return np.asarray(page)


@pytest.mark.parametrize("dark", [True, False])
def test_pictures_are_images(dark: bool) -> None:
    assert kinds_of([micrograph(dark)])[0][0] in IMAGES


@pytest.mark.parametrize("fill", [None, "#d04040", "#888888"])
def test_bars_and_boxes_are_drawings(fill: str | None) -> None:
    assert kinds_of([drawing(fill)])[0][0] in DRAWINGS


@pytest.mark.parametrize("shape", [(1, 1), (2, 500), (500, 2), (1200, 900)])
def test_any_size_gets_a_kind(shape: tuple[int, int]) -> None:
    kind, score = kinds_of([np.full((*shape, 3), 200, np.uint8)])[0]
    assert kind in KINDS
    assert 0 < score <= 1


def test_panels_are_read_one_by_one() -> None:
    crops = [micrograph(dark=True), drawing(None), micrograph(dark=False)]
    together = decide(load_kinds("")(crops))
    assert [kind for kind, _ in together] == [kinds_of([crop])[0][0] for crop in crops]
    assert kinds_of([]) == []


def test_the_side_is_decided_before_the_kind() -> None:
    chances = np.array([[0.2, 0.2, 0.2, 0, 0, 0.4, 0, 0], [0, 0, 0, 0.38, 0, 0.1, 0.22, 0.3]])
    assert decide(chances) == [("photo", 0.2), ("table", 0.3)]


def test_words_are_added_to_what_is_seen() -> None:
    seen = np.array([[0.1, 0.3, 0.6, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0.7, 0.3, 0]])
    assert [kind for kind, _ in decide(seen, [{}, {}])] == ["radiology", "plot"]
    assert [chance for _, chance in decide(seen, [{}, {}])] == pytest.approx([0.6, 0.7], abs=1e-3)
    told = decide(seen, [{"microscopy": 2.0}, {"plot": 2.0}])
    assert [kind for kind, _ in told] == ["microscopy", "plot"]
    assert told[1][1] > 0.9
    assert decide(seen, [{"plot": 4.0}, {"table": 1.0}])[0][0] == "radiology"


def test_words_tell_what_no_picture_could() -> None:
    certain = np.eye(8)[[0, 5]]
    assert [kind for kind, _ in decide(certain, [{"blot": 40.0}, {"blot": 40.0}])] == ["blot", "blot"]
