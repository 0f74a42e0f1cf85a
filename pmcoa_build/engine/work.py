"""One block: copy the units that are unchanged, compute the others, write rows and ledger, hand back a receipt.

Runs in the driver or in a worker process. Nothing counts until the driver has appended the receipt to the commit log.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pmcoa_build import reasons
from pmcoa_build.engine import files
from pmcoa_build.engine.compute import Compute, in_order
from pmcoa_build.engine.plan import Due, fingerprint, unit_base
from pmcoa_build.engine.read import UNITS, Content, Previous, read_columns, read_range
from pmcoa_build.engine.stage import Finish, Row, Stage, Unit
from pmcoa_build.errors import StaleUpstream
from pmcoa_build.spec import Spec

FREED = "freed"
"""What `retry` takes beside the reasons: heavy columns that `gc --originals` has emptied."""

ROWS_A_GROUP = 64
"""Rows in a row group of a block: few, so that single images are read without many neighbours."""


@dataclass(frozen=True)
class Source:
    """Where a block finds one input: files, and a range of ids when the file holds more than the block."""

    stage: str
    paths: tuple[Path, ...]
    key: str
    schema: pa.Schema
    id_range: tuple[str, int, int | None] | None = None
    freed: bool = False


@dataclass(frozen=True)
class Job:
    """All that a worker needs for one block."""

    due: Due
    sources: tuple[Source, ...]
    out: Path
    previous: Row | None
    salt: str


@dataclass(frozen=True)
class Done:
    """What became of one unit: `copied` rows come from the previous file."""

    unit: Unit
    fingerprint: bytes
    rows: list[Row]
    lost: tuple[Row, ...]
    dropped: tuple[Row, ...]
    attempts: int
    copied: bool
    memo: bytes


@dataclass(frozen=True)
class _Block:
    """A block at work: its stage and job, what it was before, and its heavy columns."""

    stage: Stage
    spec: Spec
    job: Job
    previous: Previous | None
    content: _Contents


def run_block(stage: Stage, spec: Spec, job: Job, compute: Compute, tick: Callable[[int], None]) -> Row:
    """Work on one block and return its receipt (a record without `run`). Files are written, nothing is recorded."""
    tables = {source.stage: _read(stage, source) for source in job.sources}
    units = stage.units(tables, spec, job.due.block)
    base = unit_base(job.due.inputs)
    if len({unit.id for unit in units}) < len(units):
        raise AssertionError(f"{stage.name}: a unit comes twice in block {job.due.block}")
    prints = [hashlib.sha256(base + files.canonical([unit.id, unit.facts])).digest()[:16] for unit in units]
    block = _Block(stage, spec, job, _open_previous(job), _Contents(stage, job.sources))
    try:
        if _unchanged(block, units, prints):
            assert job.previous is not None
            return {**_kept(job.previous), "inputs": job.due.inputs}
        with closing(_work(block, list(zip(units, prints, strict=True)), compute, tick)) as outcomes:
            return _write(block, tables, outcomes)
    finally:
        block.content.close()
        if block.previous is not None:
            block.previous.close()


def _read(stage: Stage, source: Source) -> pa.Table:
    columns = next(item.columns for item in stage.inputs if item.stage == source.stage)
    if source.id_range is not None:
        by, lower, upper = source.id_range
        return read_range(source.paths[0], columns, lower, upper, by)
    return read_columns(source.paths, columns, source.schema)


def _open_previous(job: Job) -> Previous | None:
    """The block's last files, unless they are gone or damaged (then all is computed)."""
    if job.previous is None:
        return None
    data, ledger = (job.out / job.previous[name]["path"] for name in ("output", "ledger"))
    whole = all(
        path.exists() and path.stat().st_size == job.previous[name]["bytes"]
        for path, name in ((data, "output"), (ledger, "ledger"))
    )
    return Previous(data, ledger) if whole else None


