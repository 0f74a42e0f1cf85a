"""The tables that stages hand on, column by column. `?` of the design = nullable here.

Column order is the order on disk. Images and XML are plain binary, uncompressed in Parquet (engine/files.py).
"""

from __future__ import annotations

import pyarrow as pa

IMAGE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
"""Hugging Face's Image feature: encoded bytes and a file name."""

STRINGS = pa.list_(pa.string())
BOX = pa.list_(pa.int32(), 4)
"""x0, y0, x1, y1 in pixels of the original image; x1 and y1 exclusive."""


def _schema(*columns: tuple[str, pa.DataType], optional: str = "") -> pa.Schema:
    nullable = set(optional.split())
    return pa.schema([pa.field(name, type_, nullable=name in nullable) for name, type_ in columns])


SNAPSHOT = _schema(
    ("article", pa.string()),
    ("pmcid", pa.int32()),
    ("version", pa.int16()),
    ("etag", pa.string()),
    ("last_modified", pa.string()),
)

ARTICLES = _schema(
    ("article", pa.string()),
    ("etag", pa.string()),
    ("pmid", pa.int64()),
    ("doi", pa.string()),
    ("title", pa.string()),
    ("authors", STRINGS),
    ("journal", pa.string()),
    ("year", pa.int16()),
    ("article_type", pa.string()),
    ("language", pa.string()),
    ("license_code", pa.string()),
    ("license_url", pa.string()),
    ("is_retracted", pa.bool_()),
    ("is_manuscript", pa.bool_()),
    ("is_historical_ocr", pa.bool_()),
    ("media", pa.list_(pa.struct([pa.field("name", pa.string()), pa.field("md5", pa.string())]))),
    ("xml_md5", pa.string()),
    ("xml", pa.binary()),
    optional="pmid doi authors journal year article_type language license_code license_url",
)

FIGURES = _schema(
    ("figure_id", pa.string()),
    ("article", pa.string()),
    ("position", pa.int32()),
    ("label", pa.string()),
    ("caption", pa.string()),
    ("caption_xml", pa.string()),
    ("mentions", STRINGS),
    ("graphics", STRINGS),
    ("license", pa.string()),
    ("attribution", pa.string()),
    ("rights_note", pa.string()),
    ("reprint", pa.bool_()),
    optional="label rights_note",
)

SCREEN = _schema(
    ("figure_id", pa.string()),
    ("keep", pa.bool_()),
    ("reasons", STRINGS),
    ("terms", STRINGS),
    ("modalities", STRINGS),
)

MEDIA = _schema(
    ("image_id", pa.string()),
    ("figure_id", pa.string()),
    ("media_name", pa.string()),
    ("md5", pa.string()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("format", pa.string()),
    ("image", IMAGE),
)

PANELS = _schema(
    ("panel_id", pa.string()),
    ("image_id", pa.string()),
    ("figure_id", pa.string()),
    ("index", pa.int32()),
    ("bbox", BOX),
    ("score", pa.float32()),
    ("detector", pa.string()),
    ("printed_label", pa.string()),
    ("label_score", pa.float32()),
    ("kind", pa.string()),
    ("kind_score", pa.float32()),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("image_phash", pa.string()),
    ("image", IMAGE),
    optional="printed_label label_score",
)

ALIGN = _schema(
    ("panel_id", pa.string()),
    ("label", pa.string()),
    ("subcaption", pa.string()),
    ("preamble", pa.string()),
    ("method", pa.string()),
    ("confidence", pa.float32()),
    ("flags", STRINGS),
    optional="label",
)

HASHES = _schema(
    ("panel_id", pa.string()),
    ("figure_id", pa.string()),
    ("phash", pa.string()),
    ("image_phash", pa.string()),
    ("thumbnail", pa.binary()),
)
"""`phash`: 16 hex digits; `image_phash`: that of the whole image; `thumbnail`: 32 x 32 RGB values."""

DEDUPE = _schema(
    ("panel_id", pa.string()),
    ("phash", pa.string()),
    ("group", pa.string()),
    ("split", pa.string()),
    ("excluded_by", pa.string()),
    optional="group excluded_by",
)

SHARDS = _schema(
    ("image", IMAGE),
    ("caption", pa.string()),
    ("subcaption", pa.string()),
    ("preamble", pa.string()),
    ("panel_id", pa.string()),
    ("figure_id", pa.string()),
    ("article", pa.string()),
    ("pmid", pa.int64()),
    ("doi", pa.string()),
    ("bbox", BOX),
    ("width", pa.int32()),
    ("height", pa.int32()),
    ("label", pa.string()),
    ("kind", pa.string()),
    ("modalities", STRINGS),
    ("method", pa.string()),
    ("confidence", pa.float32()),
    ("mentions", STRINGS),
    ("license", pa.string()),
    ("license_url", pa.string()),
    ("attribution", pa.string()),
    ("flags", STRINGS),
    ("source_url", pa.string()),
    ("snapshot_date", pa.string()),
    ("journal", pa.string()),
    ("year", pa.int16()),
    optional="pmid doi label journal year license_url",
)

EVALUATE = _schema(
    ("model", pa.string()),
    ("weights_sha256", pa.string()),
    ("dataset_id", pa.string()),
    ("protocol", pa.string()),
    ("metric", pa.string()),
    ("value", pa.float64()),
    ("n", pa.int64()),
    ("seed", pa.int64()),
)

LOST = _schema(
    ("unit", pa.string()),
    ("scope", pa.string()),
    ("outcome", pa.string()),
    ("reason", pa.string()),
    ("retryable", pa.bool_()),
    ("detail", pa.string()),
    ("attempts", pa.int32()),
)
