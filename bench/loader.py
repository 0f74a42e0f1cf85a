"""Images per second and core of the training reader, beside webdataset and open_clip's own transform and tokenizer.

    python bench/loader.py [--images FOLDER] [--size 224] [--workers 0 1 2] [--batches 24]

Drawn panels as JPEG, their longer side 300, 900 and 2,000 pixels, or the images of FOLDER; the same pairs as published
shards and as tar files. The two take turns in one run, after a warm-up, and the CPU seconds of their worker processes
count. PSNR: our pixels beside those of the whole image decoded, cut and resized by Pillow. One line of JSON; `times`
is missing where open_clip is not installed.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import _webdataset
import numpy as np
import psutil
import pyarrow as pa
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from pmcoa_build import schema
from pmcoa_build.clip.data import Layout, batches
from pmcoa_build.clip.images import CROP_SCALE, crop, random_box
from pmcoa_build.clip.shards import Sampling, row_groups
from pmcoa_build.dataset.shards import row_groups as cut
from pmcoa_build.dataset.shards import shard_writer

SIDES = (300, 900, 2000)
DIFFERENT = 12
BATCH = 32
WARM, TURN = 2, 4
ROWS, BYTES = (256, 4096), 64e6
"""Rows of a class of images: so many bytes, within bounds. The drawn ones come again and again, in other crops."""


def drawn(side: int) -> list[bytes]:
    """Different panels of every kind, the longer side `side` pixels."""
    from pmcoa_build.figures.synth.content import PAINTERS

    files = []
    for number in range(DIFFERENT):
        painter = PAINTERS[number * len(PAINTERS) // DIFFERENT]
        aspect = float(np.mean(painter.aspect))
        width, height = (side, round(side / aspect)) if aspect > 1 else (round(side * aspect), side)
        stream = io.BytesIO()
        Image.fromarray(painter.draw(np.random.default_rng(number), width, height)).save(stream, "JPEG", quality=92)
        files.append(stream.getvalue())
    return files


def captions(count: int) -> list[str]:
    """Made-up subcaptions, 8 to 60 words of a vocabulary of 20,000, the frequent ones often."""
    rng = np.random.default_rng(0)
    letters = np.array(list("aeioubcdfglmnprst"))
    words = ["".join(rng.choice(letters, rng.integers(2, 12))) for _ in range(20_000)]
    return [" ".join(words[at] for at in rng.zipf(1.2, rng.integers(8, 61)) % len(words)) for _ in range(count)]


def write_shard(folder: Path, images: Sequence[bytes], texts: Sequence[str]) -> None:
    same: dict[str, Any] = {
        field.name: None if field.nullable else "" if pa.types.is_string(field.type) else 0 for field in schema.SHARDS
    }
    same |= {"bbox": [0, 0, 1, 1], "modalities": [], "mentions": [], "flags": []}
    rows = [{**same, "image": {"bytes": image, "path": f"{at}.jpg"}, "caption": text, "subcaption": text,
             "panel_id": f"PMC{at}.1/g.jpg", "article": f"PMC{at}.1"}
            for at, (image, text) in enumerate(zip(images, texts, strict=True))]
    (folder / "data").mkdir()
    with shard_writer(folder / "data" / "train-00000.parquet") as writer:
        for group in cut([pa.Table.from_pylist(rows, schema.SHARDS)]):
            writer.write_table(group)


def our_stream(folder: Path, size: int, workers: int) -> Iterator[Any]:
    sampling = Sampling("subcaption", "bundled", 77, size, 0, True)
    return batches(row_groups(folder, "train"), sampling, Layout(0, BATCH), range(10**6), 0, workers)


class Turns:
    """A stream of batches, and the CPU seconds that it takes: of this thread in its turns, of its workers always."""

    def __init__(self, stream: Iterator[Any]) -> None:
        before = set(psutil.Process().children(recursive=True))
        self.stream, self.images, self.here, self.workers_before = stream, 0, 0.0, 0.0
        for _ in range(WARM):
            next(stream)
        self.workers = [child for child in psutil.Process().children(recursive=True) if child not in before]

    def worker_seconds(self) -> float:
        return sum(times.user + times.system for times in (worker.cpu_times() for worker in self.workers))

    def take(self) -> None:
        if not self.images:
            self.workers_before = self.worker_seconds()
        start = time.thread_time()
        for _ in range(TURN):
            next(self.stream)
        self.here += time.thread_time() - start
        self.images += TURN * BATCH

    def rate(self) -> float:
        """Images a second of one core. To be asked after a turn of another stream, so that workers are ahead again."""
        return self.images / (self.here + self.worker_seconds() - self.workers_before)


def compare(folder: Path, tars: str, size: int, workers: int, turns: int) -> dict[str, float]:
    """Images a second and core, and their ratio. Each first and last look at workers follows a turn of the others."""
    ours = Turns(our_stream(folder, size, workers))
    theirs = Turns(_webdataset.stream(tars, size, CROP_SCALE, BATCH, workers)) if tars else None
    start = time.process_time()
    for _ in range(turns):
        ours.take()
        if theirs:
            theirs.take()
    ours.here = time.process_time() - start - (theirs.here if theirs else 0)  # our thread works in their turns too
    told = {"ours": ours.rate()}
    if theirs:
        ours.take()
        told |= {"open_clip": theirs.rate(), "times": told["ours"] / theirs.rate()}
    return {name: round(value, 2) for name, value in told.items()}


def psnr(data: bytes, size: int, seed: int) -> float:
    with Image.open(io.BytesIO(data)) as image:
        box = random_box(*image.size, size, Random(seed))
        plain = image.convert("RGB").crop(box).resize((size, size), Image.Resampling.BICUBIC)
    error = np.mean((crop(data, size, Random(seed)).astype(float) - np.asarray(plain)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-6)))


def measured(files: list[bytes], options: argparse.Namespace, missing: str) -> dict[str, Any]:
    bytes_each = float(np.median([len(data) for data in files]))
    images = [files[at % len(files)] for at in range(int(np.clip(BYTES / bytes_each, *ROWS)))]
    texts = captions(len(images))
    close = [psnr(data, options.size, seed) for seed, data in enumerate((files * 4)[:64])]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_shard(folder, images, texts)
        tars = "" if missing else _webdataset.write_tars(folder, images, texts)
        rates = {str(workers): compare(folder, tars, options.size, workers, max(1, options.batches // TURN))
                 for workers in options.workers}
    return {
        "kilobytes": round(bytes_each / 1000), "rows": len(images),
        "psnr_median": round(float(np.median(close)), 1), "psnr_worst": round(min(close), 1), "by_workers": rates,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--batches", type=int, default=24)
    options = parser.parse_args()

    torch.set_num_threads(1)  # a core's worth: threads that wait for each other would count
    missing = _webdataset.why_not()
    if options.images:
        paths = sorted(path for path in options.images.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
        classes = {"folder": [path.read_bytes() for path in paths]}
    else:
        classes = {str(side): drawn(side) for side in SIDES}
    told = {name: measured(files, options, missing) for name, files in classes.items()}
    print(json.dumps({"bench": "loader", "size": options.size, **({"open_clip": missing} if missing else {}), **told}))


if __name__ == "__main__":
    main()
