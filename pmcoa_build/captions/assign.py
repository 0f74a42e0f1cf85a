"""The walk over a caption's sentences that hands each clause to its labels (see clauses.py)."""

from __future__ import annotations

import re
from collections.abc import Sequence as Many
from itertools import pairwise

from pmcoa_build.captions import clauses as cl
from pmcoa_build.captions.brackets import Marker
from pmcoa_build.captions.clauses import Clauses, Span
from pmcoa_build.captions.generic import generic_kind
from pmcoa_build.captions.markers import CITES
from pmcoa_build.captions.sequence import Sequence

_PLURAL_VERB = re.compile(
    r"\b(?:show|demonstrate|reveal|are|were|have|illustrate|depict|indicate|represent|exhibit|display|suggest|confirm)\b"
)
_WEAK = ("mention", "inner", "in", "bare")


def assign(text: str, starts: list[int], sequence: Sequence) -> Clauses:
    """Every sentence of `text` given to labels, to the preamble or to the tail."""
    return _Walk(text, sequence).over(cl.sentences(starts, sequence, len(text)))


class _Walk:
    """State of the walk: the labels that an unmarked sentence would go on with."""

    def __init__(self, text: str, sequence: Sequence) -> None:
        self.text, self.sequence = text, sequence
        self.out = Clauses()
        self.current: tuple[str, ...] = ()
        self.in_tail = False
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
            kind = generic_kind(self.text, start)
            active = self.active(here, kind)
            if active:
                self.marked(start, end, active, kind)
            else:
                self.unmarked(start, end, kind)
        return self.out

    def active(self, here: list[Marker], kind: str) -> list[Marker]:
        """The markers of a sentence that hand out its text; the others only cite a panel."""
        first = here[0] if here and here[0].opens else None
        group = set(first.labels if first else self.current)
        return [m for m in here if m is first or self.hands_out(m, first, group, kind)]

    def hands_out(self, marker: Marker, first: Marker | None, group: set[str], kind: str) -> bool:
        homes = self.sequence.homes
        if any(homes[label] == marker.start for label in marker.labels):
            return True
        if kind in ("scale", "statistics"):
            return True
        after_semicolon = self.text[max(0, marker.start - 3) : marker.start].rstrip()[-1:] == ";"
        if after_semicolon and marker.strength >= 0.5 and kind != "abbreviations":
            return True
        if marker.style in _WEAK or kind == "abbreviations":
            return False
        if len(group) > 1 and group.issuperset(marker.labels):
            return True
        cited = CITES.search(self.text, max(0, marker.start - 8), marker.start)
        return cited is None and (not self.leads or (first is None and marker.start > self.last_home))

    def marked(self, start: int, end: int, markers: list[Marker], kind: str) -> None:
        homes = self.sequence.homes
        new = [label for m in markers for label in m.labels if homes[label] == m.start]
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


def hand_out(out: Clauses, text: str, start: int, end: int, markers: list[Marker]) -> tuple[str, ...]:
    """Share one sentence among the labels of its markers; gives those that the next sentence goes on with."""
    first = markers[0]
    named = tuple(dict.fromkeys(label for m in markers for label in m.labels))
    for marker in markers:
        if marker.extra:
            out.give(marker.labels, *marker.extra, text)
    if first.opens and len(markers) > 1 and len(first.labels) > 1 and set(first.labels) == set(named):
        start, markers = first.end, markers[1:]
        inner = {label for m in markers for label in m.labels}
        if len(inner) < 2:
            out.give(named, start, end, text)
            return named
    markers = _merged(text, markers)
    if len(markers) == 1:
        marker = markers[0]
        if not marker.opens:
            out.give(marker.labels, start, marker.start, text)
        out.give(marker.labels, marker.end, end, text)
    elif _trails(text, start, end, markers):
        _trailing(out, text, start, end, markers, named)
    elif not _leading(out, text, start, end, markers, named):
        return markers[-1].labels
    return named


def _merged(text: str, markers: list[Marker]) -> list[Marker]:
    """ "(a) and (b)", "(c), (d)" as one marker."""
    merged = [markers[0]]
    for marker in markers[1:]:
        if cl.trim(text, merged[-1].end, marker.start) is None:
            last = merged[-1]
            merged[-1] = last._replace(end=marker.end, labels=tuple(dict.fromkeys(last.labels + marker.labels)))
        else:
            merged.append(marker)
    return merged


