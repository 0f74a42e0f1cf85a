"""Other forms of a published dataset: WebDataset tar shards, and JSON Lines with images as axiong/pmc_oa has."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from pmcoa_build import ids
from pmcoa_build.errors import UsageError

_MAGIC = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG\r\n", "png"))
_JSONL_SPLITS = {"train": "train", "validation": "valid", "test": "test"}


def export_webdataset(dataset: Path, out: Path) -> int:
    """One tar a Parquet file, `<split>-00000.tar`: samples of .jpg (or .png), .txt (subcaption), .json (all columns).

    Keys are made from the panel id and have no dot. ATTRIBUTION.parquet and the card, as CARD.md, go with it.
    `dataset`: the published folder. Returns the number of samples. Raises UsageError where `dataset` is no dataset
    folder, or `out` is not empty.
    """
    files = _files(dataset)
    _empty(out)
    count = 0
    for split, number, file in files:
        temporary = out / f"{split}-{number:05d}.tar.tmp~"
        with tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
            for row, image in _rows(file):
                key = sample_key(row["panel_id"])
                extension, encoded = _portable(image)
                _add(tar, f"{key}.{extension}", encoded)
                _add(tar, f"{key}.json", json.dumps(row, ensure_ascii=False).encode())
                _add(tar, f"{key}.txt", row["subcaption"].encode())
                count += 1
        temporary.replace(out / f"{split}-{number:05d}.tar")
    _add_terms(dataset, out)
    return count


def export_jsonl(dataset: Path, out: Path) -> int:
    """train.jsonl, valid.jsonl, test.jsonl and images/, in the form of https://huggingface.co/datasets/axiong/pmc_oa.

    A line: {"image": "PMC212319_Fig3_4.jpg", "caption": subcaption, …all other columns but caption as figure_caption}.
    ATTRIBUTION.parquet and the card, as CARD.md, go with it. Returns the number of lines. Raises UsageError where
    `dataset` is no dataset folder, or `out` is not empty.
    """
    files = _files(dataset)
    _empty(out)
    (out / "images").mkdir()
    count = 0
    for split, title in _JSONL_SPLITS.items():
        temporary = out / f"{title}.jsonl.tmp~"
        with temporary.open("w", encoding="utf-8") as lines:
            for line in (line for of, _, file in files if of == split for line in _jsonl_rows(file, out / "images")):
                lines.write(json.dumps(line, ensure_ascii=False) + "\n")
                count += 1
        temporary.replace(out / f"{title}.jsonl")
    _add_terms(dataset, out)
    return count


def _add_terms(dataset: Path, out: Path) -> None:
    """Who passes the data on passes on credit and terms too; as README.md the card would promise Parquet files."""
    for name, copy in (("ATTRIBUTION.parquet", "ATTRIBUTION.parquet"), ("README.md", "CARD.md")):
        shutil.copyfile(dataset / name, out / copy)


def _jsonl_rows(file: Path, images: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file, whose images it writes; a figure's panels are numbered in their order (all in one file)."""
    seen: Counter[str] = Counter()
    for row, image in _rows(file):
        extension, encoded = _portable(image)
        stem = _figure_name(row["figure_id"])
        seen[stem] += 1
        name = f"{stem}_{seen[stem]}.{extension}"
        (images / name).write_bytes(encoded)
        yield {"image": name, "caption": row.pop("subcaption"), "figure_caption": row.pop("caption"), **row}


def sample_key(panel: str) -> str:
    """WebDataset key of a panel, such as `PMC10009416-1_gr3_12-30-410-388_5f1c0a9e`: no dot, no slash, unique."""
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", _readable(panel))[:70]
    return f"{readable}_{hashlib.sha256(panel.encode()).hexdigest()[:8]}"


def _readable(panel: str) -> str:
    image, _, box = panel.rpartition("#xywh=")
    article, _, media = image.partition("/")
    return f"{article}_{media.rsplit('.', 1)[0]}_{box}"


def _figure_name(figure: str) -> str:
    """`PMC212319_Fig3` of `PMC212319.1/Fig3`; versions are named from the second on, odd characters hyphens."""
    article, _, name = figure.partition("/")
    pmcid, version = ids.parse_article_id(article)
    plain = re.sub(r"[^A-Za-z0-9-]+", "-", name)[:80]
    if plain != name:
        plain += "-" + hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"PMC{pmcid}{f'v{version}' if version > 1 else ''}_{plain}"


def _empty(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise UsageError(f"{out} is not empty: name a new folder, so that no file of another export stays among these.")


def _files(dataset: Path) -> list[tuple[str, int, Path]]:
    """(split, number, path) of the data files."""
    found = sorted((dataset / "data").glob("*-of-*.parquet"))
    if not found:
        raise UsageError(f"{dataset} is not a published dataset: it has no data/*.parquet; run `publish` first.")
    return [(file.name.split("-")[0], int(file.name.split("-")[1]), file) for file in found]


def _rows(file: Path) -> Iterator[tuple[dict[str, Any], bytes]]:
    """(columns without image, encoded image) of each row, a row group at a time."""
    with pq.ParquetFile(file) as parquet:
        for group in range(parquet.num_row_groups):
            table = parquet.read_row_group(group)
            images = pc.struct_field(table["image"].combine_chunks(), "bytes").to_pylist()
            yield from zip(table.drop_columns(["image"]).to_pylist(), images, strict=True)


def _portable(encoded: bytes) -> tuple[str, bytes]:
    """Extension and bytes of an image that every loader reads: JPEG and PNG as they are, others as PNG."""
    for magic, extension in _MAGIC:
        if encoded.startswith(magic):
            return extension, encoded
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(encoded)) as image:
        image.convert("RGB").save(buffer, "PNG")
    return "png", buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    member.mode = 0o644
    tar.addfile(member, io.BytesIO(data))