def _unchanged(block: _Block, units: list[Unit], prints: list[bytes]) -> bool:
    """Whether the block has the same units with the same fingerprints: then its file stays as it is."""
    job, before = block.job, block.previous.units if block.previous is not None else None
    if before is None or job.due.retry or block.stage.finish or job.previous is None or len(before) != len(units):
        return False
    return job.previous["block"] == job.due.block and all(
        unit.id in before and before[unit.id]["fingerprint"] == print_
        for unit, print_ in zip(units, prints, strict=True)
    )


def _kept(record: Row) -> Row:
    return {**{k: v for k, v in record.items() if k not in ("run", "retry")}, "computed": 0}


class _Contents:
    """Heavy columns of all inputs, opened when first asked for."""

    def __init__(self, stage: Stage, sources: Iterable[Source]) -> None:
        self._columns = {item.stage: item.content for item in stage.inputs if item.content}
        self._sources = {source.stage: source for source in sources}
        self._open: dict[str, Content] = {}

    def row(self, stage: str, key: str) -> Row:
        if stage not in self._open:
            source = self._sources[stage]
            self._open[stage] = Content(source.paths, source.key, self._columns[stage])
        row = self._open[stage].row(key)
        if self._sources[stage].freed and any(_is_empty(row[name]) for name in self._columns[stage]):
            raise StaleUpstream(
                f"{key} is needed, but `gc --originals` freed it: run `python -m stages retry SPEC --reason freed`, "
                f"then {stage} again."
            )
        return row

    def close(self) -> None:
        for content in self._open.values():
            content.close()


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, dict) and all(item is None for item in value.values()))


def _work(
    block: _Block, units: list[tuple[Unit, bytes]], compute: Compute, tick: Callable[[int], None]
) -> Generator[Done]:
    """Outcomes in the order of the units; network stages have several under way at once."""
    connections = block.spec.source.connections if block.stage.uses_network(block.spec) else 1
    for done in in_order(lambda pair: _one(block, *pair, compute), units, connections):
        tick(len(done.unit.members))
        yield done


def _one(block: _Block, unit: Unit, print_: bytes, compute: Compute) -> Done:
    """Copy a unit that is unchanged, compute any other."""
    stage, previous = block.stage, block.previous
    before = previous.units.get(unit.id) if previous is not None else None
    same = before is not None and before["fingerprint"] == print_
    if same and before is not None and previous is not None and not _due_again(before, block.job.due.retry):
        rows = previous.rows(unit.id, stage.schema)
        lost, dropped = tuple(before["lost"]), tuple(before["dropped"])
        return Done(unit, print_, rows, lost, dropped, before["attempts"], True, before.get("memo") or b"")
    heavy = {source: block.content.row(source, key) for source, key in unit.content.items()}
    if stage.recalls and before is not None and previous is not None:
        heavy[stage.name] = {"rows": _rows_before(block, previous, unit), "memo": before.get("memo") or b""}
    result = compute(unit, heavy)
    lost = tuple({"unit": m, "reason": x.reason, "detail": x.detail[:500]} for m, x in sorted(result.lost.items()))
    attempts = (before["attempts"] if same and before is not None else 0) + 1
    dropped = tuple({"reason": reason, "count": count} for reason, count in sorted(result.dropped.items()))
    return Done(unit, print_, list(result.rows), lost, dropped, attempts, False, result.memo)


def _rows_before(block: _Block, previous: Previous, unit: Unit) -> list[Row]:
    """The rows of last time, unless their columns were others then."""
    job = block.job
    same = job.previous is not None and job.previous["inputs"]["schema"] == job.due.inputs["schema"]
    return previous.rows(unit.id, block.stage.schema) if same else []


def _due_again(entry: Row, retry: frozenset[str]) -> bool:
    return FREED in retry or any(loss["reason"] in retry for loss in entry["lost"])


