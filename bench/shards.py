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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).parents[1]))
from pmcoa_build import ids, schema
from pmcoa_build.dataset.export import TERMS, export_webdataset
from pmcoa_build.dataset.shards import row_groups, shard_writer


def drawn_rows(pairs: int, seed: int = 0) -> pa.Table:
    """SHARDS rows with made-up text and incompressible images of 20 to 80 KB, as JPEG is."""
    rng = random.Random(seed)
    noise = rng.randbytes(1 << 20)
    rows: list[dict[str, Any]] = []
    for number in range(pairs):
        article = ids.article_id(7_000_000 + number // 12, 1)
        image = f"{article}/gr{number % 12 // 4}.jpg"
        size, start = rng.randint(20_000, 80_000), rng.randint(0, 900_000)
        words = " ".join(rng.choice(_WORDS) for _ in range(60))
        rows.append({
            "image": {"bytes": b"\xff\xd8\xff%d" % number + noise[start : start + size], "path": "x.jpg"},
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


def shared_after_update(table: pa.Table) -> dict[str, float]:
    """Share of the bytes of text column chunks that are the same after 3 of the articles have left."""
    articles = sorted(set(table["article"].to_pylist()))
    gone = set(articles[:: max(len(articles) // 3, 1)][:3])
    mask = pa.array([article not in gone for article in table["article"].to_pylist()])
    smaller = table.filter(mask)

    def by_content(rows: pa.Table) -> bytes:
        sink = io.BytesIO()
        ours(rows, sink)
        return sink.getvalue()

    def by_count(rows: pa.Table) -> bytes:
        sink = io.BytesIO()
        with shard_writer(sink) as writer:
            writer.write_table(rows, row_group_size=256)
        return sink.getvalue()

    return {name: _shared(make(table), make(smaller)) for name, make in (("ours", by_content), ("every 256", by_count))}


def _shared(before: bytes, after: bytes) -> float:
    old = {digest for digest, _ in _chunks(before)}
    new = list(_chunks(after))
    return round(sum(size for digest, size in new if digest in old) / sum(size for _, size in new), 3)


def _chunks(data: bytes) -> list[tuple[str, int]]:
    metadata = pq.read_metadata(io.BytesIO(data))
    chunks = []
    for group in range(metadata.num_row_groups):
        for index in range(metadata.num_columns):
            column = metadata.row_group(group).column(index)
            if column.path_in_schema != "image.bytes":
                start = column.dictionary_page_offset or column.data_page_offset
                piece = data[start : start + column.total_compressed_size]
                chunks.append((hashlib.sha256(piece).hexdigest(), len(piece)))
    return chunks


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
        "pyarrow_mb_s": variants, "text_chunks_shared_after_update": shared_after_update(table),
        "us_per_pair": {str(n): cost_per_pair(n) for n in (1000, 10_000, 100_000)},
        "rows_per_cpu_s": round(pairs / (size / mine / 1e6)),
        "webdataset_mb_s": webdataset_rate(table, size),
    }))


if __name__ == "__main__":
    main()
