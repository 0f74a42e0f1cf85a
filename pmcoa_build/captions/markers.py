"""Where a caption names its panels: candidate markers of several styles, and which of them to believe.

A candidate is a place where a label, list or range of labels stands in a form that captions use: `(A)`, `A:`, `A.`,
`A,`, `A)`, `Panel A`, `a The …`. Alone none proves anything ("vitamin A", "(P < 0.05)"); together they do: the
believed ones form a sequence of labels that starts at the first letter and leaves no holes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from pmcoa_build.captions import labels as lb
from pmcoa_build.captions.brackets import Marker, half_brackets, in_brackets, legends, spanned
from pmcoa_build.captions.generic import SCALE
from pmcoa_build.captions.labels import DASHES, LIST, UNIT

# Patterns looked for all over a caption begin with a set of characters where they can: `re` skips to these quickly, but
# tries a pattern that begins otherwise at every place.
_POSSIBLE = re.compile(
    r"\(?(?:[A-Za-z]\b|[A-Za-z]\d|[ivxA-Z][ivx]+\b|\d|(?:and|or|[Ii]n|[Ff]or|[Pp]anels?|[Pp]arts?|[Ii]mages?)\s)"
)
_OPEN = re.compile(
    rf"(?:(?:and|or)\s+)?((?:[Ii]n\s+)?(?:[Pp]anels?|[Pp]arts?|[Ii]mages?)\s+)?\(?({LIST})"
    rf"(?:\s*(?:\.(?![A-Z]\.)|[:|]|\))(?:\s*[.,:])?(?=\s|$|[A-Z(])|\s?[{DASHES}](?=\s)|(\s*,)(?=\s))"
)
_BARE = re.compile(
    rf"(?:(?:and|or)\s+)?(?:({UNIT}(?:(?:{lb.RANGE}|{lb.COMMA}){UNIT}(?![\w'])){{1,25}})\s+(?=[a-z]{{2}}(?!d\b|r\b))|"
    rf"({LIST})\s+(?=[A-Z*\u00d7\u201c\"\u0394-\u03c9]|(?:and|or)\b|"
    r"\((?:[Tt]op|[Bb]ottom|[Ll]eft|[Rr]ight|[Uu]pper|[Ll]ower))|([b-z])\s+(?=\d))(?!P\s*[<=\u2264])"
)
_BARE_INNER = re.compile(r"[,;:.(]\s*(?:and\s+|or\s+)?([a-z](?:[\u2013-][a-z])?)(?=\s+[^\W_])(?!\s+[pP]\s*[<=\u2264])")
_BARE_LIST = re.compile(
    rf";\s+(?:and\s+|or\s+)?({UNIT}(?:(?:{lb.RANGE}|{lb.COMMA}){UNIT}(?![\w'])){{1,25}})\s+(?=[a-z]{{2}})"
)
_BARE_UPPER = re.compile(r"([A-Z](?<![\w\u2013/-].)(?:[\u2013-][A-Z])?)(?=\s+[A-Za-z\d])")
_BARE_LOWER = re.compile(
    r" (?:(?<=[a-z] )(a)(?=\s+\d|\s+[A-Z]{2})|(?<=\band )([b-z])(?=\s+[A-Z\d]|\s+[a-z]{3})|"
    r"(?<=[a-z)] )([b-h])(?=\s+[A-Z][a-z]))"
)
_GLUED_LIST = re.compile(rf"([A-Z](?<![\w{DASHES}].)(?:{lb.RANGE}|{lb.COMMA})[A-Z])(?=[A-Z][a-z]{{3}})")
_LOOSE_LIST = re.compile(rf"([A-Z](?<=[\w)]\s.)(?:{lb.RANGE}|{lb.COMMA})[A-Z])[.:]\s(?=[A-Z])")
_LOOSE = re.compile(r"[\s)](?:(?<=[\w)]\s)([A-Za-z])[.:](?=\s)|(?<=\))([A-Z]):)")
_LOOSE_PAIR = re.compile(r" (?<=\w )([Aa])([.:])\s(?=\w)[^.:;]{3,120}?[\s,]and\s([Bb])\2\s(?=\w)")
_GENUS = re.compile(
    r"[A-Z]\.\s?[a-z]+(?:[ui]s|um|[a-z]i|ae|[ae]ns|[b-df-z]a|oides|gaster|pombe|rerio|mays|vivax|niger)\b"
)
"""A genus cut to its letter before an epithet, "C. elegans"; or "C. retina", where A and B are dotted so too."""
_IN_OPEN = re.compile(rf"(?:[Ii]n|[Ff]or)\s+\(?({LIST})\)?\s*,(?=\s)")
_INNER = re.compile(
    rf"[\s;,:({DASHES}](?:(?<=\s)(?:and|or|for|in)\s+|(?<!\s)(?:\s+|(?<=[;,:(]))(?:and\s+|or\s+)?)({LIST})"
    r"(?=(\s*(?:[,:;]|=(?!\s*[\d<]))|\)(?:[.,:])?|\.)(?=\s))"
)
_WORD = re.compile(rf"([IiPp](?<!\w.)(?:(?<=[Ii])n\s+[Pp]|(?<=[Pp]))anels?)\s+\(?({LIST})\)?(?![\w(])")
_MENTION = re.compile(rf"\b(?:in|on|for|of|from|see|to)\s+(?!a\s+[^\W\d_]|I\b|a\s+\d)({LIST})(?=[\s.,;:)]|$)")
_FIGURE_HEAD = re.compile(rf"\s*(?:Supplementary\s+)?(?:Fig\.?|Figure)\s*S?\d+\s*({LIST})\s*[.:]")
_CITED = re.compile(
    r"\b(?:(?:(?:figs?|eqs?|refs?|tabs?|nos?)\.?|figures?|tables?|movies?|videos?|schemes?|files?)(?:\s+S?\d+)?[\s,]*|"
    r"(?:vitamins?|hepatitis|types?|groups?|class|stages?|grades?|segments?|levels?|sites?|samples?|patients?|cases?|"
    r"strains?|factors?|boxe?s?)\s+|letters?\s*\(?\s*)$",
    re.I,
)
CITES = re.compile(r"\b(?:in|of|than|from|to|for|by|like|as|with|see|cf\.?)\s*$", re.I)
BOUNDARY = re.compile(
    r"[.!?\n](?:(?<=\n)\n*|(?<!\n)[\"\u201d\u2019')\]]{0,2}"
    r"(?:\s+|(?=[(\[][A-Za-z]\b|[A-Z][a-z]{2}|[A-Z]{2,}\s|[A-Z][.):,])))"
)
_ABBREVIATED = re.compile(
    r"(?:\b(?:[Ff]igs?|vs|e\.g|i\.e|cf|ca|al|[Nn]o|[Nn]os|approx|[Ss]t|Dr|Prof|sp|spp|var|subsp|resp|[Ee]q|[Ee]qs|[Rr]efs?|"
    r"[Cc]at|[Ss]upp?l|[Tt]ab|[Mm]ag|orig|inc|Inc|Ltd|Co|[Vv]ol|pp|nov|gen|cv|min|max|avg|Exp|Suppl))$"
)


def boundaries(text: str) -> list[int]:
    """Starts of the caption's sentences, in order; the first stands behind "Figure 1." and blanks."""
    heading = _HEADING.match(text)
    starts = [heading.end() if heading else 0]
    for match in BOUNDARY.finditer(text):
        end = match.end()
        if end >= len(text) or (text[end].islower() and not _LOWER_MARKER.match(text, end)):
            continue
        if text[match.start()] != "." or _ends_sentence(text, starts[-1], match.start(), end):
            starts.append(end)
    return starts


