"""Images per second and core of the training reader, beside the plain way, on the same drawn shards in one run.

    python bench/loader.py [--images 512] [--side 900] [--size 224]

The plain way is what open_clip's transform does: decode the whole JPEG, cut a random part, resize it bicubically.
Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import tempfile
import time
from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pmcoa_build.clip.data import Layout, batches
from pmcoa_build.clip.images import random_box
from pmcoa_build.clip.shards import Sampling, row_groups


def picture(rng: np.random.Generator, side: int) -> bytes:
    """A JPEG with structure at several scales, so that it compresses about as a photograph does."""
    total = np.zeros((side, side, 3))
    for cells in (4, 16, 64, side // 4):
        part = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        total += np.asarray(part.resize((side, side), Image.Resampling.BICUBIC), float)
    stream = io.BytesIO()
    Image.fromarray((total / 4).astype(np.uint8)).save(stream, "JPEG", quality=92)
    return stream.getvalue()


def plain(data: bytes, size: int, draw: Random) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        part = image.convert("RGB").crop(tuple(map(int, random_box(*image.size, draw))))
    return np.asarray(part.resize((size, size), Image.Resampling.BICUBIC))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--side", type=int, default=900)
    parser.add_argument("--size", type=int, default=224)
    options = parser.parse_args()

    rng = np.random.default_rng(0)
    different = [picture(rng, options.side) for _ in range(32)]
    files = [different[at % 32] for at in range(options.images)]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        data.mkdir()
        rows = [{"image": {"bytes": file, "path": f"{at}.jpg"}, "subcaption": "an axial CT of the abdomen",
                 "panel_id": f"p{at}"} for at, file in enumerate(files)]
        pq.write_table(pa.Table.from_pylist(rows), data / "train-0.parquet", row_group_size=256, compression="none")
        sampling = Sampling("subcaption", "bundled", 77, options.size, 0, True)
        groups = row_groups(Path(folder), "train")
        next(batches(groups, sampling, Layout(1, 64), range(1), 0, 0))  # imports and the first pages
        start = time.process_time()
        count = sum(len(batch.ids) for batch in batches(groups, sampling, Layout(0, 64), range(1), 0, 0))
        ours = count / (time.process_time() - start)
    start = time.process_time()
    for at, file in enumerate(files):
        plain(file, options.size, Random(at))
    theirs = len(files) / (time.process_time() - start)
    print(json.dumps({
        "bench": "loader", "side": options.side, "size": options.size, "bytes": sum(map(len, different)) // 32,
        "images_per_s_and_core": round(ours, 1), "plain_images_per_s_and_core": round(theirs, 1),
        "times": round(ours / theirs, 2),
    }))


if __name__ == "__main__":
    main()
