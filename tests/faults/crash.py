"""Kill a run at every point where it changes the disk, and check what is left.

Children are forked from a server process that has all imports done, so that hundreds of runs stay cheap. Nothing in
the production code knows of this: the calls below are patched in the child.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).parents[2]
CALLS = ("fsync", "replace", "rename", "link", "symlink", "unlink", "truncate")
"""Functions of `os` that are points to die at, and besides them each row group written."""


class Build(Protocol):
    """A build that can be checked after a crash."""

    def run(self) -> object:
        """Run all stages to the end."""

    def verify(self) -> Sequence[str]:
        """Records whose files are not as recorded."""

    def due(self) -> object:
        """What a run would do; falsy when nothing."""

    def collect(self) -> object:
        """gc."""

    def hashes(self) -> object:
        """Content hashes of all tables."""


def forking(preload: Sequence[str]) -> ForkServerContext:
    """A context whose processes are forked from a server that has imported `preload`."""
    os.environ["PYTHONPATH"] = str(ROOT)  # Python 3.11's fork server does not take over sys.path
    os.environ["OMP_NUM_THREADS"] = "1"  # before the server imports torch
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return context


def crash_points(
    context: ForkServerContext, target: Callable[..., object], *args: Any, put_back: Callable[[], object], most: int = 0
) -> Iterator[int]:
    """Run `target(*args)` once for each of its changes of the disk, killed just before it.

    Yields the number of the change after each kill, for the caller to check what is left; `put_back` makes the state
    from which each run starts. `most` > 0 takes that many points, evenly spread, in place of all.
    """
    put_back()
    counted = context.SimpleQueue()
    assert _ended(context, 0, target, args, counted) == 0
    total = counted.get()
    assert total > 0, "nothing was written"
    for number in _spread(total, most or total):
        put_back()
        code = _ended(context, number, target, args, counted)
        assert code == -signal.SIGKILL, f"ended with {code} before point {number} of {total}"
        yield number


def _spread(total: int, most: int) -> list[int]:
    return sorted({1 + total * i // most for i in range(most)}) if most < total else list(range(1, total + 1))


def _ended(
    context: ForkServerContext, number: int, target: Callable[..., object], args: tuple[Any, ...], counted: Any
) -> int | None:
    process = context.Process(target=_doomed, args=(number, target, args, counted))
    process.start()
    process.join()
    return process.exitcode


def _doomed(number: int, target: Callable[..., object], args: tuple[Any, ...], counted: Any) -> None:
    """In the child: count changes of the disk, die before the one of that number (0: live, and tell how many)."""
    import pyarrow.parquet as pq

    seen = itertools.count(1)

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*args: Any, **kwargs: Any) -> Any:
            if next(seen) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return counting

    for name in CALLS:
        setattr(os, name, dying(_no_power_cut if name == "fsync" else getattr(os, name)))
    pq.ParquetWriter.write_table = dying(pq.ParquetWriter.write_table)
    target(*args)
    counted.put(next(seen) - 1)


def _no_power_cut(descriptor: int) -> None:
    """In place of fsync, which is slow: what a killed process has written stays."""


def put_back(before: Path, folder: Path) -> None:
    """Make `folder` what `before` is; hard links and symbolic links within stay what they were."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(before, folder, symlinks=True)


def check_invariants(
    build: Build, expected: object, *, gc_first: bool, folders: Sequence[Path]
) -> None:
    """The five invariants after a kill: FAULTS.md. `gc_first`: collect right after the kill as well."""
    assert list(build.verify()) == [], "a record does not match its file"
    if gc_first:
        build.collect()
        assert list(build.verify()) == []
    build.run()
    assert build.hashes() == expected, "the tables are not those of an uninterrupted run"
    assert not build.due(), "a third run has something to do"
    build.collect()
    assert unfinished_files(*folders) == [], "gc left unfinished files"
    assert list(build.verify()) == []


def unfinished_files(*folders: Path) -> list[str]:
    """Files, folders and links that a run had not finished."""
    return [str(path) for folder in folders for path in folder.rglob("*") if path.name.endswith((".tmp~", ".part"))]
