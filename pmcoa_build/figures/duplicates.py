"""Near-duplicate images: a 64-bit perceptual hash, all close pairs among millions of them, and groups of them.

The hash is the DCT "pHash" (Zauner 2010, "Implementation and benchmarking of perceptual image hash functions", sec.
3.2.1): signs of the 8 x 8 lowest frequencies of a 32 x 32 grey image against their median. Pairs within d bits are
found exactly by sorting on bands (Manku et al. 2007, "Detecting near-duplicates for web crawling", sec. 3): with the
64 bits cut into b bands, two hashes that differ in at most d bits agree in at least b - d bands, so it is enough to
look among hashes that agree in some choice of b - d bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations, pairwise

import numpy as np

_SIDE, _KEPT = 32, 8
_WORD = np.uint64


@cache
def _cosines() -> np.ndarray:
    """Rows 0 to 7 of the orthonormal DCT-II of 32 points."""
    k, n = np.arange(_KEPT)[:, None], np.arange(_SIDE)[None, :]
    rows = np.cos(np.pi * (2 * n + 1) * k / (2 * _SIDE)) * np.sqrt(2 / _SIDE)
    rows[0] /= np.sqrt(2)
    return np.asarray(rows)


def _small_grey(rgb: np.ndarray, side: int) -> np.ndarray:
    from PIL import Image

    grey = Image.fromarray(np.ascontiguousarray(rgb)).convert("L")
    return np.asarray(grey.resize((side, side), Image.Resampling.BOX, reducing_gap=None))


def phash(rgb: np.ndarray) -> int:
    """64-bit perceptual hash of a uint8 image (H x W x 3), 0 to 2**64 - 1.

    Coefficients are rounded before they are compared with their median, so that a flat image hashes to one value on
    every machine.
    """
    rows = _cosines()
    low = np.round(rows @ _small_grey(rgb, _SIDE).astype(np.float64) @ rows.T, 3).ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def thumbnail(rgb: np.ndarray) -> bytes:
    """32 x 32 RGB bytes, row by row: small enough to keep for many panels, enough to confirm a hash hit."""
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(rgb))
    return image.resize((_SIDE, _SIDE), Image.Resampling.BOX).tobytes()


def thumbnails_match(a: bytes, b: bytes, tolerance: float = 12.0) -> bool:
    """True where all but 1 % of two thumbnails' values differ by at most `tolerance` levels (0 to 255).

    A picture that was scaled or compressed again passes; two scans of one kind differ by more in the one place that
    their captions are about (a lesion, a colour), although their hashes are close. Seen on drawn panels: copies differ
    by 0 to 10, others from 14 on.
    """
    left, right = np.frombuffer(a, np.uint8).astype(np.int16), np.frombuffer(b, np.uint8).astype(np.int16)
    return left.size == right.size and float(np.percentile(np.abs(left - right), 99)) <= tolerance


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


def _pass(unique: np.ndarray, bands: Sequence[tuple[int, int]], chosen: tuple[int, int], limit: int) -> np.ndarray:
    """Value pairs (n, 2) within `limit` bits whose first two agreeing bands are `chosen`: each pair in one pass."""
    moves = _moves(bands, chosen)
    values = np.sort(_move(unique, moves))
    key = _WORD(64 - bands[chosen[0]][1] - bands[chosen[1]][1])
    earlier = [_WORD(((1 << moves[i][2]) - 1) << moves[i][1]) for i in range(chosen[1]) if i != chosen[0]]
    found: list[np.ndarray] = []
    active, step = np.flatnonzero((values[1:] ^ values[:-1]) >> key == 0).astype(np.int32), 1
    while len(active):
        left, right = values[active], values[active + step]
        differing = left ^ right
        hit = np.bitwise_count(differing) <= limit
        for mask in earlier:
            hit &= (differing & mask) != 0
        found.append(np.stack((left[hit], right[hit]), axis=1))
        step += 1
        active = active[: int(np.searchsorted(active, len(values) - step))]
        active = active[(values[active] ^ values[active + step]) >> key == 0]
    pairs = np.concatenate(found) if found else np.empty((0, 2), _WORD)
    return _move(pairs, [(target, source, width) for source, target, width in moves])


def _expanded(pairs: np.ndarray, order: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Positions in the input for pairs of distinct values, and for each value that occurs more than once."""
    left, right = counts[pairs[:, 0]], counts[pairs[:, 1]]
    within = _within(left * right)
    width = np.repeat(right, left * right)
    one = np.repeat(starts[pairs[:, 0]], left * right) + within // np.maximum(width, 1)
    other = np.repeat(starts[pairs[:, 1]], left * right) + within % np.maximum(width, 1)
    across = np.stack((one, other), axis=1)
    last = np.repeat(starts + counts, counts)
    place = np.arange(len(order))
    after = last - place - 1
    first = np.repeat(place, after)
    equal = np.stack((first, first + 1 + _within(after)), axis=1)
    return np.asarray(np.sort(order[np.concatenate((across, equal))], axis=1))


def _within(lengths: np.ndarray) -> np.ndarray:
    """0, 1, …, n-1 for each n of `lengths`, one after the other."""
    return np.asarray(np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths))


def near_pairs(hashes: np.ndarray, max_distance: int = 4) -> np.ndarray:
    """All pairs (i, j), i < j, of hashes (uint64, n) that differ in at most `max_distance` bits (0 to 30).

    int64 array (pairs, 2), sorted. Exact. The result grows with the square of a dense cluster: hand in distinct
    hashes where equal ones are known to be one group. About 3 s and 250 MB for a million uniform hashes.
    """
    hashes = np.ascontiguousarray(hashes, dtype=np.uint64)
    order = np.argsort(hashes, kind="stable")
    unique, starts, counts = np.unique(hashes[order], return_index=True, return_counts=True)
    bands = _bands(max_distance)
    parts = [_pass(unique, bands, (i, j), max_distance) for i, j in combinations(range(len(bands)), 2)]
    pairs = np.searchsorted(unique, np.concatenate(parts))
    found: np.ndarray = _expanded(pairs, order, starts, counts)
    return np.asarray(found[np.lexsort((found[:, 1], found[:, 0]))])


def groups(ids: Sequence[str], pairs: np.ndarray) -> dict[str, list[str]]:
    """Star-shaped groups from confirmed pairs (n, 2) of positions in `ids` (distinct): centre -> its members, sorted.

    Each member is a confirmed pair with its centre, never linked through another member, so a group cannot creep from
    one image to an unlike one. The smallest free id becomes the next centre and takes its free neighbours; the centre
    is the first of its members. Ids without a group are not in the result. The order of `pairs` does not matter.
    """
    near: dict[str, list[str]] = {}
    for left, right in np.asarray(pairs).reshape(-1, 2).tolist():
        near.setdefault(ids[left], []).append(ids[right])
        near.setdefault(ids[right], []).append(ids[left])
    taken: set[str] = set()
    found: dict[str, list[str]] = {}
    for centre in sorted(near):
        if centre in taken:
            continue
        members = [centre, *sorted({other for other in near[centre] if other not in taken and other != centre})]
        taken.update(members)
        if len(members) > 1:
            found[centre] = members
    return found
