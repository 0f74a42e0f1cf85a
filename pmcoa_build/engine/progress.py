"""What a run shows: a bar on a terminal, a line now and then in a log file, JSON lines for programs, or nothing."""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from typing import Any, Literal, Protocol

from pmcoa_build.engine.stage import Row

Style = Literal["auto", "plain", "json", "off"]
INTERVAL = 10.0
"""Seconds between two lines where there is no terminal."""
_STEPS = "{desc}: {percentage:3.0f}%|{bar:20}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
"""The bar of a task, which says itself how long it will take."""


class Progress(Protocol):
    """Counts blocks and units of one stage."""

    def units(self, count: int) -> None:
        """So many units are through."""

    def block(self) -> None:
        """A block is committed."""

    def show(self, row: Row) -> None:
        """A step of a task, such as {"step": 3, "steps": 200, "loss": 2.1}: where it is, and what to show.

        Names tell units: `pairs_per_s`, `memory_gb` (10^9 bytes), `eta_s` (seconds to the end).
        """

    def close(self) -> None:
        """The stage is over."""


def open_progress(style: Style, stage: str, unit: str, blocks: int) -> Progress:
    """The progress display for a stage of so many due blocks."""
    if style == "off":
        return _Off()
    if style == "auto" and sys.stderr.isatty():
        return _Bar(stage, unit, blocks)
    return _Lines(stage, unit, blocks, as_json=style == "json")


class _Off:
    def units(self, count: int) -> None:
        pass

    def show(self, row: Row) -> None:
        pass

    def block(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Bar:
    def __init__(self, stage: str, unit: str, blocks: int) -> None:
        from tqdm import tqdm

        self._bar: Any = tqdm(total=blocks, desc=stage, unit="block", leave=False, dynamic_ncols=True, miniters=0)
        self._unit, self._done = unit, 0
        self._row: Row = {}

    def units(self, count: int) -> None:
        self._done += count
        self._bar.set_postfix_str(f"{self._done:,} {self._unit}s", refresh=False)
        self._bar.update(0)

    def block(self) -> None:
        self._bar.update(1)

    def show(self, row: Row) -> None:
        self._row |= row  # what only some steps tell stays in sight
        self._bar.bar_format, self._bar.total, self._bar.n = _STEPS, row.get("steps"), row.get("step", 0)
        self._bar.set_postfix_str(_shown(self._row), refresh=True)

    def close(self) -> None:
        self._bar.close()


class _Lines:
    def __init__(self, stage: str, unit: str, blocks: int, *, as_json: bool) -> None:
        self._stage, self._unit, self._total, self._json = stage, unit, blocks, as_json
        self._blocks = self._done = 0
        self._last = time.monotonic()
        self._names: set[str] = set()

    def units(self, count: int) -> None:
        self._done += count
        if time.monotonic() - self._last >= INTERVAL:
            self._show()

    def block(self) -> None:
        self._blocks += 1
        if self._json:
            self._show()

    def show(self, row: Row) -> None:
        new, end = set(row) != self._names, row.get("step") == row.get("steps")
        if new or end or time.monotonic() - self._last >= INTERVAL:
            self._last, self._names = time.monotonic(), set(row)
            place = f"{self._stage}: step {row.get('step', 0)}/{row.get('steps', '?')}, {_shown(row)}"
            sys.stderr.write((json.dumps({"stage": self._stage, **row}) if self._json else place) + "\n")
            sys.stderr.flush()

    def close(self) -> None:
        if self._json:
            self._show()

    def _show(self) -> None:
        self._last = time.monotonic()
        if self._json:
            fields = {"stage": self._stage, "blocks": self._blocks, "of": self._total, "units": self._done}
            sys.stderr.write(json.dumps(fields) + "\n")
        else:
            text = f"{self._stage}: {self._blocks}/{self._total} blocks, {self._done:,} {self._unit}s\n"
            sys.stderr.write(text)
        sys.stderr.flush()


def _shown(row: Row) -> str:
    """The numbers of a step but for its place: "loss 2.104, lr 0.0005, 0:01:09 left"."""
    return ", ".join(_told(name, value) for name, value in row.items() if name not in ("step", "steps"))


def _told(name: str, value: Any) -> str:
    number = f"{value:.4g}" if isinstance(value, float) else str(value)
    if name == "eta_s":
        return f"{timedelta(seconds=value)} left"
    if name.endswith("_per_s"):
        return f"{number} {name.removesuffix('_per_s')}/s"
    if name.endswith("_gb"):
        return f"{name.removesuffix('_gb')} {number} GB"
    return f"{name} {number}"
