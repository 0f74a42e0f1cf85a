"""Which candidate markers are this figure's panel labels: the best explained sequence of labels."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from pmcoa_build.captions.brackets import Marker
from pmcoa_build.captions.labels import base, rank

KINDS = {"upper": 1.0, "lower": 1.0, "roman": 0.5, "digit": 0.3}
"""Alphabets of panel labels, and how readily each is believed."""


class Sequence(NamedTuple):
    """The labels believed, and the markers that name them, in order of place."""

    labels: tuple[str, ...]
    markers: list[Marker]
    homes: dict[str, int]
    """Label -> start of the marker that introduces it."""


_LOCATED = re.compile(r"\b(?:in|on)\s+$")
_KEPT = ("mention", "inner", "in", "paren", "extra")
"""Styles in which a label is named again however the panels are introduced."""

EMPTY = Sequence((), [], {})
Homes = dict[str, Marker]
Table = dict[int, list[Marker]]


def believe(text: str, markers: list[Marker]) -> Sequence:
    """The labels of the figure: the alphabet (upper, lower, roman, digits) whose chain is best explained."""
    upper, lower = _table(markers, "upper"), _table(markers, "lower")
    found = {"upper": _best(upper, lower, "upper"), "lower": _best(lower, upper, "lower")}
    if all(len(homes) < 2 for _, homes in found.values()):  # else roman and digits are parts of a lettered panel
        found |= {kind: _best(_table(markers, kind), {}, kind) for kind in ("roman", "digit")}
    found = {kind: best for kind, best in found.items() if best[0] > 0 and not _glossary(best[1], markers)}
    if not found:
        return EMPTY
    if "upper" in found and "lower" in found and _capitals_lead(found["upper"][1], found["lower"][1]):
        del found["lower"]
    sure = [_start(homes) for _, homes in found.values() if _sure(homes)]
    earliest = min(sure, default=-1)
    homes = max(found.values(), key=lambda f: f[0] + (2.0 if _start(f[1]) == earliest else 0.0))[1]
    return _settle(_reaching(text, markers, homes), homes)


def _best(table: Table, other: Table, kind: str) -> tuple[float, Homes]:
    """The best explained chain of an alphabet, and how well it is (0: not at all)."""
    best: tuple[float, Homes] = (0.0, {})
    if not table:
        return best
    for place in _beginnings(table):
        homes = _without_cited(_chain(table, other, kind, place))
        score = KINDS[kind] * _score(homes, kind) * (0.4 if place else 1.0)
        if score > best[0]:
            best = (score, homes)
    return best


def _sure(homes: Homes) -> bool:
    return all(home.strength >= 0.5 for home in homes.values())


def _glossary(homes: Homes, markers: list[Marker]) -> bool:
    """Are these letters some of many that stand for words: "A, aorta; B, bronchus; E, oesophagus; L, lung", "vein (V),
    bile duct (B) and artery (A)"?"""
    styles = {home.style for home in homes.values()}
    if len(styles) > 1 or any(home.opens or len(home.labels) > 1 for home in homes.values()):
        return False
    one = next(iter(homes.values()))
    others = [
        m
        for m in markers
        if m.style == one.style and len(m.labels) == 1 and m.labels[0] not in homes and m.labels[0][0].isupper()
    ]
    if not others or not one.labels[0].isupper():
        return False
    places = [home.start for home in homes.values()]
    alone = len({base(label) for label in homes}) == 1
    return len(homes) <= len(others) and (alone or one.style == "inner" or places != sorted(places))


def _capitals_lead(upper: Homes, lower: Homes) -> bool:
    """Where both cases are marked in brackets, the capitals are the panels ("leaves (A) and roots (B); untreated (a),
    50 µg (b)"), unless only the small letters open clauses."""
    if len(upper) < 2 or not all(home.style in ("paren", "open", "dot") for home in upper.values()):
        return False
    opening = [2 * sum(home.opens for home in homes.values()) >= len(homes) for homes in (upper, lower)]
    return _sure(upper) and (opening[0] or not opening[1]) and _start(upper) < _start(lower)


def _start(homes: Homes) -> int:
    return min(home.start for home in homes.values())


@lru_cache(maxsize=4096)
def _place(label: str, kind: str) -> int:
    """Rank of a label; sub-labels ("A1") at the place of their letter."""
    place = rank(label, kind)
    if place < 0 and len(label) > 1 and kind in ("upper", "lower"):
        return rank(base(label), kind)
    return place


@lru_cache(maxsize=4096)
def _places(labels: tuple[str, ...], kind: str) -> tuple[int, ...]:
    """Distinct places of the labels; none where one is not of that kind."""
    places = tuple(dict.fromkeys(_place(label, kind) for label in labels))
    return places if min(places) >= 0 else ()


def _table(markers: list[Marker], kind: str) -> Table:
    """Candidates by rank of the labels they name."""
    table: Table = {}
    for marker in markers:
        for place in _places(marker.labels, kind):
            if marker.strength >= 0.6 or kind in ("roman", "digit") or max(map(len, marker.labels)) == 1:
                table.setdefault(place, []).append(marker)
    return table


