"""Pair the panels of a figure with the clauses of its caption.

By the printed label where it was read, by reading order where labels are missing or misread, and with the whole
caption where neither can tell. Label and order are weighed together in one assignment, so that one misread letter
does not shift all the others (PMC-OA took the letter alone, arXiv 2303.07240).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from pmcoa_build.captions.corrections import Correction
from pmcoa_build.captions.labels import base
from pmcoa_build.captions.positions import is_place, label_at
from pmcoa_build.captions.split import SplitCaption

Method = Literal["label", "order", "single", "whole-caption", "corrected"]
Box = tuple[float, float, float, float]

SURE = 0.5
"""Label score from which a printed label that the caption does not name is taken at its word."""


@dataclass(frozen=True)
class PanelView:
    """What alignment needs of a panel: its box (pixels x0, y0, x1, y1), the letter read on it, how surely (0..1)."""

    box: Box
    printed_label: str | None = None
    label_score: float | None = None


@dataclass(frozen=True)
class Paired:
    """A panel's text. `subcaption` = the clauses of its label, verbatim; confidence 0 to 1 orders pairs by how often
    they are right, it is no probability."""

    label: str | None
    subcaption: str
    preamble: str
    method: Method
    confidence: float


def pair(panels: Sequence[PanelView], split: SplitCaption, caption: str, *, width: int, height: int) -> list[Paired]:
    """One `Paired` for each panel, in the same order. `panels` come in reading order; `split` is of `caption`;
    `width` and `height` of the figure in pixels."""
    labels = split.labels
    if not panels:
        return []
    if not labels:
        method: Method = "single" if len(panels) == 1 else "whole-caption"
        return [Paired(_own(p), caption, "", method, 0.6 if len(panels) == 1 else 0.15) for p in panels]
    if len(panels) == 1 and _rank(panels[0].printed_label, labels) is None:
        return [_lone(panels[0], split, caption)]
    if all(is_place(label) for label in labels):
        return [_placed(panel, split, caption, label_at(panel.box, labels, width, height)) for panel in panels]
    ranks = _assign(panels, labels)
    even = len(panels) == len(labels)
    return [
        _paired(p, rank, split, caption, even) for p, rank in zip(panels, _inherit(panels, ranks, labels), strict=True)
    ]


def correct(
    paired: Sequence[Paired], corrections: Sequence[Correction | None], split: SplitCaption
) -> list[Paired | None]:
    """The pairs with a person's word over the machine's; None for a panel that is not wanted. A corrected label brings
    its clauses, unless the correction has a text of its own. A pair that a person found right keeps its method."""
    return [
        one if said is None else _corrected(one, said, split) for one, said in zip(paired, corrections, strict=True)
    ]


def _corrected(one: Paired, said: Correction, split: SplitCaption) -> Paired | None:
    if said.rejects:
        return None
    if said.label is None and said.subcaption is None:
        return one
    label = one.label if said.label is None else said.label or None
    text = said.subcaption
    if text is None:
        text = split.for_label(_named(label, split.labels) or "") or one.subcaption
    if said.verdict == "right" and (label, text) == (one.label, one.subcaption):
        return replace(one, confidence=1.0)
    return replace(one, label=label, subcaption=text, preamble=split.preamble, method="corrected", confidence=1.0)


def _placed(panel: PanelView, split: SplitCaption, caption: str, label: str | None) -> Paired:
    """A panel of a caption that speaks of left and right, top and bottom."""
    if label is None or not split.for_label(label):
        return Paired(_own(panel), caption, "", "whole-caption", 0.15)
    return Paired(label, split.for_label(label), split.preamble, "order", 0.45)


def _own(panel: PanelView) -> str | None:
    return panel.printed_label


def _named(label: str | None, labels: Sequence[str]) -> str | None:
    """The caption's own spelling of a printed label ("a" for "A"; "A" for the sub-label "A1"), or None."""
    if not label:
        return None
    for wanted in (label, base(label)):
        for spelt in labels:
            if spelt.lower() == wanted.lower():
                return spelt
    return None


def _rank(label: str | None, labels: Sequence[str]) -> int | None:
    named = _named(label, labels)
    return None if named is None else labels.index(named)


def _lone(panel: PanelView, split: SplitCaption, caption: str) -> Paired:
    """One panel on a caption with labels that it does not show: the only label's clauses, or all of the caption."""
    if len(split.labels) == 1:
        return Paired(split.labels[0], split.for_label(split.labels[0]), split.preamble, "single", 0.55)
    return Paired(_own(panel), caption, "", "single", 0.3)


