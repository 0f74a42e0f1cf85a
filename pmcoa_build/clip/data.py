"""The order of training: row groups over processes and workers, a shuffle buffer, batches that can be resumed.

What a step trains on is a pure function of (row groups, seed, epoch, step, batch size, processes): the number of
workers and restarts cannot change it. Only what a batch needs is read; the dataset is never held in memory.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmcoa_build.clip.shards import Group, Sampling, load_samples
from pmcoa_build.errors import RunFailed

BUFFER = 2048
"""Samples that wait in the shuffle buffer (0.3 GB at 224 px)."""

Index = NDArray[np.int64]


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
    """Reading positions 0 … count - 1 in the order in which a shuffle buffer of that size gives them out."""
    if count <= buffer:
        return draw.permutation(count)
    waiting = draw.permutation(buffer)
    slots = draw.integers(0, buffer, count - buffer)
    out = np.empty(count, np.int64)
    for at, slot in enumerate(slots):
        out[at] = waiting[slot]
        waiting[slot] = buffer + at
    out[count - buffer:] = draw.permutation(waiting)
    return out


def epoch_order(groups: Sequence[Group], layout: Layout, epoch: int) -> tuple[Index, Index, Index]:
    """(group, row, order): which row stands at each reading position of this process, and the order of giving out.

    The row groups are shuffled and laid end to end; each process takes one of `world` equal stretches.
    """
    draw = np.random.default_rng([layout.seed, epoch, 1])
    turns = draw.permutation(len(groups))
    group = np.concatenate([np.full(len(groups[turn].rows), turn) for turn in turns])
    row = np.concatenate([groups[turn].rows for turn in turns])
    share = len(row) // layout.world
    mine = slice(layout.rank * share, (layout.rank + 1) * share)
    order = emission(share, layout.buffer, np.random.default_rng([layout.seed, epoch, 2, layout.rank]))
    return group[mine], row[mine], order


def pieces(groups: Sequence[Group], layout: Layout, epoch: int, first_step: int) -> tuple[list[Piece], Index]:
    """What to read from `first_step` to the end of the epoch, in reading order, and the order of giving out."""
    group, row, order = epoch_order(groups, layout, epoch)
    pairs = layout.batch * layout.accumulate
    order = order[first_step * pairs : steps_per_epoch(groups, layout) * pairs]
    needed = np.sort(order)
    length = int(np.clip(len(row) // 64, 16, 256))
    cuts = np.flatnonzero((np.diff(group[needed]) != 0) | (np.diff(needed // length) != 0)) + 1
    parts = np.split(needed, cuts) if len(needed) else []
    return [Piece(epoch, int(group[part[0]]), row[part], part) for part in parts], order


class _Decoder:
    """A map-style dataset whose index is a piece. Errors travel as text: torch would wrap them in a traceback."""

    def __init__(self, groups: Sequence[Group], sampling: Sampling) -> None:
        self.groups, self.sampling = list(groups), sampling

    def __getitem__(self, piece: Piece) -> tuple[Piece, Any]:
        import torch

        try:
            samples = load_samples(self.groups[piece.group], piece.rows, piece.epoch, self.sampling)
        except RunFailed as error:
            return piece, str(error)
        # tensors cross between processes by shared memory, arrays would be copied through a pipe
        return piece, tuple(map(torch.from_numpy, (samples.pixels, samples.ids, samples.labels)))


class _Sequence:
    """A sampler over the pieces of all epochs still to come, made lazily."""

    def __init__(self, groups: Sequence[Group], layout: Layout, epochs: range, first_step: int) -> None:
        self.groups, self.layout, self.epochs, self.first_step = groups, layout, epochs, first_step

    def __iter__(self) -> Iterator[Piece]:
        for epoch in self.epochs:
            first = self.first_step if epoch == self.epochs.start else 0
            yield from pieces(self.groups, self.layout, epoch, first)[0]


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
    RunFailed for data that cannot be read.
    """
    import torch
    from torch.utils.data import DataLoader

    loader: Any = DataLoader(
        _Decoder(groups, sampling),  # type: ignore[arg-type]
        sampler=_Sequence(groups, layout, epochs, first_step),
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_is,
        generator=torch.Generator().manual_seed(layout.seed),  # else the loader would draw from the model's generator
        prefetch_factor=2 if workers else None,
    )
    arriving = iter(loader)
    for epoch in epochs:
        order = pieces(groups, layout, epoch, first_step if epoch == epochs.start else 0)[1]
        yield from _epoch(arriving, order, layout.batch)


def _as_is(item: Any) -> Any:
    return item


def _epoch(arriving: Iterator[tuple[Piece, Any]], order: Index, size: int) -> Iterator[Batch]:
    import torch

    waiting: dict[int, tuple[Any, ...]] = {}
    for start in range(0, len(order), size):
        wanted = order[start : start + size].tolist()
        while any(position not in waiting for position in wanted):
            piece, samples = next(arriving)
            if isinstance(samples, str):
                raise RunFailed(samples)
            for at, position in enumerate(piece.positions.tolist()):
                waiting[position] = tuple(part[at].clone() for part in samples)  # a view would keep the whole piece
        chosen = zip(*(waiting.pop(position) for position in wanted), strict=True)
        yield Batch(*(torch.stack(part) for part in chosen))
