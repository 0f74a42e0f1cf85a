"""Under torchrun: process 0 runs the stages, the others wait for its training and take part in it.

Only process 0 holds the build's lock, writes and tells. `torchrun --nproc-per-node 8 -m stages train evaluate SPEC`.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pmcoa_build.clip.runtime import FailedElsewhere, awaited, rank_and_world, store
from pmcoa_build.engine.runner import Stop
from pmcoa_build.errors import Interrupted, PmcoaError, RunFailed, UsageError
from pmcoa_build.spec import TrainKeys

_JOB, _NOTHING, _HEARD = "training", "nothing", "heard"
_PATIENCE = 10.0
"""Seconds that process 0 waits at its end for others that have not heard yet."""
_TOGETHER = {"train", "evaluate"}


@dataclass(frozen=True)
class Job:
    """A training that all processes do together; `keys` are those of TrainKeys."""

    dataset: str
    folder: str
    keys: dict[str, Any]


def follows() -> bool:
    """Whether this process waits for process 0."""
    rank, world = rank_and_world()
    return world > 1 and rank > 0


@contextlib.contextmanager
def leading(names: Sequence[str]) -> Iterator[None]:
    """Around the stages that process 0 runs: at the end the others go, also where there was nothing to train.

    Raises UsageError under torchrun where other stages are named.
    """
    world = rank_and_world()[1]
    if world == 1:
        yield
        return
    try:
        if not set(names) <= _TOGETHER:
            raise UsageError("torchrun is for `train` and `evaluate`: run the other stages without it first.")
        yield
    finally:
        with contextlib.suppress(RuntimeError):  # the store may be gone
            store().compare_set(_JOB, "", _NOTHING)
        for rank in range(1, world):  # the store may end with this process
            awaited(store(), f"{_HEARD} {rank}", lambda seconds: seconds > _PATIENCE)


def call(job: Job) -> None:
    """Tell the others what to train, if there are others."""
    if rank_and_world()[1] > 1:
        store().set(_JOB, json.dumps(asdict(job)))


def follow() -> int:
    """Take part in the training of process 0; the exit code. What process 0 says too is not said again."""
    from pmcoa_build.clip.train import train

    with Stop().installed() as stop:
        try:
            job = _wait(stop)
            if job is not None:
                keys = TrainKeys(**{**job.keys, "kinds": tuple(job.keys["kinds"])})
                train(Path(job.dataset), Path(job.folder), keys, progress=lambda row: None, stop=stop)
            return 0
        except Interrupted as error:
            return stop.error().exit_code if stop() else error.exit_code
        except FailedElsewhere as error:
            return error.exit_code
        except PmcoaError as error:
            sys.stderr.write(f"pmcoa: process {rank_and_world()[0]}: {error}\n")
            return error.exit_code


def _wait(stop: Stop) -> Job | None:
    told = awaited(store(), _JOB, lambda seconds: stop())
    if stop():
        raise stop.error()
    if told is None:
        raise RunFailed("Process 0 is gone.")
    store().set(f"{_HEARD} {rank_and_world()[0]}", "")
    return None if told == _NOTHING else Job(**json.loads(told))
