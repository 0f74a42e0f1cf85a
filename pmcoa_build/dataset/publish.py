"""Put up `<out>/dataset`: everything that people expect of a dataset, in one atomic switch.

The folder `<out>/dataset-<id>/` is made beside it, complete and on disk, before the link `<out>/dataset` moves to it; a
crash at any point leaves either the old dataset or the new one. Data files are hard links to the recorded shards.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pmcoa_build import ids
from pmcoa_build.atomic import beside, sync
from pmcoa_build.dataset.card import render_card, render_license
from pmcoa_build.dataset.croissant import render_croissant
from pmcoa_build.dataset.gallery import Shown, render_gallery
from pmcoa_build.dataset.groups import SPLITS
from pmcoa_build.dataset.stats import statistics
from pmcoa_build.errors import UsageError

REMOVED = pa.schema([
    pa.field("panel_id", pa.string(), nullable=False),
    pa.field("article", pa.string(), nullable=False),
    pa.field("reason", pa.string(), nullable=False),
    pa.field("removed_in", pa.string(), nullable=False),
])
"""Rows that an earlier dataset had and this one has not; `removed_in`: snapshot date of the first without it."""

CHANGED = "changed"
"""Reason of rows that nobody gave another one for: the article or its panels' boxes changed."""


@dataclass(frozen=True)
class ShardFile:
    """A recorded Parquet file of SHARDS rows. `sha256`: of the file, hex."""

    split: str
    path: Path
    rows: int
    bytes: int
    sha256: str


