import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.dataset.buckets import RANGE, bucket_count, bucket_of

powers = st.integers(0, 12).map(lambda exponent: 2**exponent)


@given(st.integers(1, 2**31 - 1), powers)
def test_doubling_splits_each_bucket_in_two(pmcid: int, n: int) -> None:
    assert 0 <= bucket_of(pmcid, n) < n
    assert bucket_of(pmcid, 2 * n) % n == bucket_of(pmcid, n)


@given(st.integers(0, 10_000), powers)
def test_a_range_of_articles_shares_its_bucket(block: int, n: int) -> None:
    assert len({bucket_of(block * RANGE + offset, n) for offset in (0, 1, RANGE // 2, RANGE - 1)}) == 1


def test_buckets_are_fixed_for_good() -> None:
    assert [bucket_of(pmcid, 64) for pmcid in (1, 2048, 7_759_461, 10_009_416, 13_000_000)] == [1, 50, 55, 56, 24]


def test_ranges_spread_evenly() -> None:
    counts = [0] * 16
    for block in range(4096):
        counts[bucket_of(block * RANGE, 16)] += 1
    assert min(counts) > 200 and max(counts) < 320


@pytest.mark.parametrize("n", [0, -1, 3, 12])
def test_other_counts_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        bucket_of(1, n)


@pytest.mark.parametrize(("total", "current", "count"), [
    (0, 0, 1), (500, 0, 1), (707, 0, 1), (708, 0, 2), (4_000, 0, 8),
    (1_000, 1, 1), (1_001, 1, 2), (500, 4, 4), (499, 4, 1),
])
def test_bucket_count(total: int, current: int, count: int) -> None:
    assert bucket_count(total, 500, current) == count


@given(st.integers(1, 10**13), st.integers(1, 10**10))
def test_files_are_near_the_aimed_size(total: int, aimed: int) -> None:
    count = bucket_count(total, aimed)
    assert total / count <= aimed * 1.4143
    assert count == 1 or total / count > aimed * 0.707

