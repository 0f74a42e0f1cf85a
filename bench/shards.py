"""What a shard costs to write: CPU rate beside plain `pyarrow.parquet.write_table`, option by option; and its exports.

    python bench/shards.py [--pairs 4000]

One line of JSON. Rates are image bytes a CPU second of this process, best of three; all write to a null sink.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))
from pmcoa_build import ids, schema
from pmcoa_build.dataset.export import TERMS, export_webdataset
from pmcoa_build.dataset.shards import row_groups, shard_writer, writer_options


def drawn_rows(pairs: int, seed: int = 0) -> pa.Table:
    """SHARDS rows with made-up text and incompressible images of 20 to 80 KB, as JPEG is."""
    rng = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for number in range(pairs):
        article = ids.article_id(7_000_000 + number // 12, 1)
        image = f"{article}/gr{number % 12 // 4}.jpg"
        words = " ".join(rng.choice(_WORDS) for _ in range(60))
        rows.append({
            "image": {"bytes": b"\xff\xd8\xff" + rng.randbytes(rng.randint(20_000, 80_000)), "path": "x.jpg"},
            "caption": f"Figure {number}. {words}", "subcaption": words[:200], "preamble": words[:80],
            "panel_id": ids.panel_id(image, (number % 4 * 100, 0, number % 4 * 100 + 90, 90)),
            "figure_id": f"{article}/F{number % 12 // 4}", "article": article, "pmid": number, "doi": f"10.1/{number}",
            "bbox": [0, 0, 90, 90], "width": 90, "height": 90, "label": "ABCD"[number % 4], "kind": "plot",
            "modalities": ["CT"], "method": "label", "confidence": 0.9, "mentions": [words[:120]], "license": "CC BY",
            "license_url": None, "attribution": words[:90], "flags": [], "source_url": "https://example.org",
            "snapshot_date": "2026-01-01", "journal": "J", "year": 2020,
        })
    return pa.Table.from_pylist(rows, schema.SHARDS)


_WORDS = [hashlib.sha256(bytes([i])).hexdigest()[: 3 + i % 8] for i in range(250)]


def cpu_rate(work: Callable[[Any], None], size: int) -> float:
    """MB of images a CPU second."""
    best = float("inf")
    for _ in range(3):
        with Path(os.devnull).open("wb") as sink:
            start = time.process_time()
            work(sink)
            best = min(best, time.process_time() - start)
    return round(size / best / 1e6, 1)


def ours(table: pa.Table, sink: Any) -> None:
    """What the shards stage writes: row groups cut by content, all options."""
    with shard_writer(sink) as writer:
        for group in row_groups(table.slice(start, 64) for start in range(0, len(table), 64)):
            writer.write_table(group)


def options(table: pa.Table, size: int) -> dict[str, float]:
    """pyarrow's own writer with single options switched on, row groups of 256."""
    leaf = "image.bytes"
    names = [column.path for column in _columns(table)]
    base: dict[str, Any] = {
        "row_group_size": 256,
        "use_dictionary": [name for name in names if name != leaf],
        "compression": {name: "none" if name == leaf else "zstd" for name in names},
        "write_statistics": [name for name in names if name != leaf],
    }
    variants: dict[str, dict[str, Any]] = {
        "base: zstd text, raw images": {},
        "+ page checksums": {"write_page_checksum": True},
        "+ page index": {"write_page_index": True},
        "+ content-defined chunking": {"use_content_defined_chunking": True},
        "+ all three": {"write_page_checksum": True, "write_page_index": True, "use_content_defined_chunking": True},
    }
    return {
        name: cpu_rate(lambda sink, extra=extra: pq.write_table(table, sink, **base, **extra), size)
        for name, extra in variants.items()
    }


def _columns(table: pa.Table) -> list[Any]:
    sink = io.BytesIO()
    pq.write_table(table.schema.empty_table(), sink)
    parquet = pq.read_metadata(io.BytesIO(sink.getvalue())).schema
    return [parquet.column(index) for index in range(len(parquet))]