def _ends_sentence(text: str, start: int, dot: int, end: int) -> bool:
    """Is this full stop one, and not that of an abbreviation or of a marker?"""
    if _ABBREVIATED.search(text[max(start, dot - 8) : dot]):
        return False
    if text[dot - 1].isupper() and _INITIAL.search(text, max(start, dot - 9), dot):
        return False
    if len(text[start:dot].strip(" (")) <= 1:
        return False  # "A. Left": the dot belongs to the marker
    unbalanced = text[dot - 1] == ")" and text.rfind("(", start, dot) <= text.rfind(")", start, dot - 1)
    if unbalanced and _LISTED.search(text[max(start, dot - 12) : dot]):
        return False  # "shows A). Large"
    return end > dot + 1 or text[dot - 1].islower() or text[dot - 1] in ")]"


_HEADING = re.compile(r"\s*+(?:(?:Figure|Fig\.?)\s*S?\d++[.:]?\s+(?=\S))?+")
_INITIAL = re.compile(r"(?:\bProf|\bDr|\b[A-Z])\.\s?[A-Z]$")
_LISTED = re.compile(r"^[^(]*(?:[,:;]|\b(?:and|shows?|in|of|with))\s+\(?[A-Za-z]\)$")
_LOWER_MARKER = re.compile(
    r"[a-z](?:[.):,]|\s*[\u2013,-]\s*[a-z]\b|\s+[(A-Z\d*\u00d7]|\s+and\s+[a-z]\b|\s+[pP]\s*[<=\u2264])|[a-z]\s[^\W_]{2}|"
    r"[a-z]{1,3}[A-Z]|[a-z][\w-]{0,6}\s?[,=:]\s[^.;,]{3,40}[;,]"
)


