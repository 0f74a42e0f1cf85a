"""A tiny drawn build: a dozen articles of two figures of two panels each, as the tables of schema.py."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import settings
from PIL import Image, ImageDraw

from pmcoa_build import ids, schema
from pmcoa_build.dataset import attribution, gallery, groups, publish, rows, shards

settings.register_profile("steady", deadline=None)  # a busy machine is no failure
settings.load_profile("steady")

Tables = dict[str, pa.Table]
Row = dict[str, Any]
_CC_BY = "https://creativecommons.org/licenses/by/4.0/"
ACCESSED = "2026-02-03"
FUNNEL = [
    {"stage": "articles", "unit": "article", "in": 9, "done": 7, "filtered": {"retracted": 1}, "dead": {"timeout": 1}},
    {"stage": "shards", "unit": "panel", "in": 48, "done": 46, "filtered": {"duplicate": 2}, "dead": {},
     "dropped": {"panel-too-small": 3}},
]


def picture(seed: int, box: tuple[int, int, int, int] | None = None) -> Row:
    """A drawn 64 x 48 image as Hugging Face's Image struct, cut to `box` where one is given."""
    image = Image.new("RGB", (64, 48), (seed * 37 % 256, seed * 91 % 256, 120))
    ImageDraw.Draw(image).ellipse((8, 8, 20 + seed % 20, 40), fill=(250, seed * 53 % 256, 10))
    buffer = io.BytesIO()
    (image.crop(box) if box else image).save(buffer, "JPEG", quality=92)
    return {"bytes": buffer.getvalue(), "path": f"{seed}.jpg"}


def build_tables(articles: int = 12) -> Tables:
    """The tables from articles to align, and dedupe."""
    found: dict[str, list[Row]] = {n: [] for n in ("articles", "figures", "screen", "media", "panels", "align")}
    for number in range(articles):
        article = ids.article_id(10_000_000 + number * 3000, 1)
        found["articles"].append(_article(article, number))
        for position in (1, 2):
            _figure(found, article, number, position)
    tables = {name: pa.Table.from_pylist(values, getattr(schema, name.upper())) for name, values in found.items()}
    tables["dedupe"] = groups.assign_splits(candidates(tables["panels"]), splits=(0.6, 0.2, 0.2))
    return tables


def candidates(panels: pa.Table) -> pa.Table:
    """The input of assign_splits, without duplicates or benchmarks."""
    nothing = pa.nulls(len(panels), pa.string())
    names = ["panel_id", "phash", "group", "benchmark"]
    return pa.table([panels["panel_id"], pa.array(["00"] * len(panels)), nothing, nothing], names=names)


def _article(article: str, number: int) -> Row:
    return {
        "article": article, "etag": "e", "pmid": 1000 + number, "doi": f"10.1/{number}", "title": f"On <b>{number}</b>",
        "authors": ["A. Author"], "journal": "J Test", "year": 2020 + number % 5, "article_type": "research-article",
        "language": "en", "license_code": "CC BY", "license_url": _CC_BY, "is_retracted": number == 3,
        "is_manuscript": False, "is_historical_ocr": False, "media": [], "xml_md5": "0" * 32, "xml": b"<article/>",
    }


