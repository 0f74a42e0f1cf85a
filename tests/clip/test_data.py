"""The order of training: complete, shuffled, the same for any number of workers, and resumable anywhere."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pmcoa_build.clip import data
from pmcoa_build.clip.data import Batch, Index, Layout, ahead, batches, emission, epoch_order, pieces, steps_per_epoch
from pmcoa_build.clip.shards import Group, Samples, Sampling, load_samples, row_groups
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


@given(count=st.integers(0, 300), buffer=st.integers(1, 40), seed=st.integers(0, 9))
def test_a_shuffle_buffer_is_what_a_loop_over_it_does(count: int, buffer: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    if count <= buffer:
        expected = draw.permutation(count).tolist()
    else:
        held: list[int] = np.argsort(draw.permutation(buffer)).tolist()
        expected = []
        for position, place in enumerate(draw.integers(0, buffer, count - buffer).tolist(), buffer):
            expected.append(held[place])
            held[place] = position
        order = emission(count, buffer, np.random.default_rng(seed)).tolist()
        assert sorted(order[len(expected):]) == sorted(held)
        expected += order[len(expected):]
    assert emission(count, buffer, np.random.default_rng(seed)).tolist() == expected


@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=6), world=st.integers(1, 3), batch=st.integers(1, 9),
       buffer=st.integers(1, 900), step=st.integers(0, 40), epoch=st.integers(0, 2))
def test_pieces_from_any_step_hold_exactly_what_is_still_to_come(
    sizes: list[int], world: int, batch: int, buffer: int, step: int, epoch: int
) -> None:
    groups = [Group("file", at, np.arange(size) * 2) for at, size in enumerate(sizes)]
    if batch * world > sum(sizes):
        return
    layout = Layout(3, batch, rank=world - 1, world=world, buffer=buffer)
    steps = steps_per_epoch(groups, layout)
    assert sum(sizes) - steps * batch * world < batch * world  # less than one batch is lost
    whole, order = pieces(groups, layout, epoch, 0)
    listed, rest = pieces(groups, layout, epoch, step)
    assert rest.tolist() == order[step * batch :].tolist()
    assert [at for piece in listed for at in piece.positions] == sorted(rest.tolist())
    place = {at: (piece.group, row) for piece in whole for at, row in zip(piece.positions, piece.rows, strict=True)}
    for piece in listed:
        assert 0 < len(piece.rows) == len(piece.positions) <= 256
        assert [place[at] for at in piece.positions] == [(piece.group, row) for row in piece.rows]


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


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(toy: Path, workers: int) -> None:
    assert same(read(toy, LAYOUT, range(2), 3, workers), read(toy, LAYOUT, range(2), 3))


def test_processes_train_on_what_one_process_would(toy: Path) -> None:
    seen = [batch.pixels[at].numpy().tobytes() for rank in range(2)
            for batch in read(toy, dataclasses.replace(LAYOUT, rank=rank, world=2, batch=5), range(1))
            for at in range(len(batch.pixels))]
    alone = [batch.pixels[at].numpy().tobytes() for batch in read(toy, dataclasses.replace(LAYOUT, batch=10), range(1))
             for at in range(len(batch.pixels))]
    assert len(seen) == 100
    assert sorted(seen) == sorted(alone)


@pytest.mark.parametrize(("world", "accumulate"), [(2, 1), (2, 2), (1, 4), (4, 1)])
def test_a_step_of_a_small_split_is_the_same_however_it_is_shared_out(toy: Path, world: int, accumulate: int) -> None:
    one = Layout(seed=0, batch=20, buffer=100)
    layouts = [Layout(0, 20 // world // accumulate, accumulate, rank, world, one.buffer) for rank in range(world)]
    alone = read(toy, one, range(2), 1)
    shared = [read(toy, layout, range(2), 1) for layout in layouts]
    assert len(alone) == 9
    for step, whole in enumerate(alone):
        parts = [micro for mine in shared for micro in mine[step * accumulate : (step + 1) * accumulate]]
        assert torch.equal(torch.cat([part.pixels for part in parts]), whole.pixels), step
        assert torch.equal(torch.cat([part.ids for part in parts]), whole.ids), step


def test_decoding_processes_are_out_of_reach_of_a_signal_to_the_group(toy: Path) -> None:
    with contextlib.closing(batches(row_groups(toy, "train"), SAMPLING, LAYOUT, range(2), 0, 2)) as stream:
        next(stream)
        children = psutil.Process().children()
        assert len(children) == 2
        assert all(os.getpgid(child.pid) == child.pid != os.getpgrp() for child in children)


def in_flight(decoder: Any, tasks: Iterator[Any], _seed: int, workers: int) -> Iterator[Any]:
    """As torch's loader does it: so many pieces are asked for before the first is given back."""
    asked = deque(islice(tasks, 2 * workers))
    while asked or not workers:
        asked.extend(islice(tasks, 1))
        if not asked:
            return
        yield decoder[asked.popleft()]