def _beginnings(table: Table) -> list[int]:
    """Places where the figure's labels may begin: the first of the alphabet; a later one ("Figs. H–K. H: …") where two
    in brackets or three that open clauses follow each other."""
    if len(table) < 2 or any(m.opens and m.strength >= 0.8 for m in table.get(0, [])):
        return [0]
    sure = {
        r: [m for m in table[r] if m.strength >= 0.8 and (m.opens or m.style in ("paren", "figure"))] for r in table
    }
    opening = {r: [m for m in sure[r] if m.opens] for r in table}
    for known in (opening, sure):
        place = min((r for r in table if known[r]), default=0)
        run = [known.get(place + n, []) for n in range(3)]
        listed = any(len(m.labels) > 2 or (m.opens and m.style == "paren") for m in sure.get(place, []))
        forgotten = place == 1 and run[1] and run[0][0].start < run[1][0].start  # "Height, (B) area, and (C) mass"
        if place and run[1] and (run[2] or listed or forgotten):
            return [0, place]
    return [0]


def _chain(table: Table, other: Table, kind: str, place: int) -> Homes:
    """Homes of the labels believed, from a first place on. Weak candidates count only in their turn; a single hole
    is filled from the other case, or passed over where what follows is sure."""
    homes: Homes = {}
    position = -1
    while True:
        home = _home(table, place, position, homes)
        if home is None and homes and _sure(homes):
            last = list(homes)[-1]
            slipped = rank(base(last), kind) < 0  # only once
            home = _slip([homes[last]] if slipped else other.get(place, []), place, position)
        if home is not None:
            position = home.start
            named = _labels_at(home, table.get(place, []), place, kind)
            if not named or (_is_part(named[0], kind) and not home.opens and not all(len(h) > 1 for h in homes)):
                return homes  # "(E1, optimal; E2, delayed)" among lettered panels
            for label in named:
                homes[label] = home if label in home.labels else next(m for m in table[place] if label in m.labels)
        elif not _goes_on(table.get(place + 1, []), homes):
            return homes
        place += 1


def _is_part(label: str, kind: str) -> bool:
    return kind in ("upper", "lower") and len(label) > 1


def _slip(others: list[Marker], place: int, position: int) -> Marker | None:
    """One label, or one range of them, written in the other case."""
    for marker in others:
        if all(rank(base(label), kind) != place for label in marker.labels for kind in ("upper", "lower")):
            continue
        if marker.opens and (marker.strength == 1.0 or marker.style in ("open", "dot")) and marker.start >= position:
            return marker
    return None


def _goes_on(following: list[Marker], homes: Homes) -> bool:
    """Does the sequence go on behind a hole: with a sure marker that opens its clause where the others do?"""
    opening = 2 * sum(home.opens for home in homes.values()) > len(homes)
    return len(homes) >= 2 and any(m.strength >= 0.8 and (m.opens or not opening) for m in following)


def _revisits(marker: Marker, homes: Homes) -> bool:
    """Does the marker name panels again that others introduced: "(A–C) Wild type, (D–F) mutant. (B, E) Details"?"""
    return any(label in homes and homes[label].start < marker.start for label in marker.labels)


def _home(table: Table, place: int, position: int, homes: Homes) -> Marker | None:
    """The candidate that introduces the label: the first sure one that does not stand before all other labels, or one
    that opens a clause where the next label does not stand between ("(B) as in (C). (C) …", but "In (A) dorsal, (B)
    ventral view. (A) taken in 2012"); else a weak one in its turn."""
    here = table.get(place, [])
    strong = [m for m in here if m.strength >= 0.5]
    if strong:
        if len(strong) == 1:
            return strong[0]
        begun = _start(homes) if homes else -1
        strong = [m for m in strong if m.start >= begun] or strong  # "all from Peru, but (K–L). Ribs (A), …"
        first = strong[0]
        opening = next((m for m in strong if m.opens and not _revisits(m, homes)), first)
        following = [m.start for m in table.get(place + 1, []) if m.strength >= 0.5]
        between = any(max(first.start, position) < start < opening.start for start in following)
        return first if between else opening
    weak = [m for m in here if m.start >= position]
    if not weak:
        return None
    if place == 0:  # an article "A" may stand before the label "A": the last one before "B"
        later = [m.start for m in table.get(1, []) if m.start > weak[0].start]
        weak = [m for m in weak if not later or m.start < later[0]][-1:]
    home = weak[0]
    styles = {"bare": ("bare", "loose", "comma"), "loose": ("bare", "loose", "dot", "open")}.get(home.style)
    if homes and styles and 2 * sum(h.style in styles for h in homes.values()) < len(homes):
        return home if any(m.strength >= 0.8 for m in table.get(place + 1, [])) else None
    return home


