"""Run one step of a pipeline: plan it, work on what is due, commit each block, count everything."""

from __future__ import annotations

import bisect
import contextlib
import functools
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from pmcoa_build.engine import files, log
from pmcoa_build.engine.care import outputs
from pmcoa_build.engine.executors import Site, needs_resource, run_jobs
from pmcoa_build.engine.plan import Due, Plan, World, fingerprint, plan_all, used_blocks
from pmcoa_build.engine.progress import Style, open_progress
from pmcoa_build.engine.read import read_columns, read_file, read_parts
from pmcoa_build.engine.stage import Row, Stage, Step, Task, TaskContext, TaskOutput
from pmcoa_build.engine.state import State
from pmcoa_build.engine.work import FREED, Job, Source, stamp
from pmcoa_build.errors import Interrupted, RunFailed, StaleUpstream
from pmcoa_build.spec import Spec

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How to run: `only`/`limit` choose blocks, `update` moves the snapshot, `dry_run` only says what is due."""

    on: str = ""
    only: frozenset[str] = frozenset()
    limit: int = 0
    update: bool = False
    dry_run: bool = False
    progress: Style = "auto"


@dataclass(frozen=True)
class Summary:
    """What a run of one step did: the due blocks with their reasons, and totals over all of its blocks."""

    step: str
    due: tuple[tuple[str, str], ...]
    committed: int = 0
    computed: int = 0
    counts: Row = field(default_factory=dict)
    seconds: float = 0.0
    facts: Row = field(default_factory=dict)


class Stop:
    """Two-stage stop: the first SIGINT or SIGTERM lets running blocks finish, the second ends the process."""

    def __init__(self) -> None:
        self.signal = 0

    def __call__(self) -> bool:
        return self.signal != 0

    @contextlib.contextmanager
    def installed(self) -> Iterator[Stop]:
        """Handle the signals while the block runs (main thread only)."""
        before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, frame: object) -> None:
        if self.signal:  # threads and workers cannot be unwound at once; a kill is safe at any point
            sys.stderr.write("pmcoa: Stopped; what was committed stays, run again to go on.\n")
            sys.stderr.flush()
            os._exit(self.error().exit_code)
        self.signal = number
        logger.warning("Stopping after the blocks in flight; once more to stop at once.")

    def error(self) -> Interrupted:
        """The error that ends the run, with the exit code of the signal."""
        code = 143 if self.signal == signal.SIGTERM else 130
        return Interrupted("Interrupted; what was finished is committed, run again to go on.", code)


@dataclass(frozen=True)
class Run:
    """One run over a build, under its lock."""

    pipeline: Sequence[Step]
    spec: Spec
    state: State
    options: Options
    stop: Stop

    def step(self, name: str) -> Step:
        """The step of that name."""
        return next(step for step in self.pipeline if step.name == name)


@files.unwatched()
def world_of(pipeline: Sequence[Step], state: State) -> World:
    """Read all records of a build."""
    records = {step.name: state.records(step.name) for step in pipeline}
    defining = next(step.name for step in pipeline if isinstance(step, Task) and step.defines_blocks)
    record = records[defining].get("all")
    sizes = _Sizes(state.out)
    hashes = _block_table(state, record) if record and not _broken(sizes, record) else {}
    return World(records, {name: row["hash"] for name, row in hashes.items()}, defining,
                 record["content"] if record else "", lambda item: not _broken(sizes, item), time.time())


def run_step(run: Run, step: Step) -> Summary:
    """Run one step to the end of what is due.

    Raises StaleUpstream when an earlier stage has to run first, RunFailed when too much is dead, Interrupted.
    """
    started = time.monotonic()
    plans, world = plan_all(_with_ancestors(step, run.pipeline), run.spec, world_of(run.pipeline, run.state))
    plan = plans[step.name]
    due = _chosen(run, step, plans, world)
    reasons = tuple((item.block, item.why) for item in due)
    if run.options.dry_run:
        return Summary(step.name, reasons + tuple((block, f"waits for {name}") for block, name in plan.waiting.items()))
    if due and isinstance(step, Task):
        _run_task(run, step, world, due[0])
    elif due and isinstance(step, Stage):
        _run_stage(run, step, world, due)
    if run.stop():
        raise run.stop.error()
    records = _without_gone(run.state, step, plan)
    current = [records[name] for name in plan.blocks if name in records]
    counts = total_counts(current)
    if due:
        _check_dead(step, counts, run.spec)
    computed = sum(records[item.block]["run"]["computed"] for item in due)
    facts = current[0].get("facts", {}) if current else {}
    return Summary(step.name, reasons, len(due), computed, counts, time.monotonic() - started, facts)


def _without_gone(state: State, step: Step, plan: Plan) -> dict[str, Row]:
    """The step's records; once all of its blocks are done, those of blocks that are no more are taken back."""
    records = state.records(step.name)
    complete = plan.blocks and not plan.waiting and records.keys() >= set(plan.blocks)
    gone = records.keys() - set(plan.blocks) if complete else ()
    for block in sorted(gone):
        log.drop(state.log_path(step.name), block)
    return {block: record for block, record in records.items() if block not in gone}


