"""The order of training: row groups over processes and workers, a shuffle buffer, batches that can be resumed.

What a step trains on is a pure function of (row groups, seed, epoch, step, batch size, processes): the number of
workers and restarts cannot change it. Only what a batch needs is read; the dataset is never held in memory.
"""

from __future__ import annotations

import mmap
import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pmcoa_build.clip.shards import Group, Samples, Sampling, fill, tokenizer_of
from pmcoa_build.errors import RunFailed

BUFFER = 4096
"""Samples that wait in the shuffle buffer (0.6 GB at 224 px), decoded: one buffer for all workers, in shared memory.

As encoded bytes each worker would need one of its own, and would have to read every shard.
"""

PIECE = 256
"""Most samples that are decoded in one go: the rows of a published row group."""

_PREFETCH = 2
"""Pieces under way for each worker."""

Index = NDArray[np.signedinteger[Any]]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Layout:
    """How the rows are spread. `batch`: pairs in one micro-batch of one process; `rank` of `world` processes."""

    seed: int
    batch: int
    accumulate: int = 1
    rank: int = 0
    world: int = 1
    buffer: int = BUFFER


@dataclass(frozen=True)
class Piece:
    """Rows of one row group to decode in one go; `positions`: their places in the epoch's reading order."""

    epoch: int
    group: int
    rows: Index
    positions: Index


Plan = Callable[[int], tuple[list[Piece], Index]]
"""Of an epoch: what to read, in reading order, and the order of giving out."""


def steps_per_epoch(groups: Sequence[Group], layout: Layout) -> int:
    """Whole optimiser steps in one pass; the remainder is dropped, as in open_clip.

    Raises RunFailed where there is no pair, or not one whole batch.
    """
    total = sum(len(group.rows) for group in groups)
    if not total:
        raise RunFailed("The training split holds no pairs; look at `status` and at [train] kinds.")
    needed = layout.batch * layout.accumulate * layout.world
    if needed > total:
        raise RunFailed(
            f"A batch of {needed} pairs is larger than the {total} of the training split; lower [train] batch_size."
        )
    return total // needed


def emission(count: int, buffer: int, draw: np.random.Generator) -> Index:
    """Reading positions 0 … count - 1 in the order in which a shuffle buffer of that size gives them out.

    The buffer is filled; then each position read takes the place of a drawn one, which is given out; the rest follows.
    """
    if count <= buffer:
        return draw.permutation(count)
    kind = np.min_scalar_type(buffer)  # two bytes are sorted in a quarter of the time
    places = np.concatenate([draw.permutation(buffer), draw.integers(0, buffer, count - buffer)]).astype(kind)
    turns = np.argsort(places, kind="stable")
    again = np.diff(places[turns]) == 0  # a draw gives out what was last read into the place
    out = np.empty(count, np.int64)
    out[turns[1:][again] - buffer] = turns[:-1][again]
    out[count - buffer :] = draw.permutation(turns[np.append(~again, True)])
    return out


def epoch_order(groups: Sequence[Group], layout: Layout, epoch: int) -> tuple[Index, Index, Index]:
    """(group, row, order): which row stands at each reading position of this process, and the order of giving out.

    The row groups are shuffled and laid end to end; each process takes one of `world` equal stretches. Where all rows
    fit into one shuffle buffer they are shuffled as a whole, and each process takes its share of every step: then a
    step trains on the same pairs however many processes and micro-batches share them.
    """
    turns = np.random.default_rng([layout.seed, epoch, 1]).permutation(len(groups))
    sizes = np.array([len(groups[turn].rows) for turn in turns])
    ends = np.cumsum(sizes)
    if ends[-1] <= layout.buffer:
        order = _share(np.random.default_rng([layout.seed, epoch, 2, 0]), layout, int(ends[-1]))
        return np.repeat(turns, sizes), np.concatenate([groups[turn].rows for turn in turns]), order
    share = int(ends[-1]) // layout.world
    first = layout.rank * share
    touched = slice(np.searchsorted(ends, first, "right"), np.searchsorted(ends, first + share) + 1)
    group = np.repeat(turns[touched].astype(np.int32), sizes[touched])
    row = np.concatenate([groups[turn].rows.astype(np.int32) for turn in turns[touched]])
    skipped = first - int((ends - sizes)[touched][0])
    stretch = slice(skipped, skipped + share)
    order = emission(share, layout.buffer, np.random.default_rng([layout.seed, epoch, 2, layout.rank]))
    return group[stretch], row[stretch], order


