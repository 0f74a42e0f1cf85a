"""The walk over a caption's sentences that hands each clause to its labels (see clauses.py)."""

from __future__ import annotations

import re

from pmcoa_build.captions import clauses as cl
from pmcoa_build.captions.brackets import Marker
from pmcoa_build.captions.clauses import Clauses, Span
from pmcoa_build.captions.generic import generic_kind
from pmcoa_build.captions.markers import CITES
from pmcoa_build.captions.sequence import Sequence
from pmcoa_build.captions.sharing import hand_out

_SEMICOLON = re.compile(r";\s*(?:and\s+|or\s+)?$")
_WEAK = ("mention", "inner", "in", "bare")


def assign(text: str, starts: list[int], sequence: Sequence) -> Clauses:
    """Every sentence of `text` given to labels, to the preamble or to the tail."""
    return _Walk(text, sequence).over(cl.sentences(text, starts, sequence))


class _Walk:
    """State of the walk: the labels that an unmarked sentence would go on with."""

    def __init__(self, text: str, sequence: Sequence) -> None:
        self.text, self.sequence = text, sequence
        self.out = Clauses()
        self.current: tuple[str, ...] = ()
        self.in_tail = self.led = False
        self.generic: set[str] = set()
        self.last_home = max(sequence.homes.values())
        opening = {m.start for m in sequence.markers if m.opens}
        self.leads = 2 * sum(home in opening for home in sequence.homes.values()) >= len(sequence.homes)

    def over(self, spans: list[Span]) -> Clauses:
        markers, at = self.sequence.markers, 0
        for start, end in spans:
            here = []
            while at < len(markers) and markers[at].start < end:
                here.append(markers[at])
                at += 1
            marked = here and here[0].opens and here[0].start == start
            kind = "" if marked else generic_kind(self.text, start)
            active = self.active(here, kind)
            if active:
                self.marked(start, end, active, kind)
            else:
                self.unmarked(start, end, kind)
        return self.out

    def active(self, here: list[Marker], kind: str) -> list[Marker]:
        """The markers of a sentence that hand out its text; the others only cite a panel."""
        if not here:
            return []
        first = here[0] if here[0].opens else None
        group = set(first.labels if first else self.current)
        return [m for m in here if m is first or self.hands_out(m, first, group, kind)]

    def hands_out(self, marker: Marker, first: Marker | None, group: set[str], kind: str) -> bool:
        homes = self.sequence.homes
        if any(homes[label] == marker.start for label in marker.labels):
            return True
        if kind in ("scale", "statistics"):
            return True
        if self.follows_semicolon(marker) and marker.strength >= 0.5 and kind != "abbreviations":
            return True
        if marker.style in _WEAK or kind == "abbreviations":
            return False
        if len(group) > 1 and group.issuperset(marker.labels):
            return True
        cited = CITES.search(self.text, max(0, marker.start - 8), marker.start)
        return cited is None and (not self.leads or (first is None and marker.start > self.last_home))

    def follows_semicolon(self, marker: Marker) -> bool:
        """Does the marker stand behind a semicolon?"""
        return _SEMICOLON.search(self.text, max(0, marker.start - 7), marker.start) is not None

    def marked(self, start: int, end: int, markers: list[Marker], kind: str) -> None:
        homes = self.sequence.homes
        new = [label for m in markers for label in m.labels if homes[label] == m.start]
        first = markers[0]
        if self.led and not first.opens and first.style == "inner" and self.follows_semicolon(first):
            self.out.give(self.current, start, first.start, self.text)  # "A: Group 1. Control; B: Group 2."
            start, markers = first.start, [first._replace(opens=True), *markers[1:]]
        self.led = markers[0].opens
        labels = hand_out(self.out, self.text, start, end, markers)
        if kind and not new and not markers[0].opens:
            return
        self.current, self.in_tail = labels, False

    def unmarked(self, start: int, end: int, kind: str) -> None:
        if not self.current:
            self.out.preamble.append((start, end))
        elif start > self.last_home and (self.in_tail or self.of_all() or (kind and kind not in self.generic)):
            self.in_tail = True
            self.out.tail.append((start, end))
        else:
            self.generic.add(kind)
            self.out.give(self.current, start, end, self.text)

    def of_all(self) -> bool:
        """Would this go to every label, after each has a text?"""
        return 1 < len(self.current) == len(self.sequence.labels) == len(self.out.of)
