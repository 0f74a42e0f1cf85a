"""A finished (or half-finished) build, to look into from Python.

    from pmcoa_build import Build
    build = Build.open("manifests/demo.toml")
    build.table("align").to_pandas()
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pmcoa_build import schema, spec
from pmcoa_build.engine import state as states
from pmcoa_build.engine.read import lost_rows, read_file
from pmcoa_build.engine.runner import total_counts
from pmcoa_build.engine.state import State
from pmcoa_build.errors import UsageError


@dataclass(frozen=True)
class Build:
    """A build: its spec and where its data and records lie. Reads only what the records name."""

    spec: spec.Spec
    state: State

    @classmethod
    def open(cls, path: str | Path, overrides: Sequence[str] = ()) -> Build:
        """Open the build of a spec file. Raises UsageError for a bad spec or data that belong to another build."""
        loaded = spec.load(path, overrides)
        state = states.of(loaded)
        states.check_identity(state)
        return cls(loaded, state)

    def table(self, stage: str, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of a stage (schema.py), all blocks together. Raises UsageError if it has not run."""
        return pa.concat_tables(list(self.parts(stage, columns)))

    def parts(self, stage: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows of a stage, a block at a time."""
        for item in self._outputs(stage):
            yield read_file(self.state.path(item["path"]), columns=columns)

    def lost(self, stage: str) -> pa.Table:
        """The units that a stage left out, with their reasons (schema.LOST)."""
        rows: list[dict[str, Any]] = []
        for record in self.state.records(stage).values():
            if record.get("ledger"):
                rows += lost_rows(self.state.path(record["ledger"]["path"]), record["scope"])
        return pa.Table.from_pylist(sorted(rows, key=lambda row: row["unit"]), schema=schema.LOST)

    def status(self) -> dict[str, dict[str, Any]]:
        """Stage -> blocks, rows and counts (in, done, filtered, dead) of what is committed."""
        found = {}
        for path in sorted(self.state.folder.glob("*.jsonl")):
            records = list(self.state.records(path.stem).values())
            tables = [record.get("output") or record.get("table") or {} for record in records]
            rows = sum(table.get("rows", 0) for table in tables)
            found[path.stem] = {"blocks": len(records), "rows": rows, **total_counts(records)}
        return found

    def _outputs(self, stage: str) -> list[dict[str, Any]]:
        records = self.state.records(stage)
        outputs = [records[block].get("output") or records[block].get("table") for block in sorted(records)]
        found = [item for item in outputs if item]
        if not found:
            raise UsageError(f"The build {self.spec.build.name} has no table of {stage!r} yet.")
        return found
