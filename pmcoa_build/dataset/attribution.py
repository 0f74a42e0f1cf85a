"""ATTRIBUTION.parquet: whom to credit for each published image, and under which licence it may be used.

What the Creative Commons licences ask for (4.0, section 3(a)): creators, title, source, licence and its URI, what was
changed; and what NLM asks of those who pass its data on: the date of the data.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from pmcoa_build.dataset.rows import CHANGES, FIGURE
from pmcoa_build.licenses import stated_license

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
    pa.field("spdx", pa.string()),
    pa.field("license_url", pa.string()),
    pa.field("attribution", pa.string(), nullable=False),
    pa.field("changes", pa.string(), nullable=False),
    pa.field("source_url", pa.string(), nullable=False),
    pa.field("snapshot_date", pa.string(), nullable=False),
])
"""One row an image that any published row was cut from; `md5` is that of PMC's file, for `rehydrate`.

`authors`: all of them, where `attribution` has three; `changes`: "none" where only the whole image is published;
`spdx`: null for a licence that SPDX doesn't list.
"""


ROW_COLUMNS = (
    "panel_id", "kind", "figure_id", "article", "journal", "year", "doi", "license", "license_url", "attribution",
    "source_url", "snapshot_date",
)  # fmt: skip
"""The columns of published rows that are read."""


def attribution_rows(metadata: pa.Table, articles: pa.Table, media: pa.Table) -> pa.Table:
    """ATTRIBUTION of published rows (ROW_COLUMNS of them), sorted by image_id.

    `articles`: article, title, authors; `media`: image_id, md5. Rows that these lack give nulls. Where an image is
    published both whole and in panels, the line is a panel's.
    """
    images = pc.replace_substring_regex(metadata["panel_id"], "#[^#]*$", "")
    whole = pc.equal(metadata["kind"], FIGURE)
    rows = metadata.select(ROW_COLUMNS[2:]).append_column("image_id", images).append_column("whole", whole)
    rows = rows.take(pc.sort_indices(rows, [(key, "ascending") for key in ("image_id", "whole", "figure_id")]))
    encoded = rows["image_id"].combine_chunks().dictionary_encode()
    first = pc.index_in(encoded.dictionary, rows["image_id"].combine_chunks())
    rows = rows.take(first)
    article = articles.take(pc.index_in(rows["article"], articles["article"].combine_chunks()))
    md5 = media["md5"].take(pc.index_in(rows["image_id"], media["image_id"].combine_chunks()))
    for name, column in (
        ("title", article["title"]), ("authors", article["authors"]), ("md5", md5),
        ("spdx", _spdx(rows["license"], rows["license_url"])), ("changes", pc.if_else(rows["whole"], "none", CHANGES)),
    ):  # fmt: skip
        rows = rows.append_column(name, column)
    return rows.select(ATTRIBUTION.names).cast(ATTRIBUTION)


def _spdx(codes: pa.ChunkedArray, urls: pa.ChunkedArray) -> pa.Array:
    stated = list(zip(codes.to_pylist(), urls.to_pylist(), strict=True))
    named = {pair: stated_license(*pair) for pair in set(stated)}
    return pa.array([entry.spdx if (entry := named[pair]) else None for pair in stated], pa.string())