def _figure(found: dict[str, list[Row]], article: str, number: int, position: int) -> None:
    figure, image, seed = f"{article}/F{position}", f"{article}/gr{position}.jpg", number * 2 + position
    caption = f"Figure {position}. Study {number}: (A) left view, dose < 5 mg. (B) right view."
    found["figures"].append({
        "figure_id": figure, "article": article, "position": position, "label": f"Figure {position}",
        "caption": caption, "caption_xml": f"<p>{position}</p>", "mentions": [f"See Figure {position}."],
        "graphics": [f"gr{position}.jpg"], "license": "CC BY", "attribution": f"A. Author, On {number}, J Test, CC BY",
        "rights_note": None, "reprint": number == 4,
    })
    found["screen"].append({
        "figure_id": figure, "keep": True, "reasons": [], "terms": [], "modalities": ["MRI"] if number % 2 else [],
    })
    whole = picture(seed)
    found["media"].append({
        "image_id": image, "figure_id": figure, "media_name": f"gr{position}.jpg", "width": 64, "height": 48,
        "md5": hashlib.md5(whole["bytes"]).hexdigest(), "format": "JPEG", "image": whole,
    })
    for index, box in enumerate([(0, 0, 32, 48), (32, 0, 64, 48)]):
        panel = ids.panel_id(image, box)
        found["panels"].append({
            "panel_id": panel, "image_id": image, "figure_id": figure, "index": index, "bbox": list(box), "score": 0.9,
            "detector": "stub", "printed_label": "AB"[index], "label_score": 0.8, "kind": "radiology",
            "kind_score": 0.7, "width": 32, "height": 48, "image": picture(seed, box),
        })
        found["align"].append({
            "panel_id": panel, "label": "AB"[index], "subcaption": f"{('left', 'right')[index]} view",
            "preamble": f"Study {number}:", "method": "label", "confidence": 0.4 if index else 0.95, "flags": [],
        })


def with_images(metadata: pa.Table, tables: Tables) -> pa.Table:
    """SHARDS of metadata rows: each with its panel's crop, or the whole image where it is a figure."""
    crops, wholes = (
        dict(zip(table[key].to_pylist(), table["image"].to_pylist(), strict=True))
        for table, key in ((tables["panels"], "panel_id"), (tables["media"], "image_id"))
    )
    images = [wholes[ids.image_of(panel)] if kind == rows.FIGURE else crops[panel] for panel, kind in zip(
        metadata["panel_id"].to_pylist(), metadata["kind"].to_pylist(), strict=True)]
    columns = {"image": pa.array(images, schema.IMAGE), **{n: metadata[n] for n in schema.SHARDS.names if n != "image"}}
    return pa.table(columns).cast(schema.SHARDS)


def write_shard(path: Path, table: pa.Table) -> None:
    """Write SHARDS rows as the shards stage does."""
    with shards.shard_writer(path) as writer:
        for group in shards.row_groups([table]):
            writer.write_table(group)


def write_shards(tables: Tables, folder: Path, level: str = "panel") -> tuple[list[publish.ShardFile], pa.Table]:
    """One shard a split in `folder`, as the shards stage does, and the attribution table."""
    folder.mkdir(parents=True, exist_ok=True)
    metadata = rows.shard_rows(**tables, level=level, snapshot_date="2026-01-31")
    files = []
    for split in groups.SPLITS:
        part, path = metadata.filter(pc.equal(metadata["split"], split)), folder / f"{split}.parquet"
        path.unlink(missing_ok=True)
        write_shard(path, with_images(part, tables))
        data = path.read_bytes()
        files.append(publish.ShardFile(split, path, len(part), len(data), hashlib.sha256(data).hexdigest()))
    return files, attribution.attribution_rows(metadata, tables["articles"], tables["media"])


def publish_tables(tables: Tables, out: Path, level: str = "panel", date: str = "2026-01-31", **given: Any) -> str:
    """Write shards to <out>/shards and publish them."""
    files, credit = write_shards(tables, out / "shards" / date, level)
    facts = {"funnel": FUNNEL, "shown": gallery.Shown(), "reasons": {}, "languages": ["en", "no"], **given}
    return publish.publish(out, files, name="tiny", snapshot_date=date, accessed=ACCESSED, attribution=credit, **facts)


@pytest.fixture
def tables() -> Tables:
    """The tables of a build; fresh for every test."""
    return build_tables()


@pytest.fixture
def put_up() -> Callable[..., str]:
    """publish_tables."""
    return publish_tables


@pytest.fixture
def published(tables: Tables, tmp_path: Path) -> Path:
    """A published dataset folder."""
    publish_tables(tables, tmp_path)
    return tmp_path / "dataset"
