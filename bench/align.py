"""Pairs of panels and clauses on figures labelled by hand: how many are right, and whether confidence knows which.

    python bench/align.py --shared DIR        (or PMCOA_SHARED=DIR)

DIR holds `groundtruth/panels` (queue.jsonl, gt/) and `score/score.py`. Prints one line of JSON: text-F1 and pair of the
whole separation; `bins`, the pairs in four lots of rising confidence, and `methods`, each with n, mean confidence and
share right (a pair is right if its panel is that of the truth, IoU >= 0.5, and its text-F1 >= 0.8; panels to which the
truth gives no text are left out); `order`, the chance that of a right and a wrong pair the right one is surer; and
`letters`: on true boxes, where letters are taken away or read as another label's, the share of the other panels that
keep their label, and of the struck ones that still get theirs.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Iterable, Sequence
from typing import Any

from _figures import Figure, options, read_queue, scorer, scores

from pmcoa_build.captions.align import pair
from pmcoa_build.captions.matching import PanelView
from pmcoa_build.captions.split import split_caption
from pmcoa_build.figures.boxes import reading_order
from pmcoa_build.figures.decode import decode_image
from pmcoa_build.figures.detector import Detector
from stages.separate import answer

Judged = tuple[str, float, bool]
"""Method, confidence, right or not."""


def judged(module: Any, figure: Figure, given: Figure) -> list[Judged]:
    """The pairs of one figure."""
    gold = figure["truth"]["panels"]
    boxes = pixels(figure, given["width"], given["height"])
    labels = [panel["label"] for panel in gold if panel.get("label")]
    want, common = module.telling([panel.get("subcaption") for panel in gold], labels)
    known = {module.bare(label) for label in labels} | common
    matched = dict(module.match([panel["box"] for panel in given["panels"]], boxes, module.iou, 0.5))
    found = []
    for i, panel in enumerate(given["panels"]):
        if i in matched and not want[matched[i]]:
            continue
        value = module.f1(module.tokens(panel["subcaption"]) - known, want[matched[i]]) if i in matched else 0.0
        found.append((panel["method"], panel["confidence"], value >= 0.8))
    return found if any(want) else []


def pixels(figure: Figure, width: int, height: int) -> list[tuple[float, ...]]:
    """The true boxes of a figure of that size, in pixels."""
    sides = (width / 100, height / 100) * 2
    return [tuple(v * side for v, side in zip(p["box"], sides, strict=True)) for p in figure["truth"]["panels"]]


def told(rows: Iterable[Judged]) -> dict[str, float]:
    """n, mean confidence and share right."""
    rows = list(rows)
    return {"n": len(rows), "confidence": round(sum(row[1] for row in rows) / len(rows), 3),
            "right": round(sum(row[2] for row in rows) / len(rows), 3)}


def quarters(rows: Sequence[Judged]) -> list[dict[str, float]]:
    """Four lots of about the same number, from the least to the most sure."""
    ranked = sorted(rows, key=lambda row: row[1])
    cuts = [len(ranked) * part // 4 for part in range(5)]
    return [{"from": ranked[a][1], **told(ranked[a:b])} for a, b in itertools.pairwise(cuts)]


def ordering(rows: Sequence[Judged]) -> float:
    """The chance that a right pair is surer than a wrong one; ties count half."""
    right, wrong = ([row[1] for row in rows if row[2] is is_right] for is_right in (True, False))
    wins = sum((a > b) + 0.5 * (a == b) for a in right for b in wrong)
    return round(wins / max(len(right) * len(wrong), 1), 3)


def struck(figures: list[Figure], count: int, misread: bool, draws: random.Random) -> dict[str, float]:
    """What becomes of labels where `count` letters of each figure are not read, or read as another of the caption's."""
    kept, found = [], []
    for figure in figures:
        split, true = split_caption(figure["caption"]), figure["truth"]["panels"]
        spelt = {label.lower(): label for label in split.labels}
        boxes = pixels(figure, 1000, 1000)
        labels = [(true[i].get("label") or "").lower() for i in reading_order(boxes)]
        if len(labels) < 3 or len(set(labels)) < len(labels) or not set(labels) <= set(spelt):
            continue
        hit = draws.sample(range(len(labels)), count)
        others = {i: draws.choice([label for label in spelt if label != labels[i]]) for i in hit}
        views = [PanelView(boxes[at], (others[i] if misread else None) if i in hit else labels[i],
                           draws.uniform(0.3, 0.95) if i in hit else 0.95)
                 for i, at in enumerate(reading_order(boxes))]
        for i, made in enumerate(pair(views, split, figure["caption"], width=1000, height=1000)):
            right = made.method != "whole-caption" and made.label == spelt[labels[i]]
            (found if i in hit else kept).append(right)
    return {"others_keep": round(sum(kept) / len(kept), 3), "struck_right": round(sum(found) / len(found), 3)}


def main() -> None:
    """Measure and print the line."""
    chosen = options("align", __doc__, "--weights")
    if chosen is None:
        return
    figures, detector, module = read_queue(chosen.shared), Detector(chosen.weights), scorer(chosen.shared)
    given = [answer(f["id"], decode_image(f["data"]).rgb, f["caption"], detector, {}) for f in figures]
    rows = [row for figure, one in zip(figures, given, strict=True) for row in judged(module, figure, one)]
    start, draws = time.process_time(), random.Random(0)
    letters = {f"{count} {'misread' if misread else 'unread'}": struck(figures * 5, count, misread, draws)
               for misread in (False, True) for count in (1, 2)}
    print(json.dumps({
        "bench": "align", **{name: scores(module, given, figures)[name] for name in ("text-F1", "pair")},
        "order": ordering(rows), "bins": quarters(rows),
        "methods": {method: told(row for row in rows if row[0] == method) for method in sorted({r[0] for r in rows})},
        "letters": letters, "letters_s": round(time.process_time() - start, 1),
    }))


if __name__ == "__main__":
    main()