def uploaded_after_update(table: pa.Table) -> dict[str, dict[str, float]]:
    """Share of a new file's bytes that a hub has to be sent which keeps chunks of about 64 KB, by layout and change.

    Of the articles 1 % have left (`removed`), or have another caption (`edited`).
    """
    articles = sorted(set(table["article"].to_pylist()))
    chosen = pa.array(random.Random(1).sample(articles, max(len(articles) // 100, 1)))
    touched = pc.is_in(table["article"], chosen)
    caption = pc.if_else(touched, pc.binary_join_element_wise(table["caption"], "Amended.", " "), table["caption"])
    changed = {
        "removed": table.filter(pc.invert(touched)),
        "edited": table.set_column(table.column_names.index("caption"), schema.SHARDS.field("caption"), caption),
    }
    found = {}
    for name, (groups, chunked) in _LAYOUTS.items():
        old = {digest for digest, _ in _chunks(_written(table, groups, chunked))}
        found[name] = {change: _new_share(old, _written(rows, groups, chunked)) for change, rows in changed.items()}
    return found


def _every_256(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    for table in tables:
        yield from (table.slice(start, 256) for start in range(0, len(table), 256))


_LAYOUTS: dict[str, tuple[Callable[[Iterable[pa.Table]], Iterator[pa.Table]], bool]] = {
    "ours: groups end by article": (row_groups, False), "the same + content-defined chunking": (row_groups, True),
    "groups of 256": (_every_256, False), "groups of 256 + content-defined chunking": (_every_256, True),
}


def _written(rows: pa.Table, groups: Callable[[Iterable[pa.Table]], Iterator[pa.Table]], chunked: bool) -> bytes:
    sink = io.BytesIO()
    options = {**writer_options(schema.SHARDS), "use_content_defined_chunking": chunked}
    with pq.ParquetWriter(sink, schema.SHARDS, **options) as writer:
        for group in groups([rows]):
            writer.write_table(group, row_group_size=len(group))
    return sink.getvalue()


def _new_share(old: set[bytes], data: bytes) -> float:
    return round(sum(size for digest, size in _chunks(data) if digest not in old) / len(data), 4)


def _chunks(data: bytes) -> list[tuple[bytes, int]]:
    """(hash, bytes) of the chunks that a gear hash over the last 64 bytes ends: 8 to 128 KB, about 64, as Xet does."""
    ends = [*_marks(np.frombuffer(data, np.uint8)), len(data)]
    found, start, at = [], 0, 0
    while start < len(data):
        while at < len(ends) - 1 and ends[at] < start + 8192:
            at += 1
        end = min(max(ends[at], start + 1), start + 131072)
        found.append((hashlib.sha256(data[start:end]).digest(), end - start))
        start = end
    return found


def _marks(data: np.ndarray) -> list[int]:
    gear = np.random.default_rng(0).integers(0, 2**64, 256, dtype=np.uint64)
    found: list[int] = []
    for start in range(0, len(data), 1 << 22):
        lead = min(start, 63)
        rolled = gear[data[start - lead : start + (1 << 22)]]
        for shift in (1, 2, 4, 8, 16, 32):
            rolled[shift:] += rolled[:-shift] << np.uint64(shift)
        hits = np.flatnonzero(rolled >> np.uint64(48) == 0)
        found += (hits[hits >= lead] + (start - lead + 1)).tolist()
    return found


def cost_per_pair(pairs: int) -> float:
    """CPU microseconds a pair of cutting and writing rows with small images."""
    small = drawn_rows(1000)
    images = pa.array([{"bytes": b"\xff\xd8\xff" * 300, "path": "x.jpg"}] * 1000, schema.IMAGE)
    table = pa.concat_tables([small.set_column(0, schema.SHARDS.field("image"), images)] * (pairs // 1000))
    start = time.process_time()
    with Path(os.devnull).open("wb") as sink:
        ours(table, sink)
    return round((time.process_time() - start) / pairs * 1e6, 1)


def webdataset_rate(table: pa.Table, size: int) -> float:
    """MB/s, warm, wall clock, of the tar export of one file."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "dataset" / "data"
        data.mkdir(parents=True)
        with (data / "train-00000-of-00001.parquet").open("wb") as sink:
            ours(table, sink)
        for name in TERMS:
            (data.parent / name).touch()
        export_webdataset(data.parent, Path(folder) / "warm")
        start = time.perf_counter()
        export_webdataset(data.parent, Path(folder) / "out")
        return round(size / (time.perf_counter() - start) / 1e6, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=4000)
    pairs = parser.parse_args().pairs
    table = drawn_rows(pairs)
    size = sum(len(image["bytes"]) for image in table["image"].to_pylist())
    plain = cpu_rate(lambda sink: pq.write_table(table, sink), size)
    bare = {"compression": "none", "use_dictionary": False, "row_group_size": 256}
    leanest = cpu_rate(lambda sink: pq.write_table(table, sink, **bare), size)
    variants = options(table, size)
    mine = cpu_rate(lambda sink: ours(table, sink), size)
    print(json.dumps({
        "bench": "shards", "pairs": pairs, "image_mb": round(size / 1e6, 1), "plain_mb_s": plain, "ours_mb_s": mine,
        "ours_of_plain": round(mine / plain, 2), "all_of_plain": round(variants["+ all three"] / plain, 2),
        "uncompressed_mb_s": leanest, "ours_of_uncompressed": round(mine / leanest, 2),
        "pyarrow_mb_s": variants, "uploaded_after_update": uploaded_after_update(table),
        "us_per_pair": {str(n): cost_per_pair(n) for n in (1000, 10_000, 100_000)},
        "rows_per_cpu_s": round(pairs / (size / mine / 1e6)),
        "webdataset_mb_s": webdataset_rate(table, size),
    }))


if __name__ == "__main__":
    main()
