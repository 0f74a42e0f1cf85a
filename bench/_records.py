"""Draws the records of a finished build of any size, and files of the sizes that they name (empty, as far as the disk
allows): what planning looks at.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pmcoa_build.engine import log, runner
from pmcoa_build.engine import plan as planning
from pmcoa_build.engine import state as states
from pmcoa_build.engine.blocks import block_name
from pmcoa_build.engine.stage import Stage, Step
from pmcoa_build.engine.state import State
from pmcoa_build.spec import Spec
from stages.snapshot import BLOCKS

ROWS, PANELS = 500, 100_000_000
"""Rows of a block; bytes of a block of panels."""


def draw(steps: list[Step], spec: Spec, state: State, blocks: int) -> None:
    """Write logs and files of every step up to `publish`; nothing but a training is due afterwards.

    In a folder `state-new` beside the logs lies that of the first step alone: all else is due by it.
    """
    fresh = replace(state, folder=state.folder.with_name(f"{state.folder.name}-new"))
    states.create(state)
    with states.locked(state):  # which names the build
        fresh.folder.mkdir()
    for one in (state, fresh):
        _write(one, steps[0], [_snapshot(steps[0], spec, state, blocks)])
    for step in steps[1:]:
        if step.name == "train":
            break
        world = runner.world_of(steps, state)
        due = planning.plan_all(steps, spec, world)[0][step.name].due
        _write(state, step, [_record(step, item, world.snapshot) for item in due])


def _write(state: State, step: Step, records: list[Any]) -> None:
    for output in (output for record in records for output in _files(record)):
        path = state.path(output["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            with path.open("wb") as file:
                file.truncate(output["bytes"])
    state.log_path(step.name).write_bytes(b"".join(map(log.encode, records)))


def _files(record: Any) -> Iterator[Any]:
    yield from (record[name] for name in ("output", "ledger", "table") if record.get(name))
    yield from record.get("files", ())


def _hex(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _snapshot(step: Step, spec: Spec, state: State, blocks: int) -> Any:
    path = state.out / "snapshot" / "blocks-drawn.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    lowers = sorted(random.Random(0).sample(range(1, 14_000_000), blocks - 1))
    bounds = [0, *lowers, 14_000_000]
    pq.write_table(pa.Table.from_pylist([
        {"block": block_name(lower), "by": "pmcid", "lower": lower, "upper": upper, "rows": ROWS,
         "hash": _hex(lower)[:32]}
        for lower, upper in pairwise(bounds)
    ], schema=BLOCKS), path)
    made = {"path": "snapshot/blocks-drawn.parquet", "bytes": path.stat().st_size, "sha256": _hex(path)}
    facts = {"folder": "2026-09-01T01-00Z", "date": "2026-09-01", "url": spec.source.url, "left_out": {},
             "inventory": made["path"], "blocks": made["path"], "inventory_rows": blocks * ROWS}
    counts = {"in": blocks * ROWS, "done": blocks * ROWS, "filtered": {}, "dead": {}}
    return {"block": "all", "inputs": {**planning.settings_of(step, spec), "upstream": {}}, "facts": facts,
            "files": [made], "table": made, "columns": {"facts": _hex(0)[:32]}, "content": _hex(1), "counts": counts,
            "run": _RUN}


_RUN = {"finished": 1_790_000_000.123456, "seconds": 12.345, "host": "node-0001", "computed": ROWS}


def _record(step: Step, due: planning.Due, snapshot: str) -> Any:
    name = f"{step.name}/{due.block}-{planning.fingerprint(due.inputs)[:12]}"
    columns = {column: _hex(name, column)[:32] for column in (step.schema.names if step.schema else ())}
    common = {"block": due.block, "inputs": due.inputs, "content": _hex(name, "content"), "run": _RUN}
    if not isinstance(step, Stage):
        return {**common, "facts": {}, "files": [_file(f"{name}/README.md", 9000)], "table": None, "counts": {},
                "columns": {"facts": _hex(name)[:32]}}
    return {
        **common, "scope": step.scope, "columns": columns, "snapshot": snapshot,
        "output": {**_file(f"{name}.parquet", PANELS if step.name == "panels" else 1_000_000), "rows": ROWS},
        "ledger": _file(f"{name}.units.parquet", 40_000),
        "counts": {"in": ROWS, "done": ROWS - 90, "filtered": {"license-not-allowed": 80, "retracted": 5},
                   "dead": {"http-404": 5}},
        "dropped": {}, "retryable": {}, "awaiting": ["http-404"],
    }


def _file(path: str, size: int) -> Any:
    return {"path": path, "bytes": size, "sha256": _hex(path)}

