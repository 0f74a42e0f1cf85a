"""Panel labels as text: "A", "b", "A1", "ii", "3"; lists and ranges of them ("A, C and E", "B–D")."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

DASHES = "\\-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\uff0d"
"""For a character class: hyphen, non-breaking hyphen, figure dash, en dash, em dash, bar, minus, full-width hyphen."""

ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")

UNIT = (
    r"(?>[A-Z](?:\d{1,2}|(?:i{1,3}|iv|vi{0,3})(?![a-z]))?|"
    r"viii|vii|vi|iv|ix|xii|xi|i{1,3}|[a-z]\d?|\d{1,2})['\u2032\u2033]{0,3}+"
)
"""One label; atomic, as are the separators: lists of them must not backtrack into them."""
RANGE = rf"(?>\s*+(?:[{DASHES}~]|\bto\b|\bthrough\b)\s*+)"
COMMA = r"(?>\s*+(?:,\s*+(?:(?:and|or)\b|&)?+|/|&|\+|\band\b|\bor\b)\s*+)"
LIST = rf"{UNIT}(?:(?:{RANGE}|{COMMA}){UNIT}(?![\w'])){{0,25}}"
"""A list of labels as a pattern; what it matches goes through `parse_list`."""

_TOKEN = re.compile(rf"({UNIT})|({RANGE})|({COMMA})")
_SUB = re.compile(r"([A-Za-z])(\d+)$")


def rank(label: str, kind: str) -> int:
    """Place of a label in its alphabet, from 0; -1 where it is not of that kind."""
    if kind == "roman":
        return ROMAN.index(label.lower()) if label.lower() in ROMAN and label.islower() else -1
    if kind == "digit":
        return int(label) - 1 if label.isdigit() else -1
    if len(label) != 1 or not label.isascii() or not label.isalpha():
        return -1
    if kind == "upper":
        return ord(label) - 65 if label.isupper() else -1
    return ord(label) - 97 if label.islower() else -1


def in_order(labels: Iterable[str]) -> list[str]:
    """Labels as they follow each other on a page: by their alphabet where all are of one, else as they come (a caption
    may speak of A, E and I before B)."""
    given = list(labels)
    for kind in ("upper", "lower", "roman", "digit"):
        if all(rank(label, kind) >= 0 for label in given):
            return sorted(given, key=lambda label: rank(label, kind))
    return given


def base(label: str) -> str:
    """The letter of a sub-label: "A1" -> "A", "Bii" -> "B", "c'" -> "c"; other labels as they are."""
    if len(label) > 1 and label[0].isalpha() and (label[0].isupper() or not label[1:2].isalpha()):
        return label[0]
    return label


def _between(first: str, last: str) -> list[str]:
    """The labels of a range without its first; empty where the two do not make one."""
    for kind in ("upper", "lower", "roman", "digit"):
        low, high = rank(first, kind), rank(last, kind)
        if 0 <= low < high <= low + 25:
            if kind == "roman":
                return list(ROMAN[low + 1 : high + 1])
            if kind == "digit":
                return [str(n + 1) for n in range(low + 1, high + 1)]
            start = 65 if kind == "upper" else 97
            return [chr(start + n) for n in range(low + 1, high + 1)]
    a, b = _SUB.match(first), _SUB.match(last)
    if a and b and a[1] == b[1] and int(a[2]) < int(b[2]):
        return [f"{a[1]}{n}" for n in range(int(a[2]) + 1, int(b[2]) + 1)]
    if a and last.isdigit() and int(a[2]) < int(last):
        return [f"{a[1]}{n}" for n in range(int(a[2]) + 1, int(last) + 1)]
    return []


@lru_cache(maxsize=4096)
def parse_list(text: str) -> tuple[str, ...]:
    """ "A, C and E-G" -> ("A", "C", "E", "F", "G"): distinct labels in order, all of one case; else empty."""
    labels: list[str] = []
    ranged, position = False, 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None or token.end() == position:
            return ()
        position = token.end()
        if token[2]:
            ranged = True
        elif token[1]:
            label = token[1].replace("'", "\u2032")
            if ranged:
                between = _between(labels[-1], label) if labels else []
                if labels and not between and base(label) == base(labels[-1]) != label:
                    between = [label]  # A–A″
                if not between:
                    return ()
                labels += between
            else:
                labels.append(label)
            ranged = False
    first = labels[0] if labels else ""
    if not first or any(label[0].isupper() != first[0].isupper() for label in labels):
        return ()
    if ("/" in text or "&" in text) and sorted(labels) != labels:
        return ()  # H&E
    return tuple(dict.fromkeys(labels))
