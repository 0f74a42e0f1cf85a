"""Which candidate markers are this figure's panel labels: the best explained sequence of labels."""

from __future__ import annotations

from typing import NamedTuple

from pmcoa_build.captions.labels import base, rank
from pmcoa_build.captions.markers import Marker

KINDS = ("upper", "lower", "roman", "digit")


class Sequence(NamedTuple):
    """The labels believed, and the markers that name them (each marker's labels cut to the believed ones)."""

    labels: tuple[str, ...]
    markers: list[Marker]
    homes: dict[str, int]
    """Label -> start of the marker that introduces it."""


EMPTY = Sequence((), [], {})


def _table(markers: list[Marker], kind: str) -> dict[int, list[Marker]]:
    """Candidates by rank of the labels they name."""
    table: dict[int, list[Marker]] = {}
    for marker in markers:
        ranks = [rank(label, kind) for label in marker.labels]
        if min(ranks) >= 0:
            for place in ranks:
                table.setdefault(place, []).append(marker)
    return table


def _chain(table: dict[int, list[Marker]]) -> list[int]:
    """Ranks believed, from the first one on. Weak candidates count only in their turn; single holes are passed
    over where what follows is sure."""
    first = 0
    if 0 not in table:
        sure = [r for r in table if max(m.strength for m in table[r]) >= 0.8]
        if not sure or min(sure) + 1 not in sure:
            return []
        first = min(sure)
    chain: list[int] = []
    position, place = -1, first
    while True:
        here = table.get(place, [])
        believed = [m for m in here if m.strength >= 0.5 or m.start > position]
        if believed:
            best = max(believed, key=lambda m: (m.strength >= 0.5, -m.start))
            position = max(position, best.start) if best.strength < 0.5 else best.start
            chain.append(place)
        elif not (len(chain) >= 2 and any(m.strength >= 0.8 for m in table.get(place + 1, []))):
            return chain
        place += 1


def _score(chain: list[int], table: dict[int, list[Marker]], kind: str) -> float:
    if not chain:
        return 0.0
    best = [max(m.strength * (1.5 if m.opens else 1.0) for m in table[r]) for r in chain]
    if len(chain) == 1 and not _alone(table[chain[0]]):
        return 0.0
    if kind == "digit" and not all(any(m.opens and m.style == "paren" for m in table[r]) for r in chain):
        return 0.0
    if max(best) < 0.6 and sum(best) < 1.0:
        return 0.0
    return sum(best) * {"upper": 1.0, "lower": 1.0, "roman": 0.5, "digit": 0.3}[kind]


def _alone(markers: list[Marker]) -> bool:
    """A single label is believed only where its form leaves no doubt."""
    return any(m.style == "word" or (m.style == "paren" and (m.opens or len(m.labels) > 1)) for m in markers)


def believe(markers: list[Marker]) -> Sequence:
    """The labels of the figure: the alphabet (upper, lower, roman, digits) whose chain is best explained."""
    found = []
    for kind in KINDS:
        table = _table(markers, kind)
        chain = _chain(table)
        score = _score(chain, table, kind)
        if score > 0:
            found.append((score, kind, chain, table))
    if not found:
        return EMPTY
    earliest = min(min(m.start for m in table[chain[0]]) for _, _, chain, table in found)
    score, kind, chain, table = max(
        found, key=lambda f: f[0] + (2.0 if min(m.start for m in f[3][f[2][0]]) == earliest else 0.0)
    )
    return _settle(markers, kind, chain, table)


def _settle(markers: list[Marker], kind: str, chain: list[int], table: dict[int, list[Marker]]) -> Sequence:
    """Homes of the believed labels, and all the markers that name them."""
    homes: dict[str, Marker] = {}
    for place in chain:
        strong = [m for m in table[place] if m.strength >= 0.5] or table[place]
        opening = [m for m in strong if m.opens and m.strength >= 0.5]
        home = (opening or strong)[0]
        for label in home.labels:
            if rank(label, kind) == place:
                homes[label] = home
    homes = _without_cited(homes)
    labels = tuple(homes)
    styles = {home.style for home in homes.values()}
    used = []
    for marker in markers:
        named = tuple(dict.fromkeys(label if label in homes else base(label) for label in marker.labels))
        if not all(label in homes for label in named):
            continue
        if marker.labels != named and marker.style not in ("paren", "extra"):
            continue  # "A1" inside lettered panels, only where it is bracketed
        home_here = any(homes[label] is marker for label in named)
        if marker.strength >= 0.5 or home_here or marker.style in styles or marker.style in ("mention", "inner", "in"):
            used.append(marker._replace(labels=named))
    return Sequence(labels, used, {label: home.start for label, home in homes.items()})


def _without_cited(homes: dict[str, Marker]) -> dict[str, Marker]:
    """Where clauses open with their markers, a bracket inside one that also names an opened label ("sites (A to F)")
    introduces nothing."""
    opened = {label for label, home in homes.items() if home.opens}
    if len(opened) < 2:
        return homes
    return {
        label: home
        for label, home in homes.items()
        if home.opens or not any(other in opened and homes[other] is not home for other in home.labels)
    }
