"""Stage 10, publish: put up `<out>/dataset`, complete and in one atomic switch.

Data files (hard links to the shards), card, licences, attribution, what was removed since the last time, Croissant,
gallery.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from pmcoa_build import schema
from pmcoa_build.build import Build
from pmcoa_build.dataset.attribution import ROW_COLUMNS, attribution_rows
from pmcoa_build.dataset.gallery import SHOWN, gallery_figures
from pmcoa_build.dataset.publish import ShardFile, publish
from pmcoa_build.engine import state as states
from pmcoa_build.engine.read import read_file
from pmcoa_build.engine.stage import Input, Row, Task, TaskContext, TaskOutput
from pmcoa_build.errors import RunFailed
from stages.report import funnel

_SHOWN_MEDIA = ("figure_id", "image_id", "image")


def run(context: TaskContext) -> TaskOutput:
    """Publish the shards of the build."""
    records = context.upstream["shards"]
    shards = [
        ShardFile(block.split("-")[0], context.out / record["output"]["path"], record["output"]["rows"],
                  record["output"]["bytes"], record["output"]["sha256"])
        for block, record in sorted(records.items())
    ]
    if not any(shard.rows for shard in shards):
        raise RunFailed("There is not a single pair to publish: `python -m stages report` lists where they were lost.")
    build = Build(context.spec, states.of(context.spec))
    rows = pa.concat_tables([read_file(shard.path, columns=ROW_COLUMNS) for shard in shards])
    media = build.table("media", ["image_id", "md5"])
    articles = build.table("articles", ["article", "title", "authors", "language"])
    languages = _among(articles, "article", rows["article"].combine_chunks())["language"].to_pylist()
    attribution = attribution_rows(rows, articles, media)
    lost = _reasons(build)
    snapshot = context.upstream["snapshot"]["all"]
    date, accessed = snapshot["facts"]["date"], f"{datetime.fromtimestamp(snapshot['run']['finished'], UTC):%Y-%m-%d}"
    dataset_id = publish(
        context.out, shards, name=context.spec.build.name, snapshot_date=date, accessed=accessed,
        attribution=attribution, funnel=funnel(build.state), figures=_gallery(build, lost), reasons=lost,
        languages=sorted(set(languages) - {None}),
    )
    folder = f"dataset-{dataset_id}"
    files = sorted(path for path in (context.out / folder).rglob("*") if path.is_file())
    return TaskOutput(files, {"dataset_id": dataset_id, "date": date, "keep": [folder], "rows": rows.num_rows})


def _reasons(build: Build) -> dict[str, str]:
    """Why units are not published, by id: articles, figures, images, panels."""
    found: dict[str, str] = {}
    for stage in ("articles", "media", "panels", "align", "shards"):
        lost = build.lost(stage)
        found |= dict(zip(lost["unit"].to_pylist(), lost["reason"].to_pylist(), strict=True))
    for row in build.table("screen", ["figure_id", "reasons"]).to_pylist():
        if row["reasons"]:
            found[row["figure_id"]] = row["reasons"][0]
    return found


def _gallery(build: Build, lost: Mapping[str, str]) -> list[Row]:
    """What the gallery shows: the first figures that have panels, then some that were left out."""
    panels = build.table("panels", ["panel_id", "image_id", "figure_id", "bbox", "kind"])
    kept = dict.fromkeys(panels["figure_id"].to_pylist())
    dropped = [unit for unit in sorted(lost) if "#" not in unit and "/" in unit and unit not in kept]
    chosen = pa.array([*list(kept)[: SHOWN - 50], *dropped[:50]], pa.string())
    figures = _among(build.table("figures"), "figure_id", chosen)
    media = pa.concat_tables([_among(part, "figure_id", chosen) for part in build.parts("media", _SHOWN_MEDIA)])
    pairs = _pairs(_among(panels, "figure_id", chosen), build)
    return gallery_figures(figures, media, pairs, build.table("articles", ["article", "year"]), lost)


def _pairs(panels: pa.Table, build: Build) -> pa.Table:
    align = build.table("align", ["panel_id", "label", "subcaption", "preamble", "method", "confidence"])
    dedupe = build.table("dedupe", ["panel_id", "split"])
    for table in (align, dedupe):
        at = pc.index_in(panels["panel_id"], table["panel_id"].combine_chunks())
        for name in table.column_names[1:]:
            panels = panels.append_column(name, table[name].take(at))
    return panels


def _among(table: pa.Table, key: str, wanted: pa.Array) -> pa.Table:
    return table.filter(pc.is_in(table[key], wanted))


STEP = Task(
    name="publish",
    version=3,
    inputs=(
        Input("shards", tuple(schema.SHARDS.names)),
        Input("snapshot", ("facts",)),
        Input("screen", ("reasons",)),
    ),
    spec_keys=("build.name",),
    run=run,
)
