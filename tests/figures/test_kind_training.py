"""Drawn panels for the network that tells kinds, and its training, in a small way."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pmcoa_build.figures import kind_training
from pmcoa_build.figures.kinds import IMAGES, KINDS
from pmcoa_build.figures.synth.imagery import rng_of


class StandIn:
    """A bank whose pictures are noise and whose drawings are frames; the folder it was opened with is kept."""

    def __init__(self, folder: Path = Path()) -> None:
        self.folder = folder

    def take(self, rng: np.random.Generator, kind: str | None, aspect: float, *, whole: bool = False
             ) -> tuple[np.ndarray, str]:
        del whole
        kind = kind or str(rng.choice(KINDS))
        size = (90, max(round(90 * aspect), 12), 3)
        drawing = np.full(size, 255, np.uint8)
        drawing[4:-4, 4:-4] = 30
        drawing[8:-8, 8:-8] = 255
        return (rng.integers(0, 200, size, dtype=np.uint8) if kind in IMAGES else drawing), kind


def test_panels_are_drawn_by_the_seed_alone() -> None:
    bank: Any = StandIn()
    numbers, kinds = kind_training.draw_numbers(bank, 20, 3)
    again, same = kind_training.draw_numbers(bank, 20, 3)
    assert (len(numbers), numbers.dtype) == (20, np.float32)
    assert (numbers == again).all() and (kinds == same).all()


def test_other_kinds_take_the_places_of_plots_and_micrographs() -> None:
    bank: Any = StandIn()
    drawn = Counter(kind for _, kind in islice(kind_training.draw_panels(bank, 1), 150))
    assert set(drawn) == set(KINDS)
    assert drawn["plot"] < 60


def test_worn_crops_stay_pictures() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (60, 90, 3), np.uint8)
    for number in range(24):
        worn = kind_training.worn(rng_of(number), rgb, KINDS[number % 8])
        assert worn.dtype == np.uint8
        assert worn.ndim == 3 and min(worn.shape[:2]) >= 24


def test_pale_blots_have_a_white_ground() -> None:
    rng = np.random.default_rng(0)
    rgb = np.full((60, 90, 3), 255, np.uint8)
    rgb[10:50, 10:80] = rng.normal(200, 3, (40, 70, 1)).astype(np.uint8)
    rgb[28:32, 20:40] = 40
    assert max(int(kind_training._exposed(rng, rgb)[20, 20, 0]) for _ in range(20)) >= 245


def test_training_writes_a_network_that_tells_what_it_saw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    monkeypatch.setattr(kind_training, "Bank", StandIn)
    found = kind_training.train(tmp_path, tmp_path / "kinds.onnx", panels=96, epochs=60)
    assert found["sides"] > 0.9
    assert "96 panels" in (tmp_path / "kinds.md").read_text()
    session = onnxruntime.InferenceSession(tmp_path / "kinds.onnx", providers=["CPUExecutionProvider"])
    count = session.get_inputs()[0].shape[1]
    chances = session.run(None, {"numbers": np.zeros((3, count), np.float32)})[0]
    assert chances.shape == (3, len(KINDS))
    assert chances.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_sides_are_drawn_equally_often() -> None:
    weights = kind_training._weights(np.array([0] * 30 + [3] * 2 + [5] * 5))
    assert weights[:32].sum() == pytest.approx(weights[32:].sum())
    assert weights[:30].sum() == pytest.approx(weights[30:32].sum())


@pytest.mark.parametrize("answers, expected", [
    (["photo", "plot"], {"sides": 1.0, "kinds": 1.0}), (["render", "table"], {"sides": 1.0, "kinds": 0.0}),
    (["plot", "plot"], {"sides": 0.5, "kinds": 0.5}),
])
def test_scores(answers: list[str], expected: dict[str, float]) -> None:
    assert kind_training.scores(answers, ["photo", "plot"]) == expected
