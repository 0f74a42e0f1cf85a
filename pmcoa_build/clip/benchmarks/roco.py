"""Image-text retrieval on ROCO (Pelka et al. 2018), in the clean way and in the authors'.

Formats: the repository razorx89/roco-dataset after its `fetch.py` (`data/test/radiology/captions.txt`, lines of
"ROCO_00001<tab>caption", beside `images/`), and the .csv or .jsonl that the released training code reads
(columns `image` and `caption`, or `filepath` and `title`).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pmcoa_build.clip.benchmarks.store import Protocol, Say, Score, identity
from pmcoa_build.clip.benchmarks.subject import BATCH, Subject, encode_images, encode_texts
from pmcoa_build.clip.images import crop, readable
from pmcoa_build.clip.retrieval import ROCO_POOL, Ties, retrieval, roco_pool
from pmcoa_build.errors import RunFailed, UsageError

_CAPTIONS = ("captions.txt", "radiology/captions.txt", "test/radiology/captions.txt",
             "data/test/radiology/captions.txt", "test.csv", "test.jsonl")
_IMAGE_KEYS, _CAPTION_KEYS = ("image", "filepath"), ("caption", "title")


class Pair(NamedTuple):
    """An image's file and its caption."""

    image: Path
    caption: str


def protocols(folder: Path, subject: Subject, seed: int, say: Say) -> Iterator[Protocol]:
    """Retrieval both ways: `clean`, 2,000 pairs drawn without replacement, ties averaged; `roco`, the authors' pool.

    Captions without a readable image are left out, said, and counted as a score. Raises UsageError where the folder
    holds no such files, RunFailed where there are fewer than two pairs.
    """
    captions = _captions(folder)
    listed = read_pairs(captions)
    pairs = [pair for pair in listed if readable(pair.image)]
    lost = Score("captions_without_image", len(listed) - len(pairs), len(listed))
    if len(pairs) < 2:
        raise RunFailed(f"Of the {len(listed):,} captions in {captions}, {len(pairs)} have an image that can be read.")
    say(f"roco: {len(pairs):,} pairs; {len(listed) - len(pairs):,} captions without a readable image are left out")
    data = identity("roco", [(captions.name, captions), *((pair.image.name, pair.image) for pair in pairs)])

    def compute(rows: list[int], ties: Ties) -> list[Score]:
        image, text = _features([pairs[row] for row in rows], subject)
        scores = retrieval(image, text, ties, subject.net.logit_scale.exp().item())
        return [*(Score(metric, value, len(rows)) for metric, value in scores.items()), lost]

    clean = np.random.default_rng(seed).permutation(len(pairs))[:ROCO_POOL].tolist()
    yield Protocol(data, "retrieval-clean-test", lambda: compute(clean, "average"))
    yield Protocol(data, "retrieval-roco-test", lambda: compute(roco_pool(len(pairs), seed), "argsort"))


def _captions(folder: Path) -> Path:
    if folder.is_file():
        return folder
    for name in _CAPTIONS:
        if (folder / name).is_file():
            return folder / name
    raise UsageError(f"{folder} holds nothing of ROCO: {' or '.join(_CAPTIONS[-3:])} is looked for.")


def read_pairs(captions: Path) -> list[Pair]:
    """All listed pairs in their order, whether or not their images are there. Raises UsageError for another format."""
    read = {".csv": _from_csv, ".jsonl": _from_jsonl}.get(captions.suffix, _from_text)
    try:
        return read(captions)
    except (OSError, ValueError, csv.Error) as error:
        raise UsageError(f"{captions} cannot be read as captions: {error}.") from None


def _from_text(captions: Path) -> list[Pair]:
    images = {path.stem: path for path in sorted((captions.parent / "images").glob("*"))}
    found = []
    for number, line in enumerate(captions.read_text("utf-8").split("\n"), 1):
        name, tab, caption = line.partition("\t")
        if tab:
            found.append(Pair(images.get(name.strip(), captions.parent / "images" / name.strip()), caption.strip()))
        elif name.strip():
            raise ValueError(f"line {number} has no tab between name and caption")
    return found


def _from_csv(captions: Path) -> list[Pair]:
    with captions.open(encoding="utf-8-sig", newline="") as file:
        separator = "\t" if "\t" in file.readline() else ","
        file.seek(0)
        return [_pair(row, captions) for row in csv.DictReader(file, delimiter=separator)]


def _from_jsonl(captions: Path) -> list[Pair]:
    lines = captions.read_text("utf-8").split("\n")
    return [_pair(json.loads(line), captions) for line in lines if line.strip()]


def _pair(row: Any, captions: Path) -> Pair:
    """A row's image, relative to the file or its `images` folder, and its caption."""
    found = [next((row[key] for key in keys if isinstance(row, dict) and row.get(key) is not None), None)
             for keys in (_IMAGE_KEYS, _CAPTION_KEYS)]
    if None in found:
        raise ValueError("the keys image and caption (or filepath and title) are missing in a row")
    image, caption = map(str, found)
    inside = captions.parent / "images" / image
    return Pair(inside if inside.is_file() else captions.parent / image, caption.strip())


def _features(pairs: Sequence[Pair], subject: Subject) -> tuple[NDArray[Any], NDArray[Any]]:
    """Image and text features of the pairs; each file goes through the tower once, however often it was drawn."""
    files = list(dict.fromkeys(pair.image for pair in pairs))
    place = {file: at for at, file in enumerate(files)}
    parts = (files[at : at + BATCH] for at in range(0, len(files), BATCH))
    images = encode_images(subject, (np.stack([_pixels(file, subject.image_size) for file in part]) for part in parts))
    texts = encode_texts(subject, [pair.caption for pair in pairs])
    return images[[place[pair.image] for pair in pairs]], texts


def _pixels(file: Path, size: int) -> NDArray[np.uint8]:
    try:
        return crop(file.read_bytes(), size, None)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        sentence = f"{file} cannot be decoded ({error}); once it is removed, its caption is left out and counted."
        raise RunFailed(sentence) from None
