"""Quality of panel separation on drawn figures, by how and where their labels are printed and by the ground.

    python bench/drawn.py [--figures 200] [--pictures 400]

Draws a bank of pictures and figures of its own, from a seed that no training uses, and separates each with the labels
that its caption would name. Prints one line of JSON: figures, and F1 of boxes at an IoU of 0.75 over all of them,
without the labels, and for each group of figures; the count of a group stands beside its score.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pmcoa_build.figures.boxes import Box, iou
from pmcoa_build.figures.detector import Detector
from pmcoa_build.figures.ink import read_page
from pmcoa_build.figures.synth.bank import Bank, draw_bank
from pmcoa_build.figures.synth.figure import DrawnFigure, Truth, draw_figure

_SEED = 90_210


def place(panel: Truth) -> str:
    """Where a label's middle lies in its panel: "top left", "bottom middle", …; of thirds across, halves down."""
    assert panel.label_box is not None
    (x0, y0, x1, y1), (a, b, c, d) = panel.box, panel.label_box
    across = min(int(3 * ((a + c) / 2 - x0) / (x1 - x0)), 2)
    return ("top " if (b + d) / 2 < (y0 + y1) / 2 else "bottom ") + ("left", "middle", "right")[across]


def style(labels: Sequence[str]) -> str:
    """How labels run: "letters", "small letters", "digits", or "several characters" (A1, ii)."""
    if any(len(label) > 1 for label in labels):
        return "several characters"
    return "digits" if labels[0].isdigit() else "letters" if labels[0].isupper() else "small letters"


def groups(figure: DrawnFigure) -> list[str]:
    """The groups that a figure counts in."""
    ground = "dark ground" if read_page(figure.image).dark else "light ground"
    lettered = [panel for panel in figure.panels if panel.label and panel.label_box]
    if len(figure.panels) == 1:
        return [ground, "one panel"]
    if not lettered:
        return [ground, "no labels"]
    places = [place(panel) for panel in lettered]
    return [ground, style([str(panel.label) for panel in lettered]), max(sorted(set(places)), key=places.count)]


def counts(found: Sequence[Box], figure: DrawnFigure) -> np.ndarray:
    """(hits, boxes and panels together) of one figure."""
    hits = sum(any(iou(box, panel.box) >= 0.75 for box in found) for panel in figure.panels)
    return np.array([hits, len(found) + len(figure.panels)])


def main() -> None:
    """Measure and print the line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--figures", type=int, default=200)
    options.add_argument("--pictures", type=int, default=400)
    options.add_argument("--weights", default="")
    chosen = options.parse_args()
    detector = Detector(chosen.weights)
    sums, sizes = defaultdict[str, np.ndarray](lambda: np.zeros(2)), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        draw_bank(Path(folder), chosen.pictures, _SEED)
        bank = Bank(Path(folder))
        for number in range(chosen.figures):
            figure = draw_figure(np.random.default_rng([_SEED, number]), bank)
            labels = [panel.label for panel in figure.panels if panel.label] if len(figure.panels) > 1 else []
            named, bare = (counts([p.box for p in detector.detect(figure.image, labels=given).panels], figure)
                           for given in (labels, []))
            sums["without caption"] += bare
            for group in ("all", *groups(figure)):
                sums[group] += named
                sizes[group] += 1
    print(json.dumps({"bench": "drawn", "figures": chosen.figures, "detector": detector.name, "F1@75": {
        group: [round(float(2 * hits / total), 3), sizes[group] or chosen.figures]
        for group, (hits, total) in sorted(sums.items(), key=lambda pair: -sizes[pair[0]])}}))


if __name__ == "__main__":
    main()
