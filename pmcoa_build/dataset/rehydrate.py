"""Fill a published table that came without images again: whole images by name, cut by the box in the panel id."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pmcoa_build import ids, schema
from pmcoa_build.atomic import atomic
from pmcoa_build.dataset.rows import FIGURE
from pmcoa_build.dataset.shards import GROUP_ROWS, shard_writer
from pmcoa_build.errors import UnitLost, UsageError

Fetch = Callable[[str, str | None], bytes]
Size = tuple[int, int]
Cut = Callable[[bytes, ids.Box | None, Size], bytes]

THREADS = 8


@dataclass
class Rehydrated:
    """Rows written, and the others as rows of schema.LOST."""

    rows: int = 0
    lost: list[dict[str, Any]] = field(default_factory=list)


def rehydrate(table: pa.Table, out: Path, fetch: Fetch, cut: Cut, md5s: Mapping[str, str]) -> Rehydrated:
    """Write `table`, whose `panel_id` says which images it wants, with an image column to the Parquet file `out`.

    The other columns stay as they are, those of schema.SHARDS in its types; `kind` tells whole figures, `width` and
    `height` the size that was published (without them that of the box). `fetch(key, md5)`: the object of the bucket,
    such as `PMC10009416.1/gr3.jpg`, with that MD5 if there is one, in THREADS threads; each image once if the rows of
    an article follow each other. `cut(image, box, size)`: the encoded panel, or for None the whole image, of that size.
    `md5s` by image id, which ATTRIBUTION.parquet gives. A row for which either raises UnitLost is left out. What `out`
    holds of these rows already stays at its head; only the others are fetched. Raises UsageError where `panel_id` is
    missing or is none.
    """
    wanted, rows = _wanted(table), _typed(table)
    target = pa.schema([schema.SHARDS.field("image"), *rows.schema])
    held = _held(out, target, {row.panel for row in wanted})
    missing = [row.panel not in held for row in wanted]
    wanted, rows = [row for row in wanted if row.panel not in held], rows.filter(pa.array(missing, pa.bool_()))
    result = Rehydrated(len(held))
    articles = groupby((row.image for row in wanted), key=ids.article_of)
    names = [name for _, images in articles for name in dict.fromkeys(images)]
    with atomic(out) as temporary, shard_writer(temporary, target) as writer:
        for part in _row_groups(out) if held else ():
            writer.write_table(part.cast(target))
        with closing(_fetched(names, fetch, md5s)) as images:  # its threads end here, whatever happens
            for part in _filled(rows, wanted, images, cut, result):
                writer.write_table(part.cast(target))
    return result


def _held(out: Path, target: pa.Schema, panels: Set[str]) -> Set[str]:
    """The panels that an earlier run has filled; none if `out` is of another table."""
    if not out.exists() or not pq.read_schema(out).equals(target):
        return set()
    held = set(pq.read_table(out, columns=["panel_id"])["panel_id"].to_pylist())
    return held if held <= panels else set()


def _row_groups(path: Path) -> Iterator[pa.Table]:
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


@dataclass(frozen=True)
class _Row:
    panel: str
    image: str
    box: ids.Box | None
    size: Size


def _wanted(table: pa.Table) -> list[_Row]:
    if "panel_id" not in table.column_names:
        raise UsageError("The table has no column panel_id, which says what image a row wants.")
    known = [name for name in ("panel_id", "kind", "width", "height") if name in table.column_names]
    return [_row(row) for row in table.select(known).to_pylist()]


def _row(row: Mapping[str, Any]) -> _Row:
    panel = row["panel_id"]
    try:
        box = ids.box_of(panel)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The table names no image: {error}.") from None
    size = (row.get("width") or box[2] - box[0], row.get("height") or box[3] - box[1])
    return _Row(panel, ids.image_of(panel), None if row.get("kind") == FIGURE else box, size)


def _typed(table: pa.Table) -> pa.Table:
    """Without images; columns that are known in their own types, whichever program has written the table."""
    kept = table.select([name for name in table.column_names if name != "image"])
    return kept.cast(pa.schema([_field(own, kept[own.name].null_count) for own in kept.schema]))


def _field(own: pa.Field, nulls: int) -> pa.Field:
    if own.name not in schema.SHARDS.names:
        return own
    known = schema.SHARDS.field(own.name)
    return known.with_nullable(known.nullable or nulls > 0)


def _fetched(names: list[str], fetch: Fetch, md5s: Mapping[str, str]) -> Generator[bytes | UnitLost]:
    """The images in their order, a few ahead of who asks."""
    def attempt(name: str) -> bytes | UnitLost:
        try:
            return fetch(name, md5s.get(name))
        except UnitLost as lost:
            return lost

    pool, ahead = ThreadPoolExecutor(THREADS), deque[Future[bytes | UnitLost]]()
    try:
        for name in names:
            ahead.append(pool.submit(attempt, name))
            if len(ahead) == 2 * THREADS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _filled(
    rows: pa.Table, wanted: list[_Row], images: Iterator[bytes | UnitLost], cut: Cut, result: Rehydrated
) -> Iterator[pa.Table]:
    """The rows that have an image, with it, in tables of 1 to GROUP_ROWS."""
    held: dict[str, bytes | UnitLost] = {}  # of the article at hand
    article = ""
    for start in range(0, len(rows), GROUP_ROWS):
        column: list[dict[str, Any] | None] = []
        for row in wanted[start : start + GROUP_ROWS]:
            if ids.article_of(row.image) != article:
                article = ids.article_of(row.image)
                held.clear()
            if row.image not in held:
                held[row.image] = next(images)
            column.append(_image(row, held[row.image], cut, result))
        part = rows.slice(start, GROUP_ROWS).add_column(0, "image", pa.array(column, schema.IMAGE))
        kept = part.filter(pc.is_valid(part["image"]))
        result.rows += len(kept)
        if len(kept):
            yield kept


def _image(row: _Row, data: bytes | UnitLost, cut: Cut, result: Rehydrated) -> dict[str, Any] | None:
    try:
        if isinstance(data, UnitLost):
            raise data
        name = PurePosixPath(row.image)
        return {"bytes": cut(data, row.box, row.size), "path": f"{name.stem}.jpg" if row.box else name.name}
    except UnitLost as lost:
        why = lost.reason
        result.lost.append({
            "unit": row.panel, "scope": "panel", "outcome": why.outcome, "reason": why.code,
            "retryable": why.retryable, "detail": lost.detail, "attempts": 1,
        })
        return None