def _write(block: _Block, tables: Mapping[str, pa.Table], outcomes: Iterator[Done]) -> Row:
    """Write rows and ledger; the receipt says what they are."""
    stage, job, previous = block.stage, block.job, block.previous
    name = f"{job.due.block}-{fingerprint(job.due.inputs, job.salt)[:12]}"
    data, ledger = (job.out / stage.name / f"{name}{ending}" for ending in (".parquet", ".units.parquet"))
    tally = _Tally()
    batches = files.batches((row for done in outcomes for row in tally.add(done)), stage.schema, ROWS_A_GROUP)
    if stage.finish is not None:
        before = previous.table() if previous is not None else None
        whole = pa.concat_tables([stage.schema.empty_table(), *batches])
        finished = stage.finish(whole, Finish(tables, before, block.content.row, block.spec))
        if finished[stage.key].to_pylist() != whole[stage.key].to_pylist():
            raise AssertionError(f"{stage.name}: finish added, dropped or moved rows")
        batches = iter([finished])
    groups = stage.row_groups(batches) if stage.row_groups else batches
    written = files.write_block(data, stage.schema, stage.key, groups, stage.open_writer)
    files.write_block(ledger, UNITS, "unit", files.batches(tally.ledger, UNITS, 10_000))
    columns = written.columns()
    return {
        "block": job.due.block,
        "scope": stage.scope,
        "inputs": job.due.inputs,
        "output": {**files.describe(data, job.out), "rows": written.rows},
        "ledger": files.describe(ledger, job.out),
        "columns": columns,
        "content": files.combined(columns),
        **tally.summary(),
        **({FREED: True} if tally.computed < tally.members and job.previous and job.previous.get(FREED) else {}),
    }


class _Tally:
    """Counts every member of every unit, and keeps the ledger."""

    def __init__(self) -> None:
        self.ledger: list[Row] = []
        self.lost: dict[str, Counter[str]] = {"filtered": Counter(), "dead": Counter()}
        self.dropped: Counter[str] = Counter()
        self.retryable: dict[str, int] = {}
        self.awaiting: set[str] = set()
        self.members = 0
        self.computed = 0

    def add(self, done: Done) -> list[Row]:
        unknown = {loss["unit"] for loss in done.lost} - set(done.unit.members)
        if unknown:
            raise AssertionError(f"{done.unit.id}: lost members that it does not have: {sorted(unknown)}")
        self.members += len(done.unit.members)
        self.computed += 0 if done.copied else len(done.unit.members)
        for loss in done.lost:
            reason = reasons.get(loss["reason"])
            self.lost[reason.outcome][reason.code] += 1
            if reason.retry == "next-snapshot" and done.attempts < 2:
                self.awaiting.add(reason.code)
            elif reason.retry == "later":
                self.retryable[reason.code] = min(done.attempts, self.retryable.get(reason.code, done.attempts))
        for item in done.dropped:
            self.dropped[reasons.get(item["reason"]).code] += item["count"]
        self.ledger.append({
            "unit": done.unit.id, "fingerprint": done.fingerprint, "members": len(done.unit.members),
            "rows": len(done.rows), "lost": list(done.lost), "dropped": list(done.dropped), "attempts": done.attempts,
            "memo": done.memo or None,
        })
        return done.rows

    def summary(self) -> Row:
        filtered, dead = (sum(self.lost[outcome].values()) for outcome in ("filtered", "dead"))
        lost = {outcome: dict(sorted(reasons.items())) for outcome, reasons in self.lost.items()}
        return {
            "counts": {"in": self.members, "done": self.members - filtered - dead, **lost},
            "dropped": dict(sorted(self.dropped.items())),
            "retryable": dict(sorted(self.retryable.items())),
            "awaiting": sorted(self.awaiting),
            "computed": self.computed,
        }


def stamp(receipt: Row, seconds: float, host: str, fetched: Mapping[str, float]) -> Row:
    """The receipt as a record: times, host and what was asked of the source only under `run`, never in a hash."""
    run: Row = {"finished": time.time(), "seconds": round(seconds, 3), "host": host, "computed": receipt["computed"]}
    if fetched:
        run["fetched"] = dict(fetched)
    return {**{name: value for name, value in receipt.items() if name != "computed"}, "run": run}
