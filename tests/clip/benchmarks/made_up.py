"""A tiny model as `train` exports it, and benchmarks made up in the public formats."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image

from pmcoa_build.clip import checkpoint
from pmcoa_build.clip.config import from_dict
from pmcoa_build.clip.tokenizer import load_tokenizer
from tests.clip.conftest import draw_panel

COUNTS = (24, 12, 16)
"""Pictures in train, val and test."""


def export_tiny(folder: Path, seed: int = 0) -> Path:
    """An untrained model of 32 px and 16 tokens."""
    import torch

    from pmcoa_build.clip.model import PMCCLIP

    torch.manual_seed(seed)
    config = from_dict({
        "embed_dim": 32,
        "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64},
        "text_cfg": {"context_length": 16, "vocab_size": load_tokenizer("bundled", 16).size, "width": 32, "heads": 8,
                     "layers": 1, "bert_heads": 2, "bert_positions": 16, "fusion_layers": 1,
                     "bert_model_name": "bundled"},
    }, "small")
    about = {"model": config.as_dict(), "text": "subcaption", "text_model": "bundled", "image_size": 32, "kinds": [],
             "seed": 0, "steps": 0, "dataset_id": "none"}
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.export(folder, PMCCLIP(config), about)
    return folder


def drawn_pairs(count: int, seed: int = 0) -> list[tuple[bytes, str]]:
    """JPEG and caption."""
    rng = np.random.default_rng(seed)
    return [draw_panel(rng) for _ in range(count)]


def write_roco(folder: Path, count: int = 40) -> Path:
    """ROCO's repository after `fetch.py`: images 3 and 11 are missing, number 7 is the page of an error."""
    radiology = folder / "data" / "test" / "radiology"
    (radiology / "images").mkdir(parents=True)
    lines = []
    for number, (image, caption) in enumerate(drawn_pairs(count)):
        name = f"ROCO_{number:05}"
        lines.append(f"{name}\t {caption}\n")
        if number not in (3, 11):
            (radiology / "images" / f"{name}.jpg").write_bytes(b"<html>404</html>" if number == 7 else image)
    (radiology / "captions.txt").write_text("".join(lines), "utf-8")
    return folder


def write_jsonl(folder: Path, pairs: list[tuple[bytes, str]]) -> Path:
    """The .jsonl of the released training code, its images beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (image, caption) in enumerate(pairs):
        Image.open(io.BytesIO(image)).save(folder / f"{number}.png")
        lines.append(json.dumps({"image": f"{number}.png", "caption": caption}))
    (folder / "test.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "test.jsonl"


def write_medmnist(folder: Path, name: str, *, side: int = 28, channels: int = 1, classes: int = 2, labels: int = 1,
                   seed: int = 0) -> Path:
    """`name`.npz as MedMNIST publishes it. A bright bar's place says the label; each of `labels` has its own row."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for split, count in zip(("train", "val", "test"), COUNTS, strict=True):
        truth = np.stack([rng.permutation(np.arange(count) % classes) for _ in range(labels)], 1).astype(np.uint8)
        images = rng.integers(0, 80, (count, side, side, channels), dtype=np.uint8)
        for at in range(count):
            for row in range(labels):
                top, left = row * side // labels, int(truth[at, row]) * side // classes
                images[at, top : top + side // labels, left : left + side // classes] += 120
        arrays[f"{split}_images"] = images[..., 0] if channels == 1 else images
        arrays[f"{split}_labels"] = truth
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / f"{name}.npz", **arrays)
    return folder / f"{name}.npz"
