"""Inventory and planning at full size, each beside its reference in one run.

    python -m bench.inventory [--rows 9300000] [--folder DIR] [--repeat 2]

Draws an inventory of five gzipped parts and its successor with 30,000 changes, and the records of a finished build of
as many articles, 500 a block (once, if --folder is given). Then, round by round, in processes of their own:

- bare-csv: a bare streaming `pyarrow.csv` read of the parts; store: `read_inventory` (read, checked, sorted) and the
  Parquet file of it, fsynced; stage: the whole first stage over it, planned and recorded.
- ids, since, sample: what [select] takes of the stored file, written and cut into blocks; block: the rows of one block.
- duckdb: its join of both snapshots in memory (where duckdb is installed); diff: `diff` of the same two tables.
- bare-json: `json.loads` of every record; plan: records read and all steps planned, nothing is due but a training;
  plan-first: the same before anything is done; status: `status` of the build of `plan`, printed into memory.

One line of JSON: seconds (best of --repeat) and ratios, CPU-seconds (to be looked at where other work shares the
machine), the largest resident memory in MiB.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import io
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from pmcoa_build import spec as specs
from pmcoa_build.engine import state as states
from pmcoa_build.engine.plan import plan_all
from pmcoa_build.engine.read import read_file, read_range
from pmcoa_build.engine.runner import Options, Run, Stop, run_step, world_of
from pmcoa_build.engine.stage import Step
from pmcoa_build.pmc.bucket import open_bucket
from pmcoa_build.pmc.inventory import ROOT, diff, read_inventory
from pmcoa_build.pmc.snapshot_rows import _fixed_width, _iso
from stages import commands
from stages.pipeline import pipeline
from stages.snapshot import save

OLD, NEW = "2026-09-01T01-00Z", "2026-09-02T01-00Z"
PARTS, ROWS_A_BLOCK = 5, 500
RATIOS = (("store", "bare-csv"), ("diff", "duckdb"), ("plan", "bare-json"), ("status", "plan"))


def main() -> None:
    args = _arguments()
    if args.task:
        _child(args.task, Path(args.folder), args.rows)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.folder or scratch)
        if not (folder / "records").exists():
            _run("draw", folder, args.rows)  # not in this process, whose size every child begins with
        rounds = [{task: _run(task, folder, args.rows) for task in TASKS} for _ in range(args.repeat)]
    result: dict[str, Any] = {"bench": "inventory", "rows": args.rows}
    for task in TASKS:
        if rounds[0][task]:
            result[task] = min((each[task] for each in rounds), key=lambda run: float(run["seconds"]))
    for task, reference in RATIOS:
        if reference in result:
            result[f"{task}_over_{reference}"] = round(result[task]["seconds"] / result[reference]["seconds"], 2)
    print(json.dumps(result))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=9_300_000)
    parser.add_argument("--folder", default="", help="where all that is drawn lies, kept for the next run")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--task", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(task: str, folder: Path, rows: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.inventory", "--task", task, "--folder", str(folder), "--rows", str(rows)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout))


def _child(task: str, folder: Path, rows: int) -> None:
    if task == "draw":
        draw(folder, rows)
        print("{}")
        return
    work = TASKS[task](folder)
    if work is None:
        print("{}")
        return
    start, cpu = time.perf_counter(), time.process_time()
    found = work()
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"seconds": round(seconds, 3), "cpu_s": round(time.process_time() - cpu, 3), "found": found,
                      "rss_mib": used.ru_maxrss // 1024}))


Work = Callable[[], int]


def _bare_csv(folder: Path) -> Work:
    """What it costs to look at every value once."""
    manifest = json.loads((folder / ROOT / OLD / "manifest.json").read_text())

    def work() -> int:
        rows = 0
        for file in manifest["files"]:
            names = csv.ReadOptions(column_names=["Bucket", "Key", "LastModifiedDate", "ETag"])
            with csv.open_csv(pa.input_stream(folder / file["key"], compression="gzip"), names) as reader:
                rows += sum(batch.num_rows for batch in reader)
        return rows
    return work


def _store(folder: Path, name: str = OLD) -> Work:
    bucket = open_bucket(str(folder), connections=1, requests_per_second=0, contact="", cache=None)

    def work() -> int:
        save(folder / f"{name}.parquet", read_inventory(bucket, name))
        return (folder / f"{name}.parquet").stat().st_size
    return work


def _settings(folder: Path, build: str, **keys: object) -> list[str]:
    settings = {"build.out": folder / build / "out", "build.state": folder / build / "state", "source.url": folder,
                "source.snapshot": OLD, "run.on": "sync", **keys}
    return [f"{name}={value}" for name, value in settings.items()]


def _opened(folder: Path, build: str, **keys: object) -> tuple[list[Step], specs.Spec, states.State]:
    spec = specs.load("manifests/full.toml", _settings(folder, build, **keys))
    return pipeline(), spec, states.of(spec)


def _stage(folder: Path, **keys: object) -> Work:
    """The first run of all, or, with keys of [select], a run after it."""
    if not keys:
        shutil.rmtree(folder / "build", ignore_errors=True)
    steps, spec, state = _opened(folder, "build", **keys)
    states.create(state)

    def work() -> int:
        with states.locked(state):
            return int(run_step(Run(steps, spec, state, Options(progress="off"), Stop()), steps[0]).counts["in"])
    return work


def _ids(folder: Path) -> Work:
    chosen = read_file(folder / f"{OLD}.parquet", ["pmcid"])["pmcid"].to_pylist()[::1000]
    (folder / "ids.txt").write_text("\n".join(map(str, chosen)))
    return _stage(folder, **{"select.articles": json.dumps([str(folder / "ids.txt")])})


def _block(folder: Path) -> Work:
    path = folder / f"{OLD}.parquet"
    pmcids = read_file(path, ["pmcid"])["pmcid"].to_numpy()
    middle = len(pmcids) // 2
    lower, upper = int(pmcids[middle]), int(pmcids[middle + ROWS_A_BLOCK])
    read_range(path, ["article", "etag"], 0, 1, "pmcid")  # what the first call imports
    return lambda: int(read_range(path, ["article", "etag"], lower, upper, "pmcid").num_rows)


def _two(folder: Path) -> tuple[pa.Table, pa.Table]:
    if not (folder / f"{NEW}.parquet").exists():
        _store(folder, NEW)()
    return read_file(folder / f"{OLD}.parquet"), read_file(folder / f"{NEW}.parquet")


def _diff(folder: Path) -> Work:
    old, new = _two(folder)

    def work() -> int:
        found = diff(old, new)
        return int(found.new.num_rows + found.changed.num_rows + found.removed.num_rows)
    return work


def _duckdb(folder: Path) -> Work | None:
    try:
        import duckdb
    except ImportError:
        return None
    old, new = _two(folder)
    sql = """select coalesce(n.article, o.article), o.etag, n.etag from old o full join new n
             on o.pmcid = n.pmcid and o.version = n.version where o.etag is distinct from n.etag"""

    def work() -> int:
        connection = duckdb.connect()
        connection.register("old", old)
        connection.register("new", new)
        return int(connection.sql(sql).to_arrow_table().num_rows)
    return work


def _bare_json(folder: Path) -> Work:
    logs = sorted((folder / "records" / "state").glob("*.jsonl"))
    return lambda: sum(len(list(map(json.loads, path.read_bytes().splitlines()))) for path in logs)


def _plan(folder: Path, state: str = "state") -> Work:
    steps, spec, found = _opened(folder, "records", **{"build.state": folder / "records" / state})

    def work() -> int:
        due = sum(len(plan.due) for plan in plan_all(steps, spec, world_of(steps, found))[0].values())
        if state == "state" and due != 1:
            raise SystemExit(f"{folder / 'records'} was drawn for other stages: delete it.")
        return due
    return work


def _status(folder: Path) -> Work:
    _, spec, _ = _opened(folder, "records")
    options = argparse.Namespace(spec=spec.path, overrides=_settings(folder, "records"))

    def work() -> int:
        with contextlib.redirect_stdout(io.StringIO()) as told:
            commands.status(options)
        return len(told.getvalue().splitlines())
    return work


TASKS: dict[str, Callable[[Path], Work | None]] = {
    "bare-csv": _bare_csv,
    "store": _store,
    "stage": _stage,
    "ids": _ids,
    "since": lambda folder: _stage(folder, **{"select.since": "2026-08-20"}),
    "sample": lambda folder: _stage(folder, **{"select.sample": 1000}),
    "block": _block,
    "duckdb": _duckdb,
    "diff": _diff,
    "bare-json": _bare_json,
    "plan": _plan,
    "plan-first": lambda folder: _plan(folder, "state-new"),
    "status": _status,
}


def draw(folder: Path, rows: int) -> None:
    """Write what is not there: both inventories and the records of a finished build."""
    from bench import _records

    if not (folder / ROOT).exists():
        _draw_inventories(folder, rows)
    _records.draw(*_opened(folder, "records"), max(2, rows // ROWS_A_BLOCK))


def _draw_inventories(folder: Path, rows: int) -> None:
    """Ids shuffled over five parts, 30,000 changes (or a tenth), a third of each kind."""
    random = np.random.default_rng(0)
    changes = min(30_000, rows // 10) // 3
    ids = random.choice(rows * 3 // 2 + 100, rows + changes, replace=False) + 13_000
    versions = np.where(random.random(len(ids)) < 0.02, 2, 1)
    times = 1_767_225_600_000 + random.integers(0, 20_000_000, len(ids)) * 1000
    etags = random.integers(0, 256, (len(ids), 16), np.uint8)
    _write(folder, OLD, ids[:rows], versions[:rows], times[:rows], etags[:rows])
    etags[changes:2 * changes] ^= 255
    _write(folder, NEW, ids[changes:], versions[changes:], times[changes:], etags[changes:])


def _write(folder: Path, name: str, *columns: Any) -> None:
    (folder / ROOT / name).mkdir(parents=True)
    (folder / ROOT / "data").mkdir(exist_ok=True)
    files = []
    every_byte = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), np.uint16)
    for number in range(PARTS):
        ids, versions, times, etags = (column[number::PARTS] for column in columns)
        joined = pc.binary_join_element_wise(
            '"pmc-oa-opendata","metadata/PMC', pa.array(ids).cast(pa.string()),
            ".", pa.array(versions).cast(pa.string()), '.json","', _fixed_width(_iso(times), 24),
            '","', _fixed_width(every_byte[etags], 32), '"\n', "")
        text = joined.buffers()[2].to_pybytes()
        data = gzip.compress(text, 6, mtime=0)
        key = f"{ROOT}data/{name}-{number}.csv.gz"
        (folder / key).write_bytes(data)
        files.append({"key": key, "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()})
    manifest = {"fileFormat": "CSV", "fileSchema": "Bucket, Key, LastModifiedDate, ETag", "files": files}
    (folder / ROOT / name / "manifest.json").write_text(json.dumps(manifest))


if __name__ == "__main__":
    main()
