"""Quality and speed of panel separation on figures labelled by hand, beside its parts alone.

    python bench/panels.py --shared DIR        (or PMCOA_SHARED=DIR)

DIR holds `groundtruth/panels` (queue.jsonl, gt/) and `score/score.py`. Rows: the whole separation; with the labels that
the caption really names replaced by none; gutters with the number of labels; the recursive whitespace cut alone.
`interval` is the 10-90 % range of F1@75 when articles are drawn with replacement (200 times, seeded).
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pmcoa_build.captions.split import split_caption
from pmcoa_build.figures import gutters, ink
from pmcoa_build.figures.boxes import Box
from pmcoa_build.figures.crops import encode_crop
from pmcoa_build.figures.decode import decode_image
from pmcoa_build.figures.detector import Detector, Separation

Figure = dict[str, Any]


def read_queue(shared: Path) -> list[Figure]:
    """Figures with their bytes, caption labels and truth."""
    folder = shared / "groundtruth" / "panels"
    figures = []
    for line in (folder / "queue.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        truth = json.loads((folder / "gt" / f"{row['id']}.json").read_text("utf-8"))
        if not truth.get("skip"):
            figures.append({"id": row["id"], "data": (folder / row["image"]).read_bytes(), "truth": truth,
                            "labels": list(split_caption(row["caption"]).labels)})
    return figures


def answer(figure: Figure, rgb: np.ndarray, found: Separation) -> Figure:
    """A line as the scorer reads it."""
    return {"id": figure["id"], "width": rgb.shape[1], "height": rgb.shape[0],
            "panels": [{"box": p.box, "score": p.score, "label": p.label, "kind": p.kind} for p in found.panels],
            "candidates": [{"box": box, "score": score} for box, score in found.candidates]}


def boxes_only(figure: Figure, rgb: np.ndarray, boxes: list[Box] | None) -> Figure:
    """A baseline's answer: boxes without labels, the page where there are none."""
    height, width = rgb.shape[:2]
    panels = [{"box": box, "score": 0.5} for box in boxes or [(0, 0, width, height)]]
    return {"id": figure["id"], "width": width, "height": height, "panels": panels}


def run(figures: list[Figure], detector: Detector) -> tuple[dict[str, list[Figure]], dict[str, float]]:
    """Answers by row, and seconds by part of the whole separation."""
    rows: dict[str, list[Figure]] = defaultdict(list)
    spent: dict[str, float] = defaultdict(float)

    def timed(part: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = work()
        spent[part] += time.perf_counter() - start
        return result

    for figure in figures:
        rgb = timed("decode", lambda f=figure: decode_image(f["data"]).rgb)
        found = timed("separate", lambda r=rgb, f=figure: detector.detect(r, labels=f["labels"]))
        timed("encode", lambda r=rgb, s=found: [encode_crop(r, p.box, max_side=0, quality=92) for p in s.panels])
        rows["whole"].append(answer(figure, rgb, found))
        rows["without caption"].append(answer(figure, rgb, detector.detect(rgb)))
        page = ink.read_page(rgb)
        count = len(figure["labels"])
        rows["gutters and count"].append(boxes_only(
            figure, rgb, gutters.exactly(page, count) if count > 1 else gutters.unlabelled(page)))
        rows["whitespace"].append(boxes_only(figure, rgb, gutters.leaves(page, max(4, max(rgb.shape) // 100))))
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
    wanted = ("mAP50", "mAP50:95", "F1@50", "F1@75", "ImageCLEF", "exact", "label", "kind")
    return {name: round(found[name], 3) for name in wanted}


def interval(module: Any, answers: list[Figure], figures: list[Figure]) -> list[float]:
    """10 and 90 % points of F1@75 over samples of articles."""
    articles: dict[str, list[int]] = defaultdict(list)
    for index, figure in enumerate(figures):
        articles[figure["id"].split("__")[0]].append(index)
    matched = []
    for given, figure in zip(answers, figures, strict=True):
        truth = [[v * s / 100 for v, s in zip(p["box"], (given["width"], given["height"]) * 2, strict=True)]
                 for p in figure["truth"]["panels"]]
        boxes = [p["box"] for p in given["panels"]]
        matched.append((len(module.match(boxes, truth, module.iou, 0.75)), len(boxes) + len(truth)))
    draw, values = random.Random(0), []
    for _ in range(200):
        rows = [i for name in draw.choices(sorted(articles), k=len(articles)) for i in articles[name]]
        values.append(2 * sum(matched[i][0] for i in rows) / sum(matched[i][1] for i in rows))
    values.sort()
    return [round(values[20], 3), round(values[180], 3)]


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
        "interval": interval(module, rows["whole"], figures),
        "scores": {name: scores(module, answers, figures) for name, answers in rows.items()},
    }))


if __name__ == "__main__":
    main()
