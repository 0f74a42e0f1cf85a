"""Stage 2, articles: the JSON and XML of every selected article.

One JSON request tells licence, version and retraction; only what passes costs a second request, for the XML. What an
earlier run has learnt is not asked for again, under whatever spec. The XML is kept compressed in the table; what cannot
be parsed is lost here, so that later stages read sound XML only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import replace

from pmcoa_build import schema
from pmcoa_build.engine.read import memos
from pmcoa_build.engine.stage import Input, Loss, Result, Row, Stage, Tables, Unit
from pmcoa_build.engine.state import State
from pmcoa_build.errors import UnitLost
from pmcoa_build.licenses import license_of
from pmcoa_build.pmc import known
from pmcoa_build.pmc.admission import admit, license_code
from pmcoa_build.pmc.jats import Article, parse_article
from pmcoa_build.pmc.known import Seen, Text
from pmcoa_build.pmc.metadata import Metadata, best_versions
from pmcoa_build.spec import Spec
from stages.source import Source, drop_raw, open_source, spent

_NOTHING: Row = {"rows": [], "memo": b""}


def settings(spec: Spec) -> Row:
    """What of the spec decides on an article."""
    keys = spec.select
    return {"licenses": keys.licenses, "languages": keys.languages, "versions_policy": keys.versions,
            "retracted": keys.retracted}


def units(tables: Tables, spec: Spec, block: str) -> list[Unit]:
    """One unit an article, with all its versions: which one is best shows only when all are known."""
    versions: dict[int, list[list[str]]] = defaultdict(list)
    for row in tables["snapshot"].to_pylist():
        versions[row["pmcid"]].append([row["article"], row["etag"]])
    wanted = settings(spec)
    return [
        Unit(f"PMC{pmcid}", {"versions": rows, **wanted}, tuple(article for article, _ in rows))
        for pmcid, rows in versions.items()
    ]


def process(unit: Unit, content: Mapping[str, Row], source: Source) -> Result:
    """Rows for the versions that are kept, a reason for each that is not."""
    wanted, told = unit.facts, content.get("articles", _NOTHING)
    texts = {row["xml_md5"]: row["xml"] for row in told["rows"]}
    seen = {name: one for name, one in known.load(told["memo"]).items() if name in unit.members}
    lost: dict[str, Loss] = {}
    found: list[Metadata] = []
    for article, etag in _worth_asking(wanted):
        try:
            seen[article] = _asked(source, article, etag, seen.get(article))
            found.append(seen[article].metadata)
        except UnitLost as error:
            lost[article] = Loss(error.reason.code, error.detail)
    kept = {one.article for one in best_versions(found, wanted["versions_policy"])}
    rows = []
    for article in (name for name in unit.members if name not in lost):
        try:
            if article not in kept:
                raise UnitLost("version-superseded")
            rows.append(_row(source, article, seen, texts, wanted))
        except UnitLost as error:
            lost[article] = Loss(error.reason.code, error.detail)
    unsafe = sum(len(seen[row["article"]].metadata.unsafe) for row in rows)
    return Result(rows, lost, {"name-unsafe": unsafe} if unsafe else {}, known.dump(seen))


def remembered(state: State, block: str, units: Collection[str] | None = None) -> list[dict[str, Seen]]:
    """What a committed block knows of its articles, or of some: version id -> what is known of it, one dict each."""
    ledger = state.path(state.records("articles")[block]["ledger"]["path"])
    return [known.load(memo) for memo in memos(ledger, units).values()]


def _worth_asking(wanted: Row) -> list[list[str]]:
    """(version, ETag) of those versions whose JSON can make a difference."""
    versions: list[list[str]] = wanted["versions"]
    return versions[-1:] if wanted["versions_policy"] == "latest" else versions  # in the order of their numbers


def _asked(source: Source, article: str, etag: str, before: Seen | None) -> Seen:
    """The version as the source has it now, which may be newer than the snapshot; unchanged if that is known."""
    if before is not None and before.answers(etag):
        return before
    return known.saw(before, article, etag, source.get_latest(f"metadata/{article}.json", etag))


def _row(source: Source, article: str, seen: dict[str, Seen], texts: Mapping[str, bytes], wanted: Row) -> Row:
    """The row of a version. Where the XML is not what the JSON says, it may have been updated: both are read anew."""
    try:
        return _read(source, article, seen, texts, wanted)
    except UnitLost as error:
        if error.reason.code != "md5-mismatch":
            raise
        before = seen[article]
        seen[article] = known.saw(before, article, before.asked, source.bucket.get(f"metadata/{article}.json"))
        if seen[article].states[-1].xml_md5 == before.states[-1].xml_md5:
            raise
    return _read(source, article, seen, texts, wanted)


def _read(source: Source, article: str, seen: dict[str, Seen], texts: Mapping[str, bytes], wanted: Row) -> Row:
    admit(seen[article], wanted)
    named = seen[article].metadata.xml
    assert named is not None and named.md5 is not None
    xml = texts.get(named.md5) or source.get(named.key, named.md5)
    parsed = parse_article(xml)
    text = Text((parsed.language or "").lower()[:2], parsed.license_code)
    seen[article] = replace(seen[article], text=text)
    admit(seen[article], wanted)
    return _of(seen[article], xml, parsed)


def _of(one: Seen, xml: bytes, article: Article) -> Row:
    metadata, code = one.metadata, license_code(one)
    assert metadata.xml is not None
    link = license_of(article.license_url)
    return {
        "article": metadata.article,
        "etag": one.etag,
        "pmid": metadata.pmid or article.pmid,
        "doi": metadata.doi or article.doi,
        "title": article.title or metadata.title,
        "authors": list(article.authors),
        "journal": article.journal,
        "year": article.year,
        "article_type": article.article_type,
        "language": article.language,
        "license_code": code,
        "license_url": article.license_url if link and link.code == (code or link.code) else None,
        "is_retracted": metadata.is_retracted,
        "is_manuscript": metadata.is_manuscript,
        "is_historical_ocr": metadata.is_historical_ocr,
        "media": [{"name": item.name, "md5": item.md5 or ""} for item in metadata.media],
        "xml_md5": metadata.xml.md5,
        "xml": xml,
    }


STEP = Stage(
    name="articles",
    version=2,
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
    spent=spent,
    recalls=True,
)
