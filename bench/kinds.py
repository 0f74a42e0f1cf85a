"""Kinds of panels on figures labelled by hand, cut out along their true boxes.

    python bench/kinds.py --shared DIR [--model NAME]        (or PMCOA_SHARED=DIR)

DIR holds `groundtruth/panels` (queue.jsonl, gt/). NAME: an open_clip model, as [panels] kind_model takes it.
Prints one line of JSON: recall of images and of drawings and their mean, recall of each kind, what each kind was taken
for, milliseconds a panel on one thread.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
from _figures import options, read_queue

from pmcoa_build.figures.decode import decode_image
from pmcoa_build.figures.kinds import DRAWINGS, IMAGES, KINDS, load_kinds


def true_panels(shared: Path) -> tuple[list[np.ndarray], list[str]]:
    """Crops (uint8, H x W x 3) along the true boxes, and their kinds; other kinds (mixed) are left out."""
    crops, kinds = [], []
    for figure in read_queue(shared):
        rgb = decode_image(figure["data"]).rgb
        size = np.array([rgb.shape[1], rgb.shape[0]] * 2)
        for panel in figure["truth"]["panels"]:
            if panel["kind"] in KINDS:
                x0, y0, x1, y1 = np.round(np.array(panel["box"]) * size / 100).astype(int)
                crops.append(rgb[y0:y1, x0:x1])
                kinds.append(panel["kind"])
    return crops, kinds


def recall(pairs: list[tuple[str, str]], wanted: tuple[str, ...], taken: tuple[str, ...]) -> float:
    """Share of the panels of the kinds `wanted` that were taken for one of `taken`."""
    return float(np.mean([answer in taken for kind, answer in pairs if kind in wanted]))


def main() -> None:
    """Measure and print the line."""
    chosen = options("kinds", __doc__, "--model")
    if chosen is None:
        return
    crops, kinds = true_panels(chosen.shared)
    classify = load_kinds(chosen.model)
    classify(crops[:1])  # loads the model
    start = time.process_time()
    pairs = [(kind, classify([rgb])[0][0]) for kind, rgb in zip(kinds, crops, strict=True)]
    spent = time.process_time() - start
    counts = Counter(pairs)
    sides = {"image": recall(pairs, IMAGES, IMAGES), "drawing": recall(pairs, DRAWINGS, DRAWINGS)}
    print(json.dumps({
        "bench": "kinds", "model": chosen.model or "bundled", "panels": len(crops),
        "ms_per_panel": round(1000 * spent / len(crops), 2), "sides": round(float(np.mean(list(sides.values()))), 3),
        **{side: round(value, 3) for side, value in sides.items()},
        "recall": {kind: round(recall(pairs, (kind,), (kind,)), 3) for kind in KINDS if kind in kinds},
        "confusion": {kind: {other: counts[kind, other] for other in KINDS if counts[kind, other]}
                      for kind in KINDS if kind in kinds},
    }))


if __name__ == "__main__":
    main()
