"""From a piece of JATS to plain text and to sentences.

Text comes from libxml2's own serialisation (in C), as text where an element holds inline markup alone, else as XML
whose tags are then taken out: several times faster than walking the nodes from Python. It is safe because a
serialised tree holds `<` and `>` in tags alone: in text and attribute values they stand escaped, and the parser has
dropped comments, processing instructions and CDATA marks.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from lxml import etree

Element = Any
"""An lxml element (lxml ships no types)."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BLOCKS = _names("""
    title p list list-item def-list def-item term def disp-formula disp-formula-group disp-quote verse-group verse-line
    boxed-text break media supplementary-material table-wrap table thead tbody tr td th caption caption-content
    statement sec label attrib fn preformat array permissions copyright-statement copyright-year copyright-holder
    license license-p
""")
"""Elements that part words at both edges; all others (sub, sup, italic …) join: Na2C2O4."""

_SILENT = _names("tex-math annotation annotation-xml alt-text long-desc object-id fig fig-group")
_ATTACHED = _names("supplementary-material media table-wrap")
_FLOATS = _names("table-wrap table-wrap-group supplementary-material media boxed-text fn")

_APART, _LEFT_OUT = 1, 2
"""Bits of a kind: a blank stands in the element's place or at its edges; its text is left out. 0 = inline."""


class _Kinds(dict[str, int]):
    """How to treat a tag as it is written (`/p`, `mml:mi`, `break/`) or as lxml gives it, worked out once for each."""

    def __init__(self, left_out: frozenset[str]) -> None:
        super().__init__()
        self.left_out = left_out

    def __missing__(self, written: str) -> int:
        local = written.rpartition("}")[2] if written[0] == "{" else written.strip("/").rpartition(":")[2]
        kind = (_LEFT_OUT if local in self.left_out else 0) | (_APART if local in _BLOCKS else 0)
        if len(self) < 2000:  # a hostile file may hold any number of names
            self[written] = kind
        return kind


ALL = _Kinds(_SILENT)
"""Leaves out what is no text to a reader, or is another figure's."""
CAPTION = _Kinds(_SILENT | _ATTACHED)
"""As ALL, and what hangs on a caption without being it (eLife's source data, "Click here for …")."""
PARAGRAPH = _Kinds(_SILENT | _FLOATS)
"""As ALL, and the floats that may stand inside the paragraph that cites them."""
TITLE = _Kinds(_SILENT | {"xref", "fn"})
"""As ALL, and footnote marks."""
NAME = _Kinds(_names("contrib-group xref fn aff email address"))
"""The name of a group of authors without its members."""

_TAG = re.compile("<([^>]*)>")


def serialized(element: Element) -> str:
    """The element as XML text, namespace declarations and all, without its tail."""
    text: str = etree.tostring(element, encoding="unicode", with_tail=False)
    return text


def inner(xml: str) -> str:
    """What stands between the start tag and the end tag of one serialised element; "" if it is empty."""
    start = xml.index(">") + 1
    return xml[start:xml.rindex("</")] if xml[start - 2] != "/" else ""


def text_of(xml: str, kinds: _Kinds = ALL) -> str:
    """Plain text of serialised XML: block elements part words, inline ones do not, some are left out, however nested.

    Runs of white space, also of Unicode's (no-break, thin space), become one blank; no other character is touched.
    """
    tokens = _TAG.split(xml)
    pieces = tokens[:1]
    depth = 0
    for tag, text in zip(tokens[1::2], tokens[2::2], strict=True):
        kind = kinds.get(tag)
        if kind is None:
            kind = kinds[tag.split(None, 1)[0]]
        if kind & _LEFT_OUT and tag[-1] != "/":
            depth += -1 if tag[0] == "/" else 1
        if not depth:
            if kind & _APART:
                pieces.append(" ")
            pieces.append(text)
    return squash(unescape("".join(pieces)))


def plain(element: Element | None, kinds: _Kinds = ALL) -> str | None:
    """Text of an element; None without an element or without text."""
    return None if element is None else squash(raw_text(element, kinds)) or None


def raw_text(element: Element, kinds: _Kinds) -> str:
    """Text of an element with its white space as it is, but for the blanks that part blocks.

    Below the blocks, libxml2 gathers the text of what is inline throughout.
    """
    if len(element) == 0:
        return element.text or ""
    for below in element.iterdescendants():
        if kinds[below.tag]:
            return _in_blocks(element, kinds)
    text: str = etree.tostring(element, encoding="unicode", method="text", with_tail=False)
    return text


def _in_blocks(element: Element, kinds: _Kinds) -> str:
    pieces = [element.text or ""]
    for child in element:
        kind = kinds[child.tag]
        if kind & _APART:
            pieces.append(" ")
        if not kind & _LEFT_OUT:
            pieces.append(raw_text(child, kinds))
        if tail := child.tail:
            pieces.append(f" {tail}" if kind & _APART else tail)
    return "".join(pieces)


_BEYOND_PARAGRAPHS = re.compile(
    rf"<(?:[^\s<>/:]*:)?(?:{'|'.join(sorted((_BLOCKS | _SILENT) - {'title', 'p'}))})[\s/>]"
)
_MARKUP = re.compile("<[^>]*>")


