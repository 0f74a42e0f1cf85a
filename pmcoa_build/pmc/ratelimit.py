"""How fast, how patient: one rate limit for all threads of a source, and one notion of time that tests can replace."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class Clock:
    """Time as the network code sees it. Tests put their own in its place, so that none of them sleeps.

    `now` gives monotonic seconds, `sleep` waits for so many seconds, `wall` gives seconds since 1970 (only to read
    a `Retry-After` date), `random` a number in [0, 1) for the jitter of waits.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    wall: Callable[[], float] = time.time
    random: Callable[[], float] = field(default_factory=lambda: random.Random().random)


@dataclass(frozen=True)
class Patience:
    """When to give up on an object.

    An object may take `grace` seconds plus one second for each `bytes_per_second` that has arrived: a drip of
    single bytes resets a per-read timeout for ever, but never catches up with this line. A failed try is repeated
    `retries` times, after `backoff * 2**try` seconds, half to one and a half times that by chance; a timeout counts
    as two. A wait of more than `longest_wait` seconds asked for by the server ends the run instead.
    """

    connect: float = 10.0
    grace: float = 10.0
    bytes_per_second: float = 16_384.0
    retries: int = 4
    backoff: float = 0.25
    longest_wait: float = 600.0

    def wait(self, attempt: int, clock: Clock) -> float:
        """Seconds before try number `attempt` (1 = the first repetition)."""
        return float(min(self.backoff * 2 ** (attempt - 1), 5.0) * (0.5 + clock.random()))


class RateLimit:
    """At most `per_second` starts a second over all threads, evenly spaced (0 = no limit), and pauses for all.

    After a pause the pace is halved, at most twice over, and comes back by 10 % a start: who asks faster than the
    server allows would otherwise run into the same wall after each pause.
    """

    _SLOWER = 2.0
    _SLOWEST = 4.0
    _FIRST = 0.01
    """Seconds between starts after a first pause where there was no limit."""

    def __init__(self, per_second: float, clock: Clock) -> None:
        self._usual_gap = 1.0 / per_second if per_second > 0 else 0.0
        self._gap = self._usual_gap
        self._clock = clock
        self._lock = threading.Lock()
        self._next_start = 0.0
        self._paused_until = float("-inf")

    def acquire(self) -> float:
        """Wait for this thread's turn; gives the seconds waited."""
        with self._lock:
            began = now = self._clock.now()
            start = max(now, self._next_start, self._paused_until)
            self._next_start = start + self._gap
            self._gap = max(self._usual_gap, self._gap * 0.9) if self._gap > 1e-3 else self._usual_gap
        while now < max(start, self._paused_until):
            self._clock.sleep(max(start, self._paused_until) - now)
            now = self._clock.now()
        return now - began

    def pause(self, seconds: float) -> None:
        """Nobody starts for so many seconds from now, and starts are further apart afterwards."""
        with self._lock:
            now = self._clock.now()
            if now >= self._paused_until:
                usual = max(self._usual_gap, self._FIRST)
                self._gap = min(max(self._gap * self._SLOWER, self._FIRST), usual * self._SLOWEST)
            self._paused_until = max(self._paused_until, now + seconds)


def retry_after(header: str | None, clock: Clock) -> float | None:
    """Seconds that a `Retry-After` header (a number or an HTTP date, RFC 9110 10.2.3) asks for; None if there is none.

    Never negative; nonsense counts as none.
    """
    if header is None:
        return None
    if header.strip().isascii() and header.strip().isdigit():
        return float(header.strip()[:9])
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - clock.wall())
    except (ValueError, TypeError, OverflowError):
        return None
