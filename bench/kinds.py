"""Kinds of panels on figures labelled by hand, cut out along their true boxes.

    python bench/kinds.py --shared DIR [--model NAME]        (or PMCOA_SHARED=DIR)

DIR holds `groundtruth/panels` (queue.jsonl, gt/). NAME: an open_clip model, as [panels] kind_model takes it.
Prints one line of JSON: recall of images and of drawings and their mean, recall of each kind and their mean, what each
kind was taken for, by the pixels alone (`seen`) and with the caption's words (`told`); milliseconds a panel on one
thread.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from _figures import options, read_queue

from pmcoa_build.captions.cues import kind_cues
from pmcoa_build.captions.split import split_caption
from pmcoa_build.figures.decode import decode_image
from pmcoa_build.figures.kinds import DRAWINGS, IMAGES, KINDS, Cues, decide, load_kinds


def true_panels(shared: Path) -> tuple[list[np.ndarray], list[Cues], list[str]]:
    """Crops (uint8, H x W x 3) along the true boxes, what the caption says of them, their kinds; mixed is left out."""
    crops, heard, kinds = [], [], []
    for figure in read_queue(shared):
        rgb = decode_image(figure["data"]).rgb
        cues = kind_cues(split_caption(figure["caption"]), figure["caption"])
        size = np.array([rgb.shape[1], rgb.shape[0]] * 2)
        for panel in figure["truth"]["panels"]:
            if panel["kind"] in KINDS:
                x0, y0, x1, y1 = np.round(np.array(panel["box"]) * size / 100).astype(int)
                crops.append(rgb[y0:y1, x0:x1])
                heard.append(cues.get(panel["label"] or "", cues[""]))
                kinds.append(panel["kind"])
    return crops, heard, kinds


def recall(pairs: list[tuple[str, str]], wanted: tuple[str, ...], taken: tuple[str, ...]) -> float:
    """Share of the panels of the kinds `wanted` that were taken for one of `taken`."""
    return float(np.mean([answer in taken for kind, answer in pairs if kind in wanted]))


def scores(kinds: list[str], answers: list[tuple[str, float]]) -> dict[str, Any]:
    """Recalls and confusion of the answers (kind, probability)."""
    pairs = [(kind, answer) for kind, (answer, _) in zip(kinds, answers, strict=True)]
    counts, there = Counter(pairs), [kind for kind in KINDS if kind in kinds]
    image, drawing = recall(pairs, IMAGES, IMAGES), recall(pairs, DRAWINGS, DRAWINGS)
    each = {kind: round(recall(pairs, (kind,), (kind,)), 3) for kind in there}
    return {
        "sides": round((image + drawing) / 2, 3), "image": round(image, 3), "drawing": round(drawing, 3),
        "kinds": round(float(np.mean(list(each.values()))), 3), "recall": each,
        "confusion": {kind: {o: counts[kind, o] for o in KINDS if counts[kind, o]} for kind in there},
    }


def main() -> None:
    """Measure and print the line."""
    chosen = options("kinds", __doc__, "--model")
    if chosen is None:
        return
    crops, heard, kinds = true_panels(chosen.shared)
    classify = load_kinds(chosen.model)
    classify(crops[:1])  # loads the model
    start = time.process_time()
    chances = np.concatenate([classify([rgb]) for rgb in crops])
    spent = time.process_time() - start
    print(json.dumps({
        "bench": "kinds", "model": chosen.model or "bundled", "panels": len(crops),
        "ms_per_panel": round(1000 * spent / len(crops), 2),
        "seen": scores(kinds, decide(chances)), "told": scores(kinds, decide(chances, heard)),
    }))


if __name__ == "__main__":
    main()
