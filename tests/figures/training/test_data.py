"""The drawn data set: the seed decides every byte, an interrupted drawing goes on, labels say where panels are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.figures.boxes import Box
from pmcoa_build.figures.training.card import read_boxes
from pmcoa_build.figures.training.data import data_hash, draw_data, label_lines
from tests.figures.training.drawn import stub_generator


@pytest.fixture(autouse=True)
def _boxes(monkeypatch: pytest.MonkeyPatch) -> None:
    stub_generator(monkeypatch)


def drawn(folder: Path, seed: int = 0) -> str:
    return draw_data(folder, figures=8, pictures=20, side=64, seed=seed, say=lambda line: None)


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    assert drawn(tmp_path / "a") == drawn(tmp_path / "b") == data_hash(tmp_path / "a")
    assert drawn(tmp_path / "c", seed=1) != drawn(tmp_path / "a")


def test_splits_differ(tmp_path: Path) -> None:
    drawn(tmp_path)
    counts = {split: len(list((tmp_path / "images" / split).glob("*.jpg"))) for split in ("train", "val", "test")}
    assert counts == {"train": 8, "val": 2, "test": 2}
    first = {(tmp_path / "images" / split / "000000.jpg").read_bytes() for split in counts}
    assert len(first) == 3


def test_an_interrupted_drawing_goes_on(tmp_path: Path) -> None:
    whole = drawn(tmp_path)
    kept = tmp_path / "images" / "train" / "000001.jpg"
    before = kept.stat().st_mtime_ns
    (tmp_path / "labels" / "train" / "000005.txt").unlink()
    (tmp_path / "images" / "train" / "000005.jpg").write_bytes(b"half")
    assert drawn(tmp_path) == whole
    assert kept.stat().st_mtime_ns == before


def test_figures_are_stored_at_the_side_asked_for(tmp_path: Path) -> None:
    import cv2

    drawn(tmp_path)
    assert {max(cv2.imread(str(path)).shape) for path in tmp_path.glob("images/*/*.jpg")} == {64}


spans = st.tuples(st.integers(0, 999), st.integers(0, 999)).filter(lambda span: span[0] < span[1])


@given(across=spans, down=spans)
def test_labels_come_back_as_the_boxes_they_were(across: tuple[int, int], down: tuple[int, int]) -> None:
    box: Box = (across[0], down[0], across[1], down[1])
    assert read_boxes(label_lines([box], (1000, 1000, 3)), (1000, 1000, 3)) == [box]
