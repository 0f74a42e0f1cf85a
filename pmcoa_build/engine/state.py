"""The folders of a build: data in `<out>`, records in `<state>`; its identity, its lock, its records."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pmcoa_build.atomic import TEMP, write_atomic
from pmcoa_build.engine import log
from pmcoa_build.engine.stage import Row
from pmcoa_build.errors import LockHeld, UsageError
from pmcoa_build.spec import Spec

IDENTITY = "BUILD_ID"


@dataclass(frozen=True)
class State:
    """Where a build keeps its data and its records."""

    out: Path
    folder: Path

    def log_path(self, stage: str) -> Path:
        """The commit log of a stage."""
        return self.folder / f"{stage}.jsonl"

    def log(self, stage: str) -> log.Log:
        """The records of a stage."""
        return log.read(self.log_path(stage))

    def records(self, stage: str) -> Mapping[str, Row]:
        """The last record of each block of a stage."""
        return self.log(stage).records

    def path(self, relative: str) -> Path:
        """An output named in a record."""
        return self.out / relative


def of(spec: Spec) -> State:
    """The state of a spec's build; touches nothing."""
    return State(Path(spec.build.out), Path(spec.build.state))


def check_identity(state: State) -> None:
    """Raise UsageError unless data and records belong together (or neither is there yet)."""
    ours, theirs = _identity(state.folder), _identity(state.out)
    if ours and theirs and ours != theirs:
        raise UsageError(f"The data in {state.out} belong to another build than the records in {state.folder}.")
    if theirs and not ours:
        raise UsageError(
            f"The records of the data in {state.out} are missing from {state.folder}: put them back, name their folder "
            "with --set build.state=…, or delete the data to build anew."
        )
    if not theirs and state.out.is_dir() and not all(_harmless(path) for path in state.out.iterdir()):
        raise UsageError(f"{state.out} holds other files but no {IDENTITY}: name another folder as [build] out.")


def _harmless(path: Path) -> bool:
    """What may lie in a data folder before the first run: a download cache, the rest of a run killed at its start."""
    return path.name == "raw" or path.name.endswith(TEMP)


def create(state: State) -> None:
    """Make the folders of a build. Raises UsageError where they cannot be written or belong to another build."""
    check_identity(state)
    for folder in (state.folder, state.out):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"The folder {folder} cannot be made: {error.strerror}.") from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UsageError(f"The folder {folder} cannot be written to.")


@contextlib.contextmanager
def locked(state: State) -> Iterator[None]:
    """Hold the build's lock, and see to its identity; the system frees it when the process dies.

    Raises LockHeld, or UsageError where there is no build.
    """
    from filelock import FileLock, Timeout

    if not state.folder.is_dir():
        raise UsageError(f"There are no records in {state.folder}: run the first stage.")
    holder = state.folder / "lock.json"
    lock = FileLock(state.folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise LockHeld(f"Another run works on this build: {_holder(holder)}.") from None
    try:
        _identify(state)
        write_atomic(holder, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode())
        yield
    finally:
        lock.release()


def _identify(state: State) -> None:
    check_identity(state)
    identity = _identity(state.folder) or str(uuid.uuid4())
    for folder in (state.folder, state.out):
        if not _identity(folder):
            write_atomic(folder / IDENTITY, (identity + "\n").encode())


def _holder(path: Path) -> str:
    try:
        found = json.loads(path.read_text())
        return f"process {found['pid']} on {found['host']}"
    except (OSError, ValueError, KeyError):
        return "its process is not known yet"


def _identity(folder: Path) -> str:
    path = folder / IDENTITY
    return path.read_text().strip() if path.exists() else ""
