"""Blocks at work: what is copied, what is computed, and that nothing goes uncounted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pmcoa_build.engine.stage import Result, Stage, Tables, Unit
from pmcoa_build.errors import RunFailed
from pmcoa_build.spec import Spec
from tests.engine.toy import Toy, article, articles

FIRST = "000000000"


def _inodes(toy: Toy) -> dict[str, int]:
    return {name: (toy.state.out / name).stat().st_ino for name in toy.files()}


def test_one_changed_article_of_a_block_of_500_is_the_only_one_computed_again(tmp_path: Path) -> None:
    toy, world = Toy(tmp_path), articles(1000)
    toy.write(world, size=500)
    toy.run("catalogue", "fetch", "words")
    toy.calls()
    before = _inodes(toy)
    world[250] = article("quite another text")
    toy.write(world, size=500)
    toy.run("catalogue", "fetch", "words", update=True)
    assert toy.calls() == ["fetch PMC250.1", "words PMC250.1"]
    kept = {name for name, inode in _inodes(toy).items() if before.get(name) == inode}
    assert {name for name in kept if "/000000501-" in name} == {n for n in before if "/000000501-" in n} != set()
    fresh = Toy(tmp_path / "fresh")
    fresh.write(world, size=500)
    fresh.run("catalogue", "fetch", "words")
    assert fresh.hashes() == toy.hashes()


def test_back_and_forth_between_two_settings(toy: Toy) -> None:
    toy.run()
    first, rows = toy.hashes(), toy.rows("index")
    toy.changed(keys=("panels.quality=5",)).run()
    assert toy.hashes() != first
    toy.run()
    assert toy.hashes() == first and toy.rows("index") == rows and toy.verify() == []


def test_a_key_that_reaches_units_as_facts_computes_only_units_that_it_changes(toy: Toy) -> None:
    def told(tables: Tables, spec: Spec, block: str) -> list[Unit]:
        said = {"said": spec.align.llm_model}
        return [replace(unit, facts={**unit.facts, **(said if unit.id == "PMC3.1" else {})})
                for unit in words.units(tables, spec, block)]

    words = next(step for step in toy.pipeline if isinstance(step, Stage) and step.name == "words")
    toy = toy.with_step("words", units=told, fact_keys=("align.llm_model",))
    toy.run()
    toy.calls()
    toy.changed(keys=("align.llm_model=x",)).run("words")
    assert toy.calls() == ["words PMC3.1"]


def test_a_split_block_copies_its_units(toy: Toy) -> None:
    world = articles(20)
    toy.write({**world, 1000: article("the end")}, size=10)
    toy.run()
    toy.calls()
    world |= articles(60, first=100)
    toy.write({**world, 1000: article("the end")}, size=10)
    toy.run("catalogue", update=True)
    due = [block for block, _ in toy.due()["fetch"]]
    assert len(due) > 3
    for _ in due:  # one block a run, as if each run were cut off
        toy.run("fetch", limit=1)
    calls = toy.calls()
    assert len(calls) == 60 and all(int(line[9:-2]) >= 100 for line in calls)
    toy.run()
    fresh = Toy(toy.root / "fresh")
    fresh.write({**world, 1000: article("the end")}, size=10)
    fresh.run()
    assert fresh.rows("index") == toy.rows("index")


def test_empty_blocks_are_valid_empty_tables(toy: Toy) -> None:
    toy.write({n: article("", lose="retracted") if n <= 20 else article("") for n in range(1, 41)})
    toy.run()
    record = toy.state.records("fetch")[FIRST]
    assert record["counts"] == {"in": 20, "done": 0, "filtered": {"retracted": 20}, "dead": {}}
    table = pq.read_table(toy.state.path(record["output"]["path"]))
    step = toy.pipeline[1]
    assert isinstance(step, Stage) and table.num_rows == 0 and table.schema.equals(step.schema)
    assert toy.rows("index") == [] and toy.due() == {}


def test_counts_add_up(toy: Toy) -> None:
    world = articles(60)
    world[1], world[2], world[3] = (article("x", lose=lose) for lose in ("retracted", "timeout", "xml-malformed"))
    world[4] = article("x", bug=True)
    toy.write(world)
    toy.changed(keys=("run.max_dead_fraction=0.9",)).run()
    counts = toy.state.records("fetch")[FIRST]["counts"]
    dead = {"timeout": 1, "unexpected-error": 1, "xml-malformed": 1}
    assert counts == {"in": 20, "done": 16, "filtered": {"retracted": 1}, "dead": dead}


def test_retries_wait_longer_each_time(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    toy.write({**articles(60), 7: article("here at last", lose="timeout")})
    toy.run()
    toy.calls()
    for attempts, wait in [(2, 600), (3, 2400), (4, 9600)]:
        now += wait - 1
        assert toy.due() == {}
        now += 1
        assert toy.due() == {"fetch": [(FIRST, "time to retry timeout")]}
        before = toy.files()
        toy.run()
        assert toy.calls() == ["fetch PMC7.1"] and toy.verify() == []
        assert toy.state.records("fetch")[FIRST]["retryable"] == {"timeout": attempts}
        assert before < toy.files(), "a recorded file was written over"
    now -= 10**9
    assert toy.due() == {}, "a clock that goes back makes nothing due"
    toy.write({**articles(60), 7: {**article("here at last", lose="timeout"), "lose": None}})
    now += 2 * 10**9
    toy.run()
    assert [line for line in toy.calls() if line.startswith("fetch")] == ["fetch PMC7.1"]
    assert len(toy.rows("fetch")) == 60


def test_permanent_losses_wait_for_a_change(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.write({**articles(60), 7: article("x", lose="xml-malformed")})
    toy.run()
    monkeypatch.setattr("time.time", lambda: 1e12)
    assert toy.due() == {}
    toy.write(articles(60))
    toy.calls()
    toy.run(update=True)
    assert "fetch PMC7.1" in toy.calls() and len(toy.rows("fetch")) == 60


def test_due_retries_go_with_other_changes(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.write({**articles(60), 7: article("x", lose="timeout")})
    toy.run()
    toy.calls()
    monkeypatch.setattr("time.time", lambda: 1e12)
    toy.write({**articles(60), 7: article("x", lose="timeout"), 8: article("changed")})
    toy.run(update=True)
    assert [line for line in toy.calls() if line.startswith("fetch")] == ["fetch PMC7.1", "fetch PMC8.1"]


def test_units_that_come_twice_are_a_bug(toy: Toy) -> None:
    def twice(tables: object, spec: object, block: str) -> object:
        return [*toy.pipeline[1].units(tables, spec, block)] * 2  # type: ignore[union-attr, arg-type]

    with pytest.raises(AssertionError, match="comes twice"):
        toy.with_step("fetch", units=twice).run()


def test_finish_may_not_move_rows(toy: Toy) -> None:
    with pytest.raises(AssertionError, match="moved rows"):
        toy.with_step("index", finish=lambda rows, at: rows.take(list(range(rows.num_rows))[::-1])).run()


def test_units_whose_rows_fill_several_row_groups_are_copied(toy: Toy) -> None:
    world = {n: article(" ".join(f"w{n}x{i}" for i in range(n * 7 % 150))) for n in range(1, 21)}
    toy.write(world)
    toy.run("catalogue", "fetch", "words")
    groups = pq.ParquetFile(toy.state.path(toy.state.records("words")[FIRST]["output"]["path"])).metadata.num_row_groups
    assert groups > 10
    toy.calls()
    world[9] = article("short")
    toy.write(world)
    toy.run("catalogue", "fetch", "words", update=True)
    assert toy.calls() == ["fetch PMC9.1", "words PMC9.1"]
    fresh = Toy(toy.root / "fresh")
    fresh.write(world)
    fresh.run("catalogue", "fetch", "words")
    assert fresh.hashes() == toy.hashes() and fresh.rows("words") == toy.rows("words")


def test_an_error_of_the_system_ends_the_run_and_one_of_a_library_costs_the_unit(toy: Toy) -> None:
    def fail(error: OSError) -> Toy:
        def process(unit: object, content: object, world: object) -> Result:
            raise error

        return toy.with_step("fetch", process=process)

    with pytest.raises(OSError, match="Too many open files"):
        fail(OSError(24, "Too many open files")).run("catalogue", "fetch")
    with pytest.raises(RunFailed, match="unexpected-error"):
        fail(OSError("cannot identify image file")).run("fetch")
