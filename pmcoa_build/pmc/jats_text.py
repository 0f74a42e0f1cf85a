"""From a piece of JATS to plain text and to sentences, by way of its serialisation.

An element is written to a string once (libxml2, in C) and the tags are taken out by regular expressions, also in C:
several times faster than walking the nodes from Python. It is safe because a serialised tree holds `<` and `>` in
tags alone: in text and attribute values they stand escaped, and the parser has dropped comments, processing
instructions and CDATA marks.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any

from lxml import etree

Element = Any
"""An lxml element (lxml ships no types)."""

_BLOCKS = (
    "title|p|list|list-item|def-list|def-item|term|def|disp-formula|disp-formula-group|disp-quote|verse-group|verse-line"
    "|boxed-text|break|media|supplementary-material|table-wrap|table|thead|tbody|tr|td|th|caption|caption-content"
    "|statement|sec|label|attrib|fn|preformat|array|permissions|copyright-[a-z]+|license|license-p"
)
"""Elements that part words at both edges; all others (sub, sup, italic …) join: Na2C2O4."""

_SILENT = "tex-math|annotation|annotation-xml|alt-text|long-desc|object-id|fig|fig-group"
_ATTACHED = "supplementary-material|media|table-wrap"
_FLOATS = "table-wrap|table-wrap-group|supplementary-material|media|boxed-text|fn"


def _tags(names: str) -> re.Pattern[str]:
    return re.compile(rf"<(/?)(?:[^\s<>/:]+:)?(?:{names})(?=[\s/>])[^>]*>")


_BLOCK_TAG = _tags(_BLOCKS)
_ANY_TAG = re.compile(r"<[^>]*>")
SILENT = _tags(_SILENT)
"""Tags of what is no text to a reader, or is another figure's."""
CAPTION_CUT = _tags(f"{_SILENT}|{_ATTACHED}")
"""As SILENT, and what hangs on a caption without being it (eLife's source data, "Click here for …")."""
PARAGRAPH_CUT = _tags(f"{_SILENT}|{_FLOATS}")
"""As SILENT, and the floats that may stand inside the paragraph that cites them."""


def serialized(element: Element) -> str:
    """The element as XML text, namespace declarations and all, without its tail."""
    text: str = etree.tostring(element, encoding="unicode", with_tail=False)
    return text


def inner(xml: str) -> str:
    """What stands between the start tag and the end tag of one serialised element; "" if it is empty."""
    start = xml.index(">") + 1
    return xml[start:xml.rindex("</")] if xml[start - 2] != "/" else ""


def cut(xml: str, tags: re.Pattern[str]) -> str:
    """The XML without the elements of those tags, however nested; their tails stay. One pass."""
    kept: list[str] = []
    depth = position = 0
    for match in tags.finditer(xml):
        if match[0].endswith("/>"):
            if not depth:
                kept += (xml[position:match.start()], _gap(match[0]))
                position = match.end()
        elif not match[1]:
            if not depth:
                kept += (xml[position:match.start()], _gap(match[0]))
            depth += 1
        else:
            depth -= 1
            position = match.end()
    return "".join((*kept, xml[position:])) if kept else xml


def _gap(tag: str) -> str:
    return " " if _BLOCK_TAG.match(tag) else ""


def text_of(xml: str) -> str:
    """Plain text of serialised XML: block elements part words, inline ones do not.

    Runs of white space, also of Unicode's (no-break, thin space), become one blank; no other character is touched.
    """
    return squash(unescape(_ANY_TAG.sub("", _BLOCK_TAG.sub(" ", xml))))


def plain(element: Element | None, tags: re.Pattern[str] = SILENT) -> str | None:
    """Text of an element without the elements of those tags; None without an element or without text."""
    return None if element is None else text_of(cut(inner(serialized(element)), tags)) or None


def unescape(text: str) -> str:
    """Undo what serialising escapes."""
    if "&" not in text:
        return text
    for escape, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#13;", "\r"), ("&#10;", "\n"),
                              ("&#9;", "\t"), ("&amp;", "&")):
        text = text.replace(escape, character)
    return text


def squash(text: str) -> str:
    """Runs of white space as one blank, none at the ends."""
    return " ".join(text.split())


_XREF = re.compile(r"<(?:[^\s<>/:]+:)?xref(?=\s)[^>]*>")
_RID = re.compile(r"\srid=\"([^\"]*)\"")
_REF_TYPE = re.compile(r"\sref-type=\"fig\"", re.IGNORECASE)
_MARK = re.compile(r"\0([^\0]*)\0")
_STOP = re.compile(r"[.!?][)\]\"'”’]*(?:\0[^\0]*\0)?\s(?=[^a-z])")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\0])(?:figs?|figures?|tabs?|refs?|eqs?|eqns?|sects?|suppl?|supp|vs|cf|ca|approx|al|e\.g|i\.e|nos?|dr|prof"
    r"|st|spp?|var|subsp|resp|vol|pp?|eds?|[^\W\d_])\.$",
    re.IGNORECASE,
)
_RANGE_BETWEEN = re.compile(
    r"\d\s?[A-Za-z]?\s?(?:[-‐‑‒–—−]+|\bto\b|\bthrough\b)\s?(?:fig(?:ure)?s?\.?\s?)?$", re.IGNORECASE
)
_RANGE_WITHIN = re.compile(r"\D{0,12}(\d{1,3})\s?[-‐‑‒–—−]\s?(\d{1,3})(?!\w)")

Range = tuple[str, str | int]
"""An id and where its range ends: an id ("Fig 2" – "4" as two references), or a number ("Figs 2–4" as one)."""


def cited_sentences(xml: str) -> list[tuple[str, set[str], list[Range]]]:
    """Of one serialised paragraph, the sentences that refer to figures: (text, ids referred to, ranges among them).

    Floats inside the paragraph are left out, what follows them stays.
    """
    marked = text_of(_XREF.sub(_marked, cut(xml, PARAGRAPH_CUT)))
    stops = [stop.end() for stop in _STOP.finditer(marked)
             if not _ABBREVIATION.search(marked, max(0, stop.start() - 12), stop.start() + 1)]
    by_sentence: dict[int, list[re.Match[str]]] = {}
    for mark in _MARK.finditer(marked):
        by_sentence.setdefault(bisect_right(stops, mark.start()), []).append(mark)
    edges = [0, *stops, len(marked)]
    return [
        (squash(_MARK.sub("", marked[edges[i]:edges[i + 1]])), {r for m in marks for r in m[1].split()},
         _ranges(marked, marks))
        for i, marks in by_sentence.items()
    ]


def _marked(match: re.Match[str]) -> str:
    rid = _RID.search(match[0])
    return f"\0{rid[1]}\0" if rid and _REF_TYPE.search(match[0]) else ""


def _ranges(text: str, marks: list[re.Match[str]]) -> list[Range]:
    found: list[Range] = []
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        ids = mark[1].split()
        within = _RANGE_WITHIN.match(text, mark.end(), mark.end() + 24)
        if ids and within:
            found.append((ids[0], int(within[2])))
        between = text[mark.end():following.start()] if following is not None else ""
        if ids and following is not None and len(between) < 40 and _RANGE_BETWEEN.search(between):
            found += [(ids[-1], last) for last in following[1].split()[:1]]
    return found
