"""Other forms of a published dataset: WebDataset tars, JSON Lines as axiong/pmc_oa has, and Parquet without images."""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import re
import shutil
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image

from pmcoa_build import ids
from pmcoa_build.atomic import beside
from pmcoa_build.dataset.shards import features
from pmcoa_build.errors import UsageError

TERMS = {"ATTRIBUTION.parquet": "ATTRIBUTION.parquet", "LICENSE.md": "LICENSE.md", "README.md": "CARD.md"}
"""What goes with every copy, and its name there (as README.md the card would promise Parquet files): who passes the
data on passes on credit and terms too."""

TAR_ROWS, TARS = 5000, 32
"""Most samples of a tar; and how many tars a split has at least, if it has as many rows: open_clip gives each worker of
each process whole tars, and refuses fewer tars than workers."""

_MAGIC = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG\r\n", "png"))
_JSONL_SPLITS = {"train": "train", "validation": "valid", "test": "test"}


def export_webdataset(dataset: Path, out: Path) -> int:
    """Tars `<split>-00000.tar` of samples .jpg (or .png), .txt (subcaption), .json (all columns), and `sizes.json`.

    Keys are made from the panel id and have no dot. open_clip reads the number of samples from sizes.json (tar: rows).
    TERMS go with it. `dataset`: the published folder. Returns the number of samples. Raises UsageError where `dataset`
    is no dataset folder, or `out` is not empty.
    """
    files = _files(dataset)
    _empty(out)
    sizes: dict[str, int] = {}
    for split in dict.fromkeys(split for split, _ in files):
        parts = [file for of, file in files if of == split]
        total = sum(pq.read_metadata(file).num_rows for file in parts)
        rows = (row for file in parts for row in _rows(file))
        per_tar = min(TAR_ROWS, -(-total // TARS))
        for number in range(-(-total // per_tar)):
            name = f"{split}-{number:05d}.tar"
            sizes[name] = _write_tar(out / name, itertools.islice(rows, per_tar))
    (out / "sizes.json").write_bytes(orjson.dumps(sizes, option=orjson.OPT_INDENT_2))
    _add_terms(dataset, out)
    return sum(sizes.values())


def _write_tar(path: Path, rows: Iterator[tuple[dict[str, Any], bytes]]) -> int:
    count = 0
    with _renamed(path) as temporary, temporary.open("wb") as tar:
        for row, image in rows:
            key = sample_key(row["panel_id"])
            extension, encoded = _portable(image)
            tar.writelines((
                *_member(f"{key}.{extension}", encoded), *_member(f"{key}.json", orjson.dumps(row)),
                *_member(f"{key}.txt", row["subcaption"].encode()),
            ))
            count += 1
        tar.write(bytes(2 * tarfile.BLOCKSIZE))
        tar.write(bytes(-tar.tell() % tarfile.RECORDSIZE))
    return count


def _member(name: str, data: bytes) -> tuple[bytes, bytes, bytes]:
    """Header, data and padding of a file in a tar, as tarfile writes them, which takes ten times as long."""
    header = bytearray(_HEADER)
    header[: len(name)] = name.encode()
    header[124:136] = b"%011o\0" % len(data)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header), data, bytes(-len(data) % tarfile.BLOCKSIZE)


_HEADER = tarfile.TarInfo().tobuf(tarfile.USTAR_FORMAT)


def export_jsonl(dataset: Path, out: Path) -> int:
    """The files of https://huggingface.co/datasets/axiong/pmc_oa, with its keys, and the images in images/.

    pmc_oa.jsonl: image, caption (the subcaption), alignment_type (method), alignment_score (confidence).
    pmc_oa_beta.jsonl: image, caption (the whole one). train.jsonl, valid.jsonl, test.jsonl: the keys of pmc_oa.jsonl,
    pmcid, url_name (PMC's file name) and all other columns, with the whole caption as figure_caption. TERMS go with it.
    Returns the number of pairs. Raises UsageError where `dataset` is no dataset folder, or `out` is not empty.
    """
    files = _files(dataset)
    _empty(out)
    (out / "images").mkdir()
    names = ("pmc_oa", "pmc_oa_beta", *_JSONL_SPLITS.values())
    count = 0
    with contextlib.ExitStack() as stack:
        lines = {name: stack.enter_context(_lines(out / f"{name}.jsonl")) for name in names}
        for split, file in files:
            for line in _jsonl_rows(file, out / "images"):
                image, caption, whole = line["image"], line["caption"], line["figure_caption"]
                kind, score = line["alignment_type"], line["alignment_score"]
                for name, written in (
                    (_JSONL_SPLITS[split], line),
                    ("pmc_oa", {"image": image, "caption": caption, "alignment_type": kind, "alignment_score": score}),
                    ("pmc_oa_beta", {"image": image, "caption": whole}),
                ):
                    lines[name].write(orjson.dumps(written, option=orjson.OPT_APPEND_NEWLINE))
                count += 1
    _add_terms(dataset, out)
    return count


def export_table(dataset: Path, out: Path) -> int:
    """data/*.parquet without the images, TERMS beside it: small, and `rehydrate` fills it again.

    Returns the number of rows. Raises UsageError where `dataset` is no dataset folder, or `out` is not empty.
    """
    files = _files(dataset)
    _empty(out)
    (out / "data").mkdir()
    count = 0
    for _, file in files:
        columns = [name for name in pq.read_schema(file).names if name != "image"]
        table = pq.read_table(file, columns=columns)
        described = {"huggingface": json.dumps({"info": {"features": features(table.schema)}})}
        with _renamed(out / "data" / file.name) as temporary:
            pq.write_table(table.replace_schema_metadata(described), temporary, compression="zstd",
                           write_page_checksum=True)
        count += len(table)
    _add_terms(dataset, out)
    return count


def _add_terms(dataset: Path, out: Path) -> None:
    for name, copy in TERMS.items():
        shutil.copyfile(dataset / name, out / copy)


@contextlib.contextmanager
def _lines(path: Path) -> Iterator[Any]:
    with _renamed(path) as temporary, temporary.open("wb") as file:
        yield file


@contextlib.contextmanager
def _renamed(path: Path) -> Iterator[Path]:
    """A file that has its name when it is whole; not flushed to the disk, because it can be made again."""
    temporary = beside(path)
    yield temporary
    temporary.replace(path)


def _jsonl_rows(file: Path, images: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file, whose images it writes; a figure's panels are numbered in their order (all in one file)."""
    seen: Counter[str] = Counter()
    for row, image in _rows(file):
        extension, encoded = _portable(image)
        stem = _figure_name(row["figure_id"])
        seen[stem] += 1
        name = f"{stem}_{seen[stem]}.{extension}"
        (images / name).write_bytes(encoded)
        pmcid, _ = ids.parse_article_id(row["article"])
        yield {
            "image": name, "caption": row.pop("subcaption"), "pmcid": f"PMC{pmcid}",
            "url_name": ids.image_of(row["panel_id"]).partition("/")[2], "alignment_type": row.pop("method"),
            "alignment_score": row.pop("confidence"), "figure_caption": row.pop("caption"), **row,
        }


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


def _files(dataset: Path) -> list[tuple[str, Path]]:
    """(split, path) of the data files."""
    found = sorted((dataset / "data").glob("*-of-*.parquet"))
    if not found:
        raise UsageError(f"{dataset} is not a published dataset: it has no data/*.parquet; run `publish` first.")
    if missing := [name for name in TERMS if not (dataset / name).exists()]:
        raise UsageError(f"{dataset} has no {', '.join(missing)}, without which nothing is passed on; run `publish`.")
    return [(file.name.split("-")[0], file) for file in found]


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

