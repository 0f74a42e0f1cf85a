"""A person's word on pairs: a JSONL file that wins over the machine and survives rebuilds and new detectors.

A line: {"image_id", "box": [x0, y0, x1, y1], "verdict"?: "right" | "wrong", "label"?, "subcaption"?, "new_box"?,
"drop"?, "method"?}. It holds for the panel of that image that overlaps its box best, so it needs no panel id. `label`
and `subcaption` are what the pair should say, `new_box` is where the panel should be; a pair that is wrong, and not
said better, is left out as with `drop`. `method` is how the machine had paired it, for `agreement`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pmcoa_build.errors import UsageError

MIN_IOU = 0.5
"""Least overlap (intersection over union) of a panel with a corrected box."""

Box = Sequence[float]
Move = tuple[Box, Box]
"""A box, and where a person wants it instead."""

_KEYS = {"image_id", "box", "verdict", "label", "subcaption", "new_box", "drop", "method"}


@dataclass(frozen=True)
class Correction:
    """What a person says of one panel. None = left to the machine; `label` "" = it has none; `drop` = not wanted."""

    image_id: str
    box: tuple[float, float, float, float]
    label: str | None = None
    subcaption: str | None = None
    drop: bool = False
    verdict: str | None = None
    new_box: tuple[float, float, float, float] | None = None
    method: str | None = None

    @property
    def place(self) -> tuple[float, float, float, float]:
        """Where the panel is, by this correction."""
        return self.new_box or self.box

    @property
    def rejects(self) -> bool:
        """Whether the pair is to be left out: not wanted, or wrong without anything better."""
        said = (self.label, self.subcaption, self.new_box)
        return self.drop or (self.verdict == "wrong" and all(value is None for value in said))


Corrections = dict[str, list[Correction]]
"""Corrections by image, in the order of the file."""


def load_corrections(path: str | Path) -> Corrections:
    """Read a corrections file. Raises UsageError that names the line that is wrong."""
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The corrections file {path} cannot be read: {error}.") from error
    return _read(text, str(path))


@lru_cache(maxsize=1)
def _read(text: str, path: str) -> Corrections:
    """The corrections in a file's text; kept, because every block of a build asks for them."""
    corrections: Corrections = {}
    for number, line in enumerate(text.split("\n"), 1):
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
    if unknown := sorted(set(row) - _KEYS):
        raise ValueError(f"unknown key {unknown[0]!r}")
    if not isinstance(row.get("image_id"), str) or not row["image_id"]:
        raise ValueError('"image_id" has to be a text')
    for name in ("label", "subcaption", "method"):
        if not isinstance(row.get(name), str | None):
            raise ValueError(f'"{name}" has to be a text')
    if not isinstance(row.get("drop", False), bool):
        raise ValueError('"drop" has to be true or false')
    if row.get("verdict") not in (None, "right", "wrong"):
        raise ValueError('"verdict" has to be "right" or "wrong"')
    new_box = None if row.get("new_box") is None else _box(row, "new_box")
    text = row.get("subcaption")
    said = Correction(
        row["image_id"], _box(row, "box"), row.get("label"), text, row.get("drop", False), row.get("verdict"),
        new_box, row.get("method"),
    )
    if text is not None and not text.strip():
        raise ValueError('"subcaption" is empty: a pair without text is left out by "drop": true')
    if said.verdict == "right" and text is None and not said.drop:
        raise ValueError('"verdict": "right" needs the "subcaption" that is right')
    if not said.rejects and all(value is None for value in (said.label, text, new_box)):
        raise ValueError('it corrects nothing: "verdict", "label", "subcaption", "new_box" or "drop" is missing')
    return said


def _box(row: dict[str, Any], name: str) -> tuple[float, float, float, float]:
    box = row.get(name)
    if not isinstance(box, list) or len(box) != 4 or any(type(v) not in (int, float) for v in box):
        raise ValueError(f'"{name}" has to be four numbers x0, y0, x1, y1')
    if not (0 <= box[0] < box[2] < 1e9 and 0 <= box[1] < box[3] < 1e9):
        raise ValueError(f'"{name}" has to be x0, y0, x1, y1 in pixels, with x0 < x1 and y0 < y1')
    x0, y0, x1, y1 = (float(v) for v in box)
    return x0, y0, x1, y1


