"""Stage 7, align: give each panel its part of the caption.

By printed label first, then by reading order, then the single panel, else the whole caption; each pair says which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pmcoa_build import schema
from pmcoa_build.captions.align import PanelView, pair
from pmcoa_build.captions.split import split_caption
from pmcoa_build.engine.stage import Input, Loss, Result, Row, Stage, Tables, Unit
from pmcoa_build.spec import Spec

_SEEN = ("panel_id", "image_id", "index", "bbox", "printed_label", "label_score")


def units(tables: Tables, spec: Spec, block: str) -> list[Unit]:
    """One unit a figure, with all its panels: a pair depends on its neighbours."""
    captions = {row["figure_id"]: row["caption"] for row in tables["figures"].to_pylist()}
    sizes = {row["image_id"]: [row["width"], row["height"]] for row in tables["media"].to_pylist()}
    panels = defaultdict(list)
    for row in tables["panels"].to_pylist():
        panels[row["figure_id"]].append({key: row[key] for key in _SEEN} | {"size": sizes[row["image_id"]]})
    result = []
    for figure_id, rows in panels.items():
        rows.sort(key=lambda row: (row["image_id"], row["index"]))
        members = tuple(row["panel_id"] for row in rows)
        result.append(Unit(figure_id, {"caption": captions[figure_id], "panels": rows}, members))
    return result


def process(unit: Unit, content: Mapping[str, Row], resource: Any) -> Result:
    """One row a panel that gets a text."""
    caption, panels = unit.facts["caption"], unit.facts["panels"]
    views = [PanelView(tuple(row["bbox"]), row["printed_label"], row["label_score"]) for row in panels]
    width, height = (max(row["size"][axis] for row in panels) for axis in (0, 1))
    rows, lost = [], {}
    for row, made in zip(panels, pair(views, split_caption(caption), caption, width=width, height=height), strict=True):
        if not made.subcaption:
            lost[row["panel_id"]] = Loss("no-subcaption")
            continue
        rows.append({
            "panel_id": row["panel_id"], "label": made.label, "subcaption": made.subcaption,
            "preamble": made.preamble, "method": made.method, "confidence": made.confidence,
        })
    return Result(rows, lost)


STEP = Stage(
    name="align",
    version=1,
    scope="panel",
    schema=schema.ALIGN,
    key="panel_id",
    inputs=(
        Input("panels", ("figure_id", *_SEEN)),
        Input("figures", ("figure_id", "caption")),
        Input("media", ("image_id", "width", "height")),
    ),
    spec_keys=("align.corrections",),
    units=units,
    process=process,
)
