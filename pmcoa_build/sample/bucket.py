"""The sample bucket on disk: objects, inventory, and the truth beside it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pmcoa_build.errors import UsageError
from pmcoa_build.figures.synth.imagery import Image, rng_of
from pmcoa_build.ids import figure_ids
from pmcoa_build.sample.article import caption_text, form_of, not_figure_media, write_article
from pmcoa_build.sample.cast import Part, cast
from pmcoa_build.sample.dialects import DIALECTS
from pmcoa_build.sample.jats import Figure, Graphic, Manuscript, article_xml, tag_of
from pmcoa_build.sample.media import document, encode, html_error, near_copy

GENERATOR = 2
"""Raised whenever the sample's bytes change."""
BUCKET = "pmc-oa-opendata"
DATES = {1: "2026-11-02", 2: "2026-11-03"}
"""Inventory dates of the editions."""
MARKER, TRUTH = ".sample.json", "truth.jsonl"
_DAY = datetime(2026, 11, 1, 1, tzinfo=UTC)
_NO_PDF = {"no-pdf", "pdf-null"}
_INVENTORY = f"inventory-reports/{BUCKET}/metadata"
_README = """PMC Article Datasets: SAMPLE. Every article is drawn by a program; nothing is real, nobody was examined.
Layout: PMC<id>.<version>/, metadata/, inventory-reports/. Licence of the drawings: CC0.
"""


def write_sample(root: Path, *, articles: int = 150, seed: int = 0, edition: int = 1) -> None:
    """Write the bucket below `root`, unless it is there already.

    Edition 2 is the next day: a second inventory, after changes named in `cast.CHANGES`; an edition 1 that is there
    is brought up to date, all else stays byte for byte. Raises UsageError if `root` holds something else, or for
    an edition other than 1 and 2.
    """
    if edition not in DATES:
        raise UsageError(f"The sample has editions 1 and 2, not {edition}.")
    want = {"articles": articles, "seed": seed, "generator": GENERATOR}
    have = _marker(root)
    if have == {**want, "edition": edition}:
        return
    if have != {**want, "edition": 1}:
        _clear(root, known=have is not None)
        _write_edition(root, articles, seed, 1)
        _put(root, MARKER, json.dumps({**want, "edition": 1}).encode(), _DAY)
    if edition == 2:
        _put(root, MARKER, json.dumps({**want, "edition": "half"}).encode(), _DAY)
        _write_edition(root, articles, seed, 2)
        _put(root, MARKER, json.dumps({**want, "edition": 2}).encode(), _DAY)


def truth(root: Path) -> Iterator[dict[str, Any]]:
    """One dict a picture of a figure (a figure in two pieces has two), in the order of articles and figures.

    Keys: figure_id, article, label, caption, style, media (None: no file), width and height (None: not drawn), panels
    (label as printed or None, box [x0, y0, x1, y1] in pixels, kind, modality, subcaption, pieces = its clauses
    verbatim), preamble, tail, license, rights (the notice of other rights or None), outcome (`kept` or a code of
    `reasons`, for default settings and diagnostic terms).
    """
    with (root / TRUTH).open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _marker(root: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads((root / MARKER).read_text("utf-8")))
    except FileNotFoundError:
        return None
    except ValueError:
        return {}


def _clear(root: Path, *, known: bool) -> None:
    """Make room: only in an empty folder, or one with the sample's marker."""
    root.mkdir(parents=True, exist_ok=True)
    if not known and any(root.iterdir()):
        raise UsageError(f"{root} holds something other than a sample; name an empty folder.")
    _put(root, MARKER, b"{}", _DAY)
    for entry in sorted(root.iterdir()):
        if entry.name in ("metadata", "inventory-reports") or entry.name.startswith("PMC"):
            shutil.rmtree(entry)
        elif entry.name in (TRUTH, "README.txt"):
            entry.unlink()


def _write_edition(root: Path, articles: int, seed: int, edition: int) -> None:
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in truth(root) if edition == 2 else ():
        rows.setdefault(row["article"], []).append(row)
    before = {part.article: part for part in cast(articles)} if edition == 2 else {}
    parts = cast(articles, edition)
    for part in parts:
        if before.get(part.article) == part:
            continue
        day = _DAY + timedelta(days=edition - 1, minutes=7 * part.index)
        paper = write_article(part, seed)
        shutil.rmtree(root / part.article, ignore_errors=True)
        for key, data in sorted(_objects(paper, seed).items()):
            _put(root, key, data, day)
        rows[part.article] = _truth_rows(paper)
    for gone in before.keys() - {part.article for part in parts}:
        shutil.rmtree(root / gone)
        (root / "metadata" / f"{gone}.json").unlink()
    _put(root, "README.txt", _README.encode(), _DAY)
    listed = [json.dumps(row, ensure_ascii=False) + "\n" for part in parts for row in rows.get(part.article, ())]
    _put(root, TRUTH, "".join(listed).encode(), _DAY)
    _write_inventory(root, edition)


