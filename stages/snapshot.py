"""Stage 1, snapshot: what PMC holds on one day, and which of it is asked for.

Reads the inventory of the bucket (checksummed parts, one request each), pins its date, selects article versions by
id, date and sample, and cuts the selection into blocks. No article costs a request here.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pmcoa_build import schema
from pmcoa_build.atomic import atomic
from pmcoa_build.engine.blocks import block_name, block_size, boundaries
from pmcoa_build.engine.read import read_file, reading
from pmcoa_build.engine.stage import Row, Task, TaskContext, TaskOutput
from pmcoa_build.errors import RunFailed
from pmcoa_build.pmc.inventory import fingerprint, read_inventory, resolve
from pmcoa_build.pmc.select import block_hashes, select
from pmcoa_build.pmc.snapshot_file import read_rows, write_rows
from stages.source import open_source, spent

BLOCKS = pa.schema([
    ("block", pa.string()), ("by", pa.string()), ("lower", pa.int64()), ("upper", pa.int64()), ("rows", pa.int64()),
    ("hash", pa.string()),
])


def run(context: TaskContext) -> TaskOutput:
    """Pin a snapshot, select from it, cut blocks."""
    spec, previous = context.spec, (context.previous or {}).get("facts", {})
    asked: Counter[str] = Counter()
    pinned = _pinned(previous, context)
    folder, inventory = pinned or _newest(context, asked)
    everything = read_file(inventory, columns=["pmcid", *(["last_modified"] if spec.select.since else [])])
    found = _queried(context, previous if pinned else {}, asked) if spec.select.query else None
    chosen, left_out = select(everything, spec.select, _found(found))
    selected = int(chosen.sum())
    if not selected:
        raise RunFailed(
            f"None of the {everything.num_rows:,} article versions of snapshot {folder} is selected: loosen [select]."
        )
    table = inventory if selected == everything.num_rows else _save_selected(context.out, folder, inventory, chosen)
    bounds = boundaries(everything["pmcid"].to_numpy()[chosen], _bounds(context), block_size(selected))
    blocks = _blocks(table, bounds)
    cut = context.out / "snapshot" / f"blocks-{hashlib.sha256(str(blocks).encode()).hexdigest()[:12]}.parquet"
    _save_small(cut, pa.Table.from_pylist(blocks, schema=BLOCKS))
    facts = {
        "folder": folder, "date": _date(folder, inventory), "url": spec.source.url,
        "inventory": _relative(inventory, context.out), "blocks": _relative(cut, context.out),
        "inventory_rows": everything.num_rows, "left_out": left_out,
        "before": previous.get("before") if previous.get("folder") == folder else previous.get("folder"),
    }
    counts = {"in": selected, "done": selected, "filtered": {}, "dead": {}}
    if found:
        facts |= {"query": spec.select.query, "found": _relative(found, context.out)}
    files = [inventory, cut, *([found] if found else [])]
    return TaskOutput(files=files, facts=facts, table=table, counts=counts, spent=dict(asked))


def _pinned(previous: Row, context: TaskContext) -> tuple[str, Path] | None:
    """Folder and file of the pinned snapshot, unless it is to move or the spec names another."""
    keys, inventory = context.spec.source, context.out / previous.get("inventory", "nowhere")
    same = previous.get("url") == keys.url and keys.snapshot in ("latest", previous["folder"], previous["date"])
    return (previous["folder"], inventory) if same and inventory.exists() and not context.update else None


def _queried(context: TaskContext, pinned: Row, asked: Counter[str]) -> Path:
    """The file of the PMCIDs that the query gives: pinned with the snapshot, so that NCBI is asked once for both."""
    spec, path = context.spec, context.out / str(pinned.get("found", "nowhere"))
    if pinned.get("query") == spec.select.query and path.exists():
        return path
    from pmcoa_build.pmc.esearch import search

    with open_source(spec) as source:
        key = os.environ.get(spec.source.api_key_env) if spec.source.api_key_env else None
        found = search(spec.select.query, eutils_url=source.eutils_url, api_key=key, contact=spec.source.contact,
                       stats=source.bucket.stats)
        asked.update(spent(source))
    table = pa.table({"pmcid": pa.array(sorted(found), pa.int64())})
    digest = hashlib.sha256(table["pmcid"].to_numpy().tobytes()).hexdigest()
    path = context.out / "snapshot" / f"query-{digest[:12]}.parquet"
    _save_small(path, table)
    return path


def _found(path: Path | None) -> NDArray[np.int64] | None:
    return None if path is None else read_file(path)["pmcid"].to_numpy()


def _newest(context: TaskContext, asked: Counter[str]) -> tuple[str, Path]:
    """Read the inventory that the spec names, unless its file is there already (the file of an older one stays)."""
    with open_source(context.spec) as source:
        folder = resolve(source.bucket, context.spec.source.snapshot)
        name = f"inventory-{folder}-{fingerprint(source.bucket, folder)}.parquet"
        path = context.out / "snapshot" / name
        if not path.exists():
            save(path, read_inventory(source.bucket, folder))
        asked.update(spent(source))
    return folder, path


def _date(folder: str, inventory: Path) -> str:
    """The day of a snapshot; for a source without inventory reports, the last on which anything changed."""
    if folder[:4].isdigit():
        return folder[:10]
    return str(pc.max(read_file(inventory, columns=["last_modified"])["last_modified"]))[:10]


def _bounds(context: TaskContext) -> list[int]:
    if context.previous is None:
        return []
    path = context.out / context.previous["facts"]["blocks"]
    rows = read_file(path).to_pylist() if path.exists() else []
    if not rows:
        return []
    return [row["lower"] for row in rows] + [rows[-1]["upper"]]


def _blocks(table: Path, bounds: Sequence[int]) -> list[Row]:
    hashes = block_hashes(_rows(table, ["article", "pmcid", "etag"]), bounds)
    return [
        {"block": block_name(lower), "by": "pmcid", "lower": lower, "upper": upper, "rows": rows, "hash": digest}
        for (rows, digest), (lower, upper) in zip(hashes, pairwise(bounds), strict=True)
    ]


def _save_selected(out: Path, folder: str, inventory: Path, chosen: NDArray[np.bool_]) -> Path:
    digest = hashlib.sha256(inventory.name.encode() + np.packbits(chosen).tobytes()).hexdigest()
    path = out / "snapshot" / f"selected-{folder}-{digest[:12]}.parquet"
    save(path, _rows(inventory, chosen=chosen))
    return path


def _save_small(path: Path, table: pa.Table) -> None:
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def _rows(
    path: Path, columns: Sequence[str] | None = None, chosen: NDArray[np.bool_] | None = None
) -> Iterator[pa.Table]:
    with reading(path):
        yield from read_rows(path, columns, chosen)


def save(path: Path, pieces: Iterable[pa.Table | pa.RecordBatch]) -> None:
    """Write rows of schema.SNAPSHOT, whole or not at all."""
    with atomic(path) as temporary:
        write_rows(temporary, pieces)


def _relative(path: Path, out: Path) -> str:
    return str(path.relative_to(out))


STEP = Task(
    name="snapshot",
    version=1,
    inputs=(),
    spec_keys=(
        "source.url", "source.snapshot", "select.articles", "select.exclude", "select.query", "select.sample",
        "select.since",
    ),
    run=run,
    schema=schema.SNAPSHOT,
    key="article",
    defines_blocks=True,
)