def _at_start(text: str, start: int) -> Marker | None:
    """The marker that a sentence begins with."""
    if not _POSSIBLE.match(text, start):
        return None
    if (match := _OPEN.match(text, start)) and (marker := _opened(text, start, match)):
        return marker
    if match := _WORD.match(text, start):
        return Marker(start, match.end(), lb.parse_list(match[2]), "word", 0.9, True)
    if match := _IN_OPEN.match(text, start):
        return Marker(start, match.end(), lb.parse_list(match[1]), "in", 0.4, True)
    if match := _BARE.match(text, start):
        return Marker(start, match.end(), lb.parse_list(match[1] or match[2] or match[3]), "bare", 0.5, True)
    return None


def _opened(text: str, start: int, match: re.Match[str]) -> Marker | None:
    """A marker with its full stop, colon, bracket or comma; a comma may be that of a list without one: "b, d Map"."""
    found = lb.parse_list(match[2])
    if not found or match[3] is None:
        style = "dot" if text[match.end(2)] == "." else "open"
        return Marker(start, match.end(), found, style, 0.9, True) if found else None
    if len(found) == 1 and found[0].islower() and _FOOTNOTE.match(text, match.end()):
        return None
    bare = _BARE.match(text, start)
    listed = lb.parse_list(bare[1] or bare[2] or "") if bare else ()
    if bare and len(listed) > len(found) and len("".join(listed)) == len(listed):
        return Marker(start, bare.end(), listed, "comma", 0.85, True)
    return Marker(start, match.end(), found, "comma", 0.9 if match[1] else 0.85, True)


_FOOTNOTE = re.compile(r"\s*[pP]\s*[<=\u2264]")


def _elsewhere(text: str) -> Iterator[Marker]:
    for match in _INNER.finditer(text):
        strength = 0.6 if text[max(0, match.start() - 2) : match.start() + 1].rstrip()[-1:] == ";" else 0.4
        yield Marker(match.start(1), match.end(2), lb.parse_list(match[1]), "inner", strength, False)
    if text.count(")") > text.count("("):
        yield from half_brackets(text)
    for match in _WORD.finditer(text) if "anel" in text else ():
        aside = match[1][0] in "Ii"
        yield Marker(match.start(), match.end(), lb.parse_list(match[2]), "mention" if aside else "word", 0.7, False)
    for match in _BARE_INNER.finditer(text):
        yield Marker(match.start(1), match.end(1), lb.parse_list(match[1]), "bare", 0.35, False)
    for match in _BARE_LIST.finditer(text):
        yield Marker(match.start(1), match.end(1), lb.parse_list(match[1]), "bare", 0.5, False)
    for match in _MENTION.finditer(text):
        yield Marker(match.start(), match.end(1), lb.parse_list(match[1]), "mention", 0.2, False)


