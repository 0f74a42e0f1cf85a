"""Stage 3, figures: every figure of every article, kept or not.

Reads the XML that stage 2 stored. Captions, in-text mentions, image names, and the rights of the figure itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pmcoa_build import ids, schema
from pmcoa_build.dataset.rows import article_url
from pmcoa_build.engine.stage import Input, Result, Row, Stage, Tables, Unit
from pmcoa_build.licenses import attribution, figure_license, stated_license
from pmcoa_build.pmc.jats import Figure, parse_article
from pmcoa_build.spec import Spec

_WORK = ("authors", "title", "journal", "year", "doi")
_CREDIT = (*_WORK, "license_code", "license_url")


def units(tables: Tables, spec: Spec, block: str) -> list[Unit]:
    """One unit an article."""
    return [
        Unit(row["article"], {key: row[key] for key in ("xml_md5", *_CREDIT)}, content={"articles": row["article"]})
        for row in tables["articles"].to_pylist()
    ]


def process(unit: Unit, content: Mapping[str, Row], resource: Any) -> Result:
    """One row a figure, in document order."""
    figures = parse_article(content["articles"]["xml"]).figures
    names = ids.figure_ids(unit.id, [figure.xml_id for figure in figures])
    return Result([
        {
            "figure_id": name,
            "article": unit.id,
            "position": position,
            "label": figure.label,
            "caption": figure.caption or "",
            "caption_xml": figure.caption_xml,
            "mentions": list(figure.mentions),
            "graphics": list(figure.graphics),
            **_rights(figure, unit),
        }
        for position, (name, figure) in enumerate(zip(names, figures, strict=True), 1)
    ])


def _rights(figure: Figure, unit: Unit) -> Row:
    """Licence, credit and notices of the figure, which may stand under other terms than its article."""
    facts = unit.facts
    code = figure_license(figure.license, figure.rights_note, facts["license_code"])
    pmcid, _ = ids.parse_article_id(unit.id)
    credit = attribution(
        license=stated_license(code, facts["license_url"] if code == (facts["license_code"] or "") else None),
        source_url=article_url(pmcid), notice=figure.rights_note, **{key: facts[key] for key in _WORK},
    )
    return {"license": code, "attribution": credit, "rights_note": figure.rights_note, "reprint": figure.reprint}


STEP = Stage(
    name="figures",
    version=2,
    scope="article",
    schema=schema.FIGURES,
    key="figure_id",
    inputs=(Input("articles", ("article", "xml_md5", *_CREDIT), content=("xml",)),),
    spec_keys=(),
    units=units,
    process=process,
)