@lru_cache(maxsize=4096)
def _whole(labels: tuple[str, ...], place: int, kind: str) -> tuple[str, ...]:
    """The first of the labels at a place, of either case; none where only sub-labels of a letter are there."""
    alike = {"upper": str.upper, "lower": str.lower}.get(kind, str)
    plain = tuple(label for label in labels if _place(alike(label), kind) == place)
    return plain[:1] if kind in ("roman", "digit") or any(len(label) == 1 for label in plain) else ()


def _labels_at(home: Marker, here: list[Marker], place: int, kind: str) -> list[str]:
    """The labels at one place: the letter, or its sub-labels where the letter itself is never named."""
    whole = _whole(home.labels, place, kind)
    if whole or kind in ("roman", "digit"):
        return [*whole]
    letters = [label for m in here if m.strength >= 0.5 for label in m.labels if rank(label, kind) == place]
    if letters:
        return letters[:1]
    subs = list(dict.fromkeys(label for m in here for label in m.labels if _place(label, kind) == place))
    return subs if subs and subs[0][1:] in ("1", "i", "a") else []


def _score(homes: Homes, kind: str) -> float:
    if not homes:
        return 0.0
    starts = [home.start for home in homes.values()]
    distinct = dict(zip(starts, homes.values(), strict=True))
    best = [  # a range of 24 is no better than four labels
        home.strength * (1.5 if home.opens else 1.0) * min(starts.count(start), 4) for start, home in distinct.items()
    ]
    if len(homes) == 1 and not _alone(next(iter(homes.values()))):
        return 0.0
    if kind == "digit" and not all(home.opens and home.style == "paren" for home in homes.values()):
        return 0.0
    if max(home.strength for home in homes.values()) < 0.5:  # bare letters only: as many as a list needs
        return sum(best) if len(homes) >= 3 else 0.0
    return sum(best)


def _alone(home: Marker) -> bool:
    """A single label is believed only where its form leaves no doubt."""
    return home.style == "word" or (home.style == "paren" and home.opens)


def _without_cited(homes: Homes) -> Homes:
    """Where clauses open with their markers, a bracket inside one that also names an opened label ("sites (A to F)")
    introduces nothing."""
    opened = {label for label, home in homes.items() if home.opens and home.strength >= 0.8}
    if len(opened) < 2 or next(iter(homes)) not in opened:
        return homes
    begun = min(homes[label].start for label in opened)
    return {
        label: home
        for label, home in homes.items()
        if home.opens or home.start < begun or not any(o in opened and homes[o] is not home for o in home.labels)
    }


def _reaching(text: str, markers: list[Marker], homes: Homes) -> list[Marker]:
    """The markers, with all labels between where a last one beyond the run is named: "(a and b) normal, … in (h)".
    The homes get the new labels."""
    last = list(homes)[-1]
    if len(homes) < 2 or len(last) > 1 or not last.islower():
        return markers
    place = rank(last, "lower")
    beyond = [m for m in markers if m.start > homes[last].start and m.labels[0] > last and m.style == "paren"]
    if len(beyond) != 1 or len(beyond[0].labels) > 1 or rank(beyond[0].labels[0], "lower") < place + 2:
        return markers
    marker = beyond[0]
    if not _LOCATED.search(text, max(0, marker.start - 6), marker.start):
        return markers
    between = tuple(chr(97 + n) for n in range(place + 1, rank(marker.labels[0], "lower") + 1))
    named = marker._replace(labels=between)
    homes.update(dict.fromkeys(between, named))
    return [named if m is marker else m for m in markers]


def _settle(markers: list[Marker], homes: Homes) -> Sequence:
    """All the markers that name believed labels, beside the labels' homes."""
    known, styles = set(homes), {home.style for home in homes.values()}
    trail = sum(not home.opens for home in homes.values()) * 2 > len(homes)
    used = []
    for marker in markers:
        named = marker.labels
        if not known.issuperset(named):
            named = tuple(dict.fromkeys(label if label in homes else base(label) for label in named))
            if not known.issuperset(named) or marker.style not in ("paren", "extra"):
                continue  # "A1" inside lettered panels counts only where it is bracketed
        home_here = any(homes[label] is marker for label in named)
        if not home_here and (marker.style == "loose" or (marker.style == "bare" and "bare" not in styles)):
            continue  # "A Venn diagram" where A is "(A)"
        # where clauses trail, this one only looked like opening: "… in a curved fashion (A) The tumour was cut (B)."
        seeming = trail and marker.strength == 0.9 and marker.style == "paren"
        opens = marker.opens and not seeming
        if marker.strength >= 0.5 or home_here or marker.style in styles or marker.style in _KEPT:
            same = named is marker.labels and opens == marker.opens
            used.append(marker if same else marker._replace(labels=named, opens=opens))
    named_by = {label for marker in used for label in marker.labels}
    starts = {label: home.start for label, home in homes.items() if label in named_by}
    return Sequence(tuple(starts), used, starts)