def total_counts(records: Iterable[Row]) -> Row:
    """Counts added up over records: {"in", "done", "filtered": {reason: n}, "dead": {reason: n}}."""
    total: Row = {"in": 0, "done": 0, "filtered": {}, "dead": {}}
    for record in records:
        counts = record.get("counts") or {}
        total["in"] += counts.get("in", 0)
        total["done"] += counts.get("done", 0)
        for outcome in ("filtered", "dead"):
            for reason, count in counts.get(outcome, {}).items():
                total[outcome][reason] = total[outcome].get(reason, 0) + count
    return total


def _chosen(run: Run, step: Step, plans: Mapping[str, Plan], world: World) -> list[Due]:
    """The due blocks to run now. Waiting blocks are an error unless the user chose blocks."""
    options, plan = run.options, plans[step.name]
    due = [item for item in plan.due if not options.only or item.block in options.only]
    choosy = bool(options.only or options.limit)
    if plan.waiting and not (choosy and due) and not options.dry_run:
        first = next(name for name, made in plans.items() if made.stale)
        raise StaleUpstream(
            f"{step.name} needs {first}, which is not up to date: run `python -m stages {first} "
            f"{run.spec.path}` first."
        )
    if isinstance(step, Task) and step.defines_blocks and options.update and not due:
        due = [Due("all", "update asked for", world.records[step.name]["all"]["inputs"], None)]
    return _split_first(due, world.records.get(step.name, {}))[: options.limit or None]


def _split_first(due: list[Due], own: Mapping[str, Row]) -> list[Due]:
    """What a block is split into goes before it, the highest part first: all copy from the block as it was."""
    if not own:
        return due
    return [item for item in reversed(due) if item.block not in own] + [item for item in due if item.block in own]


def _with_ancestors(step: Step, pipeline: Sequence[Step]) -> list[Step]:
    """The step and all that it depends on, in the order of the pipeline."""
    needed = {step.name}
    for item in reversed(pipeline):
        if item.name in needed:
            needed |= {source.stage for source in item.inputs}
    return [item for item in pipeline if item.name in needed]


def _run_stage(run: Run, stage: Stage, world: World, due: Sequence[Due]) -> None:
    on = run.options.on or run.spec.run.on
    names = sorted(world.records.get(stage.name, {})) if stage.partition is None else []
    jobs = (_job(run, stage, world, item, names) for item in due)
    progress = open_progress(run.options.progress, stage.name, stage.scope, len(due))
    setup = stage.setup(run.spec) if stage.setup and needs_resource(on, stage, run.spec) else contextlib.nullcontext()
    with contextlib.closing(progress), setup as resource:
        clock = time.monotonic()
        for job, receipt in run_jobs(Site(on, stage, run.spec, resource), jobs, progress.units, run.stop):
            now = time.monotonic()
            fetched = _fetched(world.records.get(stage.name, {}).get(job.due.block),
                               stage.spent(resource) if stage.spent else {}, now - clock)
            _commit(run.state, stage, {**receipt, "snapshot": world.snapshot}, now - clock, fetched)
            clock = now
            if stage.committed is not None:
                stage.committed(resource)
            progress.block()
            logger.debug("%s: block %s committed (%s)", stage.name, job.due.block, job.due.why)


def _fetched(before: Row | None, spent: Mapping[str, int], seconds: float) -> dict[str, float]:
    """What a block has asked of the source since it was first begun, and the seconds that this took."""
    told = before["run"].get("fetched", {}) if before else {}
    spent_now = {**spent, "seconds": round(seconds, 3)} if spent else {}
    return {name: told.get(name, 0) + spent_now.get(name, 0) for name in {**told, **spent_now}}


def total_fetched(records: Iterable[Row]) -> dict[str, float]:
    """What the source has been asked for over records: {"requests", "bytes", …, "seconds"}; {} where nothing was."""
    total: dict[str, float] = {}
    for record in records:
        for name, count in record["run"].get("fetched", {}).items():
            total[name] = total.get(name, 0) + count
    return total


def _commit(state: State, step: Step, receipt: Row, seconds: float, fetched: Mapping[str, float]) -> None:
    counts = receipt.get("counts")
    if counts and counts["in"] != counts["done"] + sum(counts["filtered"].values()) + sum(counts["dead"].values()):
        raise AssertionError(f"{step.name}: counts of block {receipt['block']} do not add up: {counts}")
    log.append(state.log_path(step.name), stamp(receipt, seconds, socket.gethostname(), fetched))


def _job(run: Run, stage: Stage, world: World, due: Due, names: Sequence[str]) -> Job:
    """`names`: the blocks that the stage has records of, sorted; none for a stage that makes its own."""
    sources = tuple(_source(run, source.stage, world, due) for source in stage.inputs)
    own = world.records.get(stage.name, {})
    previous = own.get(due.block) or _split_from(own, names, due.block)
    salt = own[due.block]["ledger"]["sha256"] if due.retry and due.block in own else ""
    return Job(due, sources, run.state.out, previous, salt)


