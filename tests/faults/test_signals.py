"""Faults 4, 33 and 45: Ctrl-C once and twice, SIGTERM, two runs at once, wherever blocks run.

A block is held open by an article whose `process` reads a named pipe, so that no test depends on time.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Any

import pytest

from pmcoa_build.errors import LockHeld, PmcoaError
from tests.engine.toy import Toy, articles


class _Report(logging.Handler):
    def __init__(self, put: Callable[[str], None]) -> None:
        super().__init__()
        self.put = put

    def emit(self, record: logging.LogRecord) -> None:
        self.put(record.getMessage())


def _run(root: Path, on: str, said: Any) -> None:
    """In the child, in a process group of its own: run as the command line does."""
    os.setpgrp()
    logging.getLogger("pmcoa_build.engine.runner").addHandler(_Report(said.put))
    try:
        Toy(root).run(on=on, signals=True)
    except PmcoaError as error:
        sys.exit(error.exit_code)


class Held:
    """A run in a child process that stands still in the middle of its second block."""

    def __init__(self, root: Path, on: str, context: ForkServerContext, **misfortune: object) -> None:
        self.toy = Toy(root)
        os.mkfifo(root / "pipe")
        self.toy.write({**articles(60), 30: {**articles(60)[30], "wait": str(root / "pipe"), **misfortune}})
        self.said = context.SimpleQueue()
        self.process: ForkServerProcess = context.Process(target=_run, args=(root, on, self.said))
        self.process.start()
        self.gate = os.open(root / "pipe", os.O_WRONLY)  # returns when the block is at work

    def interrupt(self, number: int) -> None:
        """Signal the whole group, as a terminal does; returns when the run has taken notice."""
        assert self.process.pid is not None
        os.killpg(self.process.pid, number)
        assert "Stopping" in self.said.get()

    def go_on(self) -> None:
        """Let the block finish."""
        os.close(self.gate)
        (self.toy.root / "pipe").unlink()

    def ended(self) -> int | None:
        """Wait for the end; the exit code."""
        self.process.join()
        return self.process.exitcode


@contextmanager
def held_run(root: Path, on: str, context: ForkServerContext, **misfortune: object) -> Iterator[Held]:
    """A run that is held in article 30, which may meet with a misfortune beside."""
    held = Held(root, on, context, **misfortune)
    try:
        yield held
    finally:
        if held.process.is_alive():
            assert held.process.pid is not None
            os.killpg(held.process.pid, signal.SIGKILL)
            held.process.join()


def _goes_on(toy: Toy, tmp_path: Path) -> None:
    """A rerun finishes with the tables of an uninterrupted run, and repeats nothing that was committed."""
    fresh = Toy(tmp_path / "fresh")
    fresh.write(articles(60))
    fresh.run()
    committed = len(toy.state.records("fetch"))
    toy.calls()
    toy.run()
    assert sum(line.startswith("fetch") for line in toy.calls()) == 60 - 20 * committed
    for stage in ("fetch", "words", "index"):
        assert toy.hashes()[stage] == fresh.hashes()[stage]
    assert toy.verify() == [] and toy.due() == {}


@pytest.mark.parametrize(("on", "number", "code"), [
    ("sync", signal.SIGINT, 130), ("threads:2", signal.SIGINT, 130), ("processes:2", signal.SIGINT, 130),
    ("sync", signal.SIGTERM, 143), ("threads:2", signal.SIGTERM, 143),
])
def test_the_first_signal_lets_running_blocks_finish(
    on: str, number: int, code: int, tmp_path: Path, context: ForkServerContext
) -> None:
    (tmp_path / "toy").mkdir()
    with held_run(tmp_path / "toy", on, context) as held:
        held.interrupt(number)
        held.go_on()
        assert held.ended() == code
    committed = held.toy.state.records("fetch")
    assert "000000021" in committed and not held.toy.state.records("words")
    assert len(committed) == 2 or on != "sync"
    _goes_on(held.toy, tmp_path)


@pytest.mark.parametrize("on", ["sync", "threads:2", "processes:2"])
def test_the_second_signal_stops_at_once(on: str, tmp_path: Path, context: ForkServerContext) -> None:
    (tmp_path / "toy").mkdir()
    with held_run(tmp_path / "toy", on, context) as held:
        held.interrupt(signal.SIGINT)
        assert held.process.pid is not None
        os.kill(held.process.pid, signal.SIGINT)
        assert held.ended() == 130
        assert "000000021" not in held.toy.state.records("fetch")
        held.go_on()
    _goes_on(held.toy, tmp_path)


def test_a_second_run_is_told_who_holds_the_lock(tmp_path: Path, context: ForkServerContext) -> None:
    (tmp_path / "toy").mkdir()
    with held_run(tmp_path / "toy", "sync", context) as held:
        with pytest.raises(LockHeld, match=f"process {held.process.pid} on {socket.gethostname()}"):
            held.toy.run()
        assert len(held.toy.plans()) == 5  # to look needs no lock
        held.process.kill()
        assert held.ended() == -signal.SIGKILL
        held.go_on()
    _goes_on(held.toy, tmp_path)
