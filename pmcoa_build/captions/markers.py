"""Where a caption names its panels: candidate markers of several styles, and which of them to believe.

A candidate is a place where a label, list or range of labels stands in a form that captions use: `(A)`, `A:`, `A.`,
`A,`, `A)`, `Panel A`, `a The …`. Alone none proves anything ("vitamin A", "(P < 0.05)"); together they do: the
believed ones form a sequence of labels that starts at the first letter and leaves no holes.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pmcoa_build.captions import labels as lb
from pmcoa_build.captions.labels import DASHES, LIST, UNIT


class Marker(NamedTuple):
    """A place that names labels. `text[start:end]` is the marker with the punctuation that belongs to it."""

    start: int
    end: int
    labels: tuple[str, ...]
    style: str
    strength: float
    """How sure the form alone is, 0 to 1."""
    opens: bool
    """Stands at the start of a sentence, or evidently starts a clause."""
    extra: tuple[int, int] | None = None
    """What stands in the brackets beside the labels: "in red" of "(C, in red)"."""


PREFIX = r"(?:(?:[Pp]anels?|[Ii]mages?|[Pp]arts?|[Ff]igs?\.?|[Ff]igures?|[Rr]ows?|[Cc]olumns?|[Pp]lates?)\s+)?"
_PAREN = re.compile(r"[(\[\uff08]([^()\[\]\uff08\uff09]{1,60})[)\]\uff09]")
_PURE = re.compile(rf"\s*{PREFIX}({LIST})\s*(?:panels?)?\s*[.:,;]?\s*$")
_WORDED = re.compile(r"\s*[Pp]anels?\s")
_HEAD = re.compile(
    rf"\s*{PREFIX}({LIST})(?:\s*[,;:.]\s*\S|\s+(?:top|bottom|left|right|upper|lower|middle|cent\w+|inset|"
    r"arrow\w*|panel\w*|and inset|in |\u00d7|black|white|red|blue|green)).*$",
    re.S,
)
_EXTRA_HEAD = re.compile(rf"\s*{PREFIX}{LIST}(?=[\s,;:.])")
_TAIL = re.compile(rf"\s*\w\w.{{1,45}}[,;]\s*{PREFIX}({LIST})\s*$")
_NOT_EXTRA = re.compile(r"[=<>\u2264\u2265%]|\bet al|^\s*n\s|\d{4}")
_POSSIBLE = re.compile(
    r"\(?(?:[A-Za-z]\b|[A-Za-z]\d|[ivxA-Z][ivx]+\b|\d|(?:and|or|[Ii]n|[Ff]or|[Pp]anels?|[Pp]arts?|[Ii]mages?)\s)"
)
_OPEN = re.compile(
    rf"(?:(?:and|or)\s+)?((?:[Ii]n\s+)?(?:[Pp]anels?|[Pp]arts?|[Ii]mages?)\s+)?\(?({LIST})"
    rf"(?:\s*(?:[.:|]|\))(?:\s*[.,:])?(?=\s|$|[A-Z(])|\s?[{DASHES}](?=\s)|(\s*,)(?=\s))"
)
_BARE = re.compile(
    rf"(?:(?:and|or)\s+)?(?:({LIST})\s+(?=[A-Z*\u00d7\u201c\"\u0394-\u03c9]|(?:and|or)\b|"
    r"\((?:[Tt]op|[Bb]ottom|[Ll]eft|[Rr]ight|[Uu]pper|[Ll]ower))|"
    rf"({UNIT}(?:(?:{lb.RANGE}|{lb.COMMA}){UNIT}(?![\w'])){{1,25}})\s+(?=[a-z]{{2}})|([b-z])\s+(?=\d))(?!P\s*[<=\u2264])"
)
_BARE_INNER = re.compile(r"[,;:.(]\s*(?:and\s+|or\s+)?([a-z](?:[\u2013-][a-z])?)(?=\s+[^\W_])(?!\s+[pP]\s*[<=\u2264])")
_BARE_LIST = re.compile(
    rf";\s+(?:and\s+|or\s+)?({UNIT}(?:(?:{lb.RANGE}|{lb.COMMA}){UNIT}(?![\w'])){{1,25}})\s+(?=[a-z]{{2}})"
)
_BARE_UPPER = re.compile(r"(?<![\w\u2013-])([A-Z](?:[\u2013-][A-Z])?)(?=\s+[A-Za-z\d])")
_LOOSE_LIST = re.compile(rf"(?<=[\w)]\s)([A-Z](?:{lb.RANGE}|{lb.COMMA})[A-Z])[.:]\s(?=[A-Z])")
_LOOSE = re.compile(r"(?<=[\w)]\s)([A-Za-z])[.:](?=\s)")
_IN_OPEN = re.compile(rf"(?:[Ii]n|[Ff]or)\s+\(?({LIST})\)?\s*,(?=\s)")
_INNER = re.compile(
    rf"(?:(?<=[;,:{DASHES}(])\s*(?:and\s+|or\s+)?|(?<=\s)(?:and|or|for|in)\s+)({LIST})(?:\s*[,:=;]|\)(?:[.,:])?|\.)(?=\s)"
)
_RPAREN = re.compile(rf"(?<![(\[\w{DASHES}/])({LIST})\)[.,:]?(?=\s|$)")
_GLUED = re.compile(r"(?<=[a-z])([A-Z])\)\s(?=[A-Z])")
_WORD = re.compile(rf"\b((?:[Ii]n\s+)?[Pp]anels?)\s+\(?({LIST})\)?(?![\w(])")
_MENTION = re.compile(rf"\b(?:in|on|for|of|from|see|to)\s+(?!a\s+[^\W\d_]|I\b|a\s+\d)({LIST})(?=[\s.,;:)]|$)")
_FIGURE_HEAD = re.compile(rf"\s*(?:Supplementary\s+)?(?:Fig\.?|Figure)\s*S?\d+\s*({LIST})\s*[.:]")
_CITED = re.compile(
    r"\b(?:(?:(?:figs?|eqs?|refs?|tabs?|nos?)\.?|figures?|tables?|movies?|videos?|schemes?|files?)(?:\s+S?\d+)?[\s,]*|"
    r"(?:vitamins?|hepatitis|types?|groups?|class|stages?|grades?|segments?|levels?|sites?|samples?|patients?|cases?|"
    r"strains?|factors?|boxe?s?)\s+)$",
    re.I,
)
_FIGURE = re.compile(
    r"\b(?:figs?\.?|figures?|tables?|eqs?\.?|movies?|videos?|vitamin|hepatitis)(?:\s+S?\d+)?[\s,]*$", re.I
)
CITES = re.compile(r"\b(?:in|of|than|from|to|for|by|like|as|with|see|cf\.?)\s*$", re.I)
BOUNDARY = re.compile(
    r"[.!?](?:[\"\u201d\u2019')\]]{0,2})(?:\s+|(?=[(\[][A-Za-z]\b|[A-Z][a-z]{2}|[A-Z]{2,}\s|[A-Z][.):,]))|\n+"
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
    if len(text[start:dot].strip(" (")) <= 1:
        return False  # "A. Left": the dot belongs to the marker
    if text[dot - 1] == ")" and _LISTED.search(text[max(start, dot - 12) : dot]):
        return False  # "shows A). Large"
    return end > dot + 1 or text[dot - 1].islower() or text[dot - 1] in ")]"


_HEADING = re.compile(r"\s*+(?:(?:Figure|Fig\.?)\s*S?\d++[.:]?\s+(?=\S))?+")
_LISTED = re.compile(r"^[^(]*(?:[,:;]|\b(?:and|shows?|in|of|with))\s+\(?[A-Za-z]\)$")
_LOWER_MARKER = re.compile(
    r"[a-z](?:[.):,]|\s*[\u2013,-]\s*[a-z]\b|\s+[(A-Z\d*\u00d7]|\s+and\s+[a-z]\b)|[a-z]\s[^\W_]{2}|[a-z]{1,3}[A-Z]"
)


@lru_cache(maxsize=8192)
def _paren(content: str) -> tuple[tuple[str, ...], str]:
    """Labels inside brackets, and the form: "paren" (nothing else), "head" or "tail" (something behind or
    before them), or ""."""
    match = _PURE.match(content.replace(";", ","))
    if match:
        return lb.parse_list(match[1]), "paren"
    if _NOT_EXTRA.search(content):
        return (), ""
    for form, pattern in (("head", _HEAD), ("tail", _TAIL)):
        match = pattern.match(content)
        if match and lb.parse_list(match[1]):
            return lb.parse_list(match[1]), form
    return (), ""


def _in_brackets(text: str, starts: list[int]) -> Iterator[Marker]:
    opening = set(starts)
    previous = -1
    for match in _PAREN.finditer(text):
        found, form = _paren(match[1])
        if not found:
            continue
        start, end = match.span()
        before = text[start - 1] if start else " "
        after = text[end] if end < len(text) else " "
        if before.isdigit() or (after.isalnum() and before.isalnum()) or (before.isalpha() and not after.isspace()):
            continue  # Figures 1(a), Su(Fu), cell(s).
        if (before.isalpha() and found in (("s",), ("es",))) or _FIGURE.search(text, max(0, start - 14), start):
            continue
        opens = at_start = start in opening
        tail = _AFTER.match(text, end)
        stop = tail.end() if tail and (opens or (form == "paren" and text[tail.end() - 1] == ":")) else end
        if form == "paren":
            opens = (
                opens
                or _opens_unmarked(text, start, end)
                or (
                    # "(A) …; (B) …", but not "Positive stains; (B) S100 and (C) Mart 1": that has one lead-in
                    text[max(0, start - 2) : start] == "; "
                    and (
                        previous >= starts[bisect_right(starts, start) - 1]
                        or start - starts[bisect_right(starts, start) - 1] > 60
                    )
                )
            )
            style = "word" if _WORDED.match(match[1]) else "paren"
            strength = 1.0 if at_start else 0.9 if opens else 0.8
            yield Marker(start, stop, found, style, strength, opens)
            previous = start
        else:
            named = _EXTRA_HEAD.match(match[1]) if form == "head" else None
            cut = max(match[1].rfind(","), match[1].rfind(";"))
            inside = (start + 1 + named.end(), end - 1) if named else (start + 1, start + 1 + cut)
            yield Marker(start, end, found, "extra", 0.55, False, inside)


_AFTER = re.compile(r"\s*[.,:;](?=\s)|\s?[\u2013\u2014-](?=\s)")
_CAPITALISED = re.compile(r"\s+(?:[A-Z][a-z]{2}|[A-Z]\s[a-z]|In\s|An?\s)")
_JOINED = re.compile(
    r"(?:[,:;(]|\b(?:in|of|by|with|and|or|from|for|on|at|the|an?|to|via|between|using|show\w*|is|are|as))\s*$"
)


def _opens_unmarked(text: str, start: int, end: int) -> bool:
    """A clause that starts without a full stop before it: "… signalling (A) Representative images"."""
    return bool(_CAPITALISED.match(text, end)) and not _JOINED.search(text, max(0, start - 9), start)


def _at_starts(text: str, starts: list[int]) -> Iterator[Marker]:
    for start in starts:
        if not _POSSIBLE.match(text, start):
            continue
        match = _OPEN.match(text, start)
        if match:
            comma, worded = match[3] is not None, match[1] is not None
            found = lb.parse_list(match[2])
            if found and not (comma and len(found) == 1 and found[0].islower() and _footnote(text, match.end())):
                yield Marker(
                    start, match.end(), found, "comma" if comma else "open", 0.9 if worded or not comma else 0.85, True
                )
                continue
        match = _WORD.match(text, start)
        if match:
            yield Marker(start, match.end(), lb.parse_list(match[2]), "word", 0.9, True)
            continue
        match = _IN_OPEN.match(text, start)
        if match:
            yield Marker(start, match.end(), lb.parse_list(match[1]), "in", 0.4, True)
            continue
        match = _BARE.match(text, start)
        if match:
            found = lb.parse_list(match[1] or match[2] or match[3])
            yield Marker(start, match.end(), found, "bare", 0.5, True)


def _footnote(text: str, position: int) -> bool:
    return re.match(r"\s*[pP]\s*[<=\u2264]", text[position : position + 8]) is not None


def _elsewhere(text: str) -> Iterator[Marker]:
    for match in _INNER.finditer(text):
        strength = 0.6 if text[max(0, match.start() - 3) : match.start()].rstrip()[-1:] == ";" else 0.4
        yield Marker(match.start(1), match.end(), lb.parse_list(match[1]), "inner", strength, False)
    if text.count(")") > text.count("("):
        yield from _half_brackets(text)
    for match in _WORD.finditer(text) if "anel" in text else ():
        aside = match[1][0] in "Ii"
        yield Marker(match.start(), match.end(), lb.parse_list(match[2]), "mention" if aside else "word", 0.7, False)
    for match in _BARE_INNER.finditer(text):
        yield Marker(match.start(1), match.end(1), lb.parse_list(match[1]), "bare", 0.35, False)
    for match in _BARE_LIST.finditer(text):
        yield Marker(match.start(1), match.end(1), lb.parse_list(match[1]), "bare", 0.5, False)
    for match in _MENTION.finditer(text):
        yield Marker(match.start(), match.end(1), lb.parse_list(match[1]), "mention", 0.2, False)


def _half_brackets(text: str) -> Iterator[Marker]:
    for match in _RPAREN.finditer(text):
        if text.rfind("(", 0, match.start()) > text.rfind(")", 0, match.start()):
            continue  # the end of a bracket
        opens = _opens_unmarked(text, match.start(), match.end())
        yield Marker(match.start(), match.end(), lb.parse_list(match[1]), "rparen", 0.85 if opens else 0.6, opens)
    for match in _GLUED.finditer(text):
        yield Marker(match.start(1), match.end(1) + 1, (match[1],), "rparen", 0.7, True)


def _unpunctuated(text: str) -> Iterator[Marker]:
    """Letters that only their sequence can make markers, looked for where the first label has no surer form."""
    for match in _BARE_UPPER.finditer(text):
        yield Marker(match.start(1), match.end(1), lb.parse_list(match[1]), "bare", 0.3, False)
    for match in _LOOSE_LIST.finditer(text):
        yield Marker(match.start(1), match.end(), lb.parse_list(match[1]), "open", 0.85, True)
    for match in _LOOSE.finditer(text):
        yield Marker(match.start(1), match.end(), (match[1],), "loose", 0.25, False)


def candidates(text: str, starts: list[int]) -> list[Marker]:
    """All candidate markers in order of place, none overlapping another (the surer one stays)."""
    found = list(_in_brackets(text, starts))
    found += _at_starts(text, starts)
    found += _elsewhere(text)
    if not any(m.strength >= 0.8 and m.labels[:1] in (("A",), ("a",)) for m in found):
        found += _unpunctuated(text)
    found = [
        m
        for m in found
        if m.labels
        and (
            m.opens
            or m.style in ("paren", "extra")
            or text[m.start] in "(["
            or not _CITED.search(text, max(0, m.start - 14), m.start)
        )
    ]
    kept: list[Marker] = []
    for marker in sorted(found, key=lambda m: (m.start, -m.strength)):
        if kept and marker.start < kept[-1].end:
            if _sureness(marker) > _sureness(kept[-1]):
                kept[-1] = marker
        else:
            kept.append(marker)
    return kept if any(m.strength >= 0.5 for m in kept) else _figure_head(text) or kept


def _sureness(marker: Marker) -> tuple[float, int, float]:
    return (marker.strength if marker.strength >= 0.5 else 0.0, len(marker.labels), marker.strength)


def _figure_head(text: str) -> list[Marker]:
    """ "Figure 1J–L. See the legend …": the labels stand with the figure's number only."""
    match = _FIGURE_HEAD.match(text)
    return [Marker(0, match.end(), lb.parse_list(match[1]), "figure", 0.8, True)] if match else []
