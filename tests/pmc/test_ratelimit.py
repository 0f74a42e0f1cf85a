from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.pmc.ratelimit import Clock, Patience, RateLimit, retry_after


class FakeTime:
    def __init__(self) -> None:
        self.time = 100.0

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.time += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self.sleep, wall=lambda: 1_800_000_000.0)


@given(st.floats(0.5, 500), st.lists(st.floats(0, 3), min_size=1, max_size=50))
def test_starts_are_never_closer_than_the_rate(rate: float, gaps: list[float]) -> None:
    time = FakeTime()
    limit = RateLimit(rate, time.clock())
    starts = []
    for gap in gaps:
        time.time += gap
        limit.acquire()
        starts.append(time.time)
    assert all(b - a >= 1 / rate - 1e-6 for a, b in pairwise(starts))


def test_no_limit_never_waits() -> None:
    limit = RateLimit(0, FakeTime().clock())
    assert [limit.acquire() for _ in range(100)] == [0.0] * 100


def test_after_a_pause_the_pace_is_slower_and_comes_back() -> None:
    time = FakeTime()
    limit = RateLimit(10, time.clock())
    limit.acquire()
    limit.pause(5)
    limit.pause(3)  # a second thread saw the same: no slower, no longer
    assert limit.acquire() == pytest.approx(5)
    waits = [limit.acquire() for _ in range(100)]
    assert waits[0] == pytest.approx(0.2)
    assert waits == sorted(waits, reverse=True)
    assert waits[-1] == pytest.approx(0.1)


def test_many_pauses_slow_down_four_times_at_most() -> None:
    time = FakeTime()
    limit = RateLimit(10, time.clock())
    for _ in range(20):
        limit.pause(1)
        limit.acquire()
    assert limit.acquire() == pytest.approx(0.4)


def test_a_pause_ends_also_without_a_rate() -> None:
    time = FakeTime()
    limit = RateLimit(0, time.clock())
    limit.pause(2)
    assert limit.acquire() == pytest.approx(2)
    assert sum(limit.acquire() for _ in range(300)) < 5
    assert limit.acquire() == 0.0


@pytest.mark.parametrize(("header", "seconds"), [
    (None, None), ("5", 5), (" 5 ", 5), ("0", 0), ("-1", None), ("soon", None), ("5.5", None), ("٣", None),
    ("Fri, 15 Jan 2027 08:00:30 GMT", 30), ("Fri, 15 Jan 2027 07:00:00 GMT", 0), ("9" * 400, 999999999),
])
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, FakeTime().clock()) == seconds


def test_jitter_is_half_to_one_and_a_half() -> None:
    for chance, factor in ((0.0, 0.5), (0.999999, 1.5)):
        wait = Patience(backoff=0.5).wait(2, Clock(random=lambda chance=chance: chance))
        assert wait == pytest.approx(1.0 * factor, rel=1e-5)
