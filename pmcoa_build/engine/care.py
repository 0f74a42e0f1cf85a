"""Looking after a build: verify every byte, delete what no record names, ask for another try."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

import pyarrow as pa

from pmcoa_build import reasons
from pmcoa_build.atomic import TEMP
from pmcoa_build.engine import files, log
from pmcoa_build.engine.read import read_file
from pmcoa_build.engine.stage import Row, Stage
from pmcoa_build.engine.state import State
from pmcoa_build.engine.work import FREED
from pmcoa_build.errors import UsageError

UNFINISHED = "UNFINISHED"
"""A file of this name marks a folder whose work goes on in the next run (a training): `gc` leaves it alone."""


def outputs(record: Row) -> list[Row]:
    """All files that a record names: {"path", "bytes", "sha256"}."""
    named = [record[name] for name in ("output", "ledger", "table") if record.get(name)]
    return [*named, *record["files"]] if "files" in record else named


def verify(state: State, stages: Sequence[str]) -> tuple[list[str], int]:
    """(problems as sentences, number of files checked)."""
    problems, checked = [], 0
    for stage in stages:
        found = state.log(stage)
        problems += [f"{state.log_path(stage).name}: line {number} is damaged." for number in found.damaged]
        for record in found.records.values():
            for output in outputs(record):
                checked += 1
                problem = _problem(state.path(output["path"]), output)
                if problem:
                    problems.append(f"{output['path']}: {problem}")
    return problems, checked


def _problem(path: Path, output: Row) -> str:
    if not path.exists():
        return "is missing."
    size = path.stat().st_size
    if size != output["bytes"]:
        return f"has {size:,} bytes, not {output['bytes']:,}."
    return "" if files.sha256(path) == output["sha256"] else "has other bytes than were written."


def collect(state: State, stages: Sequence[str]) -> tuple[int, int]:
    """Delete every file in the stages' folders that no record names, and unfinished files; compact the logs.

    Returns (files, bytes). Folders that a record names as `keep` (trained models, datasets) stay whole, and so does
    the dataset that the link points to. Raises UsageError when there are no records at all: then nothing can be told
    apart.
    """
    records = [record for stage in stages for record in state.records(stage).values()]
    if not records:
        raise UsageError(f"There are no records in {state.folder}: nothing is deleted.")
    named = {state.path(output["path"]) for record in records for output in outputs(record)}
    kept = [state.path(folder) for record in records for folder in record.get("facts", {}).get("keep", ())]
    kept += [marker.parent for marker in state.out.glob(f"*/*/{UNFINISHED}")]
    kept += [link.parent / link.readlink() for link in state.out.iterdir() if link.is_symlink()]
    named |= set((state.out / "snapshot").glob("inventory-*.parquet"))
    removed = freed = 0
    for folder in [*(state.out / stage for stage in stages), *state.out.glob("dataset-*")]:
        for path in sorted(folder.rglob("*"), reverse=True):
            if path in named or any(path.is_relative_to(one) for one in kept) or path.is_dir():
                continue
            removed, freed = removed + 1, freed + path.stat().st_size
            path.unlink()
        if folder.name.startswith("dataset-") and not any(folder.is_relative_to(one) for one in kept):
            shutil.rmtree(folder, ignore_errors=True)
    for path in _unfinished(state):
        removed, freed = removed + 1, freed + path.lstat().st_size
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for stage in stages:
        log.compact(state.log_path(stage))
    return removed, freed


def free_column(state: State, stage: Stage, column: str, blocks: Collection[str]) -> int:
    """Empty a heavy column of the given blocks: a new file, a new record, the same content hash. Returns how many.

    Nothing downstream becomes due; what needs the column again is told how to get it. `collect` deletes the old files.
    """
    count = 0
    for block, record in state.records(stage.name).items():
        if block not in blocks or record.get(FREED):
            continue
        path = state.path(record["output"]["path"])
        table = read_file(path)
        at = table.schema.get_field_index(column)
        empty = pa.array([dict.fromkeys(field.name for field in table.schema.field(at).type)] * len(table),
                         table.schema.field(at).type)
        target = path.with_name(f"{path.stem}-{FREED}.parquet")
        emptied = table.set_column(at, table.schema.field(at), empty)
        files.write_block(target, stage.schema, stage.key, iter([emptied]))
        output = {**files.describe(target, state.out), "rows": len(table)}
        log.append(state.log_path(stage.name), {**record, "output": output, FREED: True})
        count += 1
    return count


def _unfinished(state: State) -> list[Path]:
    """What killed runs left beside the stages' folders: files, folders and links on their way, cut downloads."""
    beside = [path for folder in (state.out, state.folder) for path in folder.glob(f"*{TEMP}")]
    return beside + [path for path in (state.out / "raw").rglob(".*.part") if path.is_file()]


def ask_retry(state: State, stages: Sequence[str], reason: str) -> int:
    """Mark blocks with units lost for `reason` ("" = with dead units) as due; returns how many. Raises UsageError."""
    if reason and reason not in (*reasons.REASONS, FREED):
        raise UsageError(f"{reason!r} is no reason; reasons are {', '.join(sorted(reasons.REASONS))}.")
    marked = 0
    for stage in stages:
        for record in state.records(stage).values():
            counts = record.get("counts") or {}
            lost = {**counts.get("filtered", {}), **counts.get("dead", {})}
            wanted = [name for name in lost if name == reason] if reason else sorted(counts.get("dead", {}))
            wanted += [FREED] if reason == FREED and record.get(FREED) else []
            if wanted:
                log.append(state.log_path(stage), {**record, "retry": wanted})
                marked += 1
    return marked
