"""Batches of like shapes, and the line that each epoch prints."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.figures.training.fit import ShapedBatches, epoch_line


@given(count=st.integers(1, 200), batch=st.integers(1, 20), seed=st.integers(0, 5))
def test_batches_hold_neighbours_and_every_index_comes_once(count: int, batch: int, seed: int) -> None:
    sampler = ShapedBatches(count, batch, seed)
    indices = list(sampler)
    assert sorted(indices) == list(range(count)) and len(sampler) == count
    for start in range(0, count, batch):
        part = indices[start : start + batch]
        assert part == list(range(part[0], part[0] + len(part))) and part[0] % batch == 0


def test_each_pass_has_its_own_order_and_the_seed_decides_it() -> None:
    sampler = ShapedBatches(320, 16, 0)
    first, second = list(sampler), list(sampler)
    assert first != second
    assert list(ShapedBatches(320, 16, 0)) == first
    again = ShapedBatches(320, 16, 0)
    again.passes = 1
    assert list(again) == second


def test_the_line_of_an_epoch(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text(
        "epoch,time,train/box_loss,train/cls_loss,metrics/mAP50(B),metrics/mAP50-95(B)\n"
        "1,60,2,3,0.1,0.05\n2,150,1.23456,0.5,0.87654,0.7\n")
    assert epoch_line(tmp_path / "results.csv", 6) == (
        "epoch 2 of 6, 2.5 min; losses: box 1.235, cls 0.500; "
        "drawn figures, not yet settled: mAP50 0.877, mAP50-95 0.700")


def test_nothing_written_yet_is_a_bug(tmp_path: Path) -> None:
    (tmp_path / "results.csv").write_text("epoch,time\n")
    with pytest.raises(IndexError):
        epoch_line(tmp_path / "results.csv", 6)
