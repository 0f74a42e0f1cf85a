"""Hashes within a few bits of each other, among millions, exactly, and without a list of all pairs.

Hashes are sorted by pairs of bands (Manku et al. 2007, "Detecting near-duplicates for web crawling", sec. 3): with the
64 bits cut into d + 2 bands, two hashes that differ in at most d bits agree in at least two of them, so it is enough
to look among hashes that agree in some two. Where few do, their pairs are compared and the near ones listed. Where many
do, as plots and blots make them, the pairs grow with the square of their number: then only the run is kept, and looked
through when somebody asks for the neighbours of one of its hashes.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

_WORD = np.uint64
_SHORT, _LONG = 24, 4096
"""Hashes that agree in two bands and whose pairs are listed: so many in any case (of 5 million drawn evenly 2 agree, at
most 15), and so many where few of them are near (of 5 million pictures some hundred agree)."""

_FEW = 0.02
"""Share of near pairs in a longer run that are few enough to be listed."""

Ints = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Lists:
    """Lists of integers, one after the other: list i is items[starts[i] : starts[i + 1]]."""

    starts: np.ndarray
    items: np.ndarray

    def of(self, which: int) -> np.ndarray:
        """One list."""
        return self.items[self.starts[which] : self.starts[which + 1]]

    def joined(self, which: np.ndarray) -> np.ndarray:
        """Several lists, one after the other."""
        first, lengths = self.starts[which], self.starts[which + 1] - self.starts[which]
        if lengths.size and lengths.max() == 1 == lengths.min():
            return np.asarray(self.items[first])
        within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return np.asarray(self.items[np.repeat(first, lengths) + within])


@dataclass(frozen=True)
class Neighbours:
    """What can be asked for the neighbours of a hash.

    `count`: hashes in the input. `values`: the distinct hashes that may have any, sorted (uint64); others have none.
    `places`: where each value stands in the input, in its order. `listed`: near values of each value (positions in
    `values`, each pair both ways). `runs`: values that agree in two bands; `runs_of`: the runs of each value.
    """

    count: int
    max_distance: int
    values: np.ndarray
    places: Lists
    listed: Lists
    runs: Lists
    runs_of: Lists

    def near(self, value: int) -> np.ndarray:
        """Positions in `values` of all within `max_distance` bits of the value at one position, without itself."""
        runs = self.runs_of.of(value)
        if not len(runs):
            return self.listed.of(value)
        members = np.concatenate([self.runs.of(run) for run in runs.tolist()])
        close = np.bitwise_count(self.values[members] ^ self.values[value]) <= self.max_distance
        found = np.unique(np.concatenate([self.listed.of(value), members[close]]))
        return np.asarray(found[found != value])

    def places_near(self, value: int) -> np.ndarray:
        """Where in the input the hashes stand that are near the value at one position, or equal to it."""
        return self.places.joined(np.append(self.near(value), value))


def find_neighbours(hashes: np.ndarray, max_distance: int = 4) -> Neighbours:
    """Look through hashes (uint64, n) for those that differ in at most `max_distance` bits (0 to 30), or are equal.

    Time and memory grow with n, however dense the hashes lie: about 12 s of CPU and 0.7 GB for 5 million.
    """
    hashes = np.ascontiguousarray(hashes, dtype=np.uint64)
    unique, counts = np.unique(hashes, return_counts=True)
    bands = _bands(max_distance)
    one = functools.partial(_pass, unique, bands, limit=max_distance)
    with ThreadPoolExecutor(2) as pool:  # numpy's loops run side by side; more threads would take more memory
        passes = list(pool.map(one, combinations(range(len(bands)), 2)))
    pairs = np.concatenate([found for found, _, _ in passes])
    members = np.concatenate([found for _, found, _ in passes])
    lengths = np.concatenate([found for _, _, found in passes])
    del passes, one
    values = np.unique(np.concatenate([pairs.ravel(), members, unique[counts > 1]]))
    del unique, counts
    ends = np.searchsorted(values, pairs).astype(np.int32)
    runs = Lists(np.concatenate([[0], np.cumsum(lengths)]), np.searchsorted(values, members).astype(np.int32))
    listed = _by_key(np.concatenate([ends[:, 0], ends[:, 1]]), np.concatenate([ends[:, 1], ends[:, 0]]), len(values))
    runs_of = _by_key(runs.items, np.repeat(np.arange(len(lengths), dtype=np.int32), lengths), len(values))
    return Neighbours(len(hashes), max_distance, values, _places(hashes, values), listed, runs, runs_of)


def _places(hashes: np.ndarray, values: np.ndarray) -> Lists:
    at = np.searchsorted(values, hashes).astype(np.int32)
    known = np.flatnonzero(values.take(at, mode="clip") == hashes) if len(values) else np.empty(0, np.int64)
    return _by_key(at[known], known.astype(np.int32), len(values))


def _by_key(keys: np.ndarray, items: np.ndarray, count: int) -> Lists:
    """The items of each key from 0 to count - 1, in their order."""
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=count))])
    return Lists(starts, items[np.argsort(keys, kind="stable")])


def _bands(max_distance: int) -> list[tuple[int, int]]:
    """(lowest bit, width) of the bands; one band more than the pigeonhole needs, so that two of them have to agree."""
    edges = np.linspace(0, 64, max_distance + 3).round().astype(int).tolist()
    return [(low, high - low) for low, high in pairwise(edges)]


def _move(values: np.ndarray, moves: Sequence[tuple[int, int, int]]) -> np.ndarray:
    """Bits moved in blocks: each (from, to, width). A permutation of bits keeps Hamming distances."""
    out = np.zeros_like(values)
    for source, target, width in moves:
        out |= ((values >> _WORD(source)) & _WORD((1 << width) - 1)) << _WORD(target)
    return out


def _moves(bands: Sequence[tuple[int, int]], chosen: tuple[int, int]) -> list[tuple[int, int, int]]:
    """The chosen bands to the top of the word, the others below, one move a band in the order of `bands`."""
    order = [*chosen, *(i for i in range(len(bands)) if i not in chosen)]
    moves, top = {}, 64
    for index in order:
        low, width = bands[index]
        top -= width
        moves[index] = (low, top, width)
    return [moves[index] for index in range(len(bands))]


def _pass(
    unique: np.ndarray, bands: Sequence[tuple[int, int]], chosen: tuple[int, int], limit: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the values have in common that agree in the chosen bands, and in no two bands that come before these.

    (near pairs (n, 2) of the runs that are listed, members of the dense runs one after the other, their lengths).
    """
    moves = _moves(bands, chosen)
    back = [(target, source, width) for source, target, width in moves]
    values = _move(unique, moves)
    values.sort()
    key = _WORD(64 - bands[chosen[0]][1] - bands[chosen[1]][1])
    edges = np.flatnonzero((values[1:] ^ values[:-1]) >> key) + 1
    starts = np.concatenate([[0], edges])
    lengths = np.diff(np.append(starts, len(values)))
    dense = _dense(values, starts, lengths, limit)
    inside = np.repeat(dense, lengths)
    members = _move(values[inside], back)
    earlier = [_WORD(((1 << moves[i][2]) - 1) << moves[i][1]) for i in range(chosen[1]) if i != chosen[0]]
    pairs = _listed(values[~inside] if dense.any() else values, key, limit, earlier)
    return _move(pairs, back), members, lengths[dense]


