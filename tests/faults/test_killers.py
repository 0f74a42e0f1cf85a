"""Faults 34, 35 and 38: units that kill the process they are computed in, outgrow its memory, or never end."""

from __future__ import annotations

import contextlib
import signal
from collections import Counter
from multiprocessing.context import ForkServerContext
from pathlib import Path

import dask.config
import pytest

from pmcoa_build.engine import plan
from pmcoa_build.engine.read import lost_rows
from pmcoa_build.errors import RunFailed
from tests.engine.toy import Articles, Toy, articles
from tests.faults.cluster import start_cluster
from tests.faults.test_signals import held_run

KILLED = {
    8: ("worker-killed", "ended its process with code 3, also alone", {"exit": 3}),
    30: ("worker-killed", "its process was killed by SIGKILL, also alone", {"signal": int(signal.SIGKILL)}),
    31: ("out-of-memory", "more than 400 MB, also alone", {"hog": 600_000_000}),
}


def _with(misfortunes: dict[int, dict[str, object]]) -> Articles:
    world = articles(60)
    return {**world, **{number: {**world[number], **told} for number, told in misfortunes.items()}}


def _without(numbers: set[int], root: Path) -> dict[str, dict[str, str]]:
    """The hashes of a run in which these articles are lost without any harm."""
    toy = Toy(root)
    toy.write(_with({number: {"lose": "retracted"} for number in numbers}))
    toy.run()
    return toy.hashes()


def _only_those_are_lost(toy: Toy, expected: dict[str, dict[str, str]]) -> None:
    """The culprits are lost with their reasons after two tries, all others were computed once, and nothing is due."""
    fetched = Counter(line.split()[1] for line in toy.calls() if line.startswith("fetch"))
    assert fetched == {f"PMC{n}.1": 2 if n in KILLED else 1 for n in range(1, 61)}
    found = {row["unit"]: (row["outcome"], row["reason"], row["detail"]) for row in _lost(toy)}
    assert found == {f"PMC{n}.1": ("dead", reason, detail) for n, (reason, detail, _) in KILLED.items()}
    assert toy.hashes() == expected and toy.verify() == [] and toy.due() == {}


def _lost(toy: Toy) -> list[dict[str, object]]:
    ledgers = [toy.state.path(record["ledger"]["path"]) for record in toy.state.records("fetch").values()]
    return [row for ledger in ledgers for row in lost_rows(ledger, "article")]


def test_34_35_what_kills_or_outgrows_its_process_is_lost_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three culprits, two of them neighbours in one block; what is retryable is due again when its wait is over."""
    toy = Toy(tmp_path / "toy", ("run.memory_mb=400",))
    toy.write(_with({number: told for number, (*_, told) in KILLED.items()}))
    toy.run("catalogue", "fetch", on="processes:2")
    toy.run()
    _only_those_are_lost(toy, _without(set(KILLED), tmp_path / "clean"))
    monkeypatch.setattr(plan, "FIRST_WAIT", 0.0)
    assert toy.due()["fetch"] == [
        ("000000000", "time to retry worker-killed"), ("000000021", "time to retry worker-killed")]
    toy.run("fetch", only=frozenset({"000000000"}), on="processes:2")
    assert toy.calls() == ["fetch PMC8.1"] * 2


def test_34_35_on_workers_of_a_cluster(tmp_path: Path) -> None:
    """What the workers may use is said to dask; they live on."""
    toy = Toy(tmp_path / "toy")
    toy.write(_with({number: told for number, (*_, told) in KILLED.items()}))
    with start_cluster(tmp_path / "cluster", 2, "--nanny", "--memory-limit=400MB") as cluster:
        toy.run("catalogue", "fetch", on=cluster.address)
        assert all(process.poll() is None for process in cluster.processes)
    toy.run()
    _only_those_are_lost(toy, _without(set(KILLED), tmp_path / "clean"))


def test_38_a_hung_unit_is_lost_with_the_reason_timeout(tmp_path: Path) -> None:
    toy = Toy(tmp_path / "toy", ("run.unit_seconds=1.5",))
    toy.write(_with({30: {"hang": True}}), size=60)
    toy.run(on="processes:2")
    assert [(row["unit"], row["reason"], row["detail"]) for row in _lost(toy)] == [
        ("PMC30.1", "timeout", "more than 1.5 s, also alone")]
    counts = toy.state.records("fetch")["000000000"]["counts"]
    assert counts == {"in": 60, "done": 59, "filtered": {}, "dead": {"timeout": 1}} and toy.due() == {}


@pytest.mark.parametrize("patience", [3, 0])
def test_a_worker_that_is_killed_costs_no_unit(patience: int, tmp_path: Path) -> None:
    """Its blocks are done by others; when dask's patience is at its end, so is the run, and nobody is blamed."""
    toy = Toy(tmp_path / "toy")
    toy.write(_with({30: {"revolt": str(tmp_path / "once")}}))
    ends = contextlib.nullcontext() if patience else pytest.raises(RunFailed, match="were killed, and not by a unit")
    with ends, dask.config.set({"distributed.scheduler.allowed-failures": patience}):
        toy.run("catalogue", "fetch", on="processes:2")
    assert not _lost(toy) and toy.verify() == []
    toy.run()
    assert toy.hashes() == _without(set(), tmp_path / "clean") and toy.due() == {}


def test_ctrl_c_while_a_suspect_is_tried_alone_loses_nothing(tmp_path: Path, context: ForkServerContext) -> None:
    """The block in flight is finished, its culprit lost and its other units done; a rerun does the rest."""
    (tmp_path / "toy").mkdir()
    with held_run(tmp_path / "toy", "processes:2", context, stumble=str(tmp_path / "once"), exit=3) as held:
        held.interrupt(signal.SIGINT)
        held.go_on()
        assert held.ended() == 130
    assert held.toy.state.records("fetch")["000000021"]["counts"]["dead"] == {"worker-killed": 1}
    assert not held.toy.state.records("words")
    held.toy.run()
    assert held.toy.hashes() == _without({30}, tmp_path / "clean") and held.toy.due() == {}
