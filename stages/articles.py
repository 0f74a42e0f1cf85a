"""Stage 2, articles: the JSON and XML of every selected article.

One JSON request tells licence, version and retraction; only what passes costs a second request, for the XML. The
XML is kept compressed in the table; what cannot be parsed is lost here, so that later stages read sound XML only.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping

from pmcoa_build import schema
from pmcoa_build.engine.stage import Input, Loss, Result, Row, Stage, Tables, Unit
from pmcoa_build.errors import UnitLost
from pmcoa_build.licenses import license_of
from pmcoa_build.pmc.jats import parse_article
from pmcoa_build.pmc.metadata import Metadata, best_versions, parse_metadata
from pmcoa_build.spec import Spec
from stages.source import Source, drop_raw, open_source


def units(tables: Tables, spec: Spec, block: str) -> list[Unit]:
    """One unit an article, with all its versions: which one is best shows only when all are known."""
    versions: dict[int, list[list[str]]] = defaultdict(list)
    for row in tables["snapshot"].to_pylist():
        versions[row["pmcid"]].append([row["article"], row["etag"]])
    settings = {"licenses": spec.select.licenses, "languages": spec.select.languages,
                "versions_policy": spec.select.versions, "retracted": spec.select.retracted}
    return [
        Unit(f"PMC{pmcid}", {"versions": rows, **settings}, tuple(article for article, _ in rows))
        for pmcid, rows in versions.items()
    ]


def process(unit: Unit, content: Mapping[str, Row], source: Source) -> Result:
    """Rows for the versions that are kept, a reason for each that is not."""
    lost: dict[str, Loss] = {}
    found: dict[str, tuple[Metadata, str]] = {}
    for article, etag in unit.facts["versions"]:
        try:
            found[article] = _metadata(source, article, etag)
        except UnitLost as error:
            lost[article] = Loss(error.reason.code, error.detail)
    kept = {one.article for one in best_versions([one for one, _ in found.values()], unit.facts["versions_policy"])}
    rows = []
    for article, (metadata, etag) in found.items():
        try:
            if article not in kept:
                raise UnitLost("version-superseded")
            rows.append(_row(source, metadata, etag, unit.facts))
        except UnitLost as error:
            lost[article] = Loss(error.reason.code, error.detail)
    return Result(rows, lost)


def _metadata(source: Source, article: str, etag: str) -> tuple[Metadata, str]:
    """The metadata as they are now (they may be newer than the snapshot), and their own ETag."""
    key = f"metadata/{article}.json"
    data = source.get_latest(key, etag)
    metadata = parse_metadata(data)
    if metadata.article != article:
        raise UnitLost("json-malformed", f"it describes {metadata.article}")
    return metadata, hashlib.md5(data, usedforsecurity=False).hexdigest()


def _row(source: Source, metadata: Metadata, etag: str, wanted: Row) -> Row:
    if metadata.is_retracted and wanted["retracted"] == "drop":
        raise UnitLost("retracted")
    if "any" not in wanted["licenses"] and metadata.license_code not in wanted["licenses"]:
        raise UnitLost("license-not-allowed", metadata.license_code or "no licence code")
    if metadata.xml is None:
        raise UnitLost("xml-missing")
    if metadata.xml.md5 is None:
        raise UnitLost("md5-missing", metadata.xml.key)
    xml = source.get(metadata.xml.key, metadata.xml.md5)
    article = parse_article(xml)
    if wanted["languages"] and article.language and article.language.lower()[:2] not in wanted["languages"]:
        raise UnitLost("language-not-allowed", article.language)
    license_ = license_of(metadata.license_code) or license_of(article.license_url)
    return {
        "article": metadata.article,
        "etag": etag,
        "pmid": metadata.pmid or article.pmid,
        "doi": metadata.doi or article.doi,
        "title": article.title or metadata.title,
        "authors": list(article.authors),
        "journal": article.journal,
        "year": article.year,
        "article_type": article.article_type,
        "language": article.language,
        "license_code": metadata.license_code,
        "license_url": article.license_url or (license_.url if license_ else None),
        "is_retracted": metadata.is_retracted,
        "is_manuscript": metadata.is_manuscript,
        "is_historical_ocr": metadata.is_historical_ocr,
        "media": [{"name": item.name, "md5": item.md5 or ""} for item in metadata.media],
        "xml_md5": metadata.xml.md5,
        "xml": xml,
    }


STEP = Stage(
    name="articles",
    version=1,
    scope="article",
    schema=schema.ARTICLES,
    key="article",
    inputs=(Input("snapshot", ("article", "pmcid", "etag")),),
    spec_keys=("select.licenses", "select.languages", "select.versions", "select.retracted"),
    units=units,
    process=process,
    network=True,
    setup=open_source,
    committed=drop_raw,
)
