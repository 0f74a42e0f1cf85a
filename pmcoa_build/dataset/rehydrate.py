"""Fill a published table that came without images again from PMC: whole image by name, cut by box, both checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pmcoa_build import ids, schema
from pmcoa_build.dataset.rows import FIGURE
from pmcoa_build.dataset.shards import row_groups, shard_writer
from pmcoa_build.errors import UnitLost

Crop = Callable[[bytes, ids.Box], tuple[bytes, int, int]]


@dataclass
class Rehydrated:
    """What came back: rows written, and the losses as (panel_id, reason code, detail)."""

    rows: int = 0
    lost: list[tuple[str, str, str]] = field(default_factory=list)


def rehydrate(
    table: pa.Table,
    out: Path,
    fetch: Callable[[str, str | None], bytes],
    *,
    crop: Crop,
    md5s: Mapping[str, str] | None = None,
) -> Rehydrated:
    """Write `table` (SHARDS, its image column missing or null) with images to the Parquet file `out`.

    `fetch(key, md5)`: bytes of an object of the bucket such as `PMC10009416.1/gr3.jpg`, or UnitLost; `md5` where known:
    `md5s` by image id, which ATTRIBUTION.parquet gives. `crop(image, box)`: encoded crop, its width and height. Each
    image is fetched once if the rows are in published order. A row whose image is gone, changed (`md5-mismatch`) or
    gives another size (`image-unsupported`) is left out and told.
    """
    result = Rehydrated()
    fields = [name for name in schema.SHARDS.names if name != "image"]
    temporary = out.with_name(out.name + ".tmp~")
    with shard_writer(temporary) as writer:
        filled = _filled(table.select(fields), _Source(fetch, md5s or {}), crop, result)
        for group in row_groups(filled):
            writer.write_table(group, row_group_size=max(len(group), 1))
    temporary.replace(out)
    return result


class _Source:
    """Fetches images, remembering the last one, because its panels follow each other."""

    def __init__(self, fetch: Callable[[str, str | None], bytes], md5s: Mapping[str, str]) -> None:
        self.fetch, self.md5s = fetch, md5s
        self.last: tuple[str, bytes | UnitLost] = ("", b"")

    def __call__(self, image: str) -> bytes:
        if self.last[0] != image:
            self.last = (image, self._get(image))
        if isinstance(self.last[1], UnitLost):
            raise self.last[1]
        return self.last[1]

    def _get(self, image: str) -> bytes | UnitLost:
        md5 = self.md5s.get(image)
        try:
            data = self.fetch(image, md5)
        except UnitLost as lost:
            return lost
        if md5 and hashlib.md5(data, usedforsecurity=False).hexdigest() != md5:
            return UnitLost("md5-mismatch", f"{image} has changed at PMC since the dataset was made")
        return data


def _filled(table: pa.Table, source: _Source, crop: Crop, result: Rehydrated) -> Iterator[pa.Table]:
    for start in range(0, len(table), 64):
        part = table.slice(start, 64)
        images = [_image(row, source, crop, result) for row in part.select(_NEEDED).to_pylist()]
        column = pa.array(images, schema.IMAGE)
        filled = part.add_column(0, schema.SHARDS.field("image").with_nullable(True), column)
        kept = filled.filter(pc.is_valid(column)).cast(schema.SHARDS)
        result.rows += len(kept)
        yield kept


_NEEDED = ["panel_id", "kind", "bbox", "width", "height"]


def _image(row: Mapping[str, Any], source: _Source, crop: Crop, result: Rehydrated) -> dict[str, Any] | None:
    image = ids.image_of(row["panel_id"])
    name = image.split("/", 1)[1]
    try:
        whole = source(image)
        if row["kind"] == FIGURE:
            return {"bytes": whole, "path": name}
        x0, y0, x1, y1 = row["bbox"]
        encoded, width, height = crop(whole, (x0, y0, x1, y1))
        if (width, height) != (row["width"], row["height"]):
            raise UnitLost("image-unsupported", f"{width} x {height} pixels, not {row['width']} x {row['height']}")
    except UnitLost as lost:
        result.lost.append((row["panel_id"], lost.reason.code, lost.detail))
        return None
    return {"bytes": encoded, "path": name}
