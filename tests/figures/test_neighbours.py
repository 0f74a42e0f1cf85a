"""Near hashes, exactly, and without a list of all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pmcoa_build.figures import neighbours
from pmcoa_build.figures.neighbours import Neighbours, find_neighbours


def brute_force(hashes: np.ndarray, limit: int) -> set[tuple[int, int]]:
    """All ordered pairs of places within the limit."""
    close = np.bitwise_count(hashes[:, None] ^ hashes[None, :]) <= limit
    np.fill_diagonal(close, False)
    return set(map(tuple, np.argwhere(close).tolist()))


def all_pairs(near: Neighbours) -> list[tuple[int, int]]:
    """Each place with all that `near` says of it."""
    return [(place, other) for value in range(len(near.values)) for place in near.places.of(value).tolist()
            for other in near.places_near(value).tolist() if other != place]


@st.composite
def clustered(draw: st.DrawFn) -> np.ndarray:
    """Hashes around a few centres, so that there are pairs at every distance, and equal ones."""
    centres = draw(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
    flips = st.lists(st.integers(0, 63), max_size=7)
    rows = draw(st.lists(st.tuples(st.sampled_from(centres), flips), max_size=40))
    return np.array([centre ^ sum({1 << bit for bit in bits}) for centre, bits in rows], dtype=np.uint64)


@pytest.mark.parametrize(("short", "long"), [(0, 0), (0, 40), (3, 10), (24, 4096)])
def test_neighbours_equal_brute_force(short: int, long: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is listed, and whatever is looked up in runs; each neighbour once."""
    monkeypatch.setattr(neighbours, "_SHORT", short)
    monkeypatch.setattr(neighbours, "_LONG", long)

    @settings(max_examples=60, deadline=None)
    @given(clustered(), st.integers(0, 8))
    def check(hashes: np.ndarray, limit: int) -> None:
        found = all_pairs(find_neighbours(hashes, limit))
        assert len(found) == len(set(found))
        assert set(found) == brute_force(hashes, limit)

    check()


def test_a_dense_cluster_among_others() -> None:
    rng = np.random.default_rng(5)
    hashes = rng.integers(0, 2**64, 1000, dtype=np.uint64)
    hashes[:600] = hashes[0]
    for _ in range(3):
        hashes[:600] ^= np.uint64(1) << rng.integers(0, 64, 600).astype(np.uint64)
    near = find_neighbours(hashes)
    assert len(near.runs.starts) > 1
    assert set(all_pairs(near)) == brute_force(hashes, 4)


def test_no_hashes_have_no_neighbours() -> None:
    near = find_neighbours(np.empty(0, np.uint64))
    assert near.count == len(near.values) == len(near.places.items) == 0
