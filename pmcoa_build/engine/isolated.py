"""Units computed in a process of their own, which may die, hang or outgrow its memory and takes nothing with it.

The worker that owns the process reads, writes and watches; it knows which unit the process is at. A unit at which the
process ends is tried once more, alone in a new one, because what came before it may be to blame; only if that one ends
as well is the unit lost. `python -m pmcoa_build.engine.isolated FD` is the process.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from queue import SimpleQueue
from typing import Any

from pmcoa_build.engine.compute import Compute, guarded, lost
from pmcoa_build.engine.stage import Result, Row, Stage, Unit
from pmcoa_build.errors import RunFailed
from pmcoa_build.spec import Spec

START_SECONDS = 300.0
"""What a process may take until it is ready for its first unit."""

_LOOK = 0.05
"""Seconds between two looks at the clock and at the memory of a busy process."""

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}
"""There are as many processes as cores; the environment may say otherwise."""


@dataclass(frozen=True)
class Limits:
    """What computing one unit may take: bytes of resident memory, seconds."""

    memory: float
    seconds: float


class _Ended(Exception):
    """The process is no more: it died, or had to be killed. `reason` is a code of `reasons.py`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


class Isolated:
    """Computes units of a stage in a process, started at the first unit and again after each that ends it."""

    def __init__(self, stage: Stage, spec: Spec, limits: Limits) -> None:
        import cloudpickle

        self._name, self._limits = stage.name, limits
        self._task: bytes = cloudpickle.dumps((stage, spec))
        self._process: _Process | None = None

    def __call__(self, unit: Unit, heavy: Mapping[str, Row]) -> Result:
        """What `process` makes of the unit, or its loss as worker-killed, out-of-memory or timeout.

        Raises what `process` or `setup` raise about the whole run, RunFailed when the process cannot start.
        """
        try:
            return self._attempt(unit, heavy)
        except _Ended:
            self.close()
        try:
            return self._attempt(unit, heavy)
        except _Ended as ended:
            self.close()
            return lost(unit, ended.reason, f"{ended.detail}, also alone")

    def _attempt(self, unit: Unit, heavy: Mapping[str, Row]) -> Result:
        if self._process is None:
            self._process = _started(self._task, self._name, self._limits.memory)
        result: Result = self._process.ask(pickle.dumps((unit, heavy)), self._limits)
        return result

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.end()
            self._process = None


@contextlib.contextmanager
def isolated(stage: Stage, spec: Spec, limits: Limits) -> Iterator[Isolated]:
    """`Isolated` for the duration of a block."""
    with contextlib.closing(Isolated(stage, spec, limits)) as compute:
        yield compute


@contextlib.contextmanager
def several_isolated(stage: Stage, spec: Spec, limits: Limits, count: int) -> Iterator[Compute]:
    """`count` of them behind one function, for as many threads: each call takes one that is free."""
    free: SimpleQueue[Isolated] = SimpleQueue()
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            free.put(stack.enter_context(isolated(stage, spec, limits)))

        def compute(unit: Unit, heavy: Mapping[str, Row]) -> Result:
            mine = free.get()
            try:
                return mine(unit, heavy)
            finally:
                free.put(mine)

        yield compute


class _Process:
    """The process as its owner sees it: one question at a time, answered or ended."""

    def __init__(self) -> None:
        import psutil

        ours, theirs = Pipe()
        path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)  # noqa: PTH109
        # -P: nothing in the working folder may pass for a module. Its input ends when its owner does. Ctrl-C in a
        # terminal goes to the owner's process group only.
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-m", "pmcoa_build.engine.isolated", str(theirs.fileno())],
            stdin=subprocess.PIPE, pass_fds=[theirs.fileno()], process_group=0,
            env={**_ONE_THREAD, **os.environ, "PYTHONPATH": path, "PYTHONUTF8": str(sys.flags.utf8_mode)},
        )
        theirs.close()
        self._pipe = ours
        self._seen = psutil.Process(self._popen.pid)

    def ask(self, question: bytes, limits: Limits) -> Any:
        """The answer. Raises _Ended, or the error that is the answer."""
        try:
            self._pipe.send_bytes(question)
            self._await(limits)
            answer = pickle.loads(self._pipe.recv_bytes())
        except (EOFError, ConnectionError):
            raise _Ended("worker-killed", _told(self._popen.wait())) from None
        if isinstance(answer, MemoryError):
            raise _Ended("out-of-memory", "memory could not be had")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _await(self, limits: Limits) -> None:
        import psutil

        deadline = time.monotonic() + limits.seconds
        while not self._pipe.poll(_LOOK):
            with contextlib.suppress(psutil.NoSuchProcess):
                if self._seen.memory_info().rss > limits.memory:
                    raise _Ended("out-of-memory", f"more than {limits.memory / 1e6:,.0f} MB")
            if time.monotonic() > deadline:
                raise _Ended("timeout", f"more than {limits.seconds:g} s")

    def end(self) -> None:
        """Kill it; it holds nothing that has to be put away."""
        self._popen.kill()
        self._popen.wait()
        self._pipe.close()
        assert self._popen.stdin is not None
        self._popen.stdin.close()


def _started(task: bytes, stage: str, memory: float) -> _Process:
    """A process that is ready for units. Raises what `setup` raises, RunFailed."""
    process = _Process()
    try:
        process.ask(task, Limits(memory, START_SECONDS))
    except _Ended as ended:
        process.end()
        raise RunFailed(
            f"{stage}: the process for its units does not even start ({ended.reason}: {ended.detail}); see [run] "
            "memory_mb."
        ) from None
    except BaseException:
        process.end()
        raise
    return process


def _told(code: int) -> str:
    if code >= 0:
        return f"ended its process with code {code}"
    with contextlib.suppress(ValueError):
        return f"its process was killed by {signal.Signals(-code).name}"
    return f"its process was killed by signal {-code}"


def main(descriptor: int) -> None:
    """Answer the owner's questions: first (stage, spec) once `setup` is done, then unit after unit."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # schedulers send it to all processes: the driver decides
    threading.Thread(target=_end_with_owner, daemon=True).start()
    with contextlib.suppress(EOFError, ConnectionError), Connection(descriptor) as pipe:
        try:
            stage, spec = pickle.loads(pipe.recv_bytes())
            with stage.setup(spec) if stage.setup else contextlib.nullcontext() as resource:
                pipe.send(None)
                while True:
                    unit, heavy = pickle.loads(pipe.recv_bytes())
                    pipe.send(_answer(stage, unit, heavy, resource))
        except Exception as error:
            pipe.send(error)


def _answer(stage: Stage, unit: Unit, heavy: Mapping[str, Row], resource: Any) -> Result | Exception:
    try:
        return guarded(stage, unit, heavy, resource)
    except Exception as error:
        return error


def _end_with_owner() -> None:
    os.read(0, 1)
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
