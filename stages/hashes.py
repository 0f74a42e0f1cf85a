"""Stage 8, hashes: what tells near-duplicate panels: a perceptual hash of each, and a thumbnail to confirm it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pmcoa_build import schema
from pmcoa_build.engine.stage import Input, Result, Row, Stage, Tables, Unit
from pmcoa_build.figures.decode import decode_image
from pmcoa_build.figures.duplicates import phash, thumbnail
from pmcoa_build.spec import Spec

_PANELS = ("panel_id", "image_id", "figure_id", "image_phash")


def units(tables: Tables, spec: Spec, block: str) -> list[Unit]:
    """One unit a panel, in the order of the panels; its pixels follow from the image, the box and how it is stored."""
    md5s = dict(zip(tables["media"]["image_id"].to_pylist(), tables["media"]["md5"].to_pylist(), strict=True))
    rows = tables["panels"].select(list(_PANELS)).to_pylist()
    return [
        Unit(row["panel_id"], {"md5": md5s[row["image_id"]], "figure": row["figure_id"], "image": row["image_phash"]},
             content={"panels": row["panel_id"]})
        for row in rows
    ]


def process(unit: Unit, content: Mapping[str, Row], resource: Any) -> Result:
    """Hash and thumbnail of one panel."""
    rgb = decode_image(content["panels"]["image"]["bytes"]).rgb
    return Result([{
        "panel_id": unit.id, "figure_id": unit.facts["figure"], "phash": f"{phash(rgb):016x}",
        "image_phash": unit.facts["image"], "thumbnail": thumbnail(rgb),
    }])


STEP = Stage(
    name="hashes",
    version=1,
    scope="panel",
    schema=schema.HASHES,
    key="panel_id",
    inputs=(
        Input("panels", _PANELS, content=("image",)),
        Input("media", ("image_id", "md5")),
    ),
    spec_keys=("panels.quality", "panels.max_side"),
    units=units,
    process=process,
)