def caption_texts(caption: Element) -> tuple[str, str]:
    """Text and inner XML of a caption. Most hold a title and paragraphs only: there taking out the tags is enough."""
    xml = inner(serialized(caption))
    if caption.prefix or _BEYOND_PARAGRAPHS.search(xml):
        return squash(_in_blocks(caption, CAPTION)), xml
    parted = xml.replace("<p>", " ").replace("<p ", " <p ").replace("</p>", " ")
    parted = parted.replace("<title>", " ").replace("<title ", " <title ").replace("</title>", " ")
    return squash(unescape(_MARKUP.sub("", parted))), xml


def unescape(text: str) -> str:
    """Undo what serialising escapes in text."""
    if "&" not in text:
        return text
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&#13;", "\r").replace("&amp;", "&")


def squash(text: str) -> str:
    """Runs of white space as one blank, none at the ends."""
    if "  " in text or "\n" in text or not (text.isascii() or text.isprintable()) or "\t" in text or "\r" in text:
        return " ".join(text.split())
    return text.strip(" ")  # of all white space, only the plain blank is printable


_CITING_TAG = re.compile(r"<(?:[^\s<>/:]+:)?xref(?=[^>]*\sref-type=\"bib)[^>]*>", re.IGNORECASE)


def with_citations(xml: str, mark: str, kinds: _Kinds) -> str:
    """`text_of` with a mark before each reference to the reference list."""
    return text_of(_CITING_TAG.sub(mark, xml), kinds)


# --- sentences that refer to figures -----------------------------------------------------------------------------

_OPEN, _CLOSE = "\ufdd0", "\ufdd1"
"""Around the ids of a reference to figures. Noncharacters: Unicode keeps them out of any interchange of text."""
_MARK = re.compile(f"{_OPEN}([^{_CLOSE}]*){_CLOSE}")
_ABBREVIATIONS = _names("""
    fig figs tab tabs ref refs eq eqs eqn eqns sect sects suppl supp vs cf ca approx al e.g i.e no nos dr prof st sp spp
    var subsp resp vol p pp ed eds
""")


def _by_length(words: Iterable[str]) -> list[list[str]]:
    """The words, also with a capital, as a look-behind can take them: those of one length together."""
    forms = sorted({form for word in words for form in (word, word.capitalize())}, key=len)
    return [list(group) for _, group in itertools.groupby(forms, len)]


_END = re.compile(
    r"[.!?](?=[)\]\"'”’\s\d])(?:(?<=[!?])|(?<=[)\]0-9]\.)|(?<=\w{7}\.)|(?<!\b[^\W\d_]\.)"
    + "".join(rf"(?<!\b(?:{'|'.join(map(re.escape, forms))})\.)" for forms in _by_length(_ABBREVIATIONS))
    + r")(?:(?<=[a-z)\]]\.)\d{1,3}(?:[,–-]\d{1,3})*)?[)\]\"'”’]*\s(?![a-z]"
    + rf"|[(\[](?:see )?{_OPEN}[^()\[\]]{{0,60}}[)\]])"
)
"""The end of a sentence: no abbreviation or initial before the point; raised numbers of references may follow it; no
small letter after the blank, and no figure in brackets, which belongs to what was said."""
_DASH = "[-‐‑‒–—−]"
_RANGE_BETWEEN = re.compile(rf"\d\s?[A-Za-z]?\s?(?:{_DASH}+|\bto|\bthrough)\s?(?:[Ff]ig[a-z]*\.?\s?)?$")
_RANGE_WITHIN = re.compile(rf"\D{{0,12}}+(\d{{1,3}})\s?{_DASH}\s?(\d{{1,3}})(?!\w)")

Range = tuple[str, str | int]
"""An id and where its range ends: an id ("Fig 2" – "4" as two references), or a number ("Figs 2–4" as one)."""


def mark(xref: Element, rids: str) -> None:
    """Leave the ids of a reference in its own text, for `cited_sentences` to find."""
    xref.text = f"{_OPEN}{rids}{_CLOSE}{xref.text or ''}"


def cited_sentences(paragraph: Element) -> Iterator[tuple[str, list[str], list[Range]]]:
    """Of one paragraph, the sentences that refer to figures: (text, ids referred to, ranges among them).

    Floats inside the paragraph are left out, what follows them stays. The references are `mark`ed before.
    """
    text = raw_text(paragraph, PARAGRAPH)
    end = 0
    while reference := _MARK.search(text, end):
        start = _sentence_start(text, end, reference.start())
        after = _END.search(text, reference.end())
        end = after.end() if after else len(text)
        pieces = _MARK.split(text[start:end])
        yield squash("".join(pieces[::2])), " ".join(pieces[1::2]).split(), _ranges(pieces)


def _sentence_start(text: str, low: int, at: int) -> int:
    """Where the sentence around a place begins, `low` at the earliest."""
    while (at := max(text.rfind(".", low, at), text.rfind("?", low, at), text.rfind("!", low, at))) >= 0:
        if before := _END.match(text, at):
            return before.end()
    return low


def _ranges(pieces: list[str]) -> list[Range]:
    """Ranges in a sentence cut at its marks: text, ids, text, ids, … text."""
    found: list[Range] = []
    for at in range(1, len(pieces), 2):
        following = pieces[at + 1]
        within = _RANGE_WITHIN.match(following)
        if within:
            found += [(first, int(within[2])) for first in pieces[at].split()[:1]]
        if at + 2 < len(pieces) and len(following) < 40 and _RANGE_BETWEEN.search(following):
            found += [(first, last) for first in pieces[at].split()[-1:] for last in pieces[at + 2].split()[:1]]
    return found
