"""Pair the panels of a figure with the clauses of its caption.

By the printed label where it was read, by reading order where labels are missing or misread, and with the whole
caption where neither can tell. Label and order are weighed together in one assignment, so that one misread letter
does not shift all the others (PMC-OA took the letter alone, arXiv 2303.07240).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pmcoa_build.captions.confidence import ORDERED, PRINTED, SINGLE, WHOLE, text_right
from pmcoa_build.captions.corrections import Correction
from pmcoa_build.captions.labels import base, in_order
from pmcoa_build.captions.matching import PanelView, match, named, rank
from pmcoa_build.captions.positions import is_place, labels_at
from pmcoa_build.captions.split import SplitCaption

Method = Literal["label", "order", "single", "whole-caption", "corrected"]


@dataclass(frozen=True)
class Paired:
    """A panel's text. `subcaption` = the clauses of its label, verbatim; confidence 0 to 1 is about the share of such
    pairs that are right."""

    label: str | None
    subcaption: str
    preamble: str
    method: Method
    confidence: float


@dataclass(frozen=True)
class _Caption:
    """A divided caption and what its panels go by: name -> the labels whose clauses it stands for."""

    text: str
    split: SplitCaption
    names: Mapping[str, tuple[str, ...]]

    def clauses(self, panel: PanelView, name: str | None, method: Method, share: float) -> Paired:
        """The pair of a panel and a name; `share` = how often such a panel is the one of that name."""
        labels = self.names[name] if name is not None else ()
        text = self.split.for_label(*labels)
        if not text:
            return self.whole(panel if name is None else replace(panel, printed_label=name))
        confidence = round(share * text_right(self.split, labels, self.text), 4)
        return Paired(name, text, self.split.preamble, method, confidence)

    def whole(self, panel: PanelView) -> Paired:
        """A panel that gets the whole caption, because nothing says which part of it is its own."""
        return Paired(panel.printed_label, self.text, "", "whole-caption", WHOLE["labels" if self.names else "plain"])


Looks = Callable[[Sequence[str]], Sequence[Sequence[float]]]
"""(M texts) -> for each of a figure's panels the shares (0 to 1, their sum 1) at which it looks like each text."""


def pair(
    panels: Sequence[PanelView], split: SplitCaption, caption: str, *, width: int, height: int,
    looks: Looks | None = None,
) -> list[Paired]:
    """One `Paired` for each panel, in the same order. `panels` come in reading order; `split` is of `caption`;
    `width` and `height` of the figure in pixels. `looks` is asked where letters do not decide."""
    told = _Caption(caption, split, _names(panels, split.labels))
    names = tuple(told.names)
    if len(panels) == 1 and rank(panels[0].printed_label, names) is None:
        return [_lone(panels[0], told)]
    if not names:
        return [told.whole(panel) for panel in panels]
    if all(is_place(label) for label in split.labels):
        return [_placed(panel, told, labels_at(panel.box, names, width, height)) for panel in panels]
    places = by_order = match(panels, names)
    read = [rank(panel.printed_label, names) for panel in panels]
    if looks is not None and None in read:
        places = match(panels, names, looks([split.for_label(*labels) for labels in told.names.values()]))
    counted = "counted" if len(panels) != len(names) else "anchored" if any(r is not None for r in read) else "unread"
    inherited = _inherited(panels, places) if len(panels) > len(names) and set(range(len(names))) <= set(places) else {}
    return [
        _paired(panel, told, inherited.get(i, place),
                "inherited" if i in inherited else counted if place == by_order[i] else "looks")
        for i, (panel, place) in enumerate(zip(panels, places, strict=True))
    ]


def undecided(panels: Sequence[PanelView], split: SplitCaption) -> bool:
    """Whether there are panels whose letters do not say which of the caption's clauses are theirs."""
    names = tuple(_names(panels, split.labels))
    lettered = bool(names) and not all(is_place(label) for label in split.labels)
    return lettered and len(panels) > 1 and any(rank(panel.printed_label, names) is None for panel in panels)


def _names(panels: Sequence[PanelView], labels: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The labels of a caption by the name that panels go by, in the order of the page: each its own, but "A1" and "A2"
    are "A" where "A" is printed and they are not."""
    printed = {(panel.printed_label or "").lower() for panel in panels}
    names: dict[str, tuple[str, ...]] = {}
    for label in labels:
        letter = base(label)
        subs = {other.lower() for other in labels if base(other) == letter and other != letter}
        name = letter if letter.lower() in printed and not subs & printed else label
        names[name] = (*names.get(name, ()), label)
    return {name: names[name] for name in in_order(names)}


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
        text = split.for_label(named(label, split.labels) or "") or one.subcaption
    if said.verdict == "right" and (label, text) == (one.label, one.subcaption):
        return replace(one, confidence=1.0)
    return replace(one, label=label, subcaption=text, preamble=split.preamble, method="corrected", confidence=1.0)


def _lone(panel: PanelView, told: _Caption) -> Paired:
    """One panel on a caption with labels that it does not show: the only label's clauses, or all of the caption."""
    if len(told.names) == 1:
        return told.clauses(panel, next(iter(told.names)), "single", SINGLE["one-label"])
    return replace(told.whole(panel), method="single", confidence=SINGLE["labels" if told.names else "plain"])


def _placed(panel: PanelView, told: _Caption, labels: tuple[str, ...]) -> Paired:
    """A panel of a caption that speaks of left and right, top and bottom."""
    if not labels:
        return told.whole(panel)
    here = ", ".join(labels)
    return replace(told, names={here: labels}).clauses(panel, here, "order", ORDERED["placed"])


def _paired(panel: PanelView, told: _Caption, place: int | None, how: str) -> Paired:
    """The pair of a panel that has the name at `place`; `how` (a key of ORDERED) it got it, if not by letter."""
    name = None if place is None else tuple(told.names)[place]
    if place is not None and rank(panel.printed_label, tuple(told.names)) == place:
        score = 0.5 if panel.label_score is None else panel.label_score
        return told.clauses(panel, name, "label", PRINTED[0] + PRINTED[1] * score)
    return told.clauses(panel, name, "order", ORDERED[how])


def _inherited(panels: Sequence[PanelView], places: Sequence[int | None]) -> dict[int, int]:
    """The places of unlabelled panels right of or below one with a place, where all labels are given out and panels are
    left: a letter is printed once, on the first of its images."""
    found = {}
    for i, panel in enumerate(panels):
        if places[i] is None and not panel.printed_label and (place := _before(panels, places, i)) is not None:
            found[i] = place
    return found


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
