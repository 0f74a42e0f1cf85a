"""Stage 4, screen: which figures are worth their images, and why the others are not.

Decided from the caption, the licences and the list of media alone, so that no byte of an unwanted image is fetched.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from pmcoa_build import schema
from pmcoa_build.captions.screen import modalities, screen_terms
from pmcoa_build.engine.stage import Input, Result, Row, Stage, Tables, Unit
from pmcoa_build.pmc.media import is_raster, is_safe_href, match_media
from pmcoa_build.spec import Spec

_OWN = ("caption", "license", "rights_note", "reprint")


def units(tables: Tables, spec: Spec, block: str) -> list[Unit]:
    """One unit a figure, with the images that its article really has for it."""
    articles = {row["article"]: row for row in tables["articles"].to_pylist()}
    result = []
    for figure in tables["figures"].to_pylist():
        article = articles[figure["article"]]
        names = [item["name"] for item in article["media"] if is_raster(item["name"])]
        facts = {key: figure[key] for key in _OWN} | {
            "graphics": len(figure["graphics"]),
            "images": [name for href in figure["graphics"] if (name := match_media(href, names))],
            "unsafe": not all(map(is_safe_href, figure["graphics"])),
            "has_media": bool(article["media"]),
            "article_license": article["license_code"],
            "licenses": spec.select.licenses,
            "figure_rights": spec.screen.figure_rights,
            "terms": spec.screen.terms,
        }
        result.append(Unit(figure["figure_id"], facts))
    return result


def process(unit: Unit, content: Mapping[str, Row], resource: Any) -> Result:
    """The decision on one figure, with all reasons against it."""
    facts = unit.facts
    terms = _matcher(facts["terms"])(facts["caption"])
    reasons = _missing(facts)
    if _foreign_rights(facts) and facts["figure_rights"] == "drop":
        reasons.append("figure-rights")
    if not facts["caption"]:
        reasons.append("no-caption")
    elif facts["terms"] != "none" and not terms:
        reasons.append("no-term")
    row = {"figure_id": unit.id, "keep": not reasons, "reasons": reasons, "terms": terms,
           "modalities": modalities(facts["caption"])}
    return Result([row])


@functools.lru_cache(maxsize=4)
def _matcher(terms: str) -> Any:
    return screen_terms(terms).find


def _missing(facts: Row) -> list[str]:
    if not facts["graphics"]:
        return ["no-graphic"]
    if not facts["has_media"]:
        return ["no-media"]
    if facts["images"]:
        return []
    return ["name-unsafe" if facts["unsafe"] else "media-missing"]


def _foreign_rights(facts: Row) -> bool:
    """Whether the figure says that it is somebody else's, or stands under a licence that is not selected."""
    own = facts["license"] != (facts["article_license"] or "")
    barred = own and "any" not in facts["licenses"] and facts["license"] not in facts["licenses"]
    return bool(facts["reprint"] or barred)


STEP = Stage(
    name="screen",
    version=2,
    scope="figure",
    schema=schema.SCREEN,
    key="figure_id",
    inputs=(
        Input("figures", ("figure_id", "article", "graphics", *_OWN)),
        Input("articles", ("article", "license_code", "media")),
    ),
    spec_keys=("screen.terms", "screen.figure_rights", "select.licenses"),
    units=units,
    process=process,
)
