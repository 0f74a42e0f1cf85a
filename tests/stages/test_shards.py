"""Which blocks a bucket reads."""

from __future__ import annotations

import bisect

from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.dataset.buckets import RANGE, bucket_of
from stages.shards import _touching


@given(st.sets(st.integers(0, 60 * RANGE), min_size=1, max_size=12), st.sampled_from([1, 2, 8, 64]),
       st.lists(st.integers(0, 80 * RANGE), max_size=20))
def test_a_bucket_reads_every_block_that_may_hold_its_articles(lowers: set[int], count: int, pmcids: list[int]) -> None:
    blocks = sorted(f"{lower:09d}" for lower in lowers)
    touching = _touching(blocks, count)
    assert len(touching) == count
    for pmcid in pmcids:
        block = bisect.bisect_right(blocks, f"{pmcid:09d}") - 1
        if block >= 0:
            assert blocks[block] in touching[bucket_of(pmcid, count)]


def test_a_bucket_reads_few_blocks_of_a_large_build() -> None:
    blocks = [f"{lower:09d}" for lower in range(0, 2000 * 750, 750)]
    touching = _touching(blocks, 64)
    assert max(len(found) for found in touching) < 200
