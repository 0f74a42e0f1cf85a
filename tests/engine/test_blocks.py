"""Ranges of ids: old boundaries stay, every id in exactly one block, sizes as aimed at."""

from __future__ import annotations

import bisect
import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.engine.blocks import TARGET, block_name, block_size, boundaries

IDS = st.builds(lambda ids, kind: np.array(sorted(ids), dtype=kind), st.lists(st.integers(0, 10**8), max_size=300),
                st.sampled_from([np.int32, np.int64]))
SIZES = st.integers(1, 50)


def _held(ids: list[int], bounds: list[int]) -> Counter[int]:
    """Distinct ids in each block; an id outside of all blocks is an error."""
    found = Counter[int]()
    for one in set(ids):
        block = bisect.bisect_right(bounds, one) - 1
        assert 0 <= block < len(bounds) - 1, f"{one} is in no block of {bounds}"
        found[block] += 1
    return found


@given(IDS, IDS, SIZES, SIZES)
def test_invariants(first: np.ndarray, second: np.ndarray, size: int, later_size: int) -> None:
    bounds = boundaries(first, [], size)
    assert bounds == sorted(set(bounds)) and bounds[0] == 0 and len(bounds) > 1
    assert all(count <= 2 * size for count in _held(first.tolist(), bounds).values())
    more = boundaries(second, bounds, later_size)
    assert more == sorted(set(more)) and set(bounds) <= set(more)
    assert all(count <= 2 * later_size for count in _held(second.tolist(), more).values())
    assert boundaries(second, more, later_size) == more


@given(IDS, SIZES)
def test_blocks_are_about_as_large_as_asked_for(ids: np.ndarray, size: int) -> None:
    counts = list(_held(ids.tolist(), boundaries(ids, [], size)).values())
    distinct = len(set(ids.tolist()))
    assert sum(counts) == distinct
    if distinct > 2 * size:
        assert min(counts) >= size / 2 and max(counts) <= 1.5 * size + 1


def test_versions_of_one_article_stay_together() -> None:
    ids = np.repeat(np.arange(1, 41), 3)
    assert boundaries(ids, [], 20) == [0, 21, 41]


@pytest.mark.parametrize(("ids", "previous", "expected"), [
    ([], [], [0, 1]),
    ([], [0, 10], [0, 10]),
    ([5], [], [0, 6]),
    ([5], [0, 10], [0, 10]),
    ([5, 12], [0, 10], [0, 10, 13]),  # beyond the last boundary: a new block
    ([1, 2, 3, 4, 5], [0, 10], [0, 3, 10]),  # more than twice the size: split
    ([1, 2, 3, 4], [0, 10], [0, 10]),
    ([11], [0, 10, 20], [0, 10, 20]),  # an empty block keeps its boundary
])
def test_table(ids: list[int], previous: list[int], expected: list[int]) -> None:
    assert boundaries(np.array(ids, dtype=np.int64), previous, 2) == expected


def test_names_sort_as_their_bounds_do() -> None:
    names = [block_name(bound) for bound in (0, 9, 10, 10_009_416, 99_999_999)]
    assert names == sorted(names) and len(set(names)) == 5


def test_small_builds_have_small_blocks() -> None:
    sizes = [block_size(total) for total in (0, 10, 150, 1_000, 3_999, 10_000, 10**7)]
    assert sizes == [20, 20, 20, 125, 499, TARGET, TARGET]
    assert all(a <= b for a, b in itertools.pairwise(sizes))
