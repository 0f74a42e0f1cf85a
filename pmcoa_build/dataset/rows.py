"""The published rows without their images: what is known of each pair, joined.

No image column is read, so it can be made for a whole build; the shards stage attaches the images.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pmcoa_build import ids, schema
from pmcoa_build.licenses import stated_license, with_changes

METADATA = pa.schema(
    [field for field in schema.SHARDS if field.name != "image"] + [pa.field("split", pa.string(), nullable=False)]
)
"""A published row without its image, and the split it goes to."""

FIGURE = "figure"
"""Kind of rows that are a whole image with the whole caption."""

CHANGES = "panel cut out of the figure and encoded anew"
"""What was done to the image of a row that is no whole figure: licences ask to be told of it."""

LOW_CONFIDENCE = 0.5
"""Pairs below this confidence carry the flag `low-confidence`."""


def article_url(pmcid: int) -> str:
    """The article's page at PMC, for people; never fetched by a program."""
    return f"https://pmc.ncbi.nlm.nih.gov/articles/PMC{pmcid}/"


def shard_rows(
    *,
    panels: pa.Table,
    align: pa.Table,
    dedupe: pa.Table,
    figures: pa.Table,
    screen: pa.Table,
    media: pa.Table,
    articles: pa.Table,
    level: str,
    snapshot_date: str | Mapping[str, str],
) -> pa.Table:
    """Join the tables of schema.py (image columns not needed) to METADATA, sorted by article, figure, image, panel.

    `level`: "panel" = a row a pair that dedupe lets pass; "figure" = a row a whole image, with the whole caption,
    unless all its panels were left out, or one for a benchmark or another split; "both", where a panel that is the
    whole image stands for the figure too. `snapshot_date` as YYYY-MM-DD, one for all or by article.
    """
    parts = []
    if level in ("panel", "both"):
        parts.append(_panel_rows(panels, align, dedupe))
    if level in ("figure", "both"):
        wholes = _figure_rows(panels, dedupe, media, figures)
        taken = parts[0]["panel_id"].combine_chunks() if parts else pa.array([], pa.string())
        parts.append(wholes.filter(pc.invert(pc.is_in(wholes["panel_id"], taken))))
    return _described(pa.concat_tables(parts), figures, screen, articles, snapshot_date)


def _rows_for(table: pa.Table, key: str, wanted: pa.ChunkedArray) -> pa.Table:
    """The row of `table` for each wanted key, nulls where there is none."""
    return table.take(pc.index_in(wanted, table[key].combine_chunks()))


def _panel_rows(panels: pa.Table, align: pa.Table, dedupe: pa.Table) -> pa.Table:
    kept = dedupe.filter(pc.is_null(dedupe["excluded_by"]))
    known = pc.and_(
        pc.is_in(panels["panel_id"], kept["panel_id"].combine_chunks()),
        pc.is_in(panels["panel_id"], align["panel_id"].combine_chunks()),
    )
    pairs = panels.filter(known)
    paired = _rows_for(align, "panel_id", pairs["panel_id"])
    columns = {name: pairs[name] for name in ("panel_id", "figure_id", "bbox", "width", "height", "kind", "index")}
    columns |= {name: paired[name] for name in ("subcaption", "preamble", "label", "method", "confidence")}
    columns["noted"] = paired["flags"]
    return pa.table({**columns, "split": _rows_for(kept, "panel_id", pairs["panel_id"])["split"]})


def _figure_rows(panels: pa.Table, dedupe: pa.Table, media: pa.Table, figures: pa.Table) -> pa.Table:
    split_of = _image_splits(panels, dedupe)
    rows = media.select(["image_id", "figure_id", "width", "height"])
    rows = rows.filter(pc.is_in(rows["image_id"], pa.array(split_of, pa.string())))
    images = rows["image_id"].to_pylist()
    sizes = zip(rows["width"].to_pylist(), rows["height"].to_pylist(), strict=True)
    boxes = [(0, 0, width, height) for width, height in sizes]
    caption = _rows_for(figures.select(["figure_id", "caption"]), "figure_id", rows["figure_id"])["caption"]
    count = len(rows)
    return pa.table({
        "panel_id": pa.array([ids.panel_id(i, b) for i, b in zip(images, boxes, strict=True)], pa.string()),
        "figure_id": rows["figure_id"],
        "bbox": pa.array(boxes, schema.BOX),
        "width": rows["width"],
        "height": rows["height"],
        "kind": pa.array([FIGURE] * count, pa.string()),
        "index": pa.array([-1] * count, pa.int32()),
        "subcaption": caption,
        "preamble": pa.array([""] * count, pa.string()),
        "label": pa.nulls(count, pa.string()),
        "method": pa.array(["whole-caption"] * count, pa.string()),
        "confidence": pa.array([1.0] * count, pa.float32()),
        "noted": pa.array([[]] * count, schema.STRINGS),
        "split": pa.array([split_of[image] for image in images], pa.string()),
    })


