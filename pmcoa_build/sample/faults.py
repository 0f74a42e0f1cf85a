"""Network faults on demand: which reply goes wrong, how, and how often."""

from __future__ import annotations

import fnmatch
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal, get_args

from pmcoa_build.ids import unit_interval

Kind = Literal["cut", "flip", "changed", "drip", "reset", "gone", "redirect", "404", "403", "429", "500", "503"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class Fault:
    """One rule. It plays `times` times for every key that matches, then that key is served clean (None: for ever).

    `key` is a shell pattern over keys (`*.xml`; listings are `?list`, ESearch is `eutils/esearch.fcgi`). `share`: only
    that share of the matching keys, chosen by a hash of key and `seed`.

    cut: close after `at` bytes of the body · flip: right length, one byte wrong · changed: another object with its
    own ETag, `body` or the same with a newline, which JSON and XML allow · drip: `at` bytes each `interval` seconds ·
    reset: TCP reset · gone: the server dies, with all connections · redirect: 302 to `to` · 403 404 429 500 503: that
    status, with `Retry-After: retry_after` if given.
    """

    key: str
    kind: Kind
    times: int | None = 1
    share: float = 1.0
    seed: int = 0
    at: int = 100
    interval: float = 0.4
    retry_after: int | None = None
    to: str = "http://elsewhere.invalid/"
    body: bytes = b""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no fault; known: {', '.join(KINDS)}")

    def matches(self, key: str) -> bool:
        """Whether the rule is meant for that key, however often it has played."""
        if not fnmatch.fnmatchcase(key, self.key):
            return False
        return self.share >= 1 or unit_interval(key, f"fault{self.seed}") < self.share


@dataclass
class Faults:
    """Rules, the first that is due for a key wins; `rules` may be changed while the server runs."""

    rules: list[Fault] = field(default_factory=list)
    played: Counter[tuple[Fault, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def take(self, key: str) -> Fault | None:
        """The fault to play for this request, which counts as played; None for a clean reply."""
        with self._lock:
            for rule in self.rules:
                if rule.matches(key) and (rule.times is None or self.played[rule, key] < rule.times):
                    self.played[rule, key] += 1
                    return rule
        return None
