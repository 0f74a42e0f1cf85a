"""Stage 5, media: the images of the figures that are kept, and no others.

Every object is checked against the MD5 that PMC publishes; size and kind are read from the header only. An image that
the block already holds is not fetched again, whichever figure it goes to now.
"""

from __future__ import annotations

from collections.abc import Mapping

from pmcoa_build import ids, schema
from pmcoa_build.engine.stage import Input, Loss, Result, Row, Stage, Tables, Unit
from pmcoa_build.errors import UnitLost
from pmcoa_build.figures.decode import image_size
from pmcoa_build.pmc.media import is_raster, match_media
from pmcoa_build.spec import Spec
from stages.source import Source, drop_raw, open_source, spent


def units(tables: Tables, spec: Spec, block: str) -> list[Unit]:
    """One unit an image of a kept figure; an image that two figures name goes to the first."""
    articles = tables["articles"].to_pylist()
    media = {row["article"]: {item["name"]: item["md5"] for item in row["media"]} for row in articles}
    kept = {row["figure_id"] for row in tables["screen"].to_pylist() if row["keep"]}
    figures = sorted(tables["figures"].to_pylist(), key=lambda row: (row["article"], row["position"]))
    owner: dict[str, str] = {}
    result = []
    for figure in (row for row in figures if row["figure_id"] in kept):
        md5s = media[figure["article"]]
        rasters = [name for name in md5s if is_raster(name)]
        found = dict.fromkeys(name for href in figure["graphics"] if (name := match_media(href, rasters)))
        for name in found:
            image, figure_id = ids.image_id(figure["article"], name), figure["figure_id"]
            first = owner.setdefault(image, figure_id)
            facts = {"figure_id": figure_id, "name": name, "md5": md5s[name], "first": first}
            result.append(Unit(image if first == figure_id else f"{image} of {figure_id}", facts))
    return result


def process(unit: Unit, content: Mapping[str, Row], source: Source) -> Result:
    """Fetch one image."""
    facts = unit.facts
    if facts["first"] != facts["figure_id"]:
        return Result(lost={unit.id: Loss("shared-graphic", f"it belongs to {facts['first']}")})
    if not facts["md5"]:
        raise UnitLost("md5-missing", unit.id)
    data = _held(content.get("media"), facts["md5"]) or source.get(unit.id, facts["md5"])
    width, height, format_ = image_size(data)
    return Result([{
        "image_id": unit.id,
        "figure_id": facts["figure_id"],
        "media_name": facts["name"],
        "md5": facts["md5"],
        "width": width,
        "height": height,
        "format": format_,
        "image": {"bytes": data, "path": facts["name"]},
    }])


def _held(before: Row | None, md5: str) -> bytes | None:
    """The image as it was fetched last time, if it is still the same (and was not freed)."""
    rows = before["rows"] if before else ()
    return next((row["image"]["bytes"] for row in rows if row["md5"] == md5 and row["image"]), None)


STEP = Stage(
    name="media",
    version=1,
    scope="image",
    schema=schema.MEDIA,
    key="image_id",
    inputs=(
        Input("figures", ("figure_id", "article", "position", "graphics")),
        Input("screen", ("figure_id", "keep")),
        Input("articles", ("article", "media")),
    ),
    spec_keys=(),
    units=units,
    process=process,
    network=True,
    setup=open_source,
    committed=drop_raw,
    spent=spent,
    recalls=True,
)
