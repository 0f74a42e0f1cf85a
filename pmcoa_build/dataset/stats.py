"""Counts over published files for card and gallery; reads no image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_COUNTED = ("license", "kind", "method", "journal", "year")
_LISTED = {"modalities": "modality", "flags": "flag"}
_COLUMNS = [*_COUNTED, *_LISTED, "license_url", "article", "figure_id", "subcaption", "confidence"]
WORD_BINS = (5, 10, 20, 40, 80, 160, 320)
"""Upper bounds (inclusive) of the bins of subcaption length in words; what is longer goes to `more`."""


@dataclass
class Statistics:
    """Counts of a dataset. `by`: license, kind, method, journal, year, modality, flag → value → rows.

    `confidence`: tenths ("0.9" = 0.9 to 1) → rows. `licences`: (code, URL or None) → rows.
    """

    rows: Counter[str] = field(default_factory=Counter)
    bytes: Counter[str] = field(default_factory=Counter)
    by: dict[str, Counter[str]] = field(default_factory=dict)
    licences: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    panels_per_figure: Counter[int] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    confidence: Counter[str] = field(default_factory=Counter)
    articles: int = 0
    figures: int = 0


def statistics(files: Iterable[tuple[str, Path]]) -> Statistics:
    """Count over (split, Parquet file of SHARDS) pairs; an article's rows must be in one file."""
    result = Statistics(by={name: Counter() for name in (*_COUNTED, *_LISTED.values())})
    for split, path in files:
        with pq.ParquetFile(path) as parquet:
            result.rows[split] += parquet.metadata.num_rows
            table = parquet.read(columns=_COLUMNS)
        result.bytes[split] += path.stat().st_size
        _count(result, table)
    return result


def _count(result: Statistics, table: pa.Table) -> None:
    for name in _COUNTED:
        result.by[name].update({_text(value): n for value, n in _counts(table[name]).items()})
    for name, title in _LISTED.items():
        result.by[title].update(_counts(pc.list_flatten(table[name])))
    pairs = table.select(["license", "license_url"]).group_by(["license", "license_url"]).aggregate([([], "count_all")])
    for row in pairs.to_pylist():
        result.licences[row["license"], row["license_url"]] += row["count_all"]
    per_figure = _counts(table["figure_id"])
    result.figures += len(per_figure)
    result.panels_per_figure.update(per_figure.values())
    result.articles += pc.count_distinct(table["article"]).as_py()
    tenths = pc.floor(pc.multiply(table["confidence"], pa.scalar(10, pa.float32())))
    result.confidence.update({f"{min(tenth, 9) / 10:.1f}": 0 for tenth in range(10)})
    for tenth, n in _counts(tenths).items():
        result.confidence[f"{min(tenth, 9) / 10:.1f}"] += n
    words = Counter(pc.count_substring_regex(table["subcaption"], r"\S+").to_pylist())
    for length, n in words.items():
        bound = next((b for b in WORD_BINS if length <= b), None)
        result.words[f"≤ {bound}" if bound else "more"] += n


def _counts(column: pa.Array | pa.ChunkedArray) -> Mapping[Any, int]:
    return {item["values"]: item["counts"] for item in pc.value_counts(column).to_pylist()}


def _text(value: object) -> str:
    return "unknown" if value is None else str(value)
