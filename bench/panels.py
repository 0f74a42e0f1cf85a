"""Quality and speed of panel separation on figures labelled by hand, beside its parts alone.

    python bench/panels.py --shared DIR        (or PMCOA_SHARED=DIR)

DIR holds `groundtruth/panels` (queue.jsonl, gt/) and `score/score.py`. Rows: the whole separation, as the command gives
it; the same without captions; letters and gutters without the network; the network by itself; gutters with the number
of labels; whitespace alone. `intervals`: 10-90 % range of each score when articles are drawn with replacement.
Prints one line of JSON: scores, milliseconds a figure by part in one process, and figures/s of the stage `panels`
(decode, detect, read labels, classify, crop, encode) in one process and in two.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from _figures import Figure, options, read_queue, scorer, scores

from pmcoa_build.captions.split import split_caption
from pmcoa_build.engine.compute import in_order
from pmcoa_build.engine.isolated import Limits, several_isolated
from pmcoa_build.figures import gutters, ink
from pmcoa_build.figures.answers import separate
from pmcoa_build.figures.boxes import Box, nms
from pmcoa_build.figures.crops import encode_crop
from pmcoa_build.figures.decode import decode_image
from pmcoa_build.figures.detector import Detector
from pmcoa_build.figures.glyphs import find_glyphs
from pmcoa_build.figures.network import Candidate
from pmcoa_build.spec import PanelsKeys, Spec
from stages.panels import STEP as PANELS
from stages.separate import answer, output_line

_SAMPLES = 100


def boxes_only(figure: Figure, rgb: np.ndarray, scored: Sequence[tuple[Box, float]]) -> Figure:
    """A baseline's answer: boxes without labels, the page where there are none."""
    height, width = rgb.shape[:2]
    panels = [{"box": box, "score": score} for box, score in scored or [((0, 0, width, height), 0.2)]]
    return {"id": figure["id"], "width": width, "height": height, "panels": panels}


def baselines(figure: Figure, rgb: np.ndarray, proposals: list[Candidate]) -> dict[str, Figure]:
    """Each part alone: letters and gutters without the network, the network without them, gutters, whitespace."""
    page, labels = ink.read_page(rgb), split_caption(figure["caption"]).labels
    alone = separate(page, find_glyphs(page.grey), labels)
    kept = nms([box for box, _ in proposals], [score for _, score in proposals], 0.4)
    counted = gutters.exactly(page, len(labels)) if len(labels) > 1 else gutters.unlabelled(page)
    return {
        "letters and gutters": {**boxes_only(figure, rgb, []), "panels": [
            {"box": p.box, "score": p.score, "label": p.label} for p in alone.panels]},
        "network": boxes_only(figure, rgb, [proposals[i] for i in kept if proposals[i][1] >= 0.5]),
        "gutters and count": boxes_only(figure, rgb, [(box, 0.5) for box in counted or []]),
        "whitespace": boxes_only(figure, rgb, [(box, 0.5) for box in gutters.unlabelled(page) or []]),
    }


def run(figures: list[Figure], detector: Detector) -> tuple[dict[str, list[Figure]], dict[str, float]]:
    """Answers by row, and seconds by part of the whole separation."""
    rows: dict[str, list[Figure]] = defaultdict(list)
    spent: dict[str, float] = defaultdict(float)
    for figure in figures:
        start, cpu = time.perf_counter(), time.process_time()
        rgb = decode_image(figure["data"]).rgb
        spent["decode"] += time.perf_counter() - start
        rows["whole"].append(answer(figure["id"], rgb, figure["caption"], detector, spent))
        start = time.perf_counter()
        for panel in rows["whole"][-1]["panels"]:
            encode_crop(rgb, tuple(panel["box"]), max_side=0, quality=92)
        spent["encode"] += time.perf_counter() - start
        spent["CPU of all"] += time.process_time() - cpu
        alone = detector.detect(rgb)
        rows["without caption"].append(output_line(figure["id"], rgb.shape, "", split_caption(""), alone))
        for name, row in baselines(figure, rgb, alone.proposals).items():
            rows[name].append(row)
    return rows, spent


def figures_per_s(figures: list[Figure], weights: str, processes: int) -> float:
    """Speed of the stage in so many processes, once they have loaded their models."""
    spec = Spec(Path(), panels=PanelsKeys(weights=weights))
    ids = [figure["id"] for figure in figures]
    tables = {
        "figures": pa.table({"figure_id": ids, "caption": [figure["caption"] for figure in figures]}),
        "media": pa.table({"image_id": ids, "figure_id": ids, "md5": ids}),
    }
    units = PANELS.units(tables, spec, "")
    contents = [{"media": {"image": {"bytes": figure["data"]}}} for figure in figures]
    with several_isolated(PANELS, spec, Limits(math.inf, math.inf), processes) as compute:
        for _ in range(processes):
            compute(units[0], contents[0])
        start = time.perf_counter()
        done = list(in_order(lambda pair: compute(*pair), zip(units, contents, strict=True), processes))
        seconds = time.perf_counter() - start
    assert not any(result.lost for result in done), "a figure was lost"
    return round(len(done) / seconds, 2)


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
    chosen = options("panels", __doc__, "--weights")
    if chosen is None:
        return
    figures, detector, module = read_queue(chosen.shared), Detector(chosen.weights), scorer(chosen.shared)
    detector.detect(decode_image(figures[0]["data"]).rgb)  # loads the models
    rows, spent = run(figures, detector)
    print(json.dumps({
        "bench": "panels", "figures": len(figures), "detector": detector.name,
        "figures_per_s": {count: figures_per_s(figures, chosen.weights, count) for count in (1, 2)},
        "ms_per_figure": {part: round(1000 * seconds / len(figures), 1) for part, seconds in spent.items()},
        "intervals": intervals(module, rows["whole"], figures),
        "scores": {name: scores(module, answers, figures) for name, answers in rows.items()},
    }))


if __name__ == "__main__":
    main()