def _trails(text: str, start: int, end: int, markers: list[Marker]) -> bool:
    """Do the markers of this sentence stand after what they mark?"""
    if markers[0].opens or cl.trim(text, start, markers[0].start) is None:
        return False
    if all(marker.style in ("open", "dot", "inner", "bare", "loose", "comma") for marker in markers):
        return False
    if cl.NOTHING.match(text, markers[-1].end, end):
        return True
    votes = 0
    for marker in markers:
        after = cl.TRAILED.match(text, marker.end, end)
        votes += 0 if after is None else 3 if after["list"] is not None else 1
        votes -= cl.JOINED.search(text, max(start, marker.start - 12), marker.start) is not None
    return votes > 0


def _trailing(out: Clauses, text: str, start: int, end: int, markers: list[Marker], named: tuple[str, ...]) -> None:
    left = start
    if _short([(a.end, b.start) for a, b in pairwise(markers)], text, 7):
        for match in cl.LEAD_IN.finditer(text, start, markers[0].start):
            if cl.trim(text, match.end(), markers[0].start):
                left = match.end()
        if left > start:
            out.give(named, start, left, text)
    rest = named
    for before, marker in zip([None, *markers], markers, strict=False):
        if before is not None:
            semicolon = text.find(";", left, marker.start)
            if semicolon >= 0:  # "patient 6 (A), 16 years old; patient 7 (B), 9 years old"
                out.give(before.labels, left, semicolon, text)
                left, rest = semicolon + 1, markers[-1].labels
            elif cl.GOES_ON.match(text, left, marker.start):
                cuts = list(cl.SPLIT.finditer(text, left, marker.start))
                if cuts:
                    out.give(before.labels, left, cuts[-1].start(), text)
                    left = cuts[-1].end()
        out.give(marker.labels, left, marker.start, text)
        left = marker.end
    out.give(rest, left, end, text)


def _leading(out: Clauses, text: str, start: int, end: int, markers: list[Marker], named: tuple[str, ...]) -> bool:
    """Share out a sentence whose markers lead; gives whether the next unmarked sentence goes on with all of them: after
    a shared end or a list of short items, but not after long clauses of their own."""
    if not markers[0].opens:
        out.give(named, start, markers[0].start, text)
    items = []
    for marker, following in pairwise(markers):
        cut = _next_lead_in(text, marker.end, following.start)
        out.give(marker.labels, marker.end, cut, text)
        out.give(following.labels, cut, following.start, text)
        items.append((marker.end, cut))
    last = markers[-1]
    if cl.trim(text, last.end, end) is None:  # "(B) Hip, showing the fracture (C).": the last one trails
        cuts = [match.end() for match in cl.SPLIT.finditer(text, markers[-2].end, last.start)]
        out.give(last.labels, cuts[-1] if cuts else markers[-2].end, last.start, text)
    shared = _shared_end(text, items, last.end, end)
    out.give(last.labels, last.end, shared, text)
    out.give(named, shared, end, text)
    return shared < end or _short(items, text, 6)


def _next_lead_in(text: str, start: int, end: int) -> int:
    """Where, between two leading markers, the lead-in of the second begins ("(a) control mice, and response to (b)"):
    behind the last conjunction where a preposition stands before the marker; else `end`."""
    if not cl.PREPOSITION_END.search(text, max(start, end - 12), end):
        return end
    cuts = [match.end() for match in cl.SPLIT.finditer(text, start, end)]
    return cuts[-1] if cuts else end


def _words(text: str, span: Span) -> list[str]:
    found = cl.trim(text, *span)
    return text[found[0] : found[1]].split() if found else []


def _short(spans: Many[Span], text: str, limit: int) -> bool:
    return sum(len(_words(text, span)) for span in spans) <= limit * len(spans)


def _shared_end(text: str, items: list[Span], start: int, end: int) -> int:
    """Where the last of the marked items ends and what belongs to all of them begins; `end` where nothing does.

    "(A) dorsal and (B) ventral views of the skull": "views of the skull" is said of both.
    """
    words = [_words(text, item) for item in items]
    longest = max(len(w) for w in words)
    if longest == 0:
        return end
    if (
        longest <= 3
        and (longest == 1 or all(cl.VIEW.match(w[-1]) for w in words if w))
        and all(cl.VIEW.match(w[-1]) for w in words if w)
    ):
        return _after_words(text, start, end, longest)
    verb = _PLURAL_VERB.search(text, start, end)
    if verb and longest <= 12 and not any(_PLURAL_VERB.search(text, *item) for item in items):
        return verb.start()
    return end


def _after_words(text: str, start: int, end: int, count: int) -> int:
    """The place after so many words, or after the last of them that is an adjective of view."""
    place = start
    for number, match in enumerate(re.finditer(r"\S+\s*", text[start:end])):
        if number == count:
            break
        place = start + match.end()
        if cl.VIEW.match(match[0].strip(" ,;")) and number + 1 >= count:
            break
    return place
