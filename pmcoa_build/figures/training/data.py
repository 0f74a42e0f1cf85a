"""The data set that YOLO trains on: drawn figures and their panels' boxes, in the folders that ultralytics expects.

Figure number n of a split depends on the seed, the split and n alone: an interrupted drawing goes on where it was, in
however many processes. Each split draws on its own bank of pictures, so that validation shows panels never trained on.
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from pmcoa_build.figures.boxes import Box
from pmcoa_build.figures.network import fitted

GENERATOR = 2
"""Version of the drawn data; bumped when the same seed draws other figures. The card of the weights names theirs."""

SPLITS = ("train", "val", "test")
_FIGURES = {"train": 1.0, "val": 0.04, "test": 0.04}
_PICTURES = {"train": 1.0, "val": 0.1, "test": 0.1}
_QUALITY = 92
"""Of the JPEGs that are trained on; the figures have been through their own JPEG before."""
_CHUNK = 16


def draw_data(folder: Path, *, figures: int, pictures: int, side: int, seed: int,
              say: Callable[[str], None] = print) -> str:
    """Draw `figures` figures to train on, and for validation and test a 25th of that each; returns the data's hash.

    `pictures`: size of the training bank; `side`: longest side (pixels) at which figures are stored. What is already in
    `folder` is kept. Writes data.yaml, images/SPLIT, labels/SPLIT.
    """
    from pmcoa_build.figures.synth.bank import INDEX, draw_bank

    for number, split in enumerate(SPLITS):
        bank, count = folder / "bank" / split, max(round(figures * _FIGURES[split]), 2)
        if not (bank / INDEX).exists():
            say(f"{split}: drawing pictures")
            draw_bank(bank, round(pictures * _PICTURES[split]), seed * len(SPLITS) + number)
        _draw_split(folder, split, count, partial(_draw, folder, split, side, [seed, number]), say)
    lines = [f"path: {folder.resolve()}", "train: images/train", "val: images/val", "names: {0: panel}"]
    (folder / "data.yaml").write_text("\n".join(lines) + "\n", "utf-8")
    return data_hash(folder)


def _draw_split(folder: Path, split: str, count: int, draw: Callable[[Sequence[int]], None],
                say: Callable[[str], None]) -> None:
    for kind in ("images", "labels"):
        (folder / kind / split).mkdir(parents=True, exist_ok=True)
    due = [n for n in range(count) if not (folder / "labels" / split / f"{n:06}.txt").exists()]
    chunks = [due[i : i + _CHUNK] for i in range(0, len(due), _CHUNK)]
    if len(chunks) < 2:
        for chunk in chunks:
            draw(chunk)
        return
    pool = ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_IGN))
    try:
        for number, _ in enumerate(pool.map(draw, chunks), 1):
            if number % 32 == 0 or number == len(chunks):
                say(f"{split}: {min(number * _CHUNK, len(due))} of {len(due)} figures drawn")
    finally:
        pool.shutdown(cancel_futures=True)


def _draw(folder: Path, split: str, side: int, seed: Sequence[int], numbers: Sequence[int]) -> None:
    """Draw the figures with these numbers; the label file is written last and makes a figure count."""
    import cv2

    from pmcoa_build.figures.synth.bank import Bank
    from pmcoa_build.figures.synth.figure import draw_figure

    cv2.setNumThreads(1)
    bank = Bank(folder / "bank" / split)
    for number in numbers:
        drawn = draw_figure(np.random.default_rng([*seed, number]), bank)
        name, image = f"{number:06}", fitted(drawn.image, side)
        _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
        (folder / "images" / split / f"{name}.jpg").write_bytes(data.tobytes())
        label = folder / "labels" / split / f"{name}.txt"
        unfinished = label.with_suffix(".tmp")
        unfinished.write_text(label_lines([p.box for p in drawn.panels], drawn.image.shape), "ascii")
        unfinished.replace(label)


def label_lines(boxes: Sequence[Box], shape: tuple[int, ...]) -> str:
    """YOLO's label file: a line `0 x y w h` a box, centre and size as shares of the image's width and height."""
    height, width = shape[:2]
    return "".join(f"0 {(x0 + x1) / 2 / width:.6f} {(y0 + y1) / 2 / height:.6f} {(x1 - x0) / width:.6f} "
                   f"{(y1 - y0) / height:.6f}\n" for x0, y0, x1, y1 in boxes)


def data_hash(folder: Path) -> str:
    """SHA-256 over the names and bytes of all images and labels, in order."""
    seal = hashlib.sha256()
    for path in sorted([*folder.glob("images/*/*.jpg"), *folder.glob("labels/*/*.txt")]):
        seal.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        seal.update(hashlib.sha256(path.read_bytes()).digest())
    return seal.hexdigest()