def _source(run: Run, name: str, world: World, due: Due) -> Source:
    upstream, records = run.step(name), world.records.get(name, {})
    assert upstream.schema is not None
    if name == world.defining:
        table = _block_table(run.state, records["all"])[due.block]
        path = run.state.path(records["all"]["table"]["path"])
        return Source(name, (path,), upstream.key, upstream.schema, (table["by"], table["lower"], table["upper"]))
    used = [records[block] for block in used_blocks(upstream, records, due.upstream_blocks)]
    outputs = [record.get("output") or record["table"] for record in used]
    paths = tuple(run.state.path(item["path"]) for item in outputs)
    return Source(name, paths, upstream.key, upstream.schema, freed=any(record.get(FREED) for record in used))


def _split_from(own: Mapping[str, Row], names: Sequence[str], block: str) -> Row | None:
    """The record of the block that this one was split from: the next lower name (blocks are named by lower ends)."""
    at = bisect.bisect_left(names, block)
    return own[names[at - 1]] if at else None


def _run_task(run: Run, task: Task, world: World, due: Due) -> None:
    def table(name: str) -> pa.Table:
        source = _source(run, name, world, due)
        columns = next(item.columns for item in task.inputs if item.stage == name)
        return read_columns(source.paths, columns, source.schema)

    clock = time.monotonic()
    previous = world.records.get(task.name, {}).get("all")
    for path in _broken(_Sizes(run.state.out), previous) if previous else ():
        run.state.path(path).unlink(missing_ok=True)  # so that the task finds it missing, and makes it anew
    progress = open_progress(run.options.progress, task.name, "step", 1)
    context = TaskContext(
        spec=run.spec, out=run.state.out, fingerprint=fingerprint(due.inputs),
        previous=previous, update=run.options.update,
        tables=table, upstream=world.records, stop=run.stop, show=progress.show,
    )
    with contextlib.closing(progress):
        try:
            output = task.run(context)
        except Interrupted:
            raise (run.stop.error() if run.stop() else Interrupted("Interrupted; run again to go on.")) from None
    receipt, seconds = _task_receipt(run.state, task, due, output), time.monotonic() - clock
    _commit(run.state, task, receipt, seconds, _fetched(previous, output.spent, seconds))


def _task_receipt(state: State, task: Task, due: Due, output: TaskOutput) -> Row:
    columns = {"facts": files.combined({"facts": files.canonical(output.facts).hex()})}
    table = files.describe(output.table, state.out) if output.table is not None else None
    if output.table is not None and task.schema is not None and not task.defines_blocks:
        content = files.ContentHash(task.schema, task.key)
        for part in read_parts(output.table):
            content.add(part)
        columns |= content.columns()
        table = {**(table or {}), "rows": content.rows}
    return {
        "block": due.block, "inputs": due.inputs, "facts": output.facts, "counts": output.counts or {},
        "files": [files.describe(path, state.out) for path in output.files],
        "table": table,
        "columns": columns, "content": files.combined(columns), "computed": 1,
    }


def _block_table(state: State, record: Row) -> dict[str, Row]:
    """Block -> {"hash", "lower", "upper", "by"} as the defining task wrote them."""
    return _read_blocks(state.path(record["facts"]["blocks"]))


@functools.lru_cache(maxsize=2)
def _read_blocks(path: Path) -> dict[str, Row]:
    try:
        return {row["block"]: row for row in read_file(path).to_pylist()}
    except (OSError, pa.ArrowInvalid) as error:
        raise RunFailed(f"{path} is damaged ({error}): delete it and run the first stage again.") from None


class _Sizes(dict[str, int | None]):
    """Path of a file below `out` -> its size, None if there is none; each folder is listed once, when first needed.

    A large build has a quarter of a million files, and asking for each by its path takes several times as long.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._listed: set[str] = set()

    def __missing__(self, path: str) -> int | None:
        folder = path.rpartition("/")[0]
        if folder not in self._listed:
            self._listed.add(folder)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(self._out / folder) as entries:
                self.update({f"{folder}/{entry.name}": entry.stat().st_size for entry in entries if entry.is_file()})
        return self.get(path)


def _broken(sizes: Mapping[str, int | None], record: Row) -> list[str]:
    """Outputs of a record that are missing or have another size (`verify` checks every byte)."""
    return [output["path"] for output in outputs(record) if sizes[output["path"]] != output["bytes"]]


def _check_dead(step: Step, counts: Row, spec: Spec) -> None:
    dead = sum(counts["dead"].values())
    if counts["in"] and dead / counts["in"] > spec.run.max_dead_fraction:
        worst = max(counts["dead"], key=lambda reason: counts["dead"][reason])
        raise RunFailed(
            f"{step.name}: {dead} of {counts['in']} units are dead (mostly {worst}), more than [run] max_dead_fraction "
            f"= {spec.run.max_dead_fraction:g} allows; what was done is committed. `python -m stages report` lists why."
        )
