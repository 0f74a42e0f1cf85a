"""Candidate markers that stand in brackets: `(A)`, `(a, b)`, `(A, left)`, `(A)–(C)`, `B)`, `(A: fins; B: gills)`."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from pmcoa_build.captions import labels as lb
from pmcoa_build.captions.labels import DASHES, LIST


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


PREFIX = (
    r"(?:[Ff]igs?\.|(?:[Pp]anels?|[Ii]mages?|[Pp]arts?|[Ff]igs?\.?|[Ff]igures?|[Rr]ows?|[Cc]olumns?|[Pp]lates?)\s+)?"
)
_PAREN = re.compile(r"[(\[\uff08]([^()\[\]\uff08\uff09]{1,60})[)\]\uff09]")
_PURE = re.compile(rf"\s*{PREFIX}({LIST})\s*(?:panels?)?\s*[.:,;]?\s*$")
_WORDED = re.compile(r"\s*[Pp]anels?\s")
_HEAD = re.compile(
    rf"\s*{PREFIX}({LIST})(?:\s*(?:[,;:]|\.(?=\s))\s*\S|\s+(?:top|bottom|left|right|upper|lower|middle|cent\w+|inset|"
    r"arrow\w*|panel\w*|and inset|in |\u00d7|black|white|red|blue|green)).*$",
    re.S,
)
_EXTRA_SINGLE = re.compile(rf"\s*{PREFIX}{lb.UNIT}")
_EXTRA_HEAD = re.compile(rf"\s*{PREFIX}({LIST})(?=[\s,;:.])(?!\s*[=<>])")
_SINGLE = re.compile(rf"\s*{PREFIX}({lb.UNIT})\s*[,;:]\s*\S.*$", re.S)  # "(a, H&E)"
_TAIL = re.compile(rf"\s*\w\w.{{1,45}}[,;]\s*{PREFIX}({LIST})\s*$")
_NOT_EXTRA = re.compile(r"[=<>\u2264\u2265%]|\bet al|^\s*n\s|\d{4}")
_COUNTED = re.compile(rf"\s*(?:[Pp]anels?\s+)?{LIST}[,;]\s*(?:n\s?=|\d{{4}}\s*$)")  # "(panel A, n = 19)", "(D–F; 2014)"
_CITED = re.compile(
    r"\b(?:figs?\.?|figures?|tables?|eqs?\.?|movies?|videos?|vitamin|hepatitis|letters?|superscripts?)(?:\s+S?\d+)?[\s,]*$",
    re.I,
)
_SPANNED = re.compile(rf"[)\]]\s?(?:[{DASHES}~]|to|through)\s?[(\[]?\s?([A-Za-z])\s?[)\]]")
_SPAN_START = re.compile(r"(?:\bfrom\s+)?[(\[]?\s?(?<!\w)([A-Za-z])\s?$")
_LEGEND = re.compile(rf"[(\[]\s*{PREFIX}{LIST}\s*[,:]\s[^()\[\]]{{3,600}}[)\]]")
_ITEMS = {
    sign: re.compile(rf"\s*{PREFIX}({LIST})\s*{mark}\s+(?=[^,;]*[^\W\d_]{{2}})")
    for sign, mark in ((";", "[,:]"), (",", ":"))
}
_AFTER = re.compile(r"\s*[.,:;](?=\s)|\s?[\u2013\u2014-](?=\s)")
_CAPITALISED = re.compile(r"\s*(?:[A-Z][a-z]{2}|[A-Z]\s[a-z]|In\s|An?\s)")
_JOINED = re.compile(
    r"(?:[,:;(]|\b(?:in|of|by|with|and|or|from|for|on|at|the|an?|to|via|between|using|show\w*|is|are|as))\s*$"
)
_LISTED = re.compile(rf"(?<![(\[\w{DASHES}/])({LIST})\Z")
_RPAREN = re.compile(r"\)[.,:]?(?=\s|$)")
_GLUED = re.compile(r"\)\s(?=[A-Z])(?<=[a-z][A-Z]\)\s)")


@lru_cache(maxsize=8192)
def _content(content: str) -> tuple[tuple[str, ...], str]:
    """Labels inside brackets, and the form: "paren" (nothing else), "head" or "tail" (something behind or
    before them), or ""."""
    match = _PURE.match(content.replace(";", ","))
    if match and (found := lb.parse_list(match[1])):
        return found, "paren"
    if _NOT_EXTRA.search(content) and not _COUNTED.match(content):
        return (), ""
    for form, pattern in (("head", _HEAD), ("head", _SINGLE), ("tail", _TAIL)):
        match = pattern.match(content)
        if match and lb.parse_list(match[1]):
            return lb.parse_list(match[1]), form
    return (), ""


def in_brackets(text: str, starts: list[int]) -> Iterator[Marker]:
    """Whole brackets that name labels."""
    previous: Marker | None = None
    for match in _PAREN.finditer(text):
        found, form = _content(match[1])
        if not found or _no_marker(text, *match.span(), found):
            continue
        start, end = match.span()
        at_start = starts[bisect_right(starts, start) - 1] == start
        listed = _goes_on(text, start, end, starts, previous)
        tail = _AFTER.match(text, end)
        stop = tail.end() if tail and (at_start or (form == "paren" and text[tail.end() - 1] == ":")) else end
        if form == "paren":
            opens = at_start or listed or opens_unmarked(text, start, end)
            style = "word" if _WORDED.match(match[1]) else "paren"
            strength = 1.0 if at_start else 0.9 if opens else 0.8
            previous = Marker(start, stop, found, style, strength, opens)
        else:
            named = _EXTRA_HEAD.match(match[1]) if form == "head" else None
            if named and not lb.parse_list(named[1]):
                named = _EXTRA_SINGLE.match(match[1])
            cut = max(match[1].rfind(","), match[1].rfind(";"))
            inside = (start + 1 + named.end(), end - 1) if named else (start + 1, start + 1 + cut)
            opens = form == "head" and (at_start or listed)
            previous = Marker(start, end, found, "extra", 0.86 if opens else 0.61, opens, inside)
        yield previous


def _no_marker(text: str, start: int, end: int, found: tuple[str, ...]) -> bool:
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    if before.isdigit() or (after.isalnum() and before.isalnum()) or (before.isalpha() and not after.isspace()):
        return True  # Figures 1(a), Su(Fu), cell(s).
    if before.isalpha() and found in (("s",), ("es",)):
        return True
    return _CITED.search(text, max(0, start - 16), start) is not None


def _goes_on(text: str, start: int, end: int, starts: list[int], previous: Marker | None) -> bool:
    """ "(A) …; (B) …", but not "Positive stains; (B) S100 and (C) Mart 1": that has one lead-in."""
    if text[max(0, start - 2) : start] != "; ":
        return False
    sentence = starts[bisect_right(starts, start) - 1]
    if previous is not None and (previous.start >= sentence or (previous.opens and _CAPITALISED.match(text, end))):
        return True
    return start - sentence > 60


def opens_unmarked(text: str, start: int, end: int) -> bool:
    """A clause that starts without a full stop before it: "… signalling (A) Representative images"."""
    return bool(_CAPITALISED.match(text, end)) and not _JOINED.search(text, max(0, start - 9), start)


def spanned(text: str, starts: list[int]) -> Iterator[Marker]:
    """Ranges between two brackets: "(A)–(C)", "(a) to (c)", "A)-C)"."""
    for match in _SPANNED.finditer(text):
        first = _SPAN_START.search(text, max(0, match.start() - 12), match.start())
        if first:
            start, end = first.start(), match.end()
            opens = start in starts or opens_unmarked(text, start, end)
            yield Marker(start, end, lb.parse_list(f"{first[1]}-{match[1]}"), "paren", 1.0 if opens else 0.85, opens)


def legends(text: str) -> Iterator[Marker]:
    """Items listed in one bracket: "(A: axial, B: coronal)", "(a, procyclic form; b, bloodstream form)"."""
    for match in _LEGEND.finditer(text):
        start, end = match.start() + 1, match.end() - 1
        sign = ";" if ";" in match[0] else ","
        items = []
        for piece in text[start:end].split(sign):
            item = _ITEMS[sign].match(text, start, end)
            if item:
                items.append(Marker(start, item.end(), lb.parse_list(item[1]), "legend", 0.88, False))
            elif sign == ";":
                items = []
                break
            start += len(piece) + 1
        if len(items) > 1:
            yield items[0]._replace(start=match.start())
            yield from items[1:]


def half_brackets(text: str) -> Iterator[Marker]:
    """ "A) …", where brackets do not balance."""
    for match in _RPAREN.finditer(text):
        behind = text.rfind(")", 0, match.start()) + 1
        if text.find("(", behind, match.start()) >= 0:
            continue  # the end of a bracket
        named = _LISTED.search(text, behind, match.start())
        if named:
            opens = opens_unmarked(text, named.start(), match.end())
            yield Marker(named.start(), match.end(), lb.parse_list(named[1]), "rparen", 0.85 if opens else 0.6, opens)
    for match in _GLUED.finditer(text):
        yield Marker(match.start() - 1, match.start() + 1, (text[match.start() - 1],), "rparen", 0.7, True)