@settings(deadline=None)
@given(sizes=st.lists(st.integers(1, 500), min_size=1, max_size=5), batch=st.integers(1, 60),
       buffer=st.integers(1, 400), workers=st.integers(0, 3), first=st.integers(0, 3))
def test_the_pool_has_room_and_no_sample_is_overwritten(
    sizes: list[int], batch: int, buffer: int, workers: int, first: int
) -> None:
    groups = [Group("file", at, np.arange(size)) for at, size in enumerate(sizes)]
    layout = Layout(0, min(batch, sum(sizes)), buffer=buffer)
    first = min(first, steps_per_epoch(groups, layout) - 1)

    def fill(pool: Samples, slots: Index, group: Group, rows: Index, epoch: int, _: Sampling) -> None:
        assert len(slots) == len(rows)
        pool.ids[slots, 0] = epoch * 10_000 + group.group * 1000 + rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "fill", fill)
        patch.setattr(data, "_arriving", in_flight)
        tiny = dataclasses.replace(SAMPLING, image_size=1, context_length=1)
        got = [batch.ids[:, 0].tolist() for batch in batches(groups, tiny, layout, range(3), first, workers)]
    expected = []
    for epoch in range(3):
        group, row, _ = epoch_order(groups, layout, epoch)
        order = pieces(groups, layout, epoch, 0 if epoch else first)[1]
        expected += (epoch * 10_000 + group[order].astype(int) * 1000 + row[order]).tolist()
    assert [number for numbers in got for number in numbers] == expected


def test_batches_keep_what_they_hold(toy: Path) -> None:
    stream = batches(row_groups(toy, "train"), SAMPLING, LAYOUT, range(3), 0, 0)
    first = next(stream)
    copy = first.pixels.clone()
    list(stream)
    assert torch.equal(first.pixels, copy)


def test_a_worker_that_is_killed_is_told(toy: Path) -> None:
    import psutil

    stream = batches(row_groups(toy, "train"), SAMPLING, LAYOUT, range(10**6), 0, 2)
    with contextlib.closing(stream), pytest.raises(RuntimeError, match="DataLoader worker"):
        next(stream)
        for child in psutil.Process().children():
            child.kill()
        for _ in stream:
            pass


def test_closing_ends_the_workers(toy: Path) -> None:
    import psutil

    stream = batches(row_groups(toy, "train"), SAMPLING, LAYOUT, range(10**6), 0, 2)
    next(stream)
    assert len(psutil.Process().children()) == 2
    stream.close()
    assert psutil.Process().children() == []


def counting(ended: list[str]) -> Generator[int, None, None]:
    try:
        yield 1
        yield 2
        raise RunFailed("no more")
    finally:
        ended.append("ended")


def test_a_stream_made_ahead_gives_its_items_its_error_and_its_end() -> None:
    ended: list[str] = []
    stream = ahead(counting(ended), 2)
    assert [next(stream), next(stream)] == [1, 2]
    with pytest.raises(RunFailed, match="no more"):
        next(stream)
    assert list(ahead((n for n in range(50)), 3)) == list(range(50))
    stream = ahead(counting(ended), 1)
    next(stream)
    stream.close()
    assert ended == ["ended", "ended"]


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
    dataset = make_dataset(train=20)
    path = dataset / "data" / "train-00000.parquet"
    table = pq.read_table(path)
    images = table["image"].to_pylist()
    images[7]["bytes"] = images[7]["bytes"][:300]
    pq.write_table(table.set_column(0, table.schema.field("image"), [images]), path)
    with pytest.raises(RunFailed, match=r"PMC1001\.1/g3\.jpg.* cannot be decoded") as caught:
        list(batches(row_groups(dataset, "train"), SAMPLING, LAYOUT, range(1), 0, 0))
    assert "\n" not in str(caught.value)


def test_a_shard_that_is_replaced_is_told(make_dataset: Callable[..., Path]) -> None:
    dataset = make_dataset(train=40)
    path = dataset / "data" / "train-00000.parquet"
    stream = batches(row_groups(dataset, "train"), SAMPLING, dataclasses.replace(LAYOUT, buffer=4), range(1), 0, 0)
    next(stream)
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(RunFailed, match=r"train-00000\.parquet was changed"):
        list(stream)