def _share(draw: np.random.Generator, layout: Layout, count: int) -> Index:
    """This process's part of each step of a permutation of `count`; what makes no whole step is dropped."""
    pairs = layout.batch * layout.accumulate
    whole = count // (pairs * layout.world) * pairs * layout.world
    return draw.permutation(count)[:whole].reshape(-1, layout.world, pairs)[:, layout.rank].ravel()


def pieces(groups: Sequence[Group], layout: Layout, epoch: int, first_step: int) -> tuple[list[Piece], Index]:
    """What to read from `first_step` to the end of the epoch, in reading order, and the order of giving out."""
    group, row, order = epoch_order(groups, layout, epoch)
    pairs = layout.batch * layout.accumulate
    order = order[first_step * pairs : steps_per_epoch(groups, layout) * pairs]
    wanted = np.zeros(len(row), bool)
    wanted[order] = True
    needed = np.flatnonzero(wanted)
    cuts = np.flatnonzero((np.diff(group[needed]) != 0) | (np.diff(row[needed] // PIECE) != 0)) + 1
    parts = np.split(needed, cuts) if len(needed) else []
    return [Piece(epoch, int(group[part[0]]), row[part], part) for part in parts], order


@dataclass(frozen=True)
class Batch:
    """Torch tensors: `pixels` uint8 (B, S, S, 3), `ids` and `labels` int64 (B, T)."""

    pixels: Any
    ids: Any
    labels: Any


def batches(
    groups: Sequence[Group], sampling: Sampling, layout: Layout, epochs: range, first_step: int, workers: int
) -> Generator[Batch, None, None]:
    """Micro-batches from (first epoch, first step) to the end of the last epoch.

    `workers`: processes that decode (0 = none but this one); closing the generator ends them. Raises
    RunFailed for data that cannot be read, UsageError for a tokenizer that cannot be had.
    """
    tokenizer_of(sampling)  # once, before the workers are forked

    @lru_cache(maxsize=2)
    def plan(epoch: int) -> tuple[list[Piece], Index]:
        return pieces(groups, layout, epoch, first_step if epoch == epochs.start else 0)

    pool = _pool(_capacity(groups, layout, workers), sampling)
    free = list(range(len(pool.ids)))
    arriving = _arriving(_Decoder(groups, sampling, pool), _places(epochs, plan, free), layout.seed, workers)
    made = _given_out(arriving, plan, epochs, layout, pool, free)
    yield from ahead(made, 2) if workers else made


def ahead(stream: Generator[Item, None, None], count: int) -> Generator[Item, None, None]:
    """The items of a stream, which a thread makes up to `count` ahead. Closing ends the thread, then the stream."""
    room, ready, ending = threading.Semaphore(count), queue.SimpleQueue[Any](), threading.Event()

    def run() -> None:
        try:
            while room.acquire() and not ending.is_set():
                ready.put((next(stream), None))
        except BaseException as error:
            ready.put((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            room.release()
            yield item
    finally:
        ending.set()
        room.release()
        thread.join()
        stream.close()


def _capacity(groups: Sequence[Group], layout: Layout, workers: int) -> int:
    """Samples that can be waiting or under way at one time."""
    rows = [len(group.rows) for group in groups]
    waiting = min(layout.buffer + layout.batch, sum(rows) // layout.world)
    return waiting + (1 + _PREFETCH * workers) * min(max(rows), PIECE)


def _pool(capacity: int, sampling: Sampling) -> Samples:
    """Room for so many samples, in memory that forked processes share (and no limit of /dev/shm applies to)."""
    side, context = sampling.image_size, sampling.context_length

    def room(kind: type, *shape: int) -> NDArray[Any]:
        size = capacity * int(np.prod(shape)) * np.dtype(kind).itemsize
        return np.frombuffer(mmap.mmap(-1, size), kind).reshape(capacity, *shape)

    return Samples(room(np.uint8, side, side, 3), room(np.int64, context), room(np.int64, context))


@dataclass(frozen=True)
class _Task:
    """A piece, and the places of the pool where its samples go."""

    piece: Piece
    slots: Index


def _places(epochs: range, plan: Plan, free: list[int]) -> Iterator[_Task]:
    """The pieces of all epochs, each with free places at the time when it is asked for."""
    for epoch in epochs:
        for piece in plan(epoch)[0]:
            cut = len(free) - len(piece.rows)
            slots = np.array(free[cut:])
            del free[cut:]
            yield _Task(piece, slots)


class _Decoder:
    """A map-style dataset whose index is a task. Errors travel as text: torch would wrap them in a traceback."""

    def __init__(self, groups: Sequence[Group], sampling: Sampling, pool: Samples) -> None:
        self.groups, self.sampling, self.pool = groups, sampling, pool

    def __getitem__(self, task: _Task) -> tuple[_Task, str]:
        piece = task.piece
        try:
            fill(self.pool, task.slots, self.groups[piece.group], piece.rows, piece.epoch, self.sampling)
        except RunFailed as error:
            return task, str(error)
        return task, ""


def _arriving(decoder: _Decoder, tasks: Iterator[_Task], seed: int, workers: int) -> Iterator[tuple[_Task, str]]:
    """What the decoder returns for each task, in their order."""
    import torch
    from torch.utils.data import DataLoader

    loader: Any = DataLoader(
        decoder,  # type: ignore[arg-type]
        sampler=tasks,
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_is,
        generator=torch.Generator().manual_seed(seed),  # else the loader would draw from the model's generator
        prefetch_factor=_PREFETCH if workers else None,
        multiprocessing_context="fork" if workers else None,
        worker_init_fn=_start_worker,
    )
    return iter(loader)


def _as_is(item: Any) -> Any:
    return item


def _start_worker(_: int) -> None:
    import cv2

    cv2.setNumThreads(0)  # its threads do not survive a fork
    os.setpgrp()  # a signal to the training's group (Ctrl-C, torchrun's SIGTERM) is for it alone to answer


def _given_out(
    arriving: Iterator[tuple[_Task, str]], plan: Plan, epochs: range, layout: Layout, pool: Samples, free: list[int]
) -> Generator[Batch, None, None]:
    """All batches, each copied out of the pool. Reading stays a buffer ahead, into the next epoch as well."""
    import torch

    pinned = torch.cuda.is_available()  # then the way to the GPU is free while it computes
    slots: dict[int, Index] = {}
    waiting = 0
    for epoch in epochs:
        order = plan(epoch)[1]
        ahead_by = min(layout.buffer, len(order))
        for start in range(0, len(order), layout.batch):
            wanted = order[start : start + layout.batch]
            while waiting < ahead_by or (slots[epoch][wanted] < 0).any():
                task, error = next(arriving, (None, ""))
                if task is None:
                    break  # all is read
                if error:
                    raise RunFailed(error)
                if task.piece.epoch not in slots:
                    slots[task.piece.epoch] = np.full(plan(task.piece.epoch)[1].max() + 1, -1)
                slots[task.piece.epoch][task.piece.positions] = task.slots
                waiting += len(task.slots)
            chosen = slots[epoch][wanted]
            parts = [torch.from_numpy(part[chosen]) for part in (pool.pixels, pool.ids, pool.labels)]
            free += chosen.tolist()
            waiting -= len(chosen)
            yield Batch(*(part.pin_memory() if pinned else part for part in parts))
        slots.pop(epoch, None)
