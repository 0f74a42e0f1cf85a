"""Faults 1 and 2: SIGKILL at every point of a run over the toy pipeline, fresh and during an update."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tests.engine.toy import Articles, Toy, article, articles
from tests.faults.crash import check_invariants, crash_points, put_back


def _before_fresh(toy: Toy) -> Articles:
    toy.write(articles(6), size=3)
    return articles(6)


def _before_update(toy: Toy) -> Articles:
    """Changed, lost, new and removed articles, and a first block that is split."""
    toy.write({**articles(6), 2: article("x", lose="retracted")}, size=3)
    toy.run()
    world = {**articles(6), **articles(2, first=50), 3: article("other words")}
    del world[1]
    toy.write(world, size=2)
    return world


def _run(root: Path, on: str) -> None:
    Toy(root).run(update=True, on=on)


def _collect(root: Path) -> None:
    Toy(root).collect()


@pytest.mark.parametrize(("before", "on", "most"), [
    (_before_fresh, "sync", 0), (_before_update, "sync", 0), (_before_update, "threads:2", 10),
])
def test_a_kill_anywhere_leaves_a_build_that_goes_on(
    before: Callable[[Toy], Articles], on: str, most: int, tmp_path: Path, context: ForkServerContext
) -> None:
    start, fresh, toy = (Toy(tmp_path / name) for name in ("start", "fresh", "toy"))
    fresh.write(before(start), size=3)
    fresh.run()
    put_back(start.root, toy.root)
    toy.run(update=True)
    expected, rows = toy.hashes(), toy.rows("index")
    assert fresh.rows("index") == rows
    points = crash_points(
        context, _run, toy.root, on, put_back=lambda: put_back(start.root, toy.root), most=most
    )
    tried = 0
    for tried, point in enumerate(points, 1):  # noqa: B007
        gc_first = point % 2 == 1 and bool(toy.state.records("fetch"))
        check_invariants(toy, expected, gc_first=gc_first, folders=[toy.root])
        assert toy.rows("index") == rows
    assert tried > 60 or tried == most


def test_a_kill_during_gc_does_no_harm(tmp_path: Path, context: ForkServerContext) -> None:
    start, toy = Toy(tmp_path / "start"), Toy(tmp_path / "toy")
    _before_update(start)
    start.run(update=True)
    (start.state.out / "fetch" / "x.parquet.7.tmp~").write_text("left")
    expected, before = start.hashes(), len(start.files())
    tried = 0
    for _ in crash_points(context, _collect, toy.root, put_back=lambda: put_back(start.root, toy.root)):
        tried += 1
        assert toy.due() == {}
        check_invariants(toy, expected, gc_first=False, folders=[toy.root])
        assert len(toy.files()) < before
    assert tried > 10
