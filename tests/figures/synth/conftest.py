"""Content for figures: noise as pictures, framed white as drawings."""

from __future__ import annotations

import numpy as np
import pytest

from pmcoa_build.figures.kinds import IMAGES


class StandIn:
    """Content with ink in every corner, so that its box is known."""

    def take(self, rng: np.random.Generator, kind: str | None, aspect: float, *, whole: bool = False
             ) -> tuple[np.ndarray, str]:
        del whole
        kind = kind or ("photo" if rng.random() < 0.5 else "plot")
        size = (90, max(round(90 * aspect), 1), 3)
        if kind in IMAGES:
            return rng.integers(0, 200, size, dtype=np.uint8), kind
        drawing = np.full(size, 255, np.uint8)
        drawing[4:-4, 4:-4] = 30
        drawing[8:-8, 8:-8] = 255
        return drawing, kind


@pytest.fixture(scope="session")
def bank() -> StandIn:
    return StandIn()
