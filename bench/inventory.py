"""Inventory at full size: read, check and sort it, and compare two, each beside its reference in one run.

    python -m bench.inventory [--rows 9300000] [--folder DIR]

Draws an inventory of five gzipped parts and its successor with 30,000 changes (once, if --folder is given), then, in
processes of their own: a bare streaming `pyarrow.csv` read of the same parts; `read_inventory`; `diff`; and duckdb's
join of the same two tables where duckdb is installed. One line of JSON: seconds (best of --repeat) and their ratios,
CPU-seconds (to be looked at where other work shares the machine), and the largest resident memory in MiB.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import resource
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

from pmcoa_build.pmc.bucket import open_bucket
from pmcoa_build.pmc.inventory import ROOT, diff, read_inventory
from pmcoa_build.pmc.snapshot_rows import _HEX, _fixed_width, _iso

OLD, NEW = "2026-09-01T01-00Z", "2026-09-02T01-00Z"
PARTS = 5


def main() -> None:
    args = _arguments()
    if args.task:
        _child(args.task, Path(args.folder))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(args.folder or scratch)
        if not (folder / ROOT).exists():
            draw(folder, args.rows)
        result: dict[str, Any] = {"bench": "inventory", "rows": args.rows}
        for task in ("bare-csv", "read", "diff", "duckdb"):
            runs = [_run(task, folder) for _ in range(args.repeat)]
            if all(runs):
                result[task] = min(runs, key=lambda run: float(run["seconds"]))
    result["read_over_bare"] = round(result["read"]["seconds"] / result["bare-csv"]["seconds"], 2)
    if "duckdb" in result:
        result["diff_over_duckdb"] = round(result["diff"]["seconds"] / result["duckdb"]["seconds"], 2)
    print(json.dumps(result))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=9_300_000)
    parser.add_argument("--folder", default="", help="where the drawn inventories lie, kept for the next run")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--task", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


def _run(task: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", "bench.inventory", "--task", task, "--folder", str(folder)],
                          check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def _child(task: str, folder: Path) -> None:
    work = {"bare-csv": _bare, "read": _read, "diff": _diff, "duckdb": _duckdb}[task](folder)
    if work is None:
        print("{}")
        return
    start, cpu = time.perf_counter(), time.process_time()
    rows = work()
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"seconds": round(seconds, 2), "cpu_s": round(time.process_time() - cpu, 2), "rows": rows,
                      "rss_mib": used.ru_maxrss // 1024}))


Work = Callable[[], int]


def _bare(folder: Path) -> Work:
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


def _read(folder: Path) -> Work:
    bucket = open_bucket(str(folder), connections=1, requests_per_second=0, contact="", cache=None)
    return lambda: int(read_inventory(bucket, OLD).num_rows)


def _two(folder: Path) -> tuple[pa.Table, pa.Table]:
    bucket = open_bucket(str(folder), connections=1, requests_per_second=0, contact="", cache=None)
    return read_inventory(bucket, OLD), read_inventory(bucket, NEW)


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
        return int(connection.execute(sql).to_arrow_table().num_rows)
    return work


def draw(folder: Path, rows: int) -> None:
    """Write both inventories: ids shuffled over five parts, 30,000 changes (or a tenth), a third of each kind."""
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
    for number in range(PARTS):
        ids, versions, times, etags = (column[number::PARTS] for column in columns)
        joined = pc.binary_join_element_wise(
            '"pmc-oa-opendata","metadata/PMC', pa.array(ids).cast(pa.string()),
            ".", pa.array(versions).cast(pa.string()), '.json","', _fixed_width(_iso(times), 24),
            '","', _fixed_width(_HEX[etags], 32), '"\n', "")
        text = joined.buffers()[2].to_pybytes()
        data = gzip.compress(text, 6, mtime=0)
        key = f"{ROOT}data/{name}-{number}.csv.gz"
        (folder / key).write_bytes(data)
        files.append({"key": key, "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()})
    manifest = {"fileFormat": "CSV", "fileSchema": "Bucket, Key, LastModifiedDate, ETag", "files": files}
    (folder / ROOT / name / "manifest.json").write_text(json.dumps(manifest))


if __name__ == "__main__":
    main()
