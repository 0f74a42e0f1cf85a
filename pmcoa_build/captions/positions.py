"""Captions that name their panels by place: "Left panel: …", "… (top)", "The right panel shows …".

Looked for only where a caption has no letters, and believed only where opposite places are named.
"""

from __future__ import annotations

import re
from collections.abc import Sequence as Many

from pmcoa_build.captions.brackets import Marker
from pmcoa_build.captions.sequence import EMPTY, Sequence

_PLACE = r"(?:(?:upper|lower|top|bottom)[- ](?:left|right)|left|right|top|bottom|upper|lower|middle|cent(?:er|re|ral))"
_THING = r"(?:[- ]hand)?\s+(?:side|panels?|images?|rows?|columns?|plots?|graphs?|pictures?|photographs?|traces?|half)"
_BRACKETED = re.compile(rf"\(\s*({_PLACE})(?:{_THING})?\s*\)", re.I)
_OPENING = re.compile(rf"(?:(?:in|on)\s+)?(?:the\s+)?({_PLACE})(?:{_THING}\s*[:,.]?|\s*[:,.])(?=\s)", re.I)
_SEMICOLON = re.compile(r";\s+(?:and\s+)?")
_HORIZONTAL = ({"left"}, {"right"})
_VERTICAL = ({"top", "upper"}, {"bottom", "lower"})
_SAME = {"center": "middle", "centre": "middle", "central": "middle"}


def by_place(text: str, starts: list[int]) -> Sequence:
    """The places named as markers, or EMPTY where no two opposite ones are. Labels are the words in small letters
    ("left", "upper right"; "middle" for "center" too)."""
    bracketed = (Marker(*m.span(), (_label(m[1]),), "paren", 0.8, False) for m in _BRACKETED.finditer(text))
    parts = sorted({*starts, *(m.end() for m in _SEMICOLON.finditer(text))})
    found = (m for start in parts if (m := _OPENING.match(text, start)))
    opening = (Marker(*m.span(), (_label(m[1]),), "word", 0.9, True) for m in found)
    markers = sorted([*bracketed, *opening])
    homes: dict[str, int] = {}
    for marker in markers:
        homes.setdefault(marker.labels[0], marker.start)
    words = {word for label in homes for word in label.split()}
    if not any(words & one and words & other for one, other in (_HORIZONTAL, _VERTICAL)):
        return EMPTY
    return Sequence(tuple(homes), markers, homes)


def _label(found: str) -> str:
    word = " ".join(found.lower().replace("-", " ").split())
    return _SAME.get(word, word)


def is_place(label: str) -> bool:
    """Is this a label that `by_place` gives?"""
    return re.fullmatch(_PLACE, label) is not None


def labels_at(box: Many[float], labels: Many[str], width: int, height: int) -> tuple[str, ...]:
    """The labels that name the place of a box (x0, y0, x1, y1) in a figure of that size (pixels), in the order of
    `labels`: "left" and "top", but not "left" where "upper left" is named too. Empty where none does."""
    thirds = "middle" in labels
    side = _side(box[0] / max(width, 1), box[2] / max(width, 1), thirds, ("left", "right"))
    level = _side(box[1] / max(height, 1), box[3] / max(height, 1), thirds, ("top", "bottom"))
    here = {side, level, {"top": "upper", "bottom": "lower"}.get(level, level)}
    named = [set(label.split()) for label in labels if set(label.split()) <= here]
    return tuple(label for label in labels if set(label.split()) in named
                 and not any(set(label.split()) < other for other in named))


def _side(start: float, end: float, thirds: bool, ends: tuple[str, str]) -> str:
    """Which end of the figure an extent (parts of the whole, 0 to 1) lies at: a third by its centre, a half with two
    thirds of its length; else "middle" or ""."""
    if thirds:
        centre = (start + end) / 2
        return ends[0] if centre < 1 / 3 else ends[1] if centre >= 2 / 3 else "middle"
    before = (min(end, 0.5) - min(start, 0.5)) / max(end - start, 1e-9)
    return ends[0] if before >= 2 / 3 else ends[1] if before <= 1 / 3 else ""