def _dense(values: np.ndarray, starts: np.ndarray, lengths: np.ndarray, limit: int) -> np.ndarray:
    """Which runs are too long, or too dense, for a list of their pairs; density is told by one pair a member."""
    dense = lengths > _LONG
    asked = np.flatnonzero((lengths > _SHORT) & ~dense)
    if len(asked):
        size = lengths[asked]
        heads = np.cumsum(size) - size
        within = np.arange(int(size.sum())) - np.repeat(heads, size)
        first = np.repeat(starts[asked], size)
        other = (within + np.repeat(size // 2, size)) % np.repeat(size, size)
        near = np.bitwise_count(values[first + within] ^ values[first + other]) <= limit
        dense[asked] = np.add.reduceat(near, heads, dtype=np.int64) > _FEW * size
    return np.asarray(dense)


def _listed(values: np.ndarray, key: np.uint64, limit: int, earlier: Sequence[np.uint64]) -> np.ndarray:
    """Pairs (n, 2) of sorted values that agree above bit `key`, within `limit` bits, and differ in all of `earlier`."""
    found: list[np.ndarray] = [np.empty((0, 2), _WORD)]
    active, step = np.flatnonzero((values[1:] ^ values[:-1]) >> key == 0).astype(np.int32), 1
    while len(active):
        left, right = values[active], values[active + step]
        differing = left ^ right
        hit = np.flatnonzero(np.bitwise_count(differing) <= limit)
        for mask in earlier:
            hit = hit[(differing[hit] & mask) != 0]
        found.append(np.stack((left[hit], right[hit]), axis=1))
        step += 1
        active = active[: int(np.searchsorted(active, len(values) - step))]
        active = active[(values[active] ^ values[active + step]) >> key == 0]
    return np.concatenate(found)