def _unpunctuated(text: str) -> Iterator[Marker]:
    """Letters that only their sequence can make markers, looked for where the first label has no surer form."""
    for match in _BARE_UPPER.finditer(text):
        yield Marker(match.start(1), match.end(1), lb.parse_list(match[1]), "bare", 0.3, False)
    for match in _BARE_LOWER.finditer(text):
        group = match.lastindex or 0
        yield Marker(match.start(group), match.end(), (match[group],), "bare", 0.35, False)
    for match in _GLUED_LIST.finditer(text):
        yield Marker(match.start(1), match.end(1), lb.parse_list(match[1]), "open", 0.85, True)
    for match in _LOOSE_LIST.finditer(text):
        yield Marker(match.start(1), match.end(), lb.parse_list(match[1]), "open", 0.85, True)
    for match in _LOOSE.finditer(text):
        group = match.lastindex or 0
        yield Marker(match.start(group), match.end(), (match[group],), "loose", 0.25, False)
    for match in _LOOSE_PAIR.finditer(text):
        yield Marker(match.start(1), match.end(2), (match[1],), "loose", 0.5, False)
        yield Marker(match.start(3), match.end(3) + 1, (match[3],), "loose", 0.5, False)


def candidates(text: str, starts: list[int]) -> list[Marker]:
    """All candidate markers in order of place, none overlapping another (the surer one stays)."""
    found = [*spanned(text, starts), *legends(text), *in_brackets(text, starts)]
    found += [m for start in starts if (m := _at_start(text, start))]
    found += _elsewhere(text)
    found = [m for m in _demoted(text, starts, found) if m.labels and not _cited(text, m)]
    firsts = {m.labels[0].lower() for m in found if m.strength >= 0.8}
    if not {"a", "b"} <= firsts:
        found += [m for m in _unpunctuated(text) if m.labels and not _cited(text, m)]
    found = _without_genera(text, found)
    kept: list[Marker] = []
    for marker in sorted(found, key=lambda m: (m.start, -m.strength)):
        if kept and marker.start < kept[-1].end:
            if (marker.strength >= 0.5 or marker.labels != kept[-1].labels) and _sureness(marker) > _sureness(kept[-1]):
                kept[-1] = marker
        else:
            kept.append(marker)
    return kept if any(m.strength >= 0.5 for m in kept) else _figure_head(text) or kept


_ASIDE = re.compile(rf"\s*+(?:(?P<scale>{SCALE})|(?P<glossary>(?i:(?:\w++ )?(?:abbreviations?|abbr|key)\b)))")


def _demoted(text: str, starts: list[int], found: list[Marker]) -> list[Marker]:
    """Markers in a sentence of scale bars name what stands elsewhere; letters of abbreviations name nothing."""
    asides = {start: match.lastgroup for start in starts if (match := _ASIDE.match(text, start))}
    if not asides:
        return found
    kept = []
    for marker in found:
        aside = asides.get(starts[max(bisect_right(starts, marker.start) - 1, 0)])
        if aside == "scale":
            kept.append(marker._replace(strength=min(marker.strength, 0.45)))
        elif aside is None or marker.strength >= 0.8:
            kept.append(marker)
    return kept


def _cited(text: str, marker: Marker) -> bool:
    """Is this the letter of something else: "type B", "Fig. 2B"?"""
    if marker.opens or marker.style in ("paren", "extra", "legend", "mention") or text[marker.start] in "([":
        return False
    return _CITED.search(text, max(0, marker.start - 14), marker.start) is not None


def _without_genera(text: str, found: list[Marker]) -> list[Marker]:
    """Without the cut names of genera: letters before an epithet, where not all letters up to them open a clause
    so."""
    if not _GENUS.search(text):
        return found
    places = [text.find(m.labels[0], m.start) if m.labels[0].isupper() else -1 for m in found]
    dotted = {text[place] for m, place in zip(found, places, strict=True) if m.opens and m.style == "dot"}
    unbroken = {letter for letter in dotted if all(chr(n) in dotted for n in range(65, max(ord(letter), 67)))}
    return [
        m
        for m, place in zip(found, places, strict=True)
        if place < 0 or text[place] in unbroken or not _GENUS.match(text, place)
    ]


def _sureness(marker: Marker) -> tuple[float, int, float]:
    return (marker.strength if marker.strength >= 0.5 else 0.0, len(marker.labels), marker.strength)


def _figure_head(text: str) -> list[Marker]:
    """ "Figure 1J–L. See the legend …": the labels stand with the figure's number only."""
    match = _FIGURE_HEAD.match(text)
    return [Marker(0, match.end(), lb.parse_list(match[1]), "figure", 0.8, True)] if match else []
