"""What a build will ask of the source, foretold from the pinned snapshot and from what it has measured so far.

For a sample of the blocks that are there, the decisions of the spec are worked out again from what was learnt (JSON,
captions), so that the forecast also holds for other licences, languages or terms than those that were run. Where
nothing is measured yet, typical values stand in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from pmcoa_build import schema
from pmcoa_build.engine.care import outputs
from pmcoa_build.engine.plan import Plan, plan_all
from pmcoa_build.engine.read import lost_rows, read_columns, read_file, read_range
from pmcoa_build.engine.runner import total_counts, total_fetched, world_of
from pmcoa_build.engine.stage import Row
from pmcoa_build.engine.state import State
from pmcoa_build.engine.work import FREED
from pmcoa_build.ids import article_of
from pmcoa_build.pmc import known
from pmcoa_build.pmc.admission import is_admitted
from pmcoa_build.pmc.metadata import best_versions
from pmcoa_build.spec import Spec
from stages import articles, screen
from stages.pipeline import pipeline

OPEN_LICENSES = {"CC BY": 5_242_023, "CC0": 169_017, "CC BY-SA": 2_102, "CC BY-ND": 11_976, "CC BY-NC": 995_888,
                 "CC BY-NC-SA": 301_732, "CC BY-NC-ND": 1_076_046}
"""Articles by licence code (E-utilities, 2026-09-07)."""
ALL_ARTICLES = 9_284_625
"""Metadata files in the inventory of 2026-09-01."""
SAMPLE = 40
"""Blocks looked into, evenly spread."""
_UNREADABLE = {"no-fulltext", "xml-empty", "xml-malformed", "xml-entity", "xml-not-jats"}
_ENOUGH = 200
"""Requests from which on their rate says something."""


@dataclass(frozen=True)
class Means:
    """What one article version comes to.

    `kept`: share of the versions whose XML is wanted; `images`: wanted images for each of those. `*_bytes`: of one file
    as fetched. `*_disk`: what stays of an article's JSON, of an XML, and of an image (as fetched, as crops, as shards).
    `rate`: requests a second that were reached, 0 = not known. `measured` on so many versions; 0 = typical values.
    """

    kept: float
    images: float
    json_bytes: float
    xml_bytes: float
    image_bytes: float
    json_disk: float
    xml_disk: float
    image_disk: float
    rate: float
    measured: int


@dataclass(frozen=True)
class Forecast:
    """Requests by kind, bytes to be received and to be stored, and seconds (None where nothing limits the rate)."""

    json: float
    xml: float
    images: float
    download: float
    disk: float
    seconds: float | None

    @property
    def requests(self) -> float:
        """Of all kinds."""
        return self.json + self.xml + self.images


@dataclass(frozen=True)
class _Look:
    """What one block shows: versions read and their bytes of JSON, wanted ones, rows and bytes of XML, XML that could
    not be used, wanted images of the rows (None before `figures` has run)."""

    versions: int
    json: int
    wanted: int
    rows: int
    xml: int
    unreadable: int
    images: int | None


def typical(spec: Spec) -> Means:
    """Typical values: 60 real articles (186 KB of XML), web-size JPEG; 5 figures an article, 1 in 3 with a term."""
    kept = 1.0 if "any" in spec.select.licenses else min(
        1.0, sum(OPEN_LICENSES.get(code, 0) for code in spec.select.licenses) / ALL_ARTICLES
    )
    images = 5.0 if spec.screen.terms == "none" else 1.7
    return Means(kept, images, 1_900, 186_000, 150_000, 1_000, 50_000, 3 * 150_000, 0.0, 0)


def measured(state: State, spec: Spec) -> Means:
    """Means under this spec over what the build has read; typical values for what it has not."""
    records, guess = state.records("articles"), typical(spec)
    looks = [_look(state, spec, block) for block in spread(sorted(records)) if _is_whole(state, records[block])]
    screened = [look for look in looks if look.images is not None]
    versions, rows = sum(look.versions for look in looks), sum(look.rows for look in looks)
    if not versions:
        return guess
    image_bytes = _size(state, "media", guess.image_bytes)
    counts = total_counts(list(records.values()))
    later = [_size(state, stage, image_bytes, of="media") for stage in ("panels", "shards")]
    return Means(
        kept=sum(look.wanted for look in looks) / versions,
        images=_ratio(sum(look.images or 0 for look in screened),
                      sum(look.rows + look.unreadable for look in screened), guess.images),
        json_bytes=sum(look.json for look in looks) / versions,
        xml_bytes=_ratio(sum(look.xml for look in looks), rows, guess.xml_bytes),
        image_bytes=image_bytes,
        json_disk=_ratio(sum(record["ledger"]["bytes"] for record in records.values()), counts["in"], guess.json_disk),
        xml_disk=_size(state, "articles", guess.xml_disk),
        image_disk=image_bytes + sum(later),
        rate=_rate(state),
        measured=versions,
    )


def whole(state: State, spec: Spec, means: Means) -> Forecast:
    """The build from nothing to its published dataset."""
    selected = state.records("snapshot")["all"]["counts"]["done"]
    return _priced(selected, selected * means.kept, selected * means.kept * means.images, spec, means)


def left(state: State, spec: Spec, means: Means) -> Forecast:
    """What is still to be fetched. Images follow from the articles: those that are there count as done."""
    steps = pipeline()
    plans, _ = plan_all(steps, spec, world_of(steps, state))
    snapshot = state.records("snapshot")["all"]
    table = {row["block"]: row for row in read_file(state.path(snapshot["facts"]["blocks"])).to_pylist()}
    records, due = state.records("articles"), [item.block for item in plans["articles"].due]
    new = sum(table[block]["rows"] for block in due if block not in records)
    again = [block for block in due if block in records]
    selected = state.path(snapshot["table"]["path"])
    sample = [_unread(state, spec, table[block], selected) for block in spread(again)
              if _is_whole(state, records[block])]
    share = sum(table[block]["rows"] for block in again) / max(1, sum(read for _, _, read in sample))
    asked, texts = (share * sum(item[i] for item in sample) for i in (0, 1))
    xml = (new + asked) * means.kept + texts
    held = sum(record["output"]["rows"] for record in state.records("media").values())
    images = max(0.0, snapshot["counts"]["done"] * means.kept * means.images - held)
    return _priced(new + asked, xml, images if _open(plans["media"]) else 0.0, spec, means)


def _open(plan: Plan) -> bool:
    return bool(plan.due or plan.waiting)


def _priced(json: float, xml: float, images: float, spec: Spec, means: Means) -> Forecast:
    limits = [rate for rate in (allowed_rate(spec), means.rate) if rate]
    return Forecast(
        json=json, xml=xml, images=images,
        download=json * means.json_bytes + xml * means.xml_bytes + images * means.image_bytes,
        disk=json * means.json_disk + xml * means.xml_disk + images * means.image_disk,
        seconds=(json + xml + images) / min(limits) if limits else None,
    )


def allowed_rate(spec: Spec) -> float:
    """Requests a second that the spec allows; 0 = no limit, as for a folder or the embedded sample."""
    return spec.source.requests_per_second if "://" in spec.source.url else 0.0


def spread(blocks: Sequence[str]) -> list[str]:
    """At most SAMPLE of the blocks, evenly spread."""
    step = max(1.0, len(blocks) / SAMPLE)
    return [blocks[int(i * step)] for i in range(min(SAMPLE, len(blocks)))]


def _is_whole(state: State, record: Row) -> bool:
    """Whether the files of a record can be looked into; what is lost is no reason to fail here."""
    paths = [(state.path(item["path"]), item["bytes"]) for item in outputs(record)]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def _look(state: State, spec: Spec, block: str) -> _Look:
    record = state.records("articles")[block]
    ledger, output = state.path(record["ledger"]["path"]), state.path(record["output"]["path"])
    seen = articles.remembered(state, block)
    losses = [row["reason"] for row in lost_rows(ledger, "article")]
    return _Look(
        versions=sum(map(len, seen)), json=sum(len(one.data) for unit in seen for one in unit.values()),
        wanted=sum(len(_wanted(unit, articles.settings(spec))) for unit in seen),
        rows=record["output"]["rows"], xml=_column_bytes(pq.read_metadata(output), "xml"),
        unreadable=sum(reason in _UNREADABLE for reason in losses), images=_images(state, spec, block),
    )


def _wanted(seen: Mapping[str, known.Seen], wanted: Row) -> list[known.Seen]:
    """The versions of one article whose XML is asked for under these settings."""
    best = best_versions([one.metadata for one in seen.values()], wanted["versions_policy"])
    return [one for one in (seen[metadata.article] for metadata in best) if is_admitted(one, wanted)]


def _images(state: State, spec: Spec, block: str) -> int | None:
    """Images of a block that the spec wants, by the stage's own rules."""
    record = state.records("figures").get(block)
    if record is None or not _is_whole(state, record):
        return None
    schemas = {"articles": schema.ARTICLES, "figures": schema.FIGURES}
    paths = {stage: state.path(state.records(stage)[block]["output"]["path"]) for stage in schemas}
    tables = {item.stage: read_columns([paths[item.stage]], item.columns, schemas[item.stage])
              for item in screen.STEP.inputs}
    units = screen.units(tables, spec, block)
    kept = [unit for unit in units if screen.process(unit, {}, None).rows[0]["keep"]]
    return len({(article_of(unit.id), name) for unit in kept for name in unit.facts["images"]})


