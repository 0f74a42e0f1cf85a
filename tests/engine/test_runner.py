"""Whole runs of the toy pipeline: what is computed, what is not, and what is recorded."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pmcoa_build.engine import log
from pmcoa_build.engine.stage import Result, Stage
from pmcoa_build.errors import RunFailed, StaleUpstream, UsageError
from tests.engine.toy import STAGES, Toy, article, articles

FIRST = "000000000"


def _inodes(toy: Toy) -> dict[str, int]:
    return {name: (toy.state.out / name).stat().st_ino for name in toy.files()}


def test_a_run_makes_every_table(toy: Toy) -> None:
    summaries = toy.run()
    assert [summary.step for summary in summaries.values()] == list(STAGES)
    assert [len(summary.due) for summary in summaries.values()] == [1, 3, 3, 1, 1]
    assert len(toy.rows("fetch")) == 60 and len(toy.rows("words")) == 180
    counts = {row["word"]: row["count"] for row in toy.rows("index")}
    assert counts["also"] == 60 and counts["word7"] == 1
    assert toy.verify() == [] and toy.due() == {}


def test_a_second_run_does_nothing(toy: Toy) -> None:
    toy.run()
    before, files = toy.calls(), _inodes(toy)
    assert len(before) == 60 + 60 + 180
    summaries = toy.run()
    assert not any(summary.due for summary in summaries.values())
    assert toy.calls() == [] and _inodes(toy) == files


@pytest.mark.parametrize("on", ["threads:3", "processes:2"])
def test_wherever_it_runs_the_tables_are_equal(
    toy: Toy, on: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    toy.run()
    other = Toy(tmp_path / "other")
    other.write(articles(60))
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    other.run(on=on)
    assert other.hashes() == toy.hashes() and len(other.calls()) == 300
    assert list((tmp_path / "cwd").iterdir()) == [] and other.verify() == []
    assert capfd.readouterr() == ("", "")


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


def test_what_reran_to_the_same_rows_makes_nothing_downstream_rerun(toy: Toy) -> None:
    toy.run()
    toy.calls()
    world = articles(60)
    world[3]["etag"] = "new, but the text is the same"
    toy.write(world)
    summaries = toy.run(update=True)
    assert toy.calls() == ["fetch PMC3.1"]
    assert [name for name, summary in summaries.items() if summary.due] == ["catalogue", "fetch"]


def test_a_column_that_is_not_declared_makes_nothing_rerun(toy: Toy) -> None:
    toy.run()
    toy.calls()

    def longer(unit: object, content: object, world: object) -> Result:
        made = toy.pipeline[1].process(unit, content, world)  # type: ignore[union-attr, arg-type]
        return Result([{**row, "length": row["length"] + 1} for row in made.rows])

    later = toy.with_step("fetch", process=longer, version=2)
    assert later.due()["fetch"] == [(b, "version 1 -> 2") for b in (FIRST, "000000021", "000000041")]
    later.run()
    assert {line.split()[0] for line in later.calls()} == {"fetch"}


def test_a_spec_key_that_is_not_declared_makes_nothing_rerun(toy: Toy) -> None:
    toy.run()
    assert toy.changed(keys=("train.lr=0.5", "run.on=threads:2", "screen.terms=none")).due() == {}
    assert list(toy.changed(keys=("panels.quality=5",)).due()) == ["words"]


def test_a_declared_spec_key_reruns_its_stage_and_what_follows(toy: Toy) -> None:
    toy.run()
    toy.calls()
    short = toy.changed(keys=("panels.quality=5",))
    assert short.due()["words"][0][1] == "spec panels.quality changed"
    short.run()
    assert {line.split()[0] for line in short.calls()} == {"words"}  # the words left were indexed before
    assert len(short.rows("index")) == 120
    record = short.state.records("words")[FIRST]
    assert record["dropped"] == {"panel-too-small": 20} and record["counts"]["done"] == 20


def test_back_and_forth_between_two_settings(toy: Toy) -> None:
    toy.run()
    first, rows = toy.hashes(), toy.rows("index")
    toy.changed(keys=("panels.quality=5",)).run()
    assert toy.hashes() != first
    toy.run()
    assert toy.hashes() == first and toy.rows("index") == rows and toy.verify() == []


def test_removed_and_new_articles(toy: Toy) -> None:
    toy.run()
    toy.calls()
    world = {**articles(60), **articles(3, first=100)}
    del world[5]
    toy.write(world)
    summaries = toy.run(update=True)
    assert sorted(summaries["fetch"].due) == [(FIRST, "catalogue changed"), ("000000061", "never done")]
    assert [line for line in toy.calls() if not line.startswith("index")] == [
        f"{stage} PMC{n}.1" for stage in ("fetch", "words") for n in (100, 101, 102)
    ]
    assert len(toy.rows("fetch")) == 62


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


def test_blocks_that_are_no_more_leave_the_records(toy: Toy) -> None:
    toy.run()
    rows = toy.rows("index")
    both = toy.changed(keys=("shards.level=both",))
    both.run()
    assert sorted(both.state.records("index")) == ["part-0-of-2", "part-1-of-2"]
    assert both.rows("index") == rows
    both.collect()
    assert not [name for name in both.files() if "part-0-of-1" in name]
    assert both.due() == {} and both.verify() == []


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


def test_too_many_dead_units_end_the_run_after_the_commits(toy: Toy) -> None:
    toy.write({n: article("x", lose="timeout") for n in range(1, 61)})
    with pytest.raises(RunFailed, match=r"60 of 60 units are dead \(mostly timeout\)"):
        toy.run()
    assert len(toy.state.records("fetch")) == 3 and not toy.state.records("words")


def test_an_earlier_stage_is_named(toy: Toy) -> None:
    with pytest.raises(StaleUpstream, match="fetch needs catalogue"):
        toy.run("fetch")
    toy.run("catalogue")
    with pytest.raises(StaleUpstream, match="words needs fetch"):
        toy.run("words")
    with pytest.raises(StaleUpstream, match="report needs"):
        toy.run("report")
    assert toy.calls() == []


def test_dry_run_says_what_is_due_and_what_waits(toy: Toy) -> None:
    said = {name: summary.due for name, summary in toy.run(dry_run=True).items()}
    assert said["catalogue"] == (("all", "never done"),)
    assert said["fetch"] == (("all", "waits for catalogue"),) and said["report"] == (("all", "waits for index"),)
    assert toy.calls() == [] and not any(toy.state.records(name) for name in STAGES)


def test_only_and_limit_choose_blocks(toy: Toy) -> None:
    toy.run("catalogue")
    toy.run("fetch", limit=1)
    toy.run("fetch", only=frozenset(["000000041"]))
    assert sorted(toy.state.records("fetch")) == [FIRST, "000000041"]
    toy.run("words", limit=1)
    assert sorted(toy.state.records("words")) == [FIRST]


def test_an_unknown_place_to_run_is_a_usage_error(toy: Toy) -> None:
    with pytest.raises(UsageError, match="processes:N"):
        toy.run(on="cluster")


def test_a_run_that_fails_keeps_what_was_committed(toy: Toy) -> None:
    toy.write({**articles(60), 50: article("x", fail=True)})
    with pytest.raises(RunFailed, match="does not answer"):
        toy.run()
    assert len(toy.state.records("fetch")) == 2
    toy.calls()
    toy.write(articles(60))
    toy.run(update=True)
    assert sum(line.startswith("fetch") for line in toy.calls()) == 20


@pytest.mark.parametrize("on", ["threads:2", "processes:2"])
def test_an_error_of_the_whole_run_comes_back_from_workers(toy: Toy, on: str) -> None:
    toy.write({n: article("x", fail=True) for n in range(1, 61)})
    with pytest.raises(RunFailed, match="does not answer"):
        toy.run(on=on)
    assert not toy.state.records("fetch")


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


def test_the_log_has_no_clock_outside_of_run(toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.run()
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    monkeypatch.setattr("time.time", lambda: 12.0)
    other = Toy(tmp_path / "other")
    other.write(articles(60))
    other.run()
    for stage in STAGES[1:4]:
        for ours, theirs in zip(toy.state.records(stage).values(), other.state.records(stage).values(), strict=True):
            assert {**ours, "run": None} == {**theirs, "run": None}


def test_units_that_come_twice_are_a_bug(toy: Toy) -> None:
    def twice(tables: object, spec: object, block: str) -> object:
        return [*toy.pipeline[1].units(tables, spec, block)] * 2  # type: ignore[union-attr, arg-type]

    with pytest.raises(AssertionError, match="comes twice"):
        toy.with_step("fetch", units=twice).run()


def test_finish_may_not_move_rows(toy: Toy) -> None:
    with pytest.raises(AssertionError, match="moved rows"):
        toy.with_step("index", finish=lambda rows, at: rows.take(list(range(rows.num_rows))[::-1])).run()


def test_log_is_written_by_the_driver_once_a_block(toy: Toy) -> None:
    toy.run(on="threads:3")
    lines = toy.state.log_path("fetch").read_bytes().splitlines()
    assert len(lines) == 3 and all(log.decode(line) for line in lines)
    assert all(r["output"]["path"].startswith("fetch/") for r in toy.state.records("fetch").values())
