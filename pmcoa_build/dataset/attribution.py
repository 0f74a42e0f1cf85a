"""ATTRIBUTION.parquet: whom to credit for each published image, and under which licence it may be used."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

ATTRIBUTION = pa.schema([
    pa.field("image_id", pa.string(), nullable=False),
    pa.field("figure_id", pa.string(), nullable=False),
    pa.field("article", pa.string(), nullable=False),
    pa.field("md5", pa.string()),
    pa.field("title", pa.string()),
    pa.field("authors", pa.list_(pa.string())),
    pa.field("journal", pa.string()),
    pa.field("year", pa.int16()),
    pa.field("doi", pa.string()),
    pa.field("license", pa.string(), nullable=False),
    pa.field("license_url", pa.string()),
    pa.field("attribution", pa.string(), nullable=False),
    pa.field("source_url", pa.string(), nullable=False),
])
"""One row an image that any published row was cut from; `md5` is that of PMC's file, for `rehydrate`."""


ROW_COLUMNS = (
    "panel_id", "figure_id", "article", "journal", "year", "doi", "license", "license_url", "attribution", "source_url",
)  # fmt: skip
"""The columns of published rows that are read."""


def attribution_rows(metadata: pa.Table, articles: pa.Table, media: pa.Table) -> pa.Table:
    """ATTRIBUTION of published rows (ROW_COLUMNS of them), sorted by image_id.

    `articles`: article, title, authors; `media`: image_id, md5. Rows that these lack give nulls.
    """
    images = pc.replace_substring_regex(metadata["panel_id"], "#[^#]*$", "")
    rows = metadata.select(ROW_COLUMNS[1:]).append_column("image_id", images)
    rows = rows.take(pc.sort_indices(rows, [("image_id", "ascending"), ("figure_id", "ascending")]))
    encoded = rows["image_id"].combine_chunks().dictionary_encode()
    first = pc.index_in(encoded.dictionary, rows["image_id"].combine_chunks())
    rows = rows.take(first)
    article = articles.take(pc.index_in(rows["article"], articles["article"].combine_chunks()))
    md5 = media["md5"].take(pc.index_in(rows["image_id"], media["image_id"].combine_chunks()))
    for name, column in (("title", article["title"]), ("authors", article["authors"]), ("md5", md5)):
        rows = rows.append_column(name, column)
    return rows.select(ATTRIBUTION.names).cast(ATTRIBUTION)
