"""How one sentence is shared out among the labels that its markers name (see clauses.py)."""

from __future__ import annotations

import re
from collections.abc import Sequence as Many
from itertools import pairwise

from pmcoa_build.captions import clauses as cl
from pmcoa_build.captions.brackets import Marker
from pmcoa_build.captions.clauses import Clauses, Span

_PLURAL_VERB = re.compile(
    r"\b(?:show|demonstrate|reveal|are|were|have|illustrate|depict|indicate|represent|exhibit|display|suggest|confirm)\b"
)


def hand_out(out: Clauses, text: str, start: int, end: int, markers: list[Marker]) -> tuple[str, ...]:
    """Share one sentence among the labels of its markers; gives those that the next sentence goes on with."""
    first = markers[0]
    for marker in markers:
        if marker.extra:
            out.give(marker.labels, *marker.extra, text)
    if len(markers) == 1:
        _share(out, text, start, end, markers)
        return first.labels
    named = _named(markers)
    if first.opens and len(first.labels) > 1 and set(first.labels) == set(named):
        start, markers = first.end, markers[1:]
        inner = {label for m in markers for label in m.labels}
        if len(inner) < 2:
            out.give(named, start, end, text)
            return named
    all_go_on = True
    for begin, stop, group in _segments(text, start, end, _merged(text, markers)):
        all_go_on = _share(out, text, begin, stop, group)
    return named if all_go_on else markers[-1].labels


def _share(out: Clauses, text: str, start: int, end: int, markers: list[Marker]) -> bool:
    """Share out one part of a sentence; gives whether the next sentence goes on with all of its labels."""
    if len(markers) == 1:
        marker = markers[0]
        if not marker.opens and not _empty(text, start, marker):
            out.give(marker.labels, start, marker.start, text)
        out.give(marker.labels, marker.end, end, text)
        return True
    if _trails(text, start, end, markers):
        _trailing(out, text, start, end, markers)
        return True
    return _leading(out, text, start, end, markers)


def _segments(text: str, start: int, end: int, markers: list[Marker]) -> list[tuple[int, int, list[Marker]]]:
    """A sentence cut at the semicolons and brackets behind which a list with a lead-in of its own begins: "left femur
    in (A) anterior and (B) posterior views; right femur in (C) medial view"."""
    segments: list[tuple[int, int, list[Marker]]] = []
    group: list[Marker] = []
    for marker in markers:
        semicolon = text.rfind(";", group[-1].end, marker.start) if group else -1
        if semicolon >= 0 and text.count("(", semicolon, marker.start) == text.count(")", semicolon, marker.start):
            own = _words(text, (semicolon, marker.start))
            leads = cl.PREPOSITION_END.search(text, max(semicolon, marker.start - 12), marker.start)
            alike = own[:1] == [word.lower() for word in _words(text, (start, group[0].start))[:1]]
            if own and (leads or alike or (len(group) > 1 and len(own) > 2)):
                segments.append((start, semicolon + 1, group))
                start, group = semicolon + 1, []
        elif group and group[-1].style == "legend" and (closed := text.find(")", group[-1].end, marker.start)) >= 0:
            segments.append((start, closed, group))  # "(A: mice, B: rats) and guts (C: mice, D: rats)"
            start, group = closed + 1, []
        group.append(marker)
    return [*segments, (start, end, group)]


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
    joined = [cl.JOINED.search(text, max(start, m.start - 12), m.start) is not None for m in markers]
    if cl.NOTHING.match(text, markers[-1].end, end):
        return len(markers) < 3 or not all(joined[:-1])  # "for (A) actin, (B) desmin, with an overview (C)"
    votes = -joined[0] - 2 * sum(joined[1:])
    for marker in markers:
        after = None if cl.MOMENT.match(text, marker.end, end) else cl.TRAILED.match(text, marker.end, end)
        votes += 0 if after is None else 3 if after["list"] is not None else 1
    return votes > 0


def _trailing(out: Clauses, text: str, start: int, end: int, markers: list[Marker]) -> None:
    lead = _lead_in(text, start, markers)
    left = led = start
    group: list[Marker] = []  # those that share the next end
    seen: set[str] = set()  # within one list
    for marker in markers:
        if group:
            stop, left, closed = _next_item(text, left, marker.start, len(group))
            out.give(_named(group if closed else group[-1:]), group[-1].end, stop, text)
            if closed and text[stop] not in ",;":  # "craniocaudal (A) and oblique (B) views and ultrasound (C)"
                lead = None
            group = [] if closed else group
            if seen.issuperset(marker.labels):  # "X (A, B) and Y (C, D) treated with drug 1 (A, C) or drug 2 (B, D)"
                led, lead, seen = left, _last_lead(text, left, marker.start), set()
            elif lead:
                stop = _lead_end(text, lead, (left, marker.start))
                out.give(marker.labels, led, stop, text)
                if stop == 0:  # "mouse plasma against X (C) or Y (D)": this one leads those that follow
                    led, lead = left, _repeated(text, lead, (left, marker.start))
        out.give(marker.labels, left, marker.start, text)
        left = marker.end
        group.append(marker)
        seen.update(marker.labels)
    out.give(_named(group), left, end, text)


def _named(markers: list[Marker]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label for m in markers for label in m.labels))


