"""A bucket of four articles, written by hand: small, fixed, and independent of the embedded sample."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

_FIGURE = """<fig id="{id}"><label>Figure 1</label><caption><title>{title}</title>
<p>(A) {first}. (B) {second}.</p></caption>
<graphic xlink:href="{graphic}"/></fig>"""
_SINGLE = """<fig id="F2"><label>Figure 2</label><caption><p>{text}</p></caption><graphic xlink:href="g2.png"/></fig>"""
_ARTICLE = """<article xmlns:xlink="http://www.w3.org/1999/xlink" article-type="research-article" xml:lang="en"><front>
<journal-meta><journal-title-group><journal-title>Journal of Tests</journal-title></journal-title-group></journal-meta>
<article-meta><article-id pub-id-type="pmcid">{pmcid}</article-id><title-group><article-title>{title}</article-title>
</title-group><contrib-group><contrib contrib-type="author"><name><surname>Roe</surname><given-names>Jo</given-names>
</name></contrib></contrib-group><pub-date pub-type="epub"><year>2024</year></pub-date><permissions><license>
<ali:license_ref xmlns:ali="http://www.niso.org/schemas/ali/1.0/">https://creativecommons.org/licenses/by/4.0/</ali:license_ref>
</license></permissions></article-meta></front><body><p>As <xref ref-type="fig" rid="F1">Fig. 1</xref> shows.</p>
{figures}</body></article>"""


def image(seed: int, *, panels: int) -> bytes:
    """A PNG of noise panels side by side on white, 240 x 120 a panel."""
    noise = np.random.default_rng(seed)
    page = np.full((140, 260 * panels + 20, 3), 255, np.uint8)
    for panel in range(panels):
        x = 20 + 260 * panel
        page[10:130, x : x + 240] = noise.integers(40, 200, (12, 24, 3)).repeat(10, 0).repeat(10, 1)
    out = io.BytesIO()
    Image.fromarray(page).save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True)
class Article:
    """An article version as the bucket holds it; `seed` draws its images, `note` goes into its JSON alone."""

    number: int
    title: str
    code: str
    seed: int
    version: int = 1
    retracted: bool = False
    note: str = ""
    figure: str = "F1"

    @property
    def id(self) -> str:
        return f"PMC{self.number}.{self.version}"


ARTICLES = (
    Article(2000001, "First article", "CC BY", 1),
    Article(2000002, "Second article", "CC0", 2),
    Article(2000003, "Not for commerce", "CC BY-NC", 3),
    Article(2000004, "Fourth article", "CC BY", 4),
)


def write_bucket(root: Path, articles: Sequence[Article] = ARTICLES, *, date: str = "2026-10-01") -> Path:
    """Write the bucket anew, with one more inventory."""
    shutil.rmtree(root / "metadata", ignore_errors=True)
    for article in articles:
        write_article(root, article)
    _inventory(root, date)
    return root


def changed(number: int, **how: Any) -> tuple[Article, ...]:
    """ARTICLES with one of them changed."""
    return tuple(replace(article, **how) if article.number == number else article for article in ARTICLES)


def write_article(root: Path, article: Article) -> None:
    """Write the files and the JSON of one version, and no inventory."""
    number = article.number
    figures = _FIGURE.format(id=article.figure, title=f"CT of sample {number}.", first="Axial CT before",
                             second="CT after", graphic="g1")
    figures += _SINGLE.format(text=f"Chest radiograph of patient {number}.")
    xml = _ARTICLE.format(pmcid=f"PMC{number}", title=article.title, figures=figures).encode()
    files = {f"{article.id}.xml": xml, "g1.png": image(article.seed, panels=2),
             "g2.png": image(article.seed + 100, panels=1)}
    urls = {}
    for name, data in files.items():
        _write(root / article.id / name, data)
        urls[name] = f"s3://pmc-oa-opendata/{article.id}/{name}?md5={_md5(data)}"
    record = {
        "pmcid": f"PMC{number}", "version": article.version, "pmid": number, "doi": f"10.1/{number}",
        "title": article.title, "citation": article.note, "is_retracted": article.retracted,
        "license_code": article.code, "xml_url": urls.pop(f"{article.id}.xml"), "media_urls": sorted(urls.values()),
    }
    if not article.note:
        del record["citation"]
    _write(root / "metadata" / f"{article.id}.json", json.dumps(record).encode())


def _inventory(root: Path, date: str) -> None:
    base = "inventory-reports/pmc-oa-opendata/metadata"
    rows = [
        f'"pmc-oa-opendata","metadata/{path.name}","2026-09-30T12:00:00.000Z","{_md5(path.read_bytes())}"\n'
        for path in sorted((root / "metadata").glob("*.json"))
    ]
    part = gzip.compress("".join(rows).encode(), mtime=0)
    _write(root / base / f"data/{date}.csv.gz", part)
    manifest = {
        "sourceBucket": "pmc-oa-opendata", "fileFormat": "CSV", "fileSchema": "Bucket, Key, LastModifiedDate, ETag",
        "files": [{"key": f"{base}/data/{date}.csv.gz", "size": len(part), "MD5checksum": _md5(part)}],
    }
    _write(root / base / f"{date}T01-00Z" / "manifest.json", json.dumps(manifest).encode())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
