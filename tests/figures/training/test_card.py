"""Scores on drawn figures, and the card's fields."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pmcoa_build.figures.boxes import Box
from pmcoa_build.figures.network import Candidate
from pmcoa_build.figures.training.card import Facts, average_precision, card_text, drawn_scores, hits, read_boxes
from pmcoa_build.figures.training.data import draw_data
from tests.figures.training.drawn import stub_generator

LEFT, RIGHT = (0, 0, 100, 100), (100, 0, 200, 100)


@pytest.mark.parametrize(("found", "overlap", "count"), [
    ([], 0.5, 0),
    ([(LEFT, 0.9), (RIGHT, 0.8)], 0.75, 2),
    ([(LEFT, 0.9), (LEFT, 0.8)], 0.5, 1),               # the same panel twice counts once
    ([((0, 0, 100, 60), 0.9)], 0.5, 1),
    ([((0, 0, 100, 60), 0.9)], 0.75, 0),
    ([((0, 0, 200, 100), 0.9)], 0.75, 0),               # two panels in one box
])
def test_hits(found: list[Candidate], overlap: float, count: int) -> None:
    assert sum(hit for _, hit in hits(found, [LEFT, RIGHT], overlap)) == count


@pytest.mark.parametrize(("scored", "true", "area"), [
    ([], 2, 0.0),
    ([(0.9, True), (0.8, True)], 2, 1.0),
    ([(0.9, True), (0.8, True)], 4, 0.5),
    ([(0.9, False), (0.8, True)], 1, 0.5),
    ([(0.8, True), (0.9, True), (0.1, False)], 2, 1.0),  # what comes after the last hit costs nothing
])
def test_average_precision(scored: list[tuple[float, bool]], true: int, area: float) -> None:
    assert average_precision(scored, true) == pytest.approx(area)


def test_the_truth_scores_one_and_the_page_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub_generator(monkeypatch)
    draw_data(tmp_path, figures=16, pictures=1, side=96, seed=1, say=lambda line: None)
    truth = [path.read_text() for path in sorted((tmp_path / "labels" / "test").glob("*.txt"))]
    answers = iter(truth)

    def oracle(rgb: np.ndarray) -> list[tuple[Box, float]]:
        return [(box, 0.9) for box in read_boxes(next(answers), rgb.shape)]

    assert set(drawn_scores(oracle, tmp_path).values()) == {1.0}
    page = drawn_scores(lambda rgb: [((0, 0, rgb.shape[1], rgb.shape[0]), 0.9)], tmp_path)
    assert all(value < 1 for value in page.values())


def test_the_card_names_what_made_the_weights() -> None:
    facts = Facts(seed=7, generator=3, data_sha256="ab" * 32, figures=12_000, pictures=4_000, side=416, epochs=6,
                  minutes=61.4, scores={"F1 at IoU 0.75": 0.9123})
    text = card_text(facts, {"torch": "2.13"})
    for part in ("12,000 figures", "generator 3, seed 7", f"`{'ab' * 32}`", "6 epochs in 61 minutes", "torch 2.13",
                 "F1 at IoU 0.75 0.912", "AGPL-3.0-or-later", "yolo11n",
                 "--figures 12000 --pictures 4000 --side 416 --epochs 6 --seed 7"):
        assert part in text