def _next_item(text: str, left: int, right: int, count: int) -> tuple[int, int, bool]:
    """Between two trailing markers: where what goes on about the first ends, where the item of the second begins, and
    whether the first list ends there."""
    semicolon = text.find(";", left, right)
    if semicolon >= 0:  # "patient 6 (A), 16 years old; patient 7 (B), 9 years old"
        return semicolon, semicolon + 1, True
    cuts = list(cl.SPLIT.finditer(text, left, right))
    if cuts and cl.GOES_ON.match(text, left, right):
        return cuts[-1].start(), cuts[-1].end(), False
    if cuts and count > 1 and cl.WORD.match(text, left, right):
        cut = next((c for c in reversed(cuts) if c[0][0] == ","), cuts[0])
        if _words(text, (left, cut.start())):  # "early (a) and late (b) films, and early (c) and late (d) scans"
            return cut.start(), cut.end(), True
    return left, left, False


Lead = tuple[int, int, int]
"""Where the preposition and the article that end a lead-in begin, and the first item; one place where one is absent."""


def _lead_in(text: str, start: int, markers: list[Marker]) -> Lead | None:
    """The words before the first item that all items share: "Expression of" before "actin (A), tubulin (B)"."""
    first = markers[0]
    if not _short([(a.end, b.start) for a, b in pairwise(markers)], text, 7):
        return None
    lead = _last_lead(text, start, first.start)
    following = _words(text, (first.end, markers[1].start))
    count = len(following)
    if not 0 < count < 3 or not cl.VIEW.match(following[-1]):
        return lead
    words = _words(text, (start, first.start))
    alike = count < len(words) and cl.VIEW.match(words[-1])
    if alike and (lead is None or len(_words(text, (lead[2], first.start))) > count + 1):
        place = re.search(rf"(?:\S+\s+){{{count - 1}}}\S+\s*$", text[start : first.start])
        if place:  # "Radiographs anteroposterior (A) and oblique (B)"
            return (start + place.start(),) * 3
    return lead


def _last_lead(text: str, start: int, end: int) -> Lead | None:
    lead = None
    for match in cl.LEAD_IN.finditer(text, start, end):
        if cl.trim(text, match.end(), end):
            article = match.start("article") if match["article"] else match.end()
            lead = (match.start(), article, match.end())
    return lead


def _lead_end(text: str, lead: Lead, item: Span) -> int:
    """Where the lead-in of a further item ends, which may bring its own article, preposition, or everything."""
    word, article, full = lead
    if cl.CONTRAST.match(text, *item):
        return 0
    found = cl.trim(text, *item)
    if found is None:
        return full
    own = cl.OWN_START.match(text, *found)
    if own:
        return article if own["article"] else word
    if cl.OWN_PHRASE.match(text, *found):
        return 0
    said = text[word:article].strip(" ,:=").lower()
    phrase = text[found[0] : found[1]].lower()
    return 0 if said and said != "and" and len(phrase.split()) > 3 and f" {said} " in phrase else full


def _repeated(text: str, lead: Lead, item: Span) -> Lead | None:
    """The lead-in's end within an item that brings the whole phrase itself."""
    said = text[lead[0] : lead[1]].strip(" ,:=")
    places = list(re.compile(rf"\b{re.escape(said)}\s+", re.I).finditer(text, *item)) if said else []
    return (places[-1].start(), places[-1].end(), places[-1].end()) if places else None


def _leading(out: Clauses, text: str, start: int, end: int, markers: list[Marker]) -> bool:
    """Share out a sentence whose markers lead; gives whether the next unmarked sentence goes on with all of them: after
    a shared end or a list of short items, but not after long clauses of their own."""
    named, last = _named(markers), markers[-1]
    alone = cl.trim(text, last.end, end) is None  # "(B) Hip, showing the fracture (C).": the last one trails
    if not markers[0].opens and not _empty(text, start, markers[0]):
        out.give(_named(markers[:-1]) if alone else named, start, markers[0].start, text)
    items = []
    for marker, following in pairwise(markers):
        cut = _next_lead_in(text, marker.end, following.start)
        if alone and following is last:
            cuts = [match.end() for match in cl.SPLIT.finditer(text, marker.end, last.start)]
            cut = cuts[-1] if cuts else marker.end
        out.give(marker.labels, marker.end, cut, text)
        if not _empty(text, cut, following):
            out.give(following.labels, cut, following.start, text)
        items.append((marker.end, cut))
    closed = text.find(")", last.end, end) if last.style == "legend" else -1
    located = not markers[0].opens and cl.LOCATED.match(text, start, markers[0].start)
    if located and closed < 0:
        closed = text.find(",", last.end, end)
    shared = closed if closed >= 0 else _shared_end(text, items, last.end, end)
    out.give(last.labels, last.end, shared, text)
    out.give(named, shared, end, text)
    return shared < end or _short(items, text, 6)


def _empty(text: str, start: int, marker: Marker) -> bool:
    """Is what stands before a marker a mere "In (A), …"?"""
    comma = text[marker.end - 1] == "," or text[marker.end : marker.end + 1] == ","
    return comma and len(_words(text, (start, marker.start))) == 1


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
    endings = [w[-1] for w in words if w]
    if longest <= 3 and all(cl.VIEW.match(ending) for ending in endings):
        return _after_words(text, start, end, longest)
    if longest == 1 and (rest := cl.SHARED_REST.match(text, start, end)):
        return rest.start(1)
    if longest <= 4 and len(set(endings)) == 1:  # "(A) Top view, (B) side view of the crystal"
        alike = re.compile(rf"\s*(?!(?:the|an?)\s)(?:\S+\s+){{0,3}}{re.escape(endings[0])}\b").match(text, start, end)
        if alike and not cl.NOTHING.match(text, alike.end(), end):
            return alike.end()
    verb = _PLURAL_VERB.search(text, start, end)
    bracketed = verb and text.count("(", start, verb.start()) > text.count(")", start, verb.start())
    if verb and not bracketed and longest <= 12 and not any(_PLURAL_VERB.search(text, *item) for item in items):
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
