"""A tiny drawn build: two dozen figures, as the tables of schema.py."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image, ImageDraw

from pmcoa_build import ids, schema


def picture(seed: int, size: tuple[int, int] = (64, 48), box: tuple[int, int, int, int] | None = None) -> dict[str, Any]:
    """A drawn image as Hugging Face's Image struct, cut to `box` where one is given."""
    image = Image.new("RGB", size, (seed * 37 % 256, seed * 91 % 256, 120))
    ImageDraw.Draw(image).ellipse((8, 8, 20 + seed % 20, 40), fill=(250, seed * 53 % 256, 10))
    buffer = io.BytesIO()
    (image.crop(box) if box else image).save(buffer, "JPEG", quality=92)
    return {"bytes": buffer.getvalue(), "path": f"{seed}.jpg"}


def build_tables(articles: int = 12) -> dict[str, pa.Table]:
    """Two figures an article, two panels a figure."""
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in ("articles", "figures", "screen", "media", "panels", "align")}
    for number in range(articles):
        article = ids.article_id(10_000_000 + number * 3000, 1)
        rows["articles"].append(_article(article, number))
        for position in (1, 2):
            _figure(rows, article, number, position)
    tables = {name: pa.Table.from_pylist(values, schema.__dict__[name.upper()]) for name, values in rows.items()}
    return tables


def _article(article: str, number: int) -> dict[str, Any]:
    return {
        "article": article, "etag": "e", "pmid": 1000 + number, "doi": f"10.1/{number}", "title": f"On <b>{number}</b>",
        "authors": ["A. Author"], "journal": "J Test", "year": 2020 + number % 5, "article_type": "research-article",
        "language": "en", "license_code": "CC BY", "license_url": "https://creativecommons.org/licenses/by/4.0/",
        "is_retracted": number == 3, "is_manuscript": False, "is_historical_ocr": False, "media": [],
        "xml_md5": "0" * 32, "xml": b"<article/>",
    }


def _figure(rows: dict[str, list[dict[str, Any]]], article: str, number: int, position: int) -> None:
    figure, image, seed = f"{article}/F{position}", f"{article}/gr{position}.jpg", number * 2 + position
    caption = f"Figure {position}. Study {number}: (A) left view, dose < 5 mg. (B) right view."
    rows["figures"].append({
        "figure_id": figure, "article": article, "position": position, "label": f"Figure {position}",
        "caption": caption, "caption_xml": f"<p>{position}</p>", "mentions": [f"See Figure {position}."],
        "graphics": [f"gr{position}.jpg"], "license": "CC BY", "attribution": f"A. Author, On {number}, J Test, CC BY",
        "rights_note": None, "reprint": number == 4,
    })
    rows["screen"].append({"figure_id": figure, "keep": True, "reasons": [], "terms": [],
                           "modalities": ["MRI"] if number % 2 else []})
    rows["media"].append({"image_id": image, "figure_id": figure, "media_name": f"gr{position}.jpg",
                          "md5": f"{seed:032x}", "width": 64, "height": 48, "format": "JPEG", "image": picture(seed)})
    for index, box in enumerate([(0, 0, 32, 48), (32, 0, 64, 48)]):
        panel = ids.panel_id(image, box)
        rows["panels"].append({
            "panel_id": panel, "image_id": image, "figure_id": figure, "index": index, "bbox": list(box), "score": 0.9,
            "detector": "stub", "printed_label": "AB"[index], "label_score": 0.8, "kind": "radiology", "kind_score": 0.7,
            "width": 32, "height": 48, "image": picture(seed, box=box),
        })
        rows["align"].append({"panel_id": panel, "label": "AB"[index], "subcaption": f"{'left right'.split()[index]} view",
                              "preamble": f"Study {number}:", "method": "label", "confidence": 0.4 if index else 0.95})


@pytest.fixture
def tables() -> dict[str, pa.Table]:
    """The tables of a build up to align; fresh for every test."""
    return build_tables()
