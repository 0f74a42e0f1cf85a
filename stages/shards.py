"""Stage 10, shards: the rows that are published, as Parquet files, one a split and hash bucket.

A bucket is fixed by the article's id, so that an update or a retraction rewrites few files.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pmcoa_build import ids, schema
from pmcoa_build.dataset.buckets import RANGE, bucket_count, bucket_of
from pmcoa_build.dataset.groups import SPLITS, reason_of
from pmcoa_build.dataset.rows import shard_rows
from pmcoa_build.dataset.shards import row_groups, shard_writer
from pmcoa_build.engine import state as states
from pmcoa_build.engine.stage import Input, Loss, Partition, Records, Result, Row, Stage, Tables, Unit
from pmcoa_build.spec import Spec

_NAME = re.compile(r"(\w+)-(\d+)-of-(\d+)")


def partition(records: Records, spec: Spec) -> list[Partition]:
    """One block a split and bucket, with the upstream blocks that hold articles of the bucket."""
    known = [int(match[3]) for name in records.own if (match := _NAME.fullmatch(name))]
    source = records.upstream["panels" if spec.shards.level == "panel" else "media"]
    total = sum(record["output"]["bytes"] for record in source.values())
    count = bucket_count(int(total * max(spec.shards.splits)), spec.shards.file_bytes, max(known, default=0))
    touching = _touching(sorted(source), count)
    return [
        Partition(f"{split}-{bucket:05d}-of-{count:05d}", touching[bucket])
        for split in SPLITS for bucket in range(count)
    ]


def _touching(blocks: list[str], count: int) -> list[frozenset[str]]:
    """For each bucket the blocks whose range of PMCIDs may hold articles of it; the last block has no known end."""
    found: list[set[str]] = [set() for _ in range(count)]
    for block, following in zip(blocks, [*blocks[1:], ""], strict=True):
        first = int(block) // RANGE
        last = int(following) // RANGE if following else first + 8 * count
        many = last - first >= 8 * count
        for bucket in range(count) if many else {bucket_of(n * RANGE, count) for n in range(first, last + 1)}:
            found[bucket].add(block)
    return [frozenset(names) for names in found]


def units(tables: Tables, spec: Spec, block: str) -> list[Unit]:
    """One unit a published row, and one for each panel of the bucket that is left out."""
    split, bucket, count = _parts(block)
    panels = tables["panels"].filter(_in_bucket(tables["panels"]["panel_id"], bucket, count))
    dedupe = tables["dedupe"].filter(pc.is_in(tables["dedupe"]["panel_id"], panels["panel_id"].combine_chunks()))
    panels = panels.filter(pc.is_in(panels["panel_id"], dedupe["panel_id"].combine_chunks()))
    own = dedupe.filter(pc.equal(dedupe["split"], split))
    joined = {name: tables[name] for name in ("align", "figures", "screen", "media", "articles")}
    rows = shard_rows(panels=panels, dedupe=own if spec.shards.level == "panel" else dedupe, level=spec.shards.level,
                      snapshot_date="", **joined)
    md5s = dict(zip(tables["media"]["image_id"].to_pylist(), tables["media"]["md5"].to_pylist(), strict=True))
    kept = [_kept(row, md5s) for row in rows.filter(pc.equal(rows["split"], split)).to_pylist()]
    return [*kept, *_left_out(own, tables["align"], spec.shards.level)]


def _parts(block: str) -> tuple[str, int, int]:
    match = _NAME.fullmatch(block)
    assert match is not None
    return match[1], int(match[2]), int(match[3])


def _in_bucket(panels: pa.ChunkedArray, bucket: int, count: int) -> pa.Array:
    pmcids = pc.struct_field(pc.extract_regex(panels, r"^PMC(?P<pmcid>\d+)"), "pmcid").cast(pa.int64())
    ranges, place = np.unique(pmcids.to_numpy() // RANGE, return_inverse=True)
    return pa.array(np.array([bucket_of(n * RANGE, count) == bucket for n in ranges.tolist()], bool)[place])


def _kept(row: Row, md5s: Mapping[str, str]) -> Unit:
    image = ids.image_of(row["panel_id"])
    source = {"media": image} if row["kind"] == "figure" else {"panels": row["panel_id"]}
    return Unit(row["panel_id"], {**row, "md5": md5s[image]}, content=source)


def _left_out(dedupe: pa.Table, align: pa.Table, level: str) -> Iterator[Unit]:
    """Panels that are not published, with the reason. A build of whole figures publishes no panels at all."""
    if level == "figure":
        return
    paired = set(align["panel_id"].to_pylist())
    for row in dedupe.to_pylist():
        if row["excluded_by"] or row["panel_id"] not in paired:
            reason, detail = reason_of(row["excluded_by"]) if row["excluded_by"] else ("no-subcaption", "")
            yield Unit(f"{row['panel_id']} left out", {"lost": reason, "detail": detail}, (row["panel_id"],))


def process(unit: Unit, content: Mapping[str, Row], snapshot_date: str) -> Result:
    """Attach the image."""
    if "lost" in unit.facts:
        return Result(lost={unit.members[0]: Loss(unit.facts["lost"], unit.facts["detail"])})
    image = next(iter(content.values()))["image"]
    names = [name for name in schema.SHARDS.names if name not in ("image", "snapshot_date")]
    return Result([{"image": image, "snapshot_date": snapshot_date, **{name: unit.facts[name] for name in names}}])


@contextlib.contextmanager
def _snapshot_date(spec: Spec) -> Iterator[str]:
    """The date of the pinned snapshot. A row keeps that of the run that made it: a new date alone moves no row."""
    yield states.of(spec).records("snapshot")["all"]["facts"]["date"]


def _open_writer(path: Path, rows: pa.Schema) -> pq.ParquetWriter:
    return shard_writer(path)


_PANELS = ("panel_id", "image_id", "figure_id", "index", "bbox", "kind", "width", "height")

STEP = Stage(
    name="shards",
    version=2,
    scope="panel",
    schema=schema.SHARDS,
    key="panel_id",
    inputs=(
        Input("panels", _PANELS, content=("image",)),
        Input("align", tuple(schema.ALIGN.names)),
        Input("dedupe", ("panel_id", "split", "excluded_by")),
        Input("figures", tuple(name for name in schema.FIGURES.names if name != "caption_xml")),
        Input("screen", ("figure_id", "reasons", "modalities")),
        Input("media", ("image_id", "figure_id", "md5", "width", "height"), content=("image",)),
        Input("articles", tuple(name for name in schema.ARTICLES.names if name not in ("etag", "media", "xml"))),
    ),
    spec_keys=("shards.level", "panels.quality", "panels.max_side"),
    units=units,
    process=process,
    setup=_snapshot_date,
    partition=partition,
    open_writer=_open_writer,
    row_groups=row_groups,
)
