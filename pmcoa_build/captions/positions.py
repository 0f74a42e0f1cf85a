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


def label_at(box: Many[float], labels: Many[str], width: int, height: int) -> str | None:
    """The label that names the place of a box (x0, y0, x1, y1) in a figure of that size (pixels); None where none or
    more than one does."""
    x, y = (box[0] + box[2]) / 2 / max(width, 1), (box[1] + box[3]) / 2 / max(height, 1)
    thirds = "middle" in labels
    side, level = _third(x, "left", "right", thirds), _third(y, "top", "bottom", thirds)
    here = {side, level, {"top": "upper", "bottom": "lower"}.get(level, level)}
    named = [label for label in labels if set(label.split()) <= here]
    return named[0] if len(named) == 1 else None


def _third(part: float, first: str, last: str, thirds: bool) -> str:
    edge = 1 / 3 if thirds else 1 / 2
    return first if part < edge else last if part >= 1 - edge else "middle"
