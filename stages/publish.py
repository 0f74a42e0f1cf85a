"""Stage 11, publish: put up `<out>/dataset`, complete and in one atomic switch.

Data files (hard links to the shards), card, licences, attribution, what was removed since the last time, Croissant,
gallery.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from pmcoa_build import ids, schema
from pmcoa_build.build import Build
from pmcoa_build.captions.corrections import agreement, load_corrections
from pmcoa_build.captions.split import split_caption
from pmcoa_build.dataset.attribution import ROW_COLUMNS, attribution_rows
from pmcoa_build.dataset.gallery import Shown, gallery_figures, sample_figures
from pmcoa_build.dataset.publish import ShardFile, publish
from pmcoa_build.engine import state as states
from pmcoa_build.engine.read import read_file
from pmcoa_build.engine.stage import Input, Task, TaskContext, TaskOutput
from pmcoa_build.errors import RunFailed
from pmcoa_build.pmc.media import match_media
from stages.report import funnel

_SHOWN_MEDIA = ("figure_id", "image_id", "image")
_SHOWN_ALIGN = ("panel_id", "label", "subcaption", "preamble", "method", "confidence")


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
        attribution=attribution, funnel=funnel(build.state), shown=_shown(build, lost), reasons=lost,
        languages=sorted(set(languages) - {None}),
    )
    folder = f"dataset-{dataset_id}"
    files = sorted(path for path in (context.out / folder).rglob("*") if path.is_file())
    return TaskOutput(files, {"dataset_id": dataset_id, "date": date, "keep": [folder], "rows": rows.num_rows})


def _reasons(build: Build) -> dict[str, str]:
    """Why units are not published, by id: articles, figures, images, panels; the first stage to lose one says why."""
    found: dict[str, str] = {}
    for stage in ("articles", "media", "panels", "align", "shards"):
        lost = build.lost(stage)
        found = dict(zip(lost["unit"].to_pylist(), lost["reason"].to_pylist(), strict=True)) | found
    for row in build.table("screen", ["figure_id", "reasons"]).to_pylist():
        if row["reasons"]:
            found[row["figure_id"]] = row["reasons"][0]
    return found


def _shown(build: Build, lost: Mapping[str, str]) -> Shown:
    """What the gallery shows: figures that have panels, and some that were left out."""
    kept = {name for part in build.parts("panels", ["figure_id"]) for name in pc.unique(part["figure_id"]).to_pylist()}
    dropped = {figure: reason for figure, reason in _lost_figures(build, lost).items() if figure not in kept}
    with_panels, without = sample_figures(kept, dropped)
    chosen = pa.array([*with_panels, *without], pa.string())
    figures = pa.concat_tables([_among(part, "figure_id", chosen) for part in build.parts("figures")])
    media = pa.concat_tables([_among(part, "figure_id", chosen) for part in build.parts("media", _SHOWN_MEDIA)])
    captions = zip(figures["figure_id"].to_pylist(), figures["caption"].to_pylist(), strict=True)
    clauses = {figure: {label: split.for_label(label) for label in split.labels}
               for figure, split in ((figure, split_caption(caption)) for figure, caption in captions)}
    entries = gallery_figures(figures, media, _pairs(build, chosen), {**dropped, **lost}, clauses)
    corrections = build.spec.align.corrections
    said = agreement(load_corrections(corrections)) if corrections else {}
    return Shown(entries, len(kept), len(dropped), said)


def _lost_figures(build: Build, lost: Mapping[str, str]) -> dict[str, str]:
    """Reason by figure, of figures that were left out themselves or have lost an image."""
    units = {unit.rsplit(" of ", 1)[-1]: reason for unit, reason in lost.items() if "/" in unit and "#" not in unit}
    names = defaultdict(list)
    for unit in units:
        names[ids.article_of(unit)].append(unit.split("/", 1)[1])
    found = {}
    for part in build.parts("figures", ["figure_id", "article", "graphics"]):
        for row in _among(part, "article", pa.array(names, pa.string())).to_pylist():
            article, figure = row["article"], row["figure_id"]
            images = (match_media(href, names[article]) for href in row["graphics"])
            named = next((u for u in (figure, *(f"{article}/{image}" for image in images)) if u in units), None)
            if named:
                found[figure] = units[named]
    return found


def _pairs(build: Build, figures: pa.Array) -> pa.Table:
    columns = ["panel_id", "image_id", "figure_id", "bbox", "kind"]
    panels = pa.concat_tables([_among(part, "figure_id", figures) for part in build.parts("panels", columns)])
    wanted = panels["panel_id"].combine_chunks()
    for stage, names in (("align", _SHOWN_ALIGN), ("dedupe", ("panel_id", "split"))):
        table = pa.concat_tables([_among(part, "panel_id", wanted) for part in build.parts(stage, names)])
        at = pc.index_in(panels["panel_id"], table["panel_id"].combine_chunks())
        for name in names[1:]:
            panels = panels.append_column(name, table[name].take(at))
    return panels


def _among(table: pa.Table, key: str, wanted: pa.Array) -> pa.Table:
    return table.filter(pc.is_in(table[key], wanted))


STEP = Task(
    name="publish",
    version=4,
    inputs=(
        Input("shards", tuple(schema.SHARDS.names)),
        Input("snapshot", ("facts",)),
        Input("screen", ("reasons",)),
    ),
    spec_keys=("build.name", "align.corrections"),
    run=run,
)