def _unread(state: State, spec: Spec, block: Row, selected: Path) -> tuple[int, int, int]:
    """Of a block that is due again: versions whose JSON is to be asked for, XML that is wanted though the JSON is
    known, and versions in all."""
    record = state.records("articles")[block["block"]]
    rows = read_range(selected, ("article", "etag"), block["lower"], block["upper"], block["by"])
    held = set(read_file(state.path(record["output"]["path"]), columns=["xml_md5"])["xml_md5"].to_pylist())
    seen = articles.remembered(state, block["block"])
    every = {article: one for unit in seen for article, one in unit.items()}
    fresh = {article for article, etag in zip(rows["article"].to_pylist(), rows["etag"].to_pylist(), strict=True)
             if article not in every or not every[article].answers(etag)}
    texts = [one for unit in seen for one in _wanted(unit, articles.settings(spec))
             if one.metadata.article not in fresh and one.states[-1].xml_md5 not in held]
    return len(fresh), len(texts), rows.num_rows


def _ratio(count: float, of: float, otherwise: float) -> float:
    return count / of if of else otherwise


def _size(state: State, stage: str, otherwise: float, of: str = "") -> float:
    """Bytes on disk of a row of the stage, or for a row of another stage; blocks with freed images do not count."""
    records = [record for record in state.records(stage).values() if not record.get(FREED)]
    rows = sum(record["output"]["rows"] for record in state.records(of or stage).values() if not record.get(FREED))
    return _ratio(sum(record["output"]["bytes"] for record in records), rows, otherwise) if records else otherwise


def _rate(state: State) -> float:
    fetched = total_fetched([record for stage in ("articles", "media") for record in state.records(stage).values()])
    enough = fetched.get("requests", 0) >= _ENOUGH and fetched["seconds"] > 0
    return fetched["requests"] / fetched["seconds"] if enough else 0.0


def _column_bytes(metadata: pq.FileMetaData, name: str) -> int:
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(group.num_columns)]
    return sum(column.total_uncompressed_size for column in columns if column.path_in_schema == name)
