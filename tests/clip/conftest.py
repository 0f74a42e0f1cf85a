"""A drawn dataset in the published layout: shapes on backgrounds, with captions that name what is seen."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from pmcoa_build import schema
from pmcoa_build.spec import TrainKeys


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Sums depend on the number of threads: runs that are compared bit by bit have one, as their children do."""
    import torch

    torch.set_num_threads(1)


COLOURS = {"red": (220, 40, 40), "green": (40, 180, 60), "blue": (50, 70, 220), "yellow": (230, 220, 40),
           "white": (245, 245, 245), "magenta": (220, 50, 200)}
SHAPES = ("circle", "square", "triangle", "cross")
SIDES = ("left", "right")
SIZES = {"small": 12, "large": 26}


def draw_panel(rng: np.random.Generator) -> tuple[bytes, str]:
    colour, shape = str(rng.choice(list(COLOURS))), str(rng.choice(SHAPES))
    side, size = str(rng.choice(SIDES)), str(rng.choice(list(SIZES)))
    r = SIZES[size]
    image = Image.new("RGB", (120, 100), tuple(int(v) for v in rng.integers(0, 60, 3)))
    pen = ImageDraw.Draw(image)
    x, y = (35 if side == "left" else 85) + int(rng.integers(-5, 6)), 50 + int(rng.integers(-15, 16))
    box = (x - r, y - r, x + r, y + r)
    if shape == "circle":
        pen.ellipse(box, fill=COLOURS[colour])
    elif shape == "square":
        pen.rectangle(box, fill=COLOURS[colour])
    elif shape == "triangle":
        pen.polygon([(x, y - r), (x - r, y + r), (x + r, y + r)], fill=COLOURS[colour])
    else:
        pen.line((x - r, y, x + r, y), fill=COLOURS[colour], width=r // 2)
        pen.line((x, y - r, x, y + r), fill=COLOURS[colour], width=r // 2)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=90)
    return stream.getvalue(), f"a {size} {colour} {shape} on the {side} side"


def shard_row(number: int, image: bytes, text: str) -> dict[str, object]:
    article = f"PMC{1000 + number // 4}.1"
    panel = f"{article}/g{number % 4}.jpg#xywh=0,0,120,100"
    return {
        "image": {"bytes": image, "path": f"{number}.jpg"}, "caption": f"(A) {text}. (B) Another.", "subcaption": text,
        "preamble": "Drawn shapes.", "panel_id": panel, "figure_id": f"{article}/F1", "article": article, "pmid": None,
        "doi": None, "bbox": [0, 0, 120, 100], "width": 120, "height": 100, "label": "A",
        "kind": "photo" if number % 3 else "plot", "modalities": [], "method": "label", "confidence": 1.0,
        "mentions": [], "license": "CC BY", "license_url": None, "attribution": "drawn", "flags": [], "source_url": "",
        "snapshot_date": "2026-09-01", "journal": None, "year": None,
    }


def write_dataset(folder: Path, seed: int = 0, name: str = "toy", row_group: int = 16, **splits: int) -> Path:
    """Write `data/<split>-00000.parquet` with so many rows, and `DATASET_ID`."""
    (folder / "data").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    number = 0
    for split, count in splits.items():
        rows = []
        for _ in range(count):
            rows.append(shard_row(number, *draw_panel(rng)))
            number += 1
        table = pa.Table.from_pylist(rows, schema=schema.SHARDS)
        pq.write_table(table, folder / "data" / f"{split}-00000.parquet", row_group_size=row_group)
    (folder / "DATASET_ID").write_text(f"{name}-{seed}\n")
    return folder


@pytest.fixture(scope="session")
def make_dataset(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    def make(**arguments: object) -> Path:
        return write_dataset(tmp_path_factory.mktemp("data") / "dataset", **arguments)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def toy(make_dataset: Callable[..., Path]) -> Path:
    return make_dataset(train=100, validation=24, test=60)


@pytest.fixture(scope="session")
def small_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model small enough for a step in milliseconds: 32 px, 16 tokens, 32 channels."""
    path = tmp_path_factory.mktemp("config") / "small.json"
    path.write_text(json.dumps({
        "embed_dim": 32,
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64},
        "text_cfg": {"context_length": 16, "vocab_size": 1, "width": 32, "heads": 8, "layers": 1, "bert_heads": 2,
                     "bert_positions": 16, "dropout": 0.1, "fusion_layers": 1, "bert_model_name": "bundled"},
    }))
    return path


@pytest.fixture(scope="session")
def small_keys(small_config: Path) -> TrainKeys:
    return TrainKeys(model=str(small_config), text_model="bundled", image_size=32, epochs=2, batch_size=20, lr=1e-3,
                     warmup=2, workers=0, checkpoint_steps=3)
