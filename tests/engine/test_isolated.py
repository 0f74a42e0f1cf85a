"""A process for units: what it answers, what ends it, and who is blamed."""

from __future__ import annotations

import contextlib
import errno
import itertools
import math
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pmcoa_build import spec as specs
from pmcoa_build.engine.compute import in_order
from pmcoa_build.engine.isolated import Isolated, Limits, isolated, several_isolated
from pmcoa_build.engine.stage import Loss, Result, Row, Stage, Unit
from pmcoa_build.errors import RunFailed, UnitLost, UsageError
from tests.engine.toy import FETCH, Toy

ROOT = Path(__file__).parents[2]
UNIT = Unit("PMC1.1", {})
NO_LIMITS = Limits(math.inf, math.inf)
_turn = itertools.count(1)


def _process(unit: Unit, content: Mapping[str, Row], resource: Any) -> Result:
    """Say who and where this is, or do what the unit's facts say."""
    facts, turn = unit.facts, next(_turn)
    if facts.get("dies on turn") in (turn, "any"):
        os._exit(1)
    if "wait" in facts:
        Path(facts["wait"]).read_bytes()
    for error in (UnitLost("no-graphic", "none"), RunFailed("Enough."), MemoryError(), OSError(errno.ENOSPC, "full"),
                  ValueError("odd")):
        if facts.get("raise") == type(error).__name__:
            raise error
    return Result([{"process": os.getpid(), "turn": turn, "content": content, "resource": resource}])


@contextlib.contextmanager
def _setup(spec: specs.Spec) -> Iterator[str]:
    if spec.panels.quality == 1:
        raise UsageError("No such weights.")
    yield f"quality {spec.panels.quality}"


STAGE = Stage("odd", 1, "article", FETCH, "article", (), (), lambda tables, spec, block: [], _process, setup=_setup)


@pytest.fixture
def spec(toy: Toy) -> specs.Spec:
    return toy.spec


@pytest.fixture
def compute(spec: specs.Spec) -> Iterator[Isolated]:
    with isolated(STAGE, spec, NO_LIMITS) as compute:
        yield compute


def test_one_process_computes_unit_after_unit_with_what_setup_gave(compute: Isolated) -> None:
    content = {"media": {"image": bytes(3_000_000)}}
    first, second = (compute(UNIT, content).rows[0] for _ in range(2))
    assert first["process"] == second["process"] != os.getpid() and (first["turn"], second["turn"]) == (1, 2)
    assert second["content"] == content and second["resource"] == "quality 92"


def test_one_that_dies_in_company_only_is_not_lost(compute: Isolated) -> None:
    """The third in a process kills it; alone it does not, whatever came before it."""
    units = [Unit(f"PMC{number}.1", {"dies on turn": 3}) for number in range(1, 8)]
    results = [compute(unit, {}) for unit in units]
    assert [result.rows[0]["turn"] for result in results] == [1, 2, 1, 2, 1, 2, 1]
    assert len({result.rows[0]["process"] for result in results}) == 4 and not any(r.lost for r in results)


def test_one_that_dies_alone_is_lost_with_all_its_members(compute: Isolated) -> None:
    result = compute(Unit("a", {"dies on turn": 1}, members=("b", "c")), {})
    loss = Loss("worker-killed", "ended its process with code 1, also alone")
    assert result == Result(lost={"b": loss, "c": loss})


@pytest.mark.parametrize(("error", "reason"), [
    ("UnitLost", "no-graphic"), ("ValueError", "unexpected-error"), ("MemoryError", "out-of-memory")])
def test_a_unit_that_fails_is_lost(compute: Isolated, error: str, reason: str) -> None:
    assert compute(Unit("a", {"raise": error}), {}).lost["a"].reason == reason


@pytest.mark.parametrize(("error", "kind"), [("RunFailed", RunFailed), ("OSError", OSError)])
def test_an_error_of_the_whole_run_goes_up(compute: Isolated, error: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=r"Enough\.|full"):
        compute(Unit("a", {"raise": error}), {})


def test_several_share_the_units_and_lose_only_those_that_kill(spec: specs.Spec) -> None:
    units = [Unit(f"PMC{n}.1", {"dies on turn": "any"} if n in (3, 4) else {}) for n in range(1, 9)]
    with several_isolated(STAGE, spec, NO_LIMITS, 2) as compute:
        results = list(in_order(lambda unit: compute(unit, {}), units, 2))
    assert [sorted(result.lost) for result in results] == [[unit.id] if unit.facts else [] for unit in units]


def test_what_setup_raises_goes_up(spec: specs.Spec) -> None:
    with pytest.raises(UsageError, match="No such weights"), isolated(
        STAGE, replace(spec, panels=replace(spec.panels, quality=1)), NO_LIMITS
    ) as compute:
        compute(UNIT, {})


def test_a_process_that_cannot_start_ends_the_run_and_no_unit_is_blamed(spec: specs.Spec) -> None:
    with pytest.raises(RunFailed, match=r"out-of-memory: more than 1 MB\); see \[run\] memory_mb"), isolated(
        STAGE, spec, Limits(1e6, math.inf)
    ) as compute:
        compute(UNIT, {})


OWNER = """
from tests.engine.test_isolated import *
Isolated(STAGE, specs.load(sys.argv[1]), NO_LIMITS)(Unit("a", {"wait": sys.argv[2]}), {})
"""


def test_the_process_ends_when_its_owner_is_killed(toy: Toy) -> None:
    pipe = toy.root / "pipe"
    os.mkfifo(pipe)
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(toy.spec.path), str(pipe)], cwd=ROOT)
    gate = os.open(pipe, os.O_WRONLY)  # returns when the unit is at work
    owner.kill()
    owner.wait()
    ended = select.poll()
    ended.register(gate, 0)
    assert ended.poll() == [(gate, select.POLLERR)]  # once nobody reads any more
    os.close(gate)
