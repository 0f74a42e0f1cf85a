"""A dask cluster whose scheduler and workers are processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.crash import ROOT


class Cluster:
    """A scheduler at `address`, and its workers."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self.log = (folder / "log").open("ab")
        self.processes: list[subprocess.Popen[bytes]] = []
        scheduler = self._start("scheduler", "--host=127.0.0.1", "--port=0", f"--scheduler-file={self.file}")
        wait_for(lambda: self.file.exists() and self.file.read_text().endswith("}"))
        self.address: str = json.loads(self.file.read_text())["address"]
        self.scheduler = scheduler

    def _start(self, what: str, *options: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--no-dashboard", *options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=self.log, stderr=self.log)
        self.processes.append(process)
        return process

    def add_worker(self, *options: str) -> None:
        self._start("worker", f"--scheduler-file={self.file}", "--nworkers=1", "--nthreads=1", *options)

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        self.log.close()


def wait_for(true: Callable[[], object]) -> None:
    while not true():
        threading.Event().wait(0.02)


@contextlib.contextmanager
def start_cluster(folder: Path, workers: int, *options: str) -> Iterator[Cluster]:
    """A cluster of so many workers, started with these options of dask's (by default without nannies)."""
    folder.mkdir(exist_ok=True)
    made = Cluster(folder)
    try:
        for _ in range(workers):
            made.add_worker(*(options or ("--no-nanny",)))
        yield made
    finally:
        made.close()
