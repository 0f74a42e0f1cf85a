"""What a build will take before it is fetched: requests, bytes, hours and disk.

From the pinned inventory, and from what this build has measured so far; where nothing is measured yet, from the
typical values below.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.parquet as pq

from pmcoa_build.engine.runner import total_counts
from pmcoa_build.engine.state import State
from pmcoa_build.spec import Spec

OPEN_LICENSES = {"CC BY": 5_242_023, "CC0": 169_017, "CC BY-SA": 2_102, "CC BY-ND": 11_976, "CC BY-NC": 995_888,
                 "CC BY-NC-SA": 301_732, "CC BY-NC-ND": 1_076_046}
"""Articles by licence code (E-utilities, 2026-09-07)."""

ALL_ARTICLES = 9_284_625
"""Metadata files in the inventory of 2026-09-01."""


@dataclass(frozen=True)
class Means:
    """Per article version selected: share kept, images a kept article; bytes a file. `measured` on so many articles."""

    kept: float
    images: float
    json_bytes: float
    xml_bytes: float
    image_bytes: float
    measured: int


def typical(spec: Spec) -> Means:
    """Typical values: 60 real articles (186 KB of XML), web-size JPEG; 5 figures an article, 1 in 3 with a term."""
    kept = 1.0 if "any" in spec.select.licenses else min(
        1.0, sum(OPEN_LICENSES.get(code, 0) for code in spec.select.licenses) / ALL_ARTICLES
    )
    images = 5.0 if spec.screen.terms == "none" else 1.7
    return Means(kept, images, 1_900, 186_000, 150_000, 0)


def measured(state: State, spec: Spec) -> Means:
    """Means over what this build has fetched, typical values where it has fetched nothing."""
    articles, media = (list(state.records(stage).values()) for stage in ("articles", "media"))
    counts, guess = total_counts(articles), typical(spec)
    if not counts["done"]:
        return guess
    sizes = [pq.ParquetFile(state.path(r["output"]["path"])).metadata for r in articles if r["output"]["rows"]]
    xml = sum(_column_bytes(metadata, "xml") for metadata in sizes)
    images = sum(record["output"]["rows"] for record in media)
    image_bytes = sum(record["output"]["bytes"] for record in media) / images if images else guess.image_bytes
    per_article = images / counts["done"] if media else guess.images
    return Means(counts["done"] / counts["in"], per_article, guess.json_bytes, xml / counts["done"], image_bytes,
                 counts["in"])


def _column_bytes(metadata: pq.FileMetaData, name: str) -> int:
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(group.num_columns)]
    return sum(column.total_uncompressed_size for column in columns if column.path_in_schema == name)


def estimate_text(state: State, spec: Spec) -> str:
    """The forecast as a few lines."""
    selected = state.records("snapshot")["all"]["counts"]["done"]
    means = measured(state, spec)
    kept = selected * means.kept
    images = kept * means.images
    requests = selected + kept + images
    size = selected * means.json_bytes + kept * means.xml_bytes + images * means.image_bytes
    rate = spec.source.requests_per_second
    taken = f"{_duration(requests / rate)}   (at {rate:g} requests/s)" if rate else "no limit on the rate"
    disk = kept * means.xml_bytes / 4 + images * means.image_bytes * 3
    basis = f"what this build measured on {means.measured:,} article versions" if means.measured else "typical values"
    return "\n".join([
        f"{selected:,} article versions selected; from {basis}:",
        f"  requests   {requests:>16,.0f}   ({selected:,} JSON, {kept:,.0f} XML, {images:,.0f} images)",
        f"  download   {_size(size)}",
        f"  time       {taken}",
        f"  disk       {_size(disk)}   (XML compressed; images once each as fetched, as crops, as shards)",
    ])


def _size(count: float) -> str:
    value, unit = (count / 1e9, "GB") if count >= 1e9 else (count / 1e6, "MB")
    return f"{value:>13,.1f} {unit}"


def _duration(seconds: float) -> str:
    value, unit = (seconds / 3600, "h") if seconds >= 3600 else (seconds / 60, "min")
    return f"{value:>13,.1f} {unit}"