def _assign(panels: Sequence[PanelView], labels: Sequence[str]) -> list[int | None]:
    """For each panel the place of its label in the caption, or None: the worthiest pairs first, each label once."""
    expected = _expected(panels, labels)
    worths = [
        (_worth(panel, labels, place, expected[i]), -i, -place)
        for i, panel in enumerate(panels)
        for place in range(len(labels))
    ]
    ranks: list[int | None] = [None] * len(panels)
    taken: set[int] = set()
    for worth, i, place in sorted(worths, reverse=True):
        if worth > 0 and ranks[-i] is None and -place not in taken:
            ranks[-i] = -place
            taken.add(-place)
    return ranks


def _worth(panel: PanelView, labels: Sequence[str], place: int, expected: float | None) -> float:
    """How well a label suits a panel: what is printed on it, and its place in reading order."""
    order = 0.0 if expected is None else max(0.0, 0.4 - 0.2 * abs(place - expected))
    read = _rank(panel.printed_label, labels)
    score = 0.5 if panel.label_score is None else panel.label_score
    if read is not None:
        return order + (0.3 + score if read == place else -0.3 * score)
    if panel.printed_label and score >= SURE and _alike(panel.printed_label, labels):
        return order - 0.3 * score
    return order


def _alike(printed: str, labels: Sequence[str]) -> bool:
    """Could the printed text be a label of this figure at all: a single letter like those of the caption?"""
    return len(printed) == 1 and printed.isalpha() and len(labels[0]) == 1


def _expected(panels: Sequence[PanelView], labels: Sequence[str]) -> list[float | None]:
    """The place that reading order alone would give each panel: exact where the counts agree, else counted from the
    nearest panel before it whose label was read; None where nothing says so."""
    if len(panels) == len(labels):
        return [float(i) for i in range(len(panels))]
    anchors = [(i, rank) for i, p in enumerate(panels) if (rank := _rank(p.printed_label, labels)) is not None]
    expected: list[float | None] = [None] * len(panels)
    edges = [(-1, -1), *anchors, (len(panels), len(labels))]
    for (i0, r0), (i1, r1) in pairwise(edges):
        if i1 - i0 == r1 - r0:
            for i in range(i0 + 1, i1):
                expected[i] = float(r0 + i - i0)
    return expected


def _inherit(
    panels: Sequence[PanelView], ranks: list[int | None], labels: Sequence[str]
) -> list[tuple[int | None, bool]]:
    """(place, own) of each panel: an unlabelled panel right of or below a lettered one, where there are more
    panels than labels, goes with it (a letter is printed once, on the first of its images)."""
    surplus = len(panels) > len(labels) and sum(rank is not None for rank in ranks) == len(labels)
    out: list[tuple[int | None, bool]] = []
    for i, rank in enumerate(ranks):
        if rank is not None or not surplus or panels[i].printed_label:
            out.append((rank, True))
        else:
            out.append((_before(panels, ranks, i), False))
    return out


def _before(panels: Sequence[PanelView], ranks: Sequence[int | None], i: int) -> int | None:
    """The place of the nearest labelled panel to the left in the same row, else the nearest above."""
    x0, y0, x1, y1 = panels[i].box
    left = [
        (x0 - p.box[0], r)
        for p, r in zip(panels, ranks, strict=True)
        if r is not None and p.box[0] < x0 and min(y1, p.box[3]) - max(y0, p.box[1]) > 0.5 * (y1 - y0)
    ]
    above = [
        (y0 - p.box[1], r)
        for p, r in zip(panels, ranks, strict=True)
        if r is not None and p.box[1] < y0 and min(x1, p.box[2]) - max(x0, p.box[0]) > 0.5 * (x1 - x0)
    ]
    return min(left or above)[1] if left or above else None


def _paired(panel: PanelView, found: tuple[int | None, bool], split: SplitCaption, caption: str, even: bool) -> Paired:
    place, own = found
    text = split.for_label(split.labels[place]) if place is not None else ""
    if place is None or not text:
        label = _own(panel) if place is None else split.labels[place]
        return Paired(label, caption, "", "whole-caption", 0.1 if even else 0.15)
    label = split.labels[place]
    score = 0.5 if panel.label_score is None else panel.label_score
    if _rank(panel.printed_label, split.labels) == place:
        return Paired(label, text, split.preamble, "label", round(0.55 + 0.45 * score, 4))
    confidence = 0.7 if even and own else 0.5 if own else 0.35
    return Paired(label, text, split.preamble, "order", confidence)
