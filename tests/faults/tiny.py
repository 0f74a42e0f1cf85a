"""A bucket of many tiny articles, drawn in no time: what a crawl of thousands of objects needs, and no more."""

from __future__ import annotations

import gzip
import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

BUCKET = "s3://pmc-oa-opendata"
INVENTORY = "inventory-reports/pmc-oa-opendata/metadata"
LICENSES = ("CC BY", "CC BY", "CC0", "CC BY", "CC BY-NC", "CC BY-SA", "TDM", "CC BY")
"""By turns; two of eight are left out by default."""


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def png(seed: int) -> bytes:
    """A grey image of 4 x 4 pixels; no two seeds below 2**32 give the same."""
    rows = b"".join(b"\0" + struct.pack(">I", seed) for _ in range(4))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = [struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def xml(figures: Iterable[tuple[str, str]]) -> bytes:
    """An article with figures of (XML id, href)."""
    drawn = "".join(
        f'<fig id="{name}"><caption><p>CT {n}.</p></caption><graphic xlink:href="{href}"/></fig>'
        for n, (name, href) in enumerate(figures)
    )
    return ('<article xmlns:xlink="http://www.w3.org/1999/xlink"><front><article-meta><title-group>'
            f"<article-title>T</article-title></title-group></article-meta></front><body>{drawn}</body></article>"
            ).encode()


def write_article(
    root: Path, article: str, text: bytes, media: Mapping[str, bytes], *, urls: Sequence[str] = (), **fields: object
) -> None:
    """The article's files and its JSON; `urls` are listed as media beside those that are there."""
    folder = root / article
    folder.mkdir(parents=True, exist_ok=True)
    (root / "metadata").mkdir(exist_ok=True)
    files = {f"{article}.xml": text, **media}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    listed = [f"{BUCKET}/{article}/{name}?md5={md5(data)}" for name, data in files.items()]
    pmcid, version = article.split(".")
    record = {"pmcid": pmcid, "version": int(version), "license_code": "CC BY",
              "xml_url": listed[0], "media_urls": [*listed[1:], *urls], **fields}
    (root / "metadata" / f"{article}.json").write_text(json.dumps(record))


def write_inventory(root: Path, date: str = "2026-10-01", *, times: int = 1) -> None:
    """An inventory of all JSONs of that date, each in it so many times."""
    rows = [f'"pmc-oa-opendata","metadata/{path.name}","2026-09-30T12:00:00.000Z","{md5(path.read_bytes())}"\n'
            for path in sorted((root / "metadata").glob("*.json"))]
    part, key = gzip.compress("".join(rows * times).encode(), 1, mtime=0), f"{INVENTORY}/data/{date}.csv.gz"
    manifest = {"fileFormat": "CSV", "fileSchema": "Bucket, Key, LastModifiedDate, ETag",
                "files": [{"key": key, "size": len(part), "MD5checksum": md5(part)}]}
    for name, data in ((key, part), (f"{INVENTORY}/{date}T01-00Z/manifest.json", json.dumps(manifest).encode())):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def write_tiny(root: Path, articles: int) -> Path:
    """The bucket: articles of one to three figures under licences that change by turns."""
    for number in range(1, articles + 1):
        names = [f"g{n}.png" for n in range(number % 3 + 1)]
        write_article(
            root, f"PMC{number}.1", xml((f"F{n}", name) for n, name in enumerate(names)),
            {name: png(number << 8 | n) for n, name in enumerate(names)}, license_code=LICENSES[number % 8],
        )
    write_inventory(root)
    return root
