"""Scores of trained weights on drawn figures that they have not seen, and the card that goes with the weights."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pmcoa_build.figures.boxes import Box, iou
from pmcoa_build.figures.network import Candidate, Network
from pmcoa_build.figures.training.export import LICENCE
from pmcoa_build.figures.training.fit import BATCH, MODEL, SETTINGS, bf16


@dataclass(frozen=True)
class Facts:
    """What a training was. `minutes`: of fitting alone; `scores`: by name, as they go into the card."""

    seed: int
    generator: int
    data_sha256: str
    figures: int
    pictures: int
    side: int
    epochs: int
    minutes: float
    scores: dict[str, float]


CONFIDENCE = 0.5
"""Lowest score of a box that counts for F1."""


def drawn_scores(network: Network, folder: Path, split: str = "test") -> dict[str, float]:
    """mAP at IoU 0.5, F1 at IoU 0.5 and 0.75, and the share of figures without a fault at 0.75, on a drawn split.

    `network` gives boxes of low scores too; F1 counts those of at least CONFIDENCE.
    """
    import cv2

    counts = np.zeros((2, 3), int)  # at 0.5 and 0.75: matched, found, true
    scored: list[tuple[float, bool]] = []
    whole = 0
    labels = sorted((folder / "labels" / split).glob("*.txt"))
    for label in labels:
        image = np.asarray(cv2.imread(str(folder / "images" / split / f"{label.stem}.jpg")))[..., ::-1]
        found, truth = network(np.ascontiguousarray(image)), read_boxes(label.read_text("ascii"), image.shape)
        scored += hits(found, truth, 0.5)
        sure = [candidate for candidate in found if candidate[1] >= CONFIDENCE]
        matched = [sum(hit for _, hit in hits(sure, truth, overlap)) for overlap in (0.5, 0.75)]
        counts += [[m, len(sure), len(truth)] for m in matched]
        whole += matched[1] == len(sure) == len(truth)
    f1 = 2 * counts[:, 0] / np.maximum(counts[:, 1] + counts[:, 2], 1)
    return {"mAP50": average_precision(scored, int(counts[0, 2])), "F1 at IoU 0.5": float(f1[0]),
            "F1 at IoU 0.75": float(f1[1]), "figures without a fault": whole / max(len(labels), 1)}


def read_boxes(lines: str, shape: tuple[int, ...]) -> list[Box]:
    """Boxes in whole pixels from the lines of a YOLO label file."""
    size = np.array([shape[1], shape[0]] * 2)
    out = []
    for line in lines.splitlines():
        x, y, w, h = (float(v) for v in line.split()[1:])
        x0, y0, x1, y1 = (round(v) for v in np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2]) * size)
        out.append((x0, y0, x1, y1))
    return out


def hits(found: Sequence[Candidate], truth: Sequence[Box], overlap: float) -> list[tuple[float, bool]]:
    """(score, whether it is the first to meet a true box with at least this IoU) for each box, best score first."""
    left = list(truth)
    out = []
    for box, score in sorted(found, key=lambda candidate: -candidate[1]):
        best = max(left, key=lambda other: iou(box, other), default=None)
        hit = best is not None and iou(box, best) >= overlap
        if best is not None and hit:
            left.remove(best)
        out.append((score, hit))
    return out


def average_precision(scored: Sequence[tuple[float, bool]], true: int) -> float:
    """Area under precision over recall, precision made falling; `true`: the number of true boxes."""
    hit = np.array([h for _, h in sorted(scored, key=lambda pair: -pair[0])], bool)
    precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float(falling[hit].sum() / max(true, 1))


def card_text(facts: Facts, libraries: dict[str, str]) -> str:
    """The card as Markdown. `libraries`: versions by name."""
    versions = ", ".join(f"{name} {version}" for name, version in libraries.items())
    settings = ", ".join(f"{name} {value}" for name, value in SETTINGS.items())
    scores = "; ".join(f"{name} {value:.3f}" for name, value in facts.scores.items())
    rows = {
        "task": "a figure → boxes of its panels, one class (`panel`), with scores",
        "network": f"{MODEL.removesuffix('.yaml')} of ultralytics from random weights, 2.6 M parameters",
        "files": "panels.onnx (for onnxruntime; any H and W that are multiples of 32) and panels.pt (for ultralytics); "
                 "half-precision weights, computed with in single precision",
        "input": f"RGB, 0 to 1, fitted to {facts.side} pixels (longest side), padded with grey 114",
        "data": f"{facts.figures:,} figures with {facts.pictures:,} pictures and drawings in them, all drawn by "
                f"`figures/synth`, generator {facts.generator}, seed {facts.seed}; no figure of a paper",
        "hash of the data": f"`{facts.data_sha256}` (images and labels)",
        "training": f"{facts.epochs} epochs in {facts.minutes:.0f} minutes on {machine()}; batch {BATCH}, {settings}; "
                    f"{versions}; batch normalisation settled on some of the figures afterwards",
        "drawn figures, fresh ones": scores,
        "real figures": "see `bench/panels.py`",
        "limits": "one box a panel, whatever it is; letters are not read; what the generator does not draw",
        "licence": f"{LICENCE}, as the project and ultralytics",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return ("# panels: finds the panels of a figure\n\n| | |\n|---|---|\n" + "\n".join(lines) + "\n\nMade by\n\n"
            f"    python -m stages detector --figures {facts.figures} --pictures {facts.pictures} --side {facts.side} "
            f"--epochs {facts.epochs} --seed {facts.seed}\n\nThe same command gives the same data; on the same machine "
            "and libraries like losses.\n")


def machine() -> str:
    """The class of machine, not its name: what computed, in which precision."""
    import torch

    precision = "bfloat16 and float32" if bf16() else "float32"
    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}, {precision}"
    return f"{os.cpu_count()} CPU cores, {precision}"
