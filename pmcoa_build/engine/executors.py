"""Where blocks run: here, in threads, in processes, or on a dask cluster.

Each yields (job, receipt) as blocks finish; a few blocks per worker are in flight, and only receipts come back. Here
and in threads, units are computed in the driver itself; elsewhere a worker gives them a process of their own
(isolated.py), so that a unit that kills it or hangs is lost alone.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import math
import re
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from pmcoa_build.engine.compute import Compute, compute_here
from pmcoa_build.engine.isolated import Limits, isolated
from pmcoa_build.engine.stage import Row, Stage
from pmcoa_build.engine.work import Job, run_block
from pmcoa_build.errors import RunFailed, UsageError
from pmcoa_build.spec import Spec

WAIT = 30.0
"""Seconds for a cluster to answer, and to have a worker."""

Outcomes = Iterator[tuple[Job, Row]]
_ON = re.compile(r"(sync)|(threads|processes):([1-9][0-9]*)|(tcp://\S+:[0-9]+)")


@dataclass(frozen=True)
class Site:
    """What runs, and where; `resource` is the driver's own, used by blocks that run in the driver."""

    on: str
    stage: Stage
    spec: Spec
    resource: Any


def run_jobs(site: Site, jobs: Iterable[Job], tick: Callable[[int], None], stop: Callable[[], bool]) -> Outcomes:
    """Run jobs where `site.on` says; no new job begins once `stop()` is true.

    Raises UsageError for an `on` that is none of sync, threads:N, processes:N, tcp://host:port.
    """
    match = _ON.fullmatch(site.on)
    if match is None:
        raise UsageError(f"[run] on = {site.on!r} must be sync, threads:N, processes:N or tcp://scheduler:port.")
    waiting: Iterator[Job] = itertools.takewhile(lambda _: not stop(), jobs)
    if match[1] or site.stage.uses_network(site.spec):
        return _here(site, waiting, tick)
    if match[2] == "threads":
        return _threads(int(match[3]), site, waiting, tick)
    ahead = list(itertools.islice(waiting, 2))
    waiting = itertools.chain(ahead, waiting)
    if match[2] == "processes" and len(ahead) < 2:  # one block keeps one worker busy: not worth starting others
        return _watched(site, waiting, tick)
    return _dask(match[4] or int(match[3]), site, waiting, tick)


def needs_resource(on: str, stage: Stage, spec: Spec) -> bool:
    """Whether blocks run in the driver's own thread, with a resource that it opens once."""
    return on == "sync" or stage.uses_network(spec)


def _here(site: Site, jobs: Iterable[Job], tick: Callable[[int], None]) -> Outcomes:
    compute = compute_here(site.stage, site.resource)
    for job in jobs:
        yield job, run_block(site.stage, site.spec, job, compute, tick)


def _in_thread(site: Site, job: Job, tick: Callable[[int], None]) -> Row:
    """One block with a resource of its own."""
    stage, spec = site.stage, site.spec
    with stage.setup(spec) if stage.setup else contextlib.nullcontext() as resource:
        return run_block(stage, spec, job, compute_here(stage, resource), tick)


def _watched(site: Site, jobs: Iterable[Job], tick: Callable[[int], None]) -> Outcomes:
    """Blocks of the driver, their units in a process that may use all of the machine's memory."""
    import psutil

    for job in jobs:
        with _isolated(site.stage, site.spec, psutil.virtual_memory().total) as compute:
            yield job, run_block(site.stage, site.spec, job, compute, tick)


def _in_worker(stage: Stage, spec: Spec, job: Job) -> Row:
    """One block in a dask worker."""
    from distributed import get_worker

    with _isolated(stage, spec, get_worker().memory_manager.memory_limit) as compute:
        return run_block(stage, spec, job, compute, lambda count: None)


def _isolated(stage: Stage, spec: Spec, share: int | None) -> contextlib.AbstractContextManager[Compute]:
    """`share`: bytes for one worker where [run] memory_mb does not say; None = no limit."""
    return isolated(stage, spec, Limits(spec.run.memory_mb * 1e6 or share or math.inf, spec.run.unit_seconds))


def _threads(count: int, site: Site, jobs: Iterator[Job], tick: Callable[[int], None]) -> Outcomes:
    with ThreadPoolExecutor(count) as pool:
        flying: dict[Future[Row], Job] = {}
        while True:
            for job in itertools.islice(jobs, count - len(flying)):
                flying[pool.submit(_in_thread, site, job, tick)] = job
            if not flying:
                return
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                yield flying.pop(future), future.result()


def _dask(where: str | int, site: Site, jobs: Iterator[Job], tick: Callable[[int], None]) -> Outcomes:
    import dask.config

    dask.config.set({"logging.distributed": "critical"})  # read when it is imported; children inherit the setting
    from distributed import Client, KilledWorker, LocalCluster, as_completed
    from distributed.system import MEMORY_LIMIT

    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_until_lost(site.stage.name))
        if isinstance(where, int):
            with _deaf_children():
                local = LocalCluster(n_workers=where, threads_per_worker=1, memory_limit=MEMORY_LIMIT // where,
                                     dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL)
            client = stack.enter_context(Client(stack.enter_context(local)))
        else:
            client = stack.enter_context(_connect(Client, where))
        in_flight = 2 * max(1, len(client.scheduler_info()["workers"]))
        flying: dict[str, Job] = {}

        def submit(job: Job) -> Any:
            future = client.submit(_in_worker, site.stage, site.spec, job, pure=False)
            flying[future.key] = job
            return future

        futures = as_completed([submit(job) for job in itertools.islice(jobs, in_flight)])
        for future in futures:
            job = flying.pop(future.key)
            try:
                receipt = future.result()
                future.release()  # else dask does the block again when the worker that did it dies
            except KilledWorker:
                raise RunFailed(
                    f"{site.stage.name}: several workers with block {job.due.block} were killed, and not by a unit; "
                    "what was finished is committed. See what ends them, then run again to go on."
                ) from None
            tick(receipt["counts"]["in"])
            yield job, receipt
            for following in itertools.islice(jobs, 1):
                futures.add(submit(following))


@contextlib.contextmanager
def _deaf_children() -> Iterator[None]:
    """Processes started here never see Ctrl-C, which a terminal sends to all of them: the driver decides."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # what is ignored stays so in children
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _until_lost(stage: str) -> Iterator[None]:
    """Say in a sentence what it means for the run that the scheduler has gone, however dask puts it."""
    from distributed import CancelledError
    from distributed.client import ClosedClientError
    from distributed.comm import CommClosedError

    try:
        yield
    except (CancelledError, ClosedClientError, CommClosedError):
        raise RunFailed(
            f"{stage}: the scheduler is gone; what was finished is committed. Start it and its workers, then run again "
            "to go on."
        ) from None


def _connect(client: Any, scheduler: str) -> Any:
    """A client of that scheduler, which has a worker. Raises RunFailed after WAIT seconds without either."""
    try:
        connected = client(scheduler, timeout=WAIT)
    except OSError as error:
        raise RunFailed(f"The scheduler {scheduler} cannot be reached: {error}.") from None
    try:
        connected.wait_for_workers(1, timeout=WAIT)
    except TimeoutError:
        connected.close()
        raise RunFailed(f"The scheduler {scheduler} has no workers: start some, then run again.") from None
    return connected
