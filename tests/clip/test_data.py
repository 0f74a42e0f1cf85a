"""The order of training: complete, shuffled, the same for any number of workers, and resumable anywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.clip.data import Batch, Layout, batches, emission, epoch_order, pieces, steps_per_epoch
from pmcoa_build.clip.shards import Group, Sampling, load_samples, row_groups
from pmcoa_build.errors import RunFailed

SAMPLING = Sampling("subcaption", "bundled", 16, 32, 0, True)
LAYOUT = Layout(seed=0, batch=8, buffer=20)


def read(toy: Path, layout: Layout, epochs: range, first: int = 0, workers: int = 0) -> list[Batch]:
    return list(batches(row_groups(toy, "train"), SAMPLING, layout, epochs, first, workers))


def same(ours: list[Batch], theirs: list[Batch]) -> bool:
    return len(ours) == len(theirs) and all(
        torch.equal(getattr(a, name), getattr(b, name))
        for a, b in zip(ours, theirs, strict=True) for name in ("pixels", "ids", "labels")
    )


@given(count=st.integers(0, 200), buffer=st.integers(1, 60), seed=st.integers(0, 9))
def test_a_shuffle_buffer_gives_each_position_once_and_never_too_early(count: int, buffer: int, seed: int) -> None:
    order = emission(count, buffer, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(count))
    assert all(position < at + buffer for at, position in enumerate(order.tolist()))


@given(sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8), world=st.integers(1, 4), epoch=st.integers(0, 3))
def test_processes_share_the_rows_without_overlap(sizes: list[int], world: int, epoch: int) -> None:
    groups = [Group("file", at, np.arange(size)) for at, size in enumerate(sizes)]
    seen: list[tuple[int, int]] = []
    for rank in range(world):
        group, row, order = epoch_order(groups, Layout(1, 1, rank=rank, world=world, buffer=7), epoch)
        assert len(order) == sum(sizes) // world
        seen += [(int(group[at]), int(row[at])) for at in order]
    assert len(seen) == len(set(seen))
    assert len(seen) == sum(sizes) // world * world


def test_epochs_differ_and_a_seed_repeats() -> None:
    groups = [Group("file", at, np.arange(16)) for at in range(6)]
    orders = [epoch_order(groups, LAYOUT, epoch) for epoch in (0, 1, 0)]
    listed = [[(int(g[at]), int(r[at])) for at in o] for g, r, o in orders]
    assert listed[0] == listed[2] != listed[1]
    assert listed[0] != sorted(listed[0])


def test_every_step_is_the_same_after_a_resume(toy: Path) -> None:
    per_epoch = steps_per_epoch(row_groups(toy, "train"), LAYOUT)
    whole = read(toy, LAYOUT, range(2))
    assert len(whole) == 2 * per_epoch == 24
    for step in (1, 5, 11, 12, 17, 23):
        resumed = read(toy, LAYOUT, range(step // per_epoch, 2), step % per_epoch)
        assert same(resumed, whole[step:]), step


def test_workers_change_nothing(toy: Path) -> None:
    assert same(read(toy, LAYOUT, range(2), 3, workers=2), read(toy, LAYOUT, range(2), 3))


def test_masks_and_crops_change_with_the_epoch_not_with_the_order(toy: Path) -> None:
    group = row_groups(toy, "train")[0]
    forth = load_samples(group, np.array([2, 5]), 1, SAMPLING)
    back = load_samples(group, np.array([5, 2]), 1, SAMPLING)
    assert np.array_equal(forth.pixels, back.pixels[::-1])
    assert np.array_equal(forth.ids, back.ids[::-1])
    assert not np.array_equal(forth.pixels, load_samples(group, np.array([2, 5]), 2, SAMPLING).pixels)


def test_only_what_is_needed_is_read(toy: Path) -> None:
    groups = row_groups(toy, "train")
    wanted, order = pieces(groups, LAYOUT, 0, 11)
    assert len(order) == 8
    assert sorted(position for piece in wanted for position in piece.positions) == sorted(order)


def test_kinds_narrow_the_rows(toy: Path) -> None:
    total = sum(len(group.rows) for group in row_groups(toy, "train"))
    plots = sum(len(group.rows) for group in row_groups(toy, "train", ["plot"]))
    photos = sum(len(group.rows) for group in row_groups(toy, "train", ["photo"]))
    assert plots + photos == total
    assert 0 < plots < photos
    assert row_groups(toy, "train", ["blot"]) == []


@pytest.mark.parametrize(("batch", "accumulate"), [(101, 1), (51, 2)])
def test_a_batch_larger_than_the_data_is_refused(toy: Path, batch: int, accumulate: int) -> None:
    with pytest.raises(RunFailed, match="larger than the 100"):
        steps_per_epoch(row_groups(toy, "train"), Layout(0, batch, accumulate))


def test_no_pairs_are_refused() -> None:
    with pytest.raises(RunFailed, match="no pairs"):
        steps_per_epoch([], LAYOUT)


def test_a_damaged_image_is_one_sentence_that_names_it(make_dataset: Callable[..., Path]) -> None:
    import pyarrow.parquet as pq

    dataset = make_dataset(train=20)
    path = dataset / "data" / "train-00000.parquet"
    table = pq.read_table(path)
    images = table["image"].to_pylist()
    images[7]["bytes"] = images[7]["bytes"][:300]
    pq.write_table(table.set_column(0, table.schema.field("image"), [images]), path)
    with pytest.raises(RunFailed, match=r"PMC1001\.1/g3\.jpg.* cannot be decoded") as caught:
        list(batches(row_groups(dataset, "train"), SAMPLING, LAYOUT, range(1), 0, 0))
    assert "\n" not in str(caught.value)


def test_text_choices(toy: Path) -> None:
    from pmcoa_build.clip.tokenizer import load_tokenizer

    group = row_groups(toy, "test")[0]
    tokenizer = load_tokenizer("bundled", 16)
    for text, expected in (("subcaption", "{s}"), ("caption", "(A) {s}. (B) Another."),
                           ("preamble+subcaption", "Drawn shapes. {s}")):
        import pyarrow.parquet as pq

        row = pq.read_table(group.path)["subcaption"][0].as_py()
        samples = load_samples(group, np.array([0]), 0, dataclasses.replace(SAMPLING, text=text, training=False))
        assert samples.ids[0].tolist() == tokenizer.encode(expected.format(s=row))