def match_corrections(corrections: Sequence[Correction], boxes: Sequence[Box]) -> list[Correction | None]:
    """The correction of each panel of an image, in the order of `boxes` (pixels x0, y0, x1, y1): the best overlaps
    first, each correction and each panel used once, none below IoU 0.5; of corrections for one place the last holds."""
    matched: list[Correction | None] = [None] * len(boxes)
    candidates = _last(corrections)
    ranked = sorted(
        ((iou(c.place, box), at, i) for at, c in enumerate(candidates) for i, box in enumerate(boxes)), reverse=True
    )
    used: set[int] = set()
    for overlap, at, i in ranked:
        if overlap >= MIN_IOU and matched[i] is None and at not in used:
            matched[i] = candidates[at]
            used.add(at)
    return matched


def _last(corrections: Sequence[Correction]) -> list[Correction]:
    """The last correction of each place."""
    return list({said.place: said for said in corrections}.values())


def unmatched(corrections: Sequence[Correction], matched: Sequence[Correction | None]) -> int:
    """How many of an image's corrections hold for none of its panels any more (their boxes are found no longer)."""
    return sum(all(said is not one for one in matched) for said in _last(corrections))


def move_boxes(
    boxes: Sequence[tuple[int, int, int, int]], moves: Sequence[Move], width: int, height: int
) -> list[tuple[tuple[int, int, int, int], int | None]]:
    """The boxes (whole pixels x0, y0, x1, y1) of an image as a person wants them: each with the place in `boxes` that
    it comes from.

    `moves` = (box, new box), in the order said: the panel that overlaps the box best, else the new box, takes the new
    box, cut to the image (`width` x `height`). Where none does by IoU 0.5, the new box is a panel of its own (place
    None, at the end), and the machine's panels that lie in it by more than half go.
    """
    placed: list[tuple[tuple[int, int, int, int], int | None]] = [(box, at) for at, box in enumerate(boxes)]
    for old, new in moves:
        x0, y0, x1, y1 = (round(v) for v in new)
        box = (min(x0, width), min(y0, height), min(x1, width), min(y1, height))
        if box[0] == box[2] or box[1] == box[3]:
            continue
        at = next((i for i in (_best(placed, old), _best(placed, box)) if i is not None), None)
        if at is None:
            placed = [(b, source) for b, source in placed if source is None or 2 * _shared(b, box) <= _area(b)]
            placed.append((box, None))
        else:
            placed[at] = (box, placed[at][1])
    return placed


def _best(placed: Sequence[tuple[tuple[int, int, int, int], int | None]], wanted: Box) -> int | None:
    overlap, at = max(((iou(box, wanted), -i) for i, (box, _) in enumerate(placed)), default=(0.0, 0))
    return -at if overlap >= MIN_IOU else None


def agreement(corrections: Corrections) -> dict[str, Counter[str]]:
    """How often people agreed, by the machine's method: "right", "corrected", "wrong" (and not said better) and
    "left out" (not wanted). Lines without `method` are not counted; of lines for one box the last is."""
    last = {(s.image_id, s.box, s.method): s for lines in corrections.values() for s in lines if s.method}
    found: dict[str, Counter[str]] = {}
    for said in last.values():
        found.setdefault(said.method or "", Counter())[_opinion(said)] += 1
    return dict(sorted(found.items()))


def _opinion(said: Correction) -> str:
    if said.drop:
        return "left out"
    if said.verdict == "right" and said.new_box is None:
        return "right"
    return "wrong" if said.rejects else "corrected"


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes x0, y0, x1, y1; 0 to 1."""
    both = _shared(a, b)
    return both / (_area(a) + _area(b) - both) if both else 0.0


def _shared(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
