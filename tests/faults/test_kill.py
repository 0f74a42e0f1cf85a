"""Faults 1 and 2: SIGKILL at every point of a run over the toy pipeline, fresh and during an update."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from tests.engine.toy import Articles, Toy, article, articles
from tests.faults.crash import check_invariants, crash_points, put_back, unfinished_files


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


@pytest.mark.parametrize(("before", "on"), [
    (_before_fresh, "sync"), (_before_update, "sync"), (_before_update, "threads:2"),
])
def test_a_kill_anywhere_leaves_a_build_that_goes_on(
    before: Callable[[Toy], Articles], on: str, tmp_path: Path, context: ForkServerContext
) -> None:
    start = Toy(tmp_path / "start")
    world = before(start)
    fresh = Toy(tmp_path / "fresh")
    fresh.write(world, size=3)
    toy = Toy(tmp_path / "toy")
    put_back(start.root, toy.root)
    toy.run(update=True)
    expected, rows = toy.hashes(), toy.rows("index")
    fresh.run()
    assert fresh.rows("index") == rows
    put_back(start.root, toy.root)
    points = 0
    for points in crash_points(context, _run, toy.root, on, step=1 if on == "sync" else 7):
        check_invariants(
            toy, expected, gc_first=points % 2 == 1 and bool(toy.state.records("fetch")),
            unfinished=lambda: unfinished_files(toy.root),
        )
        assert toy.rows("index") == rows
        put_back(start.root, toy.root)
    assert points > 60
