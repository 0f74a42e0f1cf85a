"""Stage 9, dedupe: near-duplicate panels, splits, and what benchmarks already hold; decided for all panels at once.

Ids and hashes of all panels are held in memory, and the thumbnails of those that have a near hash are laid in a
temporary file: about 3 GB on disk and 3 GB in memory for 5 million panels.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pmcoa_build import schema
from pmcoa_build.atomic import atomic
from pmcoa_build.dataset.groups import Exclusions, assign_splits, benchmark_of, load_exclusions
from pmcoa_build.engine.read import read_columns, read_file
from pmcoa_build.engine.stage import Input, Row, Task, TaskContext, TaskOutput
from pmcoa_build.figures.decode import decode_image
from pmcoa_build.figures.duplicates import THUMBNAIL, held, phash, stars, thumbnails_match
from pmcoa_build.figures.neighbours import find_neighbours

_AT_ONCE = 4096
"""Thumbnails compared in one go."""


def run(context: TaskContext) -> TaskOutput:
    """Groups, splits and exclusions of all panels."""
    paths = [context.out / context.upstream["hashes"][block]["output"]["path"]
             for block in sorted(context.upstream["hashes"])]
    rows = read_columns(paths, ("panel_id", "figure_id", "phash", "image_phash"), schema.HASHES)
    exclusions = load_exclusions(context.spec.shards.exclude, lambda data: phash(decode_image(data).rgb))
    decided = assign_splits(
        candidates(rows, exclusions, paths, context.out), splits=context.spec.shards.splits,
        previous=_decided_last(context),
    )
    path = context.out / "dedupe" / f"all-{context.fingerprint[:12]}.parquet"
    with atomic(path) as temporary:
        pq.write_table(decided, temporary, compression="zstd", write_page_checksum=True, row_group_size=100_000)
    return TaskOutput([], _facts(decided, exclusions), table=path, counts=_counts(len(decided)))


def candidates(rows: pa.Table, exclusions: Exclusions, paths: Sequence[Path], folder: Path) -> pa.Table:
    """The input of assign_splits, sorted by panel_id. `rows`: those of `hashes` in the order of `paths`."""
    order = pc.sort_indices(rows["panel_id"])
    rows = rows.take(order)
    panels = len(rows)
    near = find_neighbours(np.concatenate([to_numbers(rows["phash"]), exclusions.hashes]))
    wanted = near.places.items[near.places.items < panels]
    with _thumbnails(paths, order.to_numpy(), wanted, folder) as confirm:
        centres = stars(near, panels, confirm)
    ids, copies = rows["panel_id"].combine_chunks(), _named(held(near, panels), exclusions)
    return pa.table({
        "panel_id": ids, "phash": rows["phash"], "group": ids.take(pa.array(centres, mask=centres < 0)),
        "benchmark": pc.coalesce(benchmark_of(rows, exclusions), copies, _copied(rows["image_phash"], exclusions)),
    })


def _copied(images: pa.ChunkedArray, exclusions: Exclusions) -> pa.Array:
    """For the hash of each whole image the benchmark that holds a near one, or null: benchmarks show whole figures."""
    hashes, places = np.unique(to_numbers(images), return_inverse=True)
    near = find_neighbours(np.concatenate([hashes, exclusions.hashes]))
    return _named(held(near, len(hashes))[places], exclusions)


def _named(copies: np.ndarray, exclusions: Exclusions) -> pa.Array:
    """Names of benchmarks for places among the hashes of their images; null for -1."""
    return pa.array(exclusions.names, pa.string()).take(pa.array(copies, mask=copies < 0))


def to_numbers(hashes: pa.ChunkedArray) -> np.ndarray:
    """Hashes of 16 hex digits as uint64."""
    parts = [np.frombuffer(bytes.fromhex("".join(chunk.to_pylist())), ">u8") for chunk in hashes.chunks]
    return np.concatenate([np.empty(0, np.uint64), *parts]).astype(np.uint64)


@contextlib.contextmanager
def _thumbnails(
    paths: Sequence[Path], order: np.ndarray, wanted: np.ndarray, folder: Path
) -> Iterator[Callable[[int, np.ndarray], np.ndarray]]:
    """A function that tells whether two of the wanted panels (places in `order`) look alike."""
    slots = np.full(len(order), -1, np.int32)
    rows = np.sort(order[wanted])
    slots[wanted] = np.searchsorted(rows, order[wanted])
    with tempfile.TemporaryFile(dir=folder) as file:
        start = 0
        for path in paths:
            column = read_file(path, ["thumbnail"])["thumbnail"]
            here = rows[np.searchsorted(rows, start) : np.searchsorted(rows, start + len(column))]
            file.writelines(column.take(pa.array(here - start)).to_pylist())
            start += len(column)
        file.flush()
        kept = np.memmap(file, np.uint8, "r", shape=(len(rows), THUMBNAIL)) if len(rows) else np.empty((0, THUMBNAIL))

        def confirm(place: int, others: np.ndarray) -> np.ndarray:
            parts = [kept[slots[others[at : at + _AT_ONCE]]] for at in range(0, len(others), _AT_ONCE)]
            return np.concatenate([thumbnails_match(kept[slots[place]], part) for part in parts])

        yield confirm


def _decided_last(context: TaskContext) -> pa.Table | None:
    """The table of the last run, if it is still there."""
    before = context.previous
    file = before.get("table") or before.get("output") if before else None  # older builds have it as a block's output
    path = context.out / file["path"] if file else None
    return read_file(path, schema.DEDUPE.names) if path and path.exists() else None


def _facts(decided: pa.Table, exclusions: Exclusions) -> Row:
    """How many panels are left out, by what; how many benchmark images were looked at, and how many were unreadable."""
    counts = pc.value_counts(decided["excluded_by"].drop_null())
    found = {item["values"]: item["counts"] for item in counts.to_pylist()}
    images = dict(sorted(Counter(exclusions.names).items()))
    return {"excluded": dict(sorted(found.items())), "benchmark_images": images, "unreadable": exclusions.unreadable}


def _counts(panels: int) -> Row:
    return {"in": panels, "done": panels, "filtered": {}, "dead": {}}


STEP = Task(
    name="dedupe",
    version=2,
    inputs=(Input("hashes", tuple(schema.HASHES.names)),),
    spec_keys=("shards.splits", "shards.exclude"),
    run=run,
    schema=schema.DEDUPE,
    key="panel_id",
)
