"""A person's corrections of pairs: a JSONL file that wins over the machine and survives rebuilds and new detectors.

A line: {"image_id", "box": [x0, y0, x1, y1], "label"?, "subcaption"?, "drop"?}. It holds for the panel of that image
that overlaps its box best, so it needs no panel id.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmcoa_build.errors import UsageError

MIN_IOU = 0.5
"""Least overlap (intersection over union) of a panel with a corrected box."""

Box = Sequence[float]


@dataclass(frozen=True)
class Correction:
    """What a person says of one panel. None = left to the machine; `drop` = the panel is not wanted."""

    image_id: str
    box: tuple[float, float, float, float]
    label: str | None = None
    subcaption: str | None = None
    drop: bool = False


Corrections = dict[str, list[Correction]]
"""Corrections by image."""


def load_corrections(path: str | Path) -> Corrections:
    """Read a corrections file. Raises UsageError that names the line that is wrong."""
    corrections: Corrections = {}
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The corrections file {path} cannot be read: {error}.") from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                correction = _parse(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise UsageError(
                    f"Line {number} of the corrections file {path} is not a correction: {error}."
                ) from error
            corrections.setdefault(correction.image_id, []).append(correction)
    return corrections


def _parse(row: Any) -> Correction:
    """One line as a Correction. Raises ValueError with what is wrong."""
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    unknown = sorted(set(row) - {"image_id", "box", "label", "subcaption", "drop"})
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}")
    box = row.get("box")
    if not isinstance(row.get("image_id"), str) or not row["image_id"]:
        raise ValueError('"image_id" has to be a text')
    if not isinstance(box, list) or len(box) != 4 or any(type(v) not in (int, float) for v in box):
        raise ValueError('"box" has to be four numbers x0, y0, x1, y1')
    if not (box[0] < box[2] and box[1] < box[3]):
        raise ValueError('"box" has no area')
    for name in ("label", "subcaption"):
        if not isinstance(row.get(name), str | None):
            raise ValueError(f"{name!r} has to be a text")
    if not isinstance(row.get("drop", False), bool):
        raise ValueError('"drop" has to be true or false')
    if row.get("label") is None and row.get("subcaption") is None and not row.get("drop"):
        raise ValueError('it corrects nothing: "label", "subcaption" or "drop" is missing')
    x0, y0, x1, y1 = (float(v) for v in box)
    return Correction(
        row["image_id"], (x0, y0, x1, y1), row.get("label"), row.get("subcaption"), row.get("drop", False)
    )


def match_corrections(corrections: Corrections, image_id: str, boxes: Sequence[Box]) -> list[Correction | None]:
    """The correction of each panel of an image, in the order of `boxes` (pixels x0, y0, x1, y1): the best overlaps
    first, each correction and each panel used once, none below IoU 0.5; of corrections for one place the last holds."""
    matched: list[Correction | None] = [None] * len(boxes)
    candidates = corrections.get(image_id, [])
    ranked = sorted(
        ((iou(c.box, box), at, i) for at, c in enumerate(candidates) for i, box in enumerate(boxes)), reverse=True
    )
    used: set[int] = set()
    for overlap, at, i in ranked:
        if overlap >= MIN_IOU and matched[i] is None and at not in used:
            matched[i] = candidates[at]
            used.add(at)
    return matched


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1; 0 to 1."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)
