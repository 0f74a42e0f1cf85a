"""Whole runs of the toy pipeline: what is due, what is recorded, what ends a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmcoa_build.engine.stage import Result
from pmcoa_build.errors import RunFailed, StaleUpstream
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
    with pytest.raises(StaleUpstream, match="words needs fetch"):
        toy.run("words", only=frozenset(["000000021"]))
    toy.run("words", limit=1)
    assert sorted(toy.state.records("words")) == [FIRST]


def test_a_run_that_fails_keeps_what_was_committed(toy: Toy) -> None:
    toy.write({**articles(60), 50: article("x", fail=True)})
    with pytest.raises(RunFailed, match="does not answer"):
        toy.run()
    assert len(toy.state.records("fetch")) == 2
    toy.calls()
    toy.write(articles(60))
    toy.run(update=True)
    assert sum(line.startswith("fetch") for line in toy.calls()) == 20


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