def test_a_shard_that_is_gone_is_told(make_dataset: Callable[..., Path]) -> None:
    dataset = make_dataset(train=20)
    groups = row_groups(dataset, "train")
    (dataset / "data" / "train-00000.parquet").unlink()
    for workers in (0, 1):
        with pytest.raises(RunFailed, match=r"train-00000\.parquet cannot be read: No such file"):
            list(batches(groups, SAMPLING, LAYOUT, range(1), 0, workers))


def test_damage_in_a_page_is_told(make_dataset: Callable[..., Path]) -> None:
    dataset = make_dataset(train=20)
    path = dataset / "data" / "train-00000.parquet"
    pq.write_table(pq.read_table(path), path, write_page_checksum=True, compression="none")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(RunFailed, match=r"train-00000\.parquet cannot be read"):
        list(batches(row_groups(dataset, "train"), SAMPLING, LAYOUT, range(1), 0, 0))


@pytest.mark.parametrize(("column", "kinds"), [("subcaption", ()), ("kind", ("plot",)), ("image", ())])
def test_a_column_that_is_missing_is_told(
    make_dataset: Callable[..., Path], column: str, kinds: tuple[str, ...]
) -> None:
    dataset = make_dataset(train=20)
    path = dataset / "data" / "train-00000.parquet"
    pq.write_table(pq.read_table(path).drop_columns(column), path)
    with pytest.raises(RunFailed, match=f"has no column '{column}'"):
        list(batches(row_groups(dataset, "train", kinds), SAMPLING, LAYOUT, range(1), 0, 0))


def test_an_image_that_is_missing_is_told(make_dataset: Callable[..., Path]) -> None:
    dataset = make_dataset(train=20)
    path = dataset / "data" / "train-00000.parquet"
    table = pq.read_table(path)
    images = table["image"].to_pylist()
    images[3]["bytes"] = None
    pq.write_table(table.set_column(0, table.schema.field("image"), [images]), path)
    with pytest.raises(RunFailed, match=r"PMC1000\.1/g3\.jpg.* cannot be decoded"):
        list(batches(row_groups(dataset, "train"), SAMPLING, Layout(0, 20), range(1), 0, 0))


def test_a_row_group_larger_than_a_piece_is_read_in_pieces(make_dataset: Callable[..., Path]) -> None:
    dataset = make_dataset(train=300, row_group=300)
    layout = Layout(0, 50, buffer=20)
    whole = read(dataset, layout, range(1))
    assert len(whole) == 6
    assert same(read(dataset, layout, range(1), 4, workers=1), whole[4:])


def test_mentions_are_extra_text_of_training_alone(make_dataset: Callable[..., Path]) -> None:
    dataset = make_dataset(train=40)
    path = dataset / "data" / "train-00000.parquet"
    table = pq.read_table(path)
    some = [["One heart.", "Two hearts."] if row % 2 else [] for row in range(40)]
    at = table.schema.get_field_index("mentions")
    pq.write_table(table.set_column(at, table.schema.field(at), [some]), path, row_group_size=40)
    group = row_groups(dataset, "train")[0]
    mentions = dataclasses.replace(SAMPLING, text="subcaption+mentions", context_length=32)
    plain = dataclasses.replace(mentions, text="subcaption")
    lengths = []
    for epoch in range(30):
        more = (load_samples(group, group.rows, epoch, mentions).ids != 0).sum(1)
        lengths.append(more - (load_samples(group, group.rows, epoch, plain).ids != 0).sum(1))
    added = np.array(lengths) > 0
    assert not added[:, ::2].any()
    assert 0.4 < added[:, 1::2].mean() < 0.6
    assert len(np.unique(added[:, 1::2], axis=0)) == 30
    evaluated = [load_samples(group, group.rows, 0, dataclasses.replace(one, training=False)).ids
                 for one in (mentions, plain)]
    assert np.array_equal(*evaluated)


def test_text_choices(toy: Path) -> None:
    from pmcoa_build.clip.tokenizer import load_tokenizer

    group = row_groups(toy, "test")[0]
    tokenizer = load_tokenizer("bundled", 16)
    for text, expected in (("subcaption", "{s}"), ("caption", "(A) {s}. (B) Another."),
                           ("preamble+subcaption", "Drawn shapes. {s}")):
        row = pq.read_table(group.path)["subcaption"][0].as_py()
        samples = load_samples(group, np.array([0]), 0, dataclasses.replace(SAMPLING, text=text, training=False))
        assert samples.ids[0].tolist() == tokenizer.encode(expected.format(s=row))