def _put(root: Path, key: str, data: bytes, day: datetime) -> None:
    path = root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (day.timestamp(), day.timestamp()))


def _objects(paper: Manuscript, seed: int) -> dict[str, bytes]:
    """Key to bytes of all objects of an article, the JSON twice."""
    part = paper.part
    prefix = f"{part.article}/"
    xml, text = article_xml(paper), _plain_text(paper)
    media = _media(paper, seed)
    files = {f"{prefix}{part.article}.txt": text, **{prefix + name: data for name, data in media.items()}}
    if "missing-xml" not in part.oddities:
        files[f"{prefix}{part.article}.xml"] = xml
    pdf = document(f"{part.article}.pdf") if part.index % 3 == 0 and not part.oddities & _NO_PDF else None
    if pdf:
        files[f"{prefix}{part.article}.pdf"] = pdf
    record = (json.dumps(_metadata(paper, xml, text, media, pdf)) + "\n").encode()
    if "cut-json" in part.oddities:
        record = record[: len(record) // 2]
    files[f"{prefix}{part.article}.json"] = files[f"metadata/{part.article}.json"] = record
    return files


def _url(part: Part, name: str, data: bytes) -> str:
    return f"s3://{BUCKET}/{part.article}/{name}?md5={hashlib.md5(data, usedforsecurity=False).hexdigest()}"


def _metadata(paper: Manuscript, xml: bytes, text: bytes, media: dict[str, bytes], pdf: bytes | None) -> dict[str, Any]:
    """The JSON, keys in the order in which PMC serves them; some may be absent, null or empty, as there."""
    part, dialect = paper.part, DIALECTS[paper.part.dialect]
    record: dict[str, Any] = {
        "pmcid": f"PMC{part.pmcid}", "version": part.version, "pmid": paper.pmid, "doi": paper.doi,
        "mid": f"NIHMS{tag_of(part)}" if part.dialect == "manuscript" and "preprint" not in part.oddities else None,
        "title": paper.title,
        "citation": f"{dialect.abbreviation}. {paper.day[:4]};{1 + part.index % 12}:{part.index}."
        + (f" doi: {paper.doi}" if paper.doi else ""),
        "is_pmc_openaccess": part.license != "TDM", "is_manuscript": part.dialect == "manuscript",
        "is_historical_ocr": False, "is_retracted": "retracted" in part.oddities, "license_code": part.license,
    }
    if pdf is not None:
        record["pdf_url"] = _url(part, f"{part.article}.pdf", pdf)
    elif "pdf-null" in part.oddities:
        record["pdf_url"] = None
    record["xml_url"] = _url(part, f"{part.article}.xml", xml)
    record["text_url"] = _url(part, f"{part.article}.txt", text)
    if "no-media-key" not in part.oddities:
        record["media_urls"] = [_url(part, name, media[name]) for name in sorted(media)]
    return record


def _plain_text(paper: Manuscript) -> bytes:
    part = paper.part
    captions = "\n\n".join(filter(None, (caption_text(figure.caption) for figure in paper.figures)))
    return (f"ARTICLE INFORMATION\n====\nPMCID: PMC{part.pmcid}\nDOI: {paper.doi or ''}\n"
            f"License: {part.license or ''}\n\n{paper.title}\n\n{captions}\n").encode()


def _media(paper: Manuscript, seed: int) -> dict[str, bytes]:
    """Name to bytes of what the JSON lists as media."""
    part = paper.part
    if part.license in ("TDM", None) or "empty-media" in part.oddities:
        return {}
    files: dict[str, bytes] = {}
    for figure in paper.figures:
        for graphic in figure.graphics:
            if graphic.media and graphic.drawing is not None:
                files[graphic.media] = _picture(part, figure, graphic, graphic.drawing.image)
    for name in not_figure_media(part):
        files[name] = encode((rng_of(seed, name).random((40, 60, 3)) * 60 + 180).astype("uint8"))
    if "large-variant" in part.oddities and "gr1.jpg" in files:
        drawing = paper.figures[1].graphics[0].drawing
        files["gr1_lrg.jpg"] = encode(drawing.image, quality=95) if drawing else b""
    supplement = DIALECTS[part.dialect].supplement.format(tag=tag_of(part))
    files[supplement] = document(supplement)
    return files


def _picture(part: Part, figure: Figure, graphic: Graphic, image: Image) -> bytes:
    k = _number(part, graphic)
    if k == 2 and "near-figure" in part.oddities:
        return encode(near_copy(image), quality=80)
    data = encode(image, form_of(part, k))
    if figure.outcome == "image-truncated":
        return data[: len(data) * 45 // 100]
    return html_error() if figure.outcome == "image-not-image" else data


def _number(part: Part, graphic: Graphic) -> int:
    """Which figure of the article the picture belongs to, by its name; 0 for none."""
    for k in range(1, 8):
        if graphic.media.rsplit(".", 1)[0] == DIALECTS[part.dialect].media.format(tag=tag_of(part), k=k):
            return k
    return 0


def _truth_rows(paper: Manuscript) -> list[dict[str, Any]]:
    part = paper.part
    names = figure_ids(part.article, [figure.xml_id for figure in paper.figures])
    rows = []
    for name, figure in zip(names, paper.figures, strict=True):
        done = 0
        for graphic in figure.graphics or (Graphic("", "", None, ()),):
            rows.append({"figure_id": name, "article": part.article, **_truth_row(part, figure, graphic, done)})
            done += len(graphic.panels)
    return rows


def _truth_row(part: Part, figure: Figure, graphic: Graphic, done: int) -> dict[str, Any]:
    near = "near-figure" in part.oddities and _number(part, graphic) == 2
    drawing = graphic.drawing
    image = None if drawing is None else near_copy(drawing.image) if near else drawing.image
    scale = 0.95 if near else 1.0
    panels = []
    for index, panel in enumerate(graphic.panels if drawing is not None else ()):
        assert drawing is not None and image is not None
        pieces = figure.caption.pieces[done + index] if figure.caption else ()
        x0, y0, x1, y1 = (round(edge * scale) for edge in drawing.boxes[index])
        panels.append({
            "label": drawing.labels[index], "box": [x0, y0, min(x1, image.shape[1]), min(y1, image.shape[0])],
            "kind": panel.modality.kind, "modality": panel.modality.name,
            "subcaption": " ".join(pieces) or None, "pieces": list(pieces),
        })
    caption = figure.caption
    return {
        "label": figure.label, "caption": caption_text(caption), "style": caption.style if caption else None,
        "media": graphic.media or None, "width": None if image is None else image.shape[1],
        "height": None if image is None else image.shape[0], "panels": panels,
        "preamble": caption.preamble if caption else "", "tail": caption.tail if caption else "",
        "license": part.license, "rights": figure.rights,
        "outcome": figure.outcome if part.outcome == "kept" else part.outcome,
    }


def _write_inventory(root: Path, edition: int) -> None:
    """A dated folder with the manifest and its checksum, and three gzipped parts without header."""
    day = _DAY + timedelta(days=edition)
    lines = []
    for path in sorted((root / "metadata").glob("*.json")):
        when = datetime.fromtimestamp(path.stat().st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        lines.append(f'"{BUCKET}","metadata/{path.name}","{when}","{_md5(path.read_bytes())}"\n')
    entries = []
    for number in range(3):
        data = _gzip("".join(lines[number::3]).encode())
        key = f"{_INVENTORY}/data/{_md5(b'part' + data)[:8]}-{number}.csv.gz"
        _put(root, key, data, day)
        entries.append({"key": key, "size": len(data), "MD5checksum": _md5(data)})
    manifest = json.dumps({
        "sourceBucket": BUCKET, "destinationBucket": f"arn:aws:s3:::{BUCKET}", "version": "2016-11-30",
        "creationTimestamp": str(int(day.timestamp() * 1000)), "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, LastModifiedDate, ETag", "files": entries,
    }, indent=2).encode()
    folder = f"{_INVENTORY}/{DATES[edition]}T01-00Z"
    _put(root, f"{folder}/manifest.json", manifest, day)
    _put(root, f"{folder}/manifest.checksum", _md5(manifest).encode(), day)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _gzip(data: bytes) -> bytes:
    out = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as packed:
        packed.write(data)
    return out.getvalue()

