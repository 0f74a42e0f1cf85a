"""A bank of drawn panel contents: drawn once into a folder, then taken many times, each time a little different."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pmcoa_build.figures.kinds import DRAWINGS
from pmcoa_build.figures.synth.content import PAINTERS, Painter
from pmcoa_build.figures.synth.imagery import Image, Rng, pick, rng_of
from pmcoa_build.figures.synth.marks import mark

INDEX = "index.json"
_SIDES = (100, 700)
"""Shortest and longest side of a drawn picture, pixels."""
_PROCESSES = 2
_NEAR, _FEWEST = 0.16, 24
"""Contents are taken among those whose log aspect is so near, or the nearest so many."""


@dataclass(frozen=True)
class Entry:
    """One drawn content in a bank's folder."""

    file: str
    kind: str
    painter: str
    width: int
    height: int
    single: bool


def _size(rng: Rng, aspect: tuple[float, float]) -> tuple[int, int]:
    """Width and height in pixels of an aspect within the bounds, small ones as likely as large."""
    wide = float(np.exp(rng.uniform(*np.log(np.clip(aspect, 0.4, 3.0)))))
    side = float(np.exp(rng.uniform(np.log(150), np.log(480))))
    width, height = (int(np.clip(round(s), *_SIDES)) for s in (side * wide**0.5, side / wide**0.5))
    return width, height


def draw_content(seed: int, number: int) -> tuple[Painter, Image]:
    """Content `number` of the bank of this seed: which painter drew it, and the picture (uint8 RGB)."""
    rng = rng_of(seed, "content", number)
    weights = np.array([painter.weight for painter in PAINTERS])
    painter = PAINTERS[int(rng.choice(len(PAINTERS), p=weights / weights.sum()))]
    return painter, painter.draw(rng, *_size(rng, painter.aspect))


def _store(task: tuple[str, int, int]) -> Entry:
    """Draw one content into the folder: drawings as PNG, pictures as JPEG."""
    import cv2

    folder, seed, number = task
    cv2.setNumThreads(1)
    painter, image = draw_content(seed, number)
    drawn = painter.kind in DRAWINGS
    name = f"{number:05d}.{'png' if drawn else 'jpg'}"
    quality = [cv2.IMWRITE_PNG_COMPRESSION, 2] if drawn else [cv2.IMWRITE_JPEG_QUALITY, 95]
    cv2.imwrite(str(Path(folder) / name), image[:, :, ::-1], quality)
    return Entry(name, painter.kind, painter.name, image.shape[1], image.shape[0], painter.single)


def _entries(tasks: list[tuple[str, int, int]]) -> Iterator[Entry]:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    if len(tasks) < 2 * _PROCESSES:
        yield from map(_store, tasks)
        return
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_store, tasks, chunksize=8)


def draw_bank(folder: Path, count: int, seed: int) -> None:
    """Draw `count` contents into `folder` (made if need be), in two processes, with their index; the seed decides."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = list(_entries([(str(folder), seed, number) for number in range(count)]))
    index = {"seed": seed, "count": count, "painters": dict(sorted(Counter(e.painter for e in entries).items())),
             "entries": [vars(entry) for entry in entries]}
    (folder / INDEX).write_text(json.dumps(index, indent=0))


class Bank:
    """A folder that `draw_bank` filled.

    Raises FileNotFoundError where there is no index.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index: dict[str, Any] = json.loads((folder / INDEX).read_text())
        self.entries = tuple(Entry(**entry) for entry in index["entries"])
        self._aspects = np.log([entry.width / entry.height for entry in self.entries])
        self._single = np.array([entry.single for entry in self.entries])
        self._kinds = np.array([entry.kind for entry in self.entries])

    def take(self, rng: Rng, kind: str | None, aspect: float, *, whole: bool = False) -> tuple[Image, str]:
        """A varied content (uint8 RGB) of about this width / height, and its kind.

        Of `kind` where one is named; of any in a small bank that holds nothing of it. `whole`: one picture, no montage,
        of the kinds that have both.
        """
        import cv2

        among = np.flatnonzero(self._kinds == kind)
        if not len(among):
            among = np.arange(len(self.entries))
        if whole and self._single[among].any():
            among = among[self._single[among]]
        away = np.abs(self._aspects[among] - np.log(aspect))
        nearest = among[np.argsort(away, kind="stable")[: max(_FEWEST, int((away < _NEAR).sum()))]]
        entry = self.entries[int(pick(rng, nearest))]
        image = cv2.cvtColor(cv2.imread(str(self.folder / entry.file)), cv2.COLOR_BGR2RGB)
        if entry.kind in DRAWINGS:
            return _vary_drawing(rng, image), entry.kind
        image = _vary_picture(rng, image)
        if entry.single:
            image = _view(rng, image)
            mark(rng, image, entry.kind)
        return image, entry.kind


def _vary_drawing(rng: Rng, image: Image) -> Image:
    """Other hues now and then: grey stays grey."""
    if rng.random() < 0.4:
        image = image[:, :, rng.permutation(3)]
    return np.ascontiguousarray(image)


def _vary_picture(rng: Rng, image: Image) -> Image:
    """Another gain and gamma, and a slight cast where there is colour."""
    import cv2

    level = np.clip((np.arange(256) / 255) ** rng.uniform(0.8, 1.25) * rng.uniform(0.85, 1.12) * 255, 0, 255)
    sparse = image[::7, ::7].astype(np.int16)
    grey = bool((sparse.max(axis=2) - sparse.min(axis=2)).max() < 16)
    cast = np.ones(3) if grey else rng.uniform(0.94, 1.06, 3)
    varied: Image = cv2.LUT(image, np.clip(level[:, None] * cast, 0, 255).astype(np.uint8)[None])
    return varied


def _view(rng: Rng, image: Image) -> Image:
    """A part of a picture, mirrored or not; never less than 70 % of either side."""
    height, width = image.shape[:2]
    share = rng.uniform(0.7, 1)
    wide, tall = round(width * share), round(height * share)
    x, y = int(rng.integers(0, width - wide + 1)), int(rng.integers(0, height - tall + 1))
    part = image[y : y + tall, x : x + wide]
    return np.ascontiguousarray(part[:, ::-1] if rng.random() < 0.5 else part)
