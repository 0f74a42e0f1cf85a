"""Parquet files of published rows, laid out so that the Hub, a reader of one split and an update all touch little.

Row groups end between articles where a hash of the article says so, so that an insertion or a retraction moves the
boundaries nearby and no others: the same row groups come out elsewhere, byte for byte. A hub that keeps chunks of a
file (Xet) has to be sent no more than with Parquet's own content-defined chunking (pages cut by a rolling hash over all
bytes), which takes twice the time: image bytes are stored as they are, and text pages are no larger than a row group.
bench/shards.py measures both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pmcoa_build import schema

GROUP_ROWS = 256
GROUP_BYTES = 64_000_000
"""Most rows and image bytes of a row group (a single larger image is a row group of its own)."""

_UNIQUE = {"image.bytes", "image.path", "panel_id", "subcaption"}
_TEXTS = {"caption", "subcaption", "preamble", "panel_id", "image.path", "mentions.list.element", "attribution"}
_FEWEST_ROWS = 64
_ONE_IN = 4


def shard_writer(path: Path | str | Any, rows: pa.Schema = schema.SHARDS) -> pq.ParquetWriter:
    """A Parquet writer for published rows: zstd text, raw images, page checksums and index, features for the Hub."""
    described = {"huggingface": json.dumps({"info": {"features": features(rows)}})}
    return pq.ParquetWriter(path, rows.with_metadata(described), **writer_options(rows))


def writer_options(rows: pa.Schema) -> dict[str, Any]:
    """How pyarrow writes published rows.

    Columns that a dictionary makes small are not compressed as well, which saves a sixth of the time.
    """
    leaves = _leaves(rows)
    return {
        "compression": {name: "zstd" if name in _TEXTS else "none" for name in leaves},
        "use_dictionary": [name for name in leaves if name not in _UNIQUE],
        "write_statistics": [name for name in leaves if name != "image.bytes"],
        "write_page_checksum": True,
        "write_page_index": True,
    }


def row_groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Cut a stream of SHARDS tables, sorted by article, into row groups of at most 256 rows and 64 MB of images.

    From 64 rows on, a group ends before an article whose hash says so (one in four). Nothing is copied.
    """
    pending: list[pa.Table] = []
    rows = size = 0
    last: str | None = None
    for table in tables:
        start = 0
        articles = table["article"].to_pylist()
        for row, (article, length) in enumerate(zip(articles, _image_sizes(table).tolist(), strict=True)):
            full = rows == GROUP_ROWS or (rows and size + length > GROUP_BYTES)
            if full or (rows >= _FEWEST_ROWS and article != last and _closes(article)):
                yield pa.concat_tables([*pending, table.slice(start, row - start)])
                pending, start, rows, size = [], row, 0, 0
            rows, size, last = rows + 1, size + length, article
        pending.append(table.slice(start))
    if rows:
        yield pa.concat_tables(pending)


def _closes(article: str) -> bool:
    return hashlib.sha256(article.encode()).digest()[0] % _ONE_IN == 0


def _image_sizes(table: pa.Table) -> np.ndarray[Any, Any]:
    import pyarrow.compute as pc

    lengths = pc.fill_null(pc.binary_length(pc.struct_field(table["image"], "bytes")), 0)
    return np.asarray(lengths, np.int64)


def features(schema_: pa.Schema) -> dict[str, Any]:
    """Hugging Face features of a schema; struct<bytes, path> is an Image. Written as releases since 2.x read it."""
    return {field.name: _feature(field.type) for field in schema_}


def _feature(type_: pa.DataType) -> dict[str, Any]:
    if type_ == schema.IMAGE:
        return {"_type": "Image"}
    if pa.types.is_list(type_):
        return {"feature": _feature(type_.value_type), "_type": "Sequence"}
    if pa.types.is_fixed_size_list(type_):
        return {"feature": _feature(type_.value_type), "length": type_.list_size, "_type": "Sequence"}
    return {"dtype": {"float": "float32", "double": "float64"}.get(str(type_), str(type_)), "_type": "Value"}


def _leaves(schema_: pa.Schema) -> list[str]:
    """The leaf columns by the names that Parquet gives them."""
    sink = pa.BufferOutputStream()
    pq.write_table(schema_.empty_table(), sink)
    parquet = pq.read_metadata(pa.BufferReader(sink.getvalue())).schema
    return [parquet.column(index).path for index in range(len(parquet))]
