"""Quality and speed of panel separation on figures labelled by hand, beside its parts alone.

    python bench/panels.py --shared DIR        (or PMCOA_SHARED=DIR)

DIR holds `groundtruth/panels` (queue.jsonl, gt/) and `score/score.py`. Rows: the whole separation, as the command gives
it; the same without captions; letters and gutters without the network; the network by itself; gutters with the number
of labels; whitespace alone. `intervals`: 10-90 % range of each score when articles are drawn with replacement.
Prints one line of JSON: scores, figures/s on one thread, milliseconds a figure by part.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _figures import Figure, read_queue

from pmcoa_build.captions.split import split_caption
from pmcoa_build.figures import gutters, ink
from pmcoa_build.figures.answers import separate
from pmcoa_build.figures.boxes import Box, nms
from pmcoa_build.figures.crops import encode_crop
from pmcoa_build.figures.decode import decode_image
from pmcoa_build.figures.detector import Detector, Separation
from pmcoa_build.figures.glyphs import find_glyphs
from stages.separate import answer

_SAMPLES = 100


def boxes_only(figure: Figure, rgb: np.ndarray, scored: Sequence[tuple[Box, float]]) -> Figure:
    """A baseline's answer: boxes without labels, the page where there are none."""
    height, width = rgb.shape[:2]
    panels = [{"box": box, "score": score} for box, score in scored or [((0, 0, width, height), 0.2)]]
    return {"id": figure["id"], "width": width, "height": height, "panels": panels}


def baselines(figure: Figure, rgb: np.ndarray, found: Separation) -> dict[str, Figure]:
    """Each part alone: letters and gutters without the network, the network without them, gutters, whitespace."""
    page, labels = ink.read_page(rgb), split_caption(figure["caption"]).labels
    alone = separate(page, find_glyphs(page.grey), labels)
    kept = nms([box for box, _ in found.proposals], [score for _, score in found.proposals], 0.4)
    counted = gutters.exactly(page, len(labels)) if len(labels) > 1 else gutters.unlabelled(page)
    return {
        "letters and gutters": {**boxes_only(figure, rgb, []), "panels": [
            {"box": p.box, "score": p.score, "label": p.label} for p in alone.panels]},
        "network": boxes_only(figure, rgb, [found.proposals[i] for i in kept if found.proposals[i][1] >= 0.5]),
        "gutters and count": boxes_only(figure, rgb, [(box, 0.5) for box in counted or []]),
        "whitespace": boxes_only(figure, rgb, [(box, 0.5) for box in gutters.unlabelled(page) or []]),
    }


def run(figures: list[Figure], detector: Detector) -> tuple[dict[str, list[Figure]], dict[str, float]]:
    """Answers by row, and seconds by part of the whole separation."""
    rows: dict[str, list[Figure]] = defaultdict(list)
    spent: dict[str, float] = defaultdict(float)
    for figure in figures:
        start = time.perf_counter()
        rgb = decode_image(figure["data"]).rgb
        spent["decode"] += time.perf_counter() - start
        rows["whole"].append(answer(figure["id"], rgb, figure["caption"], detector, spent))
        start = time.perf_counter()
        for panel in rows["whole"][-1]["panels"]:
            encode_crop(rgb, tuple(panel["box"]), max_side=0, quality=92)
        spent["encode"] += time.perf_counter() - start
        rows["without caption"].append(answer(figure["id"], rgb, "", detector, {}))
        for name, row in baselines(figure, rgb, detector.detect(rgb)).items():
            rows[name].append(row)
    return rows, spent


def scorer(shared: Path) -> Any:
    """The scorer as a module."""
    spec = importlib.util.spec_from_file_location("score", shared / "score" / "score.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scores(module: Any, answers: list[Figure], figures: list[Figure]) -> dict[str, float]:
    """The scorer's numbers for some figures."""
    with tempfile.TemporaryDirectory() as folder:
        predicted, truth = Path(folder) / "pred.jsonl", Path(folder) / "gt.jsonl"
        predicted.write_text("\n".join(json.dumps(row) for row in answers), "utf-8")
        truth.write_text("\n".join(json.dumps(figure["truth"]) for figure in figures), "utf-8")
        found = module.panels(str(predicted), str(truth), False)
    wanted = ("mAP50", "mAP50:95", "F1@50", "F1@75", "ImageCLEF", "exact", "label", "text-F1", "pair", "kind")
    return {name: round(found[name], 3) for name in wanted}


def intervals(module: Any, answers: list[Figure], figures: list[Figure]) -> dict[str, list[float]]:
    """10 and 90 % points of each score over samples of articles, drawn with replacement."""
    articles: dict[str, list[int]] = defaultdict(list)
    for index, figure in enumerate(figures):
        articles[figure["id"].split("__")[0]].append(index)
    draw, values = random.Random(0), defaultdict(list)
    for _ in range(_SAMPLES):
        rows = [i for name in draw.choices(sorted(articles), k=len(articles)) for i in articles[name]]
        drawn = [(f"{k}", answers[i], figures[i]) for k, i in enumerate(rows)]  # an article may be drawn twice
        found = scores(module, [{**given, "id": k} for k, given, _ in drawn],
                       [{"truth": {**figure["truth"], "id": k}} for k, _, figure in drawn])
        for name, value in found.items():
            values[name].append(value)
    return {name: [sorted(row)[_SAMPLES // 10], sorted(row)[-_SAMPLES // 10]] for name, row in values.items()}


def main() -> None:
    """Measure and print the line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--shared", type=Path, default=os.environ.get("PMCOA_SHARED"))
    options.add_argument("--weights", default="")
    chosen = options.parse_args()
    if chosen.shared is None:
        print(json.dumps({"bench": "panels", "skipped": "no figures: give --shared DIR or set PMCOA_SHARED"}))
        return
    shared = Path(chosen.shared)
    figures, detector, module = read_queue(shared), Detector(chosen.weights), scorer(shared)
    detector.detect(decode_image(figures[0]["data"]).rgb)  # loads the models
    rows, spent = run(figures, detector)
    print(json.dumps({
        "bench": "panels", "figures": len(figures), "detector": detector.name,
        "figures_per_s": round(len(figures) / sum(spent.values()), 2),
        "ms_per_figure": {part: round(1000 * seconds / len(figures), 1) for part, seconds in spent.items()},
        "intervals": intervals(module, rows["whole"], figures),
        "scores": {name: scores(module, answers, figures) for name, answers in rows.items()},
    }))


if __name__ == "__main__":
    main()
