"""Do drawn figures stand on their pages as real ones do?

    python bench/layouts.py --shared DIR [--figures N]       (or PMCOA_SHARED=DIR)

DIR holds `groundtruth/layouts.jsonl.gz`: panel and label boxes of real figures. Drawn figures are filled with flat
content, for only boxes are compared. `aspect`, `area`, `label_height` and the gaps are percentiles 5, 25, 50, 75, 95;
an area is a panel's share of the panels' common box; a gap is that to the next panel across and down, in percent of the
width, negative where boxes overlap; `guillotine` is the share of compound figures that straight cuts take apart;
`overlaps` the share of pairs of panels with more than 5 % of the smaller one in common; `place` where labels stand
in their panels' boxes. Drawn figures have fewer single panels on purpose. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from pmcoa_build.figures.boxes import Box, area, intersection, union
from pmcoa_build.figures.synth.figure import draw_figure

Panels = list[tuple[Box, Box | None]]


class Flat:
    """Content without any: grey all over, so that boxes are those of the layout."""

    def take(self, rng: np.random.Generator, kind: str | None, aspect: float, *, whole: bool = False
             ) -> tuple[np.ndarray, str]:
        del rng, whole
        return np.full((64, max(round(64 * aspect), 1), 3), 120, np.uint8), kind or "photo"


def real(shared: Path) -> list[Panels]:
    """Boxes of real panels and labels, a list a figure."""
    with gzip.open(shared / "groundtruth" / "layouts.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [[(tuple(p["box"]), tuple(p["label_box"]) if p.get("label_box") else None) for p in row["panels"]]
            for row in rows]


def drawn(count: int) -> list[Panels]:
    """The same of drawn figures, seeds 0 to `count` - 1."""
    return [[(p.box, p.label_box) for p in draw_figure(np.random.default_rng(seed), Flat()).panels]
            for seed in range(count)]


def guillotine(boxes: Sequence[Box], slack: float) -> bool:
    """True where straight cuts take the boxes apart, each overlapped by up to `slack` pixels."""
    if len(boxes) == 1:
        return True
    for axis in (0, 1):
        inner = sorted(boxes, key=lambda box: box[axis] + box[axis + 2])
        for cut in range(1, len(inner)):
            if max(b[axis + 2] for b in inner[:cut]) - slack <= min(b[axis] for b in inner[cut:]):
                return guillotine(inner[:cut], slack) and guillotine(inner[cut:], slack)
    return False


def gaps(boxes: Sequence[Box], axis: int, width: float) -> list[float]:
    """Distances from each box to the next one beyond it along an axis, in percent of `width`."""
    other, found = 1 - axis, []
    for a in boxes:
        near = [b[axis] - a[axis + 2] for b in boxes if b is not a
                and min(a[other + 2], b[other + 2]) - max(a[other], b[other])
                > 0.5 * min(a[other + 2] - a[other], b[other + 2] - b[other])
                and b[axis] + b[axis + 2] > a[axis] + a[axis + 2]]
        found += [100 * min(near, key=abs) / width] if near else []
    return found


def place(box: Box, label: Box) -> str:
    """Where a label's middle is in its panel's box, by thirds."""
    across = (label[0] + label[2] - 2 * box[0]) / 2 / max(box[2] - box[0], 1)
    down = (label[1] + label[3] - 2 * box[1]) / 2 / max(box[3] - box[1], 1)
    third = [min(max(int(3 * v), 0), 2) for v in (across, down)]
    return f"{('top', 'middle', 'bottom')[third[1]]} {('left', 'middle', 'right')[third[0]]}"


def describe(figures: list[Panels]) -> dict[str, object]:
    """The statistics of some figures."""
    boxes = [[box for box, _ in panels] for panels in figures]
    wholes = [union(each) for each in boxes]
    widths = [whole[2] - whole[0] for whole in wholes]
    several = [(each, wide) for each, wide in zip(boxes, widths, strict=True) if len(each) > 1]
    pairs = [intersection(a, b) > 0.05 * min(area(a), area(b)) for each, _ in several for a, b in combinations(each, 2)]
    labels = [(box, label, wide) for panels, wide in zip(figures, widths, strict=True)
              for box, label in panels if label]
    return {
        "figures": len(figures),
        "panels": shares(Counter(str(min(len(each), 9)) for each in boxes)),
        "aspect": spread([wide / (whole[3] - whole[1]) for whole, wide in zip(wholes, widths, strict=True)]),
        "area": spread([area(box) / area(whole) for each, whole in zip(boxes, wholes, strict=True) if len(each) > 1
                        for box in each]),
        "across": spread([gap for each, wide in several for gap in gaps(each, 0, wide)]),
        "down": spread([gap for each, wide in several for gap in gaps(each, 1, wide)]),
        "guillotine": round(float(np.mean([guillotine(each, 0.01 * wide) for each, wide in several])), 3),
        "overlaps": round(float(np.mean(pairs)), 4),
        "place": shares(Counter(place(box, label) for box, label, _ in labels)),
        "label_height": spread([100 * (label[3] - label[1]) / wide for _, label, wide in labels]),
    }


def spread(values: Sequence[float]) -> list[float]:
    """Percentiles 5, 25, 50, 75, 95."""
    return [round(float(v), 3) for v in np.percentile(values, (5, 25, 50, 75, 95))]


def shares(counts: Counter[str]) -> dict[str, float]:
    """Counts as shares, by name."""
    return {name: round(counts[name] / counts.total(), 3) for name in sorted(counts)}


def main() -> None:
    """Measure and print the line."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--shared", type=Path, default=os.environ.get("PMCOA_SHARED"))
    options.add_argument("--figures", type=int, default=600)
    chosen = options.parse_args()
    found: dict[str, object] = {"bench": "layouts", "drawn": describe(drawn(chosen.figures))}
    if chosen.shared is not None:
        found["real"] = describe(real(Path(chosen.shared)))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