def _image_splits(panels: pa.Table, dedupe: pa.Table) -> dict[str, str]:
    """Split of each whole image that may be published: its kept panels', if no other panel of it speaks against."""
    decided = _rows_for(dedupe, "panel_id", panels["panel_id"])
    kept: dict[str, str] = {}
    against: dict[str, set[str]] = {}
    for image, split, excluded in zip(
        panels["image_id"].to_pylist(), decided["split"].to_pylist(), decided["excluded_by"].to_pylist(), strict=True
    ):
        if split is not None and excluded is None:
            kept[image] = split
        elif split is not None:
            against.setdefault(image, set()).add(split if excluded == "duplicate" else excluded)
    return {image: split for image, split in kept.items() if against.get(image, {split}) == {split}}


def _described(
    rows: pa.Table, figures: pa.Table, screen: pa.Table, articles: pa.Table, snapshot_date: str | Mapping[str, str]
) -> pa.Table:
    figure = _rows_for(figures, "figure_id", rows["figure_id"])
    article = _rows_for(articles, "article", figure["article"])
    screened = _rows_for(screen, "figure_id", rows["figure_id"])
    names = figure["article"].to_pylist()
    numbers = [ids.parse_article_id(name) for name in names]
    dates = [snapshot_date if isinstance(snapshot_date, str) else snapshot_date[name] for name in names]
    codes, own = figure["license"].to_pylist(), zip(
        article["license_code"].to_pylist(), article["license_url"].to_pylist(), strict=True)
    urls = [_deed(code, url if code == (of or "") else None) for code, (of, url) in zip(codes, own, strict=True)]
    lines = [with_changes(line, "" if kind == FIGURE else CHANGES) for line, kind in zip(
        figure["attribution"].to_pylist(), rows["kind"].to_pylist(), strict=True)]
    extra = {
        "caption": figure["caption"],
        "article": figure["article"],
        "pmid": article["pmid"],
        "doi": article["doi"],
        "modalities": pc.coalesce(screened["modalities"], pa.scalar([], schema.STRINGS)),
        "mentions": figure["mentions"],
        "license": figure["license"],
        "license_url": pa.array(urls, pa.string()),
        "attribution": pa.array(lines, pa.string()),
        "flags": _flags(rows, figure, screened, article),
        "source_url": pa.array([article_url(pmcid) for pmcid, _ in numbers], pa.string()),
        "snapshot_date": pa.array(dates, pa.string()),
        "journal": article["journal"],
        "year": article["year"],
        "pmcid": pa.array([pmcid for pmcid, _ in numbers], pa.int64()),
        "version": pa.array([version for _, version in numbers], pa.int64()),
        "position": figure["position"],
        "image_id": pa.array([ids.image_of(panel) for panel in rows["panel_id"].to_pylist()], pa.string()),
    }
    for name, column in extra.items():
        rows = rows.append_column(name, column)
    keys = ["pmcid", "version", "position", "figure_id", "image_id", "index", "panel_id"]
    return rows.take(pc.sort_indices(rows, [(key, "ascending") for key in keys])).select(METADATA.names).cast(METADATA)


def _deed(code: str, url: str | None) -> str | None:
    """Where the licence stands: the article's own URL in its usual spelling, else the current version's."""
    named = stated_license(code, url)
    return named.url if named else url


def _flags(rows: pa.Table, figure: pa.Table, screened: pa.Table, article: pa.Table) -> pa.Array:
    """What a user may want to filter by: names in a fixed order."""
    rights = [own != (code or "") or "figure-rights" in (reasons or ()) for own, code, reasons in zip(
        figure["license"].to_pylist(), article["license_code"].to_pylist(), screened["reasons"].to_pylist(),
        strict=True)]
    marks = {
        "retracted": article["is_retracted"].to_pylist(),
        "manuscript": article["is_manuscript"].to_pylist(),
        "historical-ocr": article["is_historical_ocr"].to_pylist(),
        "reprint": figure["reprint"].to_pylist(),
        "figure-rights": rights,
        "corrected": [method == "corrected" for method in rows["method"].to_pylist()],
        "second-opinion": ["second-opinion" in noted for noted in rows["noted"].to_pylist()],
        "low-confidence": (np.asarray(rows["confidence"]) < LOW_CONFIDENCE).tolist(),
    }
    by_row = zip(*marks.values(), strict=True)
    return pa.array([[n for n, marked in zip(marks, row, strict=True) if marked] for row in by_row], schema.STRINGS)
