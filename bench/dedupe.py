"""Near-duplicates at full scale: 64-bit hashes within 4 bits found exactly, and grouped.

    python bench/dedupe.py [--hashes 5000000]

One line of JSON. `uniform`: hashes drawn evenly. `dense`: a fifth of them lies in clusters of 10 to 5,000 around a
centre, up to 3 bits away, as plots and blots make them (hundreds of millions of near pairs). `skewed`: that, and every
hash is drawn with uneven bits, as pictures make them. Each runs in a process of its own: wall and CPU seconds, and the
most memory that the process held, Python's own and the hashes included. `missed`: near hashes of 100 of the hashes,
found by comparing them with all, that were not found; 0 is exact.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from pmcoa_build.figures.duplicates import stars
from pmcoa_build.figures.neighbours import Neighbours, find_neighbours

_ASKED = 100


def drawn_hashes(count: int, how: str, seed: int = 0) -> np.ndarray:
    """`count` hashes, uint64."""
    rng = np.random.default_rng(seed)
    hashes = _skewed(rng, count) if how == "skewed" else rng.integers(0, 2**64, count, dtype=np.uint64)
    if how == "uniform":
        return hashes
    sizes = np.exp(rng.uniform(np.log(10), np.log(5000), count // 100)).astype(int)
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), count // 5))]
    cluster = np.repeat(hashes[: len(sizes)], sizes)
    flips = rng.integers(0, 4, len(cluster))
    for number in range(3):
        flipped = flips > number
        cluster[flipped] ^= np.uint64(1) << rng.integers(0, 64, int(flipped.sum()), dtype=np.uint64)
    hashes[: len(cluster)] = cluster
    rng.shuffle(hashes)
    return hashes


def _skewed(rng: np.random.Generator, count: int) -> np.ndarray:
    """Bits that are set in a share of 0.2 to 0.8 of the hashes, another share for each bit."""
    hashes = np.zeros(count, np.uint64)
    for bit, share in enumerate(rng.uniform(0.2, 0.8, 64)):
        hashes |= (rng.random(count, np.float32) < share).astype(np.uint64) << np.uint64(bit)
    return hashes


def missed(hashes: np.ndarray, near: Neighbours) -> tuple[int, int]:
    """(near hashes of some of the hashes, those of them that were not found)."""
    known = np.repeat(np.arange(len(near.values)), np.diff(near.places.starts))
    value_of = dict(zip(near.places.items.tolist(), known.tolist(), strict=True))
    there = lost = 0
    for place in np.random.default_rng(1).choice(len(hashes), _ASKED, replace=False).tolist():
        close = set(np.flatnonzero(np.bitwise_count(hashes ^ hashes[place]) <= near.max_distance).tolist()) - {place}
        found = set(near.places_near(value_of[place]).tolist()) if place in value_of else set()
        there, lost = there + len(close), lost + len(close - found)
    return there, lost


def measure(count: int, how: str) -> dict[str, Any]:
    """One case: find the neighbours, then group."""
    hashes = drawn_hashes(count, how)
    clock, cpu = time.perf_counter(), time.process_time()
    near = find_neighbours(hashes)
    found = time.perf_counter() - clock
    centres = stars(near, count)
    seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    there, lost = missed(hashes, near)
    return {
        "seconds": round(seconds, 1), "neighbours_s": round(found, 1), "cpu_s": round(cpu, 1), "peak_mib": round(most),
        "with_neighbours": len(near.places.items), "groups": int((centres == np.arange(count)).sum()),
        "members": int((centres >= 0).sum()), "asked": _ASKED, "near": there, "missed": lost,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hashes", type=int, default=5_000_000)
    count = parser.parse_args().hashes
    result: dict[str, Any] = {"bench": "dedupe", "hashes": count}
    for how in ("uniform", "dense", "skewed"):
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            result[how] = pool.apply(measure, (count, how))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
