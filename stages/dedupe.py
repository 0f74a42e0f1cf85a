"""Stage 8, dedupe: near-duplicate panels, splits, and what benchmarks already hold; decided for all panels at once.

The perceptual hash of a panel is kept from run to run; groups, splits and exclusions are made anew from all hashes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pmcoa_build import schema
from pmcoa_build.dataset.groups import BENCHMARK, Exclusions, assign_splits, benchmark_of, load_exclusions
from pmcoa_build.engine.stage import Finish, Input, Partition, Records, Result, Row, Stage, Tables, Unit
from pmcoa_build.figures.decode import decode_image
from pmcoa_build.figures.duplicates import groups, near_pairs, phash, thumbnail, thumbnails_match
from pmcoa_build.spec import Spec


def partition(records: Records, spec: Spec) -> list[Partition]:
    """One block with everything."""
    return [Partition("all")]


def units(tables: Tables, spec: Spec, block: str) -> list[Unit]:
    """One unit a panel; its pixels follow from the image, the box and how crops are stored."""
    md5s = dict(zip(tables["media"]["image_id"].to_pylist(), tables["media"]["md5"].to_pylist(), strict=True))
    rows = tables["panels"].select(["panel_id", "image_id"]).to_pylist()
    return [
        Unit(row["panel_id"], {"md5": md5s[row["image_id"]]}, content={"panels": row["panel_id"]})
        for row in sorted(rows, key=lambda row: row["panel_id"])
    ]


def process(unit: Unit, content: Mapping[str, Row], resource: Any) -> Result:
    """The perceptual hash of one panel; what depends on the others is filled in by `finish`."""
    return Result([{
        "panel_id": unit.id, "phash": _hash(content["panels"]["image"]["bytes"]), "group": None, "split": "",
        "excluded_by": None,
    }])


def _hash(data: bytes) -> str:
    return f"{phash(decode_image(data).rgb):016x}"


def finish(hashes: pa.Table, at: Finish) -> pa.Table:
    """Groups, splits and exclusions of all panels."""
    exclusions = load_exclusions(at.spec.shards.exclude, _hash)
    panels = at.tables["panels"].select(["panel_id", "figure_id"])
    owned = panels.take(pc.index_in(hashes["panel_id"], panels["panel_id"].combine_chunks()))
    names = hashes["panel_id"].to_pylist()
    rows = pa.table({
        "panel_id": hashes["panel_id"],
        "article": pa.array([name.split("/", 1)[0] for name in names], pa.string()),
        "phash": hashes["phash"],
        "benchmark": benchmark_of(owned, exclusions),
    })
    rows = pa.concat_tables([rows, _benchmark_rows(exclusions, rows.schema)])
    rows = rows.append_column("group", pa.array(_groups(rows, at.content), pa.string()))
    return assign_splits(rows, splits=at.spec.shards.splits, previous=at.previous)


def _benchmark_rows(exclusions: Exclusions, like: pa.Schema) -> pa.Table:
    images = exclusions.images
    count = images.num_rows
    return pa.table({
        "panel_id": images["panel_id"], "article": pa.array(["PMC1.1"] * count, pa.string()),
        "phash": images["phash"], "benchmark": pa.nulls(count, pa.string()),
    }).cast(like)


def _groups(rows: pa.Table, content: Callable[[str, str], Row]) -> list[str | None]:
    """The group (its centre's id) of each row that has a near duplicate."""
    names = rows["panel_id"].to_pylist()
    pairs = near_pairs(np.array([int(text, 16) for text in rows["phash"].to_pylist()], dtype=np.uint64))
    small: dict[str, bytes] = {}

    def look(name: str) -> bytes:
        if name not in small:
            small[name] = thumbnail(decode_image(content("panels", name)["image"]["bytes"]).rgb)
        return small[name]

    confirmed = [
        (left, right) for left, right in pairs.tolist()
        if names[left].startswith(BENCHMARK) or names[right].startswith(BENCHMARK)
        or thumbnails_match(look(names[left]), look(names[right]))
    ]
    made = groups(names, np.array(confirmed, dtype=np.int64).reshape(-1, 2))
    group_of = {member: centre for centre, members in made.items() for member in members}
    return [group_of.get(name) for name in names]


STEP = Stage(
    name="dedupe",
    version=1,
    scope="panel",
    schema=schema.DEDUPE,
    key="panel_id",
    inputs=(
        Input("panels", ("panel_id", "image_id", "figure_id"), content=("image",)),
        Input("media", ("image_id", "md5")),
    ),
    spec_keys=("shards.splits", "shards.exclude", "panels.quality", "panels.max_side"),
    units=units,
    process=process,
    partition=partition,
    finish=finish,
)
