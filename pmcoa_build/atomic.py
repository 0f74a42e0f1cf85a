"""Files that are whole or not there: written aside, fsynced, renamed, their folder fsynced."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from pmcoa_build.errors import DiskFull

TEMP = ".tmp~"
"""Suffix of unfinished files and folders; `gc` removes them."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def beside(path: Path) -> Path:
    """Where `path` is written before it is whole: a name in the same folder that no other process uses."""
    return path.with_name(f"{path.name}.{os.getpid()}{TEMP}")


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder; on success it is fsynced and renamed to `path`.

    Raises DiskFull in place of the operating system's errors for a full disk, quota or file-size limit.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(path)
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    except OSError as error:
        if error.errno in _FULL:
            needed = temporary.stat().st_size if temporary.exists() else 0
            free = shutil.disk_usage(path.parent).free
            raise DiskFull(
                f"No room for {path.name}: {free:,} bytes are free in {path.parent} and more than {needed:,} are "
                "needed; free some space and run again, nothing was lost."
            ) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a small file atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def append_synced(path: Path, data: bytes) -> None:
    """Append to a file and fsync it (and its folder, when the file is new)."""
    new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"No room to record a commit in {path}; free some space and run again.") from error
        raise
    if new:
        sync(path.parent)


def sync(path: Path) -> None:
    """fsync a file, or a folder, so that a rename in it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
