"""The command `rehydrate`: a published table without images is filled again, from PMC or any copy of its bucket.

Each file is written whole or not at all. What was fetched for the file at work lies in OUT/.fetched until then, so that
a run that was stopped goes on where it was; a later one tries only what is missing.
"""

from __future__ import annotations

import argparse
import functools
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pmcoa_build import ids
from pmcoa_build import spec as specs
from pmcoa_build.atomic import TEMP, write_atomic
from pmcoa_build.dataset.export import TERMS
from pmcoa_build.dataset.rehydrate import THREADS, Cut, Fetch, Rehydrated, Size
from pmcoa_build.dataset.rehydrate import rehydrate as fill
from pmcoa_build.engine.read import read_file, reading
from pmcoa_build.errors import RunFailed, UnitLost, UsageError
from pmcoa_build.figures.crops import encode_crop
from pmcoa_build.figures.decode import decode_image, image_size
from pmcoa_build.pmc.bucket import open_bucket

Lost = dict[str, list[dict[str, Any]]]
LOST, FETCHED = "lost.jsonl", ".fetched"


def run(options: argparse.Namespace) -> int:
    """What exchange.rehydrate says."""
    files, credit = _tables(Path(options.table))
    out = Path(options.out)
    if out.resolve() in (files[0].parent.resolve(), credit.resolve()):
        raise UsageError(f"{out} holds the table itself: name another folder for the filled one.")
    md5s = _md5s(credit)
    if not md5s:
        print("No ATTRIBUTION.parquet beside the table: sizes are checked, but no MD5.")
    lost, rows = _read_lost(out), 0
    for leftover in out.glob(f"*{TEMP}"):
        leftover.unlink()
    with open_bucket(options.source, connections=THREADS, requests_per_second=options.rate, contact=options.contact,
                     cache=out / FETCHED) as bucket:
        for path in files:
            done = _file(path, out, lost, bucket.get, cutter(options.quality), md5s)
            rows += done.rows
            print(f"{path.name}: {done.rows:,} rows filled, {len(done.lost):,} left out", flush=True)
    for name, copy in (*TERMS.items(), ("CARD.md", "CARD.md")):
        if (credit / name).exists():
            shutil.copyfile(credit / name, out / copy)
    return _told(rows, [row for path in files for row in lost[path.name]], out)


def _file(path: Path, out: Path, lost: Lost, fetch: Fetch, cut: Cut, md5s: Mapping[str, str]) -> Rehydrated:
    """Fill one file, unless that was done before."""
    table = read_file(path, columns=[name for name in _columns(path) if name != "image"])
    done = _before(out / path.name, table, lost.get(path.name, []))
    if done is None:
        done = fill(table, out / path.name, fetch, cut, md5s)
        lost[path.name] = done.lost
        _write_lost(out / LOST, lost)
        shutil.rmtree(out / FETCHED, ignore_errors=True)
    lost[path.name] = done.lost
    return done


def _before(path: Path, table: pa.Table, lost: list[dict[str, Any]]) -> Rehydrated | None:
    """What an earlier run has made of this table; None where there is something left to try."""
    if not path.exists() or any(row["retryable"] for row in lost) or _columns(path) != ["image", *table.column_names]:
        return None
    filled = read_file(path, columns=["panel_id"])["panel_id"].to_pylist()
    known = sorted([*filled, *(row["unit"] for row in lost)])
    return Rehydrated(len(filled), lost) if known == sorted(table["panel_id"].to_pylist()) else None


def _columns(path: Path) -> list[str]:
    with reading(path):
        names: list[str] = pq.read_schema(path).names
    return names


def _write_lost(path: Path, lost: Lost) -> None:
    lines = [json.dumps({"file": name, **row}) + "\n" for name, rows in lost.items() for row in rows]
    if lines:
        write_atomic(path, "".join(lines).encode())
    else:
        path.unlink(missing_ok=True)


def _read_lost(out: Path) -> Lost:
    found: Lost = {}
    if (out / LOST).exists():
        for line in (out / LOST).read_text("utf-8").splitlines():
            row = json.loads(line)
            found.setdefault(row.pop("file"), []).append(row)
    return found


def _told(rows: int, lost: list[dict[str, Any]], out: Path) -> int:
    """Say what came of it. Raises RunFailed where too much is missing."""
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in Counter(row["reason"] for row in lost).most_common())
    print(f"{rows:,} rows filled in {out}, {len(lost):,} left out" + (f": {reasons}" if reasons else ""))
    if len(lost) > specs.RunKeys().max_dead_fraction * (rows + len(lost)):
        again = " Run again: some may come another time." if any(row["retryable"] for row in lost) else ""
        raise RunFailed(f"{len(lost):,} of {rows + len(lost):,} rows could not be filled ({out / LOST}).{again}")
    return 0


def cutter(quality: int) -> Cut:
    """How panels are cut out and encoded, and whole images checked, to have the size that was published."""
    @functools.lru_cache(maxsize=2)
    def decoded(image: bytes) -> np.ndarray:
        return decode_image(image).rgb

    def cut(image: bytes, box: ids.Box | None, size: Size) -> bytes:
        if box is None:
            return _of_size(image, image_size(image)[:2], size)
        scaled = max(size) < max(box[2] - box[0], box[3] - box[1])
        data, width, height = encode_crop(decoded(image), box, max_side=max(size) if scaled else 0, quality=quality)
        return _of_size(data, (width, height), size)

    return cut


def _of_size(image: bytes, got: Size, size: Size) -> bytes:
    if got != size:
        raise UnitLost("image-changed", f"{got[0]} x {got[1]} pixels, not {size[0]} x {size[1]}")
    return image


def _tables(path: Path) -> tuple[list[Path], Path]:
    """The Parquet files of a dataset folder, of any other folder, or a single one; and the folder with the terms."""
    others = {"removed.parquet", *TERMS}
    files = [path] if path.is_file() else sorted(path.glob("data/*.parquet")) or sorted(
        file for file in path.glob("*.parquet") if file.name not in others)
    if not files:
        raise UsageError(f"{path} is neither a Parquet file nor a folder with Parquet files.")
    folders = (files[0].parent, files[0].parent.parent)
    return files, next((folder for folder in folders if (folder / "ATTRIBUTION.parquet").exists()), folders[0])


def _md5s(credit: Path) -> dict[str, str]:
    """MD5 of PMC's files by image id."""
    path = credit / "ATTRIBUTION.parquet"
    if not path.exists():
        return {}
    table = read_file(path, columns=["image_id", "md5"])
    return {row["image_id"]: row["md5"] for row in table.to_pylist() if row["md5"]}