def publish(
    out: Path,
    shards: Sequence[ShardFile],
    *,
    name: str,
    snapshot_date: str,
    accessed: str,
    attribution: pa.Table,
    funnel: Sequence[Mapping[str, Any]],
    shown: Shown,
    reasons: Mapping[str, str],
    languages: Sequence[str] = (),
) -> str:
    """Publish the shards, in the order given, and return the DATASET_ID (16 hex digits, from the data alone).

    `attribution`: attribution.ATTRIBUTION; `funnel`: see card.render_card; `shown`: what the gallery shows;
    `reasons`: why units (panel, image or article ids) are not in it, by id, for removed.parquet; `accessed`: the day on
    which the source was read (YYYY-MM-DD), for the citation that NLM asks for; `languages`: of the articles. A file or
    split without a row is not in the dataset. Raises UsageError where `<out>/dataset` was not published.
    """
    link = out / "dataset"
    if link.exists() and not link.is_symlink():
        raise UsageError(f"{link} was not made by `publish` (it is no link): move it away and run again.")
    files = _named(shards)
    content = "".join(f"{path} {shard.sha256}\n" for path, shard in files)
    dataset_id = hashlib.sha256(content.encode()).hexdigest()[:16]
    target = out / f"dataset-{dataset_id}"
    counts = statistics((shard.split, shard.path) for _, shard in files)
    removed = removed_rows(link, [shard.path for _, shard in files], reasons, snapshot_date)
    causes = dict(sorted(Counter(removed["reason"].to_pylist()).items()))
    parts = [(shard.split, path, shard.sha256, shard.bytes) for path, shard in files]
    licences = sorted(filter(None, pc.unique(attribution["license_url"]).to_pylist()))
    texts = {
        "README.md": render_card(counts, funnel, name=name, snapshot_date=snapshot_date, accessed=accessed,
                                 removed=causes, languages=languages, example=_example(files[0][1].path)),
        "LICENSE.md": render_license(counts, name=name, snapshot_date=snapshot_date, accessed=accessed,
                                     dataset_id=dataset_id),
        "croissant.json": render_croissant(
            parts, name=name, dataset_id=dataset_id, snapshot_date=snapshot_date, accessed=accessed, licences=licences
        ),
        "gallery.html": render_gallery(shown, funnel, counts, name=name, snapshot_date=snapshot_date),
        "DATASET_ID": dataset_id + "\n",
    }
    work = beside(out / f".{target.name}")
    shutil.rmtree(work, ignore_errors=True)
    try:
        _assemble(work, files, texts, {"ATTRIBUTION.parquet": attribution, "removed.parquet": removed})
        _move_in(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    _switch(link, target)
    return dataset_id


def removed_rows(dataset: Path, files: Sequence[Path], reasons: Mapping[str, str], snapshot_date: str) -> pa.Table:
    """REMOVED: what `dataset` (the folder published last, may be missing) held or listed, and `files` don't hold."""
    if not dataset.exists():
        return REMOVED.empty_table()
    earlier = _panels(sorted((dataset / "data").glob("*.parquet")))
    listed = pq.read_table(dataset / "removed.parquet", schema=REMOVED)
    now = _panels(files)["panel_id"].combine_chunks()
    gone = earlier.filter(pc.invert(pc.is_in(earlier["panel_id"], now)))
    still = listed.filter(pc.invert(pc.is_in(listed["panel_id"], now)))
    why = [_why(panel, reasons) for panel in gone["panel_id"].to_pylist()]
    new = pa.table({
        "panel_id": gone["panel_id"],
        "article": gone["article"],
        "reason": pa.array(why, pa.string()),
        "removed_in": pa.array([snapshot_date] * len(gone), pa.string()),
    }).cast(REMOVED)
    return pa.concat_tables([still, new]).sort_by("panel_id")


def _why(panel: str, reasons: Mapping[str, str]) -> str:
    return reasons.get(panel) or reasons.get(ids.image_of(panel)) or reasons.get(ids.article_of(panel)) or CHANGED


def _panels(files: Sequence[Path]) -> pa.Table:
    names = pa.schema([("panel_id", pa.string()), ("article", pa.string())])
    return pa.concat_tables([
        names.empty_table(), *(pq.read_table(file, columns=names.names).cast(names) for file in files)
    ])


def _example(file: Path) -> dict[str, Any]:
    """The first row, without its image."""
    with pq.ParquetFile(file) as parquet:
        columns = [name for name in parquet.schema_arrow.names if name != "image"]
        row: dict[str, Any] = parquet.read_row_group(0, columns).slice(0, 1).to_pylist()[0]
    return row


def _named(shards: Sequence[ShardFile]) -> list[tuple[str, ShardFile]]:
    """(path in the dataset, shard), without empty files: `datasets` refuses a split that has no row.

    The number is that of the bucket, so that a file that empties changes no other's name.
    """
    named = []
    for split in SPLITS:
        own = [shard for shard in shards if shard.split == split]
        paths = [f"data/{split}-{number:05d}-of-{len(own):05d}.parquet" for number in range(len(own))]
        named += [(path, shard) for path, shard in zip(paths, own, strict=True) if shard.rows]
    return named


def _assemble(
    work: Path, files: Sequence[tuple[str, ShardFile]], texts: Mapping[str, str], tables: Mapping[str, pa.Table]
) -> None:
    (work / "data").mkdir(parents=True)
    for path, shard in files:
        try:
            os.link(shard.path, work / path)
        except OSError:  # no hard links here, or another file system
            shutil.copyfile(shard.path, work / path)
            sync(work / path)
    for path, text in texts.items():
        (work / path).write_text(text, "utf-8")
        sync(work / path)
    for path, table in tables.items():
        pq.write_table(table, work / path, compression="zstd", write_page_checksum=True)
        sync(work / path)
    sync(work / "data")
    sync(work)


def _move_in(work: Path, target: Path) -> None:
    """Rename the finished folder; where the same data are published already, renew the files that differ."""
    if target.exists():
        (target / "data").mkdir(exist_ok=True)
        for file in sorted(path for path in work.rglob("*") if path.is_file()):
            there = target / file.relative_to(work)
            if not there.exists() or not (there.samefile(file) or filecmp.cmp(there, file, shallow=False)):
                file.replace(there)
        sync(target / "data")
        sync(target)
    else:
        work.rename(target)
    sync(target.parent)


def _switch(link: Path, target: Path) -> None:
    """Point the relative link `link` at the folder beside it, in one rename."""
    temporary = beside(link)
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target.name)
    temporary.replace(link)
    sync(link.parent)

