"""Fault 37: a dask scheduler that disappears in the middle of a run.

Scheduler and worker are processes of their own; a block is held open by an article whose `process` reads a named pipe.
"""

from __future__ import annotations

import contextlib
import os
import sys
from multiprocessing.context import ForkServerContext
from pathlib import Path

import distributed
import pytest

from pmcoa_build.errors import PmcoaError
from tests.engine.toy import Toy, articles
from tests.faults.cluster import start_cluster, wait_for


def _run(root: Path, on: str) -> None:
    """In a child: as the command line does, with what is said in a file."""
    with (root / "said").open("w") as file, contextlib.redirect_stderr(file):
        try:
            Toy(root).run(on=on)
        except PmcoaError as error:
            file.write(str(error))
            code = error.exit_code
        else:
            code = 0
    sys.exit(code)


def test_37_a_scheduler_that_disappears_ends_the_run_and_a_rerun_goes_on(
    tmp_path: Path, context: ForkServerContext
) -> None:
    """Exit 4 with a hint; what was committed stays, the block at work is not recorded."""
    root, pipe = tmp_path / "toy", tmp_path / "pipe"
    toy, fresh = Toy(root), Toy(tmp_path / "fresh")
    os.mkfifo(pipe)
    toy.write({**articles(60), 30: {**articles(60)[30], "wait": str(pipe)}})
    fresh.write(articles(60))
    fresh.run()
    with start_cluster(tmp_path / "cluster", 1) as cluster:
        process = context.Process(target=_run, args=(root, cluster.address))
        process.start()
        gate = os.open(pipe, os.O_WRONLY)  # returns when the second block is at work
        wait_for(lambda: toy.state.records("fetch"))
        cluster.scheduler.kill()
        process.join()
        os.close(gate)
        pipe.unlink()
        assert process.exitcode == 4
    said = (root / "said").read_text()
    assert said.startswith("fetch: the scheduler is gone;") and said.endswith("run again to go on."), said
    assert list(toy.state.records("fetch")) == ["000000000"] and not toy.state.records("words")
    assert toy.verify() == []
    toy.calls()
    with start_cluster(tmp_path / "cluster again", 2) as cluster:
        toy.run(on=cluster.address)
    assert sum(line.startswith("fetch") for line in toy.calls()) == 40
    assert toy.hashes() == fresh.hashes() and toy.verify() == [] and toy.due() == {}


def test_37_a_scheduler_without_workers_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = distributed.Client.wait_for_workers
    monkeypatch.setattr(distributed.Client, "wait_for_workers", lambda client, count, timeout: wait(client, count, 0.1))
    toy = Toy(tmp_path / "toy")
    toy.write(articles(60))
    with start_cluster(tmp_path / "cluster", 0) as cluster, pytest.raises(PmcoaError, match="has no workers") as error:
        toy.run(on=cluster.address)
    assert error.value.exit_code == 4 and not toy.state.records("fetch")
