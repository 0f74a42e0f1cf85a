"""Panel content: nothing outside its box, its ink known, whatever it is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pmcoa_build.figures.boxes import shrink_to_ink
from pmcoa_build.figures.synth import panels
from pmcoa_build.figures.synth.panels import Place, fill
from pmcoa_build.figures.synth.paper import blank

WHITE = (255, 255, 255)
BOX = (20, 30, 380, 290)


@pytest.mark.parametrize("way", ["_one", "_tiles", "_mixed", "_strips", "_zoom", "_captioned", "_called"])
@pytest.mark.parametrize("kind", ["radiology", "plot", "blot"])
def test_ink_is_where_it_is_said_to_be(bank: Any, way: str, kind: str) -> None:
    for seed in range(12):
        sheet = blank(400, 320, WHITE)
        content = getattr(panels, way)(Place(sheet, bank, WHITE, 8), np.random.default_rng(seed), BOX, kind)
        ink = shrink_to_ink(sheet.image.min(axis=2) < 200, (0, 0, 400, 320))
        assert content is not None
        assert ink is not None
        assert np.abs(np.subtract(content.box, ink)).max() <= 2
        assert all(BOX[i] <= content.box[i] <= BOX[i + 2] for i in (0, 1))
        assert content.box[2] <= BOX[2]
        assert content.box[3] <= BOX[3]


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(5, 500), height=st.integers(5, 500),
       kind=st.sampled_from(["photo", "microscopy", "radiology", "blot", "render", "plot", "diagram", "table"]))
@example(seed=79, width=141, height=145, kind="photo")  # a line up to the edge
@example(seed=849, width=140, height=386, kind="blot")  # a name over the last lane
@example(seed=5527, width=194, height=253, kind="microscopy")  # a name that begins left of where it is put
def test_any_size_of_any_kind(bank: Any, seed: int, width: int, height: int, kind: str) -> None:
    sheet = blank(width + 40, height + 40, WHITE)
    fill(Place(sheet, bank, WHITE, 5), np.random.default_rng(seed), (20, 20, 20 + width, 20 + height), kind, False)
    sheet.image[20 : 20 + height, 20 : 20 + width] = 255
    assert sheet.image.min() == 255


def test_simple_content_is_one_thing(bank: Any) -> None:
    sheet = blank(400, 320, WHITE)
    for seed in range(20):
        content = fill(Place(sheet, bank, WHITE, 8), np.random.default_rng(seed), BOX, "microscopy", True)
        assert content == (BOX, "microscopy")
