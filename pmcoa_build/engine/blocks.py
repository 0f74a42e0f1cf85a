"""Blocks: ranges of numeric ids (PMCIDs) that are worked on and committed together.

A block is named by its lower end, so that its name outlives later cuts. Boundaries never move once made: new ids
beyond the last boundary open new blocks, and a block that has doubled is split.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TARGET = 500
"""Articles in a block of a large build."""


def block_size(total: int) -> int:
    """Articles in a block: about TARGET, fewer in a small build, so that its blocks can run side by side."""
    return max(20, min(TARGET, total // 8))


def block_name(lower: int) -> str:
    """The name of the block that begins at this id."""
    return f"{lower:09d}"


def boundaries(ids: NDArray[np.integer], previous: Sequence[int], size: int) -> list[int]:
    """Lower ends of all blocks, and the end of the last one.

    `ids`: sorted ids (>= 0) of all selected articles, repeated for several versions; versions of one stay together.
    `previous`: the boundaries made before, [] at the first run; all of them stay.
    """
    distinct = ids[np.diff(ids, prepend=-1) != 0]
    kept = list(previous) or [0]
    if not previous and not len(distinct):
        return [0, 1]
    edges = np.searchsorted(distinct, np.asarray(kept)).tolist()
    result: list[int] = []
    for lower, (start, end) in zip(kept, itertools.pairwise(edges), strict=False):
        result += [lower] if end - start <= 2 * size else [lower, *_cuts(distinct[start:end], size)]
    beyond = distinct[edges[-1]:]
    if not len(beyond):
        return [*result, kept[-1]]
    return [*result, kept[-1], *_cuts(beyond, size), int(beyond[-1]) + 1]


def _cuts(ids: NDArray[np.integer], size: int) -> list[int]:
    """Lower ends of the second and later blocks when `ids` are cut evenly into blocks of about `size`."""
    count = max(1, round(len(ids) / size))
    return [int(ids[len(ids) * i // count]) for i in range(1, count)]
