"""The planner, a pure function: what is due, why, and what waits."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build import spec as specs
from pmcoa_build.engine.files import combined
from pmcoa_build.engine.plan import (
    LONGEST_WAIT,
    Plan,
    World,
    _hash,
    _hasher,
    _look,
    makes_own,
    plan_all,
    retry_wait,
    spec_value,
    used_blocks,
)
from pmcoa_build.engine.runner import world_of
from pmcoa_build.engine.stage import Row, Stage, Step
from tests.engine.toy import PIPELINE, Toy, article, articles

A, B = "000000000", "000000021"


@dataclass(frozen=True)
class Given:
    """All that a plan depends on; `at` gives the same with something else."""

    steps: Sequence[Step]
    spec: specs.Spec
    world: World

    def plans(self) -> dict[str, Plan]:
        return plan_all(self.steps, self.spec, self.world)[0]

    def due(self) -> dict[str, dict[str, str]]:
        return {name: {d.block: d.why for d in plan.due} for name, plan in self.plans().items() if plan.due}

    def waiting(self) -> dict[str, dict[str, str]]:
        return {name: dict(plan.waiting) for name, plan in self.plans().items() if plan.waiting}

    def step(self, name: str, **changes: object) -> Given:
        return replace(self, steps=[replace(s, **changes) if s.name == name else s for s in self.steps])  # type: ignore

    def keys(self, *overrides: str) -> Given:
        return replace(self, spec=specs.load(self.spec.path, overrides))

    def record(self, stage: str, block: str, change: Callable[[Row], Row | None]) -> Given:
        changed = change(self.world.records[stage][block])
        others = {name: record for name, record in self.world.records[stage].items() if name != block}
        made = {**others, block: changed} if changed is not None else others
        return replace(self, world=replace(self.world, records={**self.world.records, stage: made}))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """The records of a finished build of two blocks, whose files are gone: the planner looks at none."""
    toy = Toy(tmp_path_factory.mktemp("toy"))
    toy.write({**articles(40), 3: article("x", lose="timeout")})
    toy.run()
    world = replace(world_of(PIPELINE, toy.state), intact=lambda record: True)
    shutil.rmtree(toy.state.out)
    shutil.rmtree(toy.state.folder)
    finished = world.records["fetch"][A]["run"]["finished"]
    return Given(PIPELINE, toy.spec, replace(world, now=finished + 1))


HASHES = st.dictionaries(st.sampled_from("abc%"), st.from_regex(r"[0-9a-f]{32}", fullmatch=True))
COLUMNS = st.lists(st.sampled_from("abcd%"), unique=True).map(tuple)


@given(st.dictionaries(st.from_regex(r"[0-9]{9}", fullmatch=True), HASHES, min_size=1), st.lists(COLUMNS, min_size=1))
def test_hashes_are_those_that_records_hold(blocks: dict[str, dict[str, str]], columns: list[tuple[str, ...]]) -> None:
    """The quick way, one template for all steps, gives what `combined` gives."""
    for together in (False, True):
        look = _look({str(number): (some, together) for number, some in enumerate(columns)})
        seen = {block: look(block, {"columns": found}) for block, found in blocks.items()}
        for number, some in enumerate(columns):
            told = {block: {f"{block}/{column}": found.get(column, "") for column in some}
                    for block, found in blocks.items()}
            if together:
                expected = combined({name: value for one in told.values() for name, value in one.items()})
                assert _hash([seen[block][str(number)] for block in sorted(seen)]) == expected
            else:
                assert all(seen[block][str(number)] == combined(told[block]) for block in blocks)


@given(st.dictionaries(st.sampled_from([A, B, "000000041"]), HASHES, min_size=1), COLUMNS,
       st.sets(st.sampled_from([A, B, "000000041"]), min_size=1), st.sampled_from(["words", "index", "report"]))
def test_upstream_hashes_are_of_the_blocks_that_are_read(
    found: dict[str, dict[str, str]], columns: tuple[str, ...], read: set[str], name: str
) -> None:
    step = next(step for step in PIPELINE if step.name == name)
    blocks = frozenset(read) if isinstance(step, Stage) and step.partition else frozenset([min(read)])
    look = _look({name: (columns, makes_own(step))})
    seen = {block: look(block, {"columns": hashes}) for block, hashes in found.items()}
    records = {block: {"columns": hashes} for block, hashes in found.items()}
    world = World({}, {}, "catalogue", "", lambda record: True, 0.0)
    for asked in [blocks, None] if makes_own(step) else [blocks]:
        used = used_blocks(PIPELINE[1], records, asked)
        expected = combined({f"{block}/{column}": found[block].get(column, "") for block in used for column in columns})
        assert _hasher(step, "fetch", seen, False, world)(asked) == expected


def test_nothing_is_due_after_a_run(done: Given) -> None:
    assert done.due() == {} and done.waiting() == {}


_WIDER = pa.schema([*PIPELINE[2].schema, pa.field("more", pa.string())])  # type: ignore[misc]
_OTHER = "0" * 32


@pytest.mark.parametrize(("change", "due"), [
    (lambda g: g.record("words", B, lambda r: None), {B: "never done"}),
    (lambda g: g.step("words", version=7), {A: "version 1 -> 7", B: "version 1 -> 7"}),
    (lambda g: g.step("words", schema=_WIDER), {A: "its columns changed", B: "its columns changed"}),
    (lambda g: g.keys("panels.quality=7"), {A: "spec panels.quality changed", B: "spec panels.quality changed"}),
    (lambda g: g.step("words", extra=lambda spec: "other"), {A: "weights changed", B: "weights changed"}),
    (lambda g: g.record("fetch", B, lambda r: {**r, "columns": {**r["columns"], "md5": _OTHER}}), {B: "fetch changed"}),
    (lambda g: g.record("fetch", B, lambda r: {**r, "columns": {**r["columns"], "length": _OTHER}}), {}),
    (lambda g: g.record("fetch", B, lambda r: {**r, "content": _OTHER}), {}),
    (lambda g: g.record("words", A, lambda r: {**r, "retry": ["timeout"]}), {A: "retry asked for timeout"}),
    (lambda g: g.step("words", version=2).keys("panels.quality=7"),
     dict.fromkeys((A, B), "version 1 -> 2, spec panels.quality changed")),
    (lambda g: g.step("words", spec_keys=()), dict.fromkeys((A, B), "spec panels.quality changed")),
    (lambda g: g.step("words", process=None), {}),
])
def test_why_a_block_is_due(done: Given, change: Callable[[Given], Given], due: dict[str, str]) -> None:
    assert change(done).due().get("words", {}) == due


def test_a_damaged_file_makes_its_block_due(done: Given) -> None:
    broken = done.world.records["words"][B]
    given = replace(done, world=replace(done.world, intact=lambda record: record != broken))
    assert given.due() == {"words": {B: "its file is missing or damaged"}}


def test_retries_become_due_with_time_alone_and_hold_nothing_up(done: Given) -> None:
    later = replace(done, world=replace(done.world, now=done.world.now + retry_wait(1)))
    assert later.due() == {"fetch": {A: "time to retry timeout"}} and later.waiting() == {}
    assert later.plans()["fetch"].due[0].retry == {"timeout"} and later.plans()["fetch"].stale == set()


def test_a_key_that_reaches_units_as_facts(done: Given) -> None:
    given = done.step("words", fact_keys=("align.llm_model",))
    assert given.due() == {}
    why = "spec align.llm_model changed"
    assert given.keys("align.llm_model=x").due() == {"words": {A: why, B: why}}


def test_waits_grow_up_to_a_limit() -> None:
    waits = [retry_wait(n) for n in range(12)]
    assert waits[:4] == [600, 600, 2400, 9600] and waits == sorted(waits) and waits[-1] == LONGEST_WAIT


def test_what_depends_on_a_due_block_waits_and_the_rest_goes_on(done: Given) -> None:
    given = done.record("fetch", B, lambda r: None)
    assert given.due() == {"fetch": {B: "never done"}}
    assert given.waiting() == {"words": {B: "fetch"}, "index": {"all": "words"}, "report": {"all": "index"}}
    given = given.keys("panels.quality=7")
    assert given.due()["words"] == {A: "spec panels.quality changed"}


def test_everything_waits_for_the_task_that_defines_the_blocks(done: Given) -> None:
    given = done.record("catalogue", "all", lambda r: None)
    assert given.due() == {"catalogue": {"all": "never done"}}
    assert given.waiting()["fetch"] == {A: "catalogue", B: "catalogue"}
    empty = replace(given, world=replace(given.world, records={}, block_hashes={}))
    assert empty.waiting()["fetch"] == {"all": "catalogue"}
    assert set(empty.waiting()) == {"fetch", "words", "index", "report"}


def test_one_changed_block_of_the_catalogue(done: Given) -> None:
    given = replace(done, world=replace(done.world, block_hashes={**done.world.block_hashes, B: _OTHER}))
    assert given.due() == {"fetch": {B: "catalogue changed"}}
    assert given.waiting()["words"] == {B: "fetch"}


def test_records_of_blocks_that_are_no_more_are_not_looked_at(done: Given) -> None:
    both = done.keys("shards.level=both")
    assert set(both.due()["index"]) == {"part-0-of-2", "part-1-of-2"}
    old = done.world.records["index"]["part-0-of-1"]
    given = done.record("index", "part-0-of-1", lambda r: r)
    given = replace(given, world=replace(given.world, records={
        **given.world.records, "index": {"part-0-of-1": old, "part-7-of-9": {**old, "columns": {}}},
    }))
    assert given.due() == {}


def test_a_file_that_a_key_names_counts_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[align]\ncorrections = "x.jsonl"\n[shards]\nexclude = ["y.txt", "./folder"]\n')

    def told() -> list[str]:
        spec = specs.load(tmp_path / "a.toml")
        return [spec_value(spec, "align.corrections"), spec_value(spec, "shards.exclude")]

    (tmp_path / "y.txt").write_text("1")
    (tmp_path / "x.jsonl").write_text("1")
    before = told()
    (tmp_path / "x.jsonl").write_text("2")
    assert told()[0] != before[0] and told()[1] == before[1]
    (tmp_path / "y.txt").write_text("2")
    assert told()[1] != before[1]
