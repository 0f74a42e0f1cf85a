"""Every figure of a JATS article, as faithfully as PMC gives it.

One pass over the tree for figures, graphics and references to figures; text comes from serialised pieces
(jats_text). Definitions: a figure is every `<fig>` outside `<sub-article>` and `<response>`, in document order, a
parent before the figures nested in it; see the fields of `Figure`.
"""

from __future__ import annotations

import contextlib
import html.entities
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lxml import etree

from pmcoa_build.errors import UnitLost
from pmcoa_build.pmc import jats_text
from pmcoa_build.pmc.jats_meta import Front, local, read_front, read_license
from pmcoa_build.pmc.jats_reprint import CITED, is_reprint, may_be_reprint
from pmcoa_build.pmc.jats_text import Element, plain, serialized, squash, text_of


class Figure(NamedTuple):
    """One `<fig>`.

    caption: text of the first direct `<caption>`, sub- and superscripts joined without blanks (Na2C2O4), without
    source-data files and tables that hang on it; None without one, "" if empty. caption_xml: its inner XML with the
    source's prefixes. graphics, media: hrefs as written, in order, all alternatives, duplicates kept. license: code
    stated for this figure, if any. rights_note: text of the figure's and its group's permissions and attributions.
    reprint: said to come from another source. mentions: sentences of the body that refer to it, each once;
    n_mentions: references to it in the body (one reference counts once, ranges by their ends only).
    """

    xml_id: str | None
    label: str | None
    caption: str | None
    caption_xml: str
    graphics: list[str]
    media: list[str]
    fig_type: str | None
    license: str | None
    rights_note: str | None
    reprint: bool
    mentions: list[str]
    n_mentions: int


@dataclass(frozen=True, slots=True)
class Article:
    """An article and its figures. pmcid as "PMC123"; year of first publication; license_code as PMC writes it."""

    pmcid: str | None
    pmid: int | None
    doi: str | None
    title: str
    authors: list[str]
    journal: str | None
    year: int | None
    article_type: str | None
    language: str | None
    license_code: str | None
    license_url: str | None
    is_scanned: bool
    figures: list[Figure]


def parse_article(xml: bytes) -> Article:
    """Parse one article; eFetch and OAI wrappers and any namespace are fine.

    Raises UnitLost: xml-empty, xml-malformed, xml-entity (entities that are external, unknown or blow up),
    xml-not-jats, no-fulltext (front matter only).
    """
    article = _article(parse_tree(xml))
    front = read_front(article)
    figures = _figures(article)
    if not figures:
        _check_fulltext(article, front, xml)
    return Article(
        pmcid=front.pmcid, pmid=front.pmid, doi=front.doi, title=front.title, authors=list(front.authors),
        journal=front.journal, year=front.year, article_type=front.article_type, language=front.language,
        license_code=front.license_code, license_url=front.license_url, is_scanned=front.is_scanned, figures=figures,
    )


def to_parse_record(file: str, xml: bytes) -> dict[str, Any]:
    """The line that the `parse` command writes for one file; {"file", "error"} if it cannot be parsed."""
    try:
        article = parse_article(xml)
    except UnitLost as lost:
        return {"file": file, "error": str(lost)}
    figures = [
        {"id": figure.xml_id, "label": figure.label, "caption": figure.caption, "graphics": figure.graphics,
         "reprint": figure.reprint, "mentions": figure.n_mentions}
        for figure in article.figures
    ]
    return {"file": file, "pmcid": article.pmcid, "license_code": article.license_code, "figures": figures}


# --- bytes to tree -----------------------------------------------------------------------------------------------


def make_parser() -> etree.XMLParser:
    """The one way XML is parsed here: internal entities only, no network, no DTD, size limits kept, no recovery."""
    return etree.XMLParser(
        resolve_entities="internal", no_network=True, load_dtd=False, dtd_validation=False, attribute_defaults=False,
        huge_tree=False, recover=False, remove_comments=True, remove_pis=True,
    )


_OTHERS_END = re.compile(rb"</(sub-article|response)>\s*$")
_PIECE = 1 << 15
"""Bytes fed to the parser at a time: copies so small cost no fresh pages of memory."""
_BLANK = re.compile(rb"[ \t\r\n\xef\xbb\xbf]*")
_ENTITY_ERRORS = {
    etree.ErrorTypes.ERR_UNDECLARED_ENTITY, etree.ErrorTypes.WAR_UNDECLARED_ENTITY, etree.ErrorTypes.ERR_ENTITY_LOOP,
    etree.ErrorTypes.ERR_UNPARSED_ENTITY, etree.ErrorTypes.ERR_ENTITY_IS_EXTERNAL,
}


def parse_tree(xml: bytes) -> Element:
    """The root element. Raises UnitLost: xml-empty, xml-malformed, xml-entity."""
    if _BLANK.fullmatch(xml):
        raise UnitLost("xml-empty", f"{len(xml)} bytes, all blank")
    with contextlib.suppress(etree.XMLSyntaxError, OSError, ValueError, LookupError):  # the whole file shall say why
        return _parsed_in_part(xml)
    try:
        return etree.fromstring(xml, make_parser())
    except etree.XMLSyntaxError as error:
        named = _with_standard_entities(xml) if error.code in _ENTITY_ERRORS else None
        if named is None:
            raise _lost(error, xml) from None
    except (OSError, ValueError, LookupError) as error:  # lxml's other answers to bad encodings
        raise UnitLost("xml-malformed", str(error)) from None
    try:
        return etree.fromstring(named, make_parser())
    except etree.XMLSyntaxError as error:
        raise _lost(error, xml) from None


def _parsed_in_part(xml: bytes) -> Element:
    """The tree without the last list of references and without other articles at the end: a third of all there is to
    parse, and never of use here.

    Bytes that only look like such an end (in a comment, around nested lists) leave what is not well-formed. Raises what
    lxml raises, and ValueError where there are no references or a figure is among them.
    """
    close = xml.rindex(b"</article>")
    others = _start_of_others(xml, close)
    end = xml.rindex(b"</ref-list>", 0, others)
    start = xml.rindex(b"<ref-list", 0, end)
    if xml.rfind(b"<fig", start, end) >= 0:
        raise ValueError("a figure among references")
    parser = make_parser()
    for first, last in ((0, start), (end + len(b"</ref-list>"), others), (close, len(xml))):
        for at in range(first, last, _PIECE):
            parser.feed(xml[at:min(at + _PIECE, last)])
    root: Element = parser.close()
    return root


def _start_of_others(xml: bytes, close: int) -> int:
    """Where the sub-articles and responses begin that stand before the end tag of the article, at `close`."""
    while name := _OTHERS_END.search(xml, max(0, close - 100), close):
        close = xml.rindex(b"<" + name[1], 0, close)
    return close


def _lost(error: etree.XMLSyntaxError, xml: bytes) -> UnitLost:
    """Trouble with entities is told apart where the file declares a document type; else it is just not well-formed."""
    about_entities = error.code in _ENTITY_ERRORS or "entity amplification" in str(error)
    reason = "xml-entity" if about_entities and b"<!DOCTYPE" in xml[:10_000] else "xml-malformed"
    return UnitLost(reason, str(error))


_QUOTED = rb"(?:\"[^\"]*\"|'[^']*')"
_DOCTYPE = re.compile(rb"<!DOCTYPE\s+[^\s\[>]+\s+(?:PUBLIC\s+%b|SYSTEM)\s+%b\s*(?=>)" % (_QUOTED, _QUOTED))
_REFERENCE = re.compile(rb"&([A-Za-z][A-Za-z0-9]{1,30});")
_PREDEFINED = {"lt", "gt", "amp", "quot", "apos"}


def _with_standard_entities(xml: bytes) -> bytes | None:
    """The file with the character names that it uses declared in its DOCTYPE, where that names an external DTD.

    Such a file is legal: JATS's DTD brings the ISO character sets, and HTML's names are the same for those in use. The
    DTD itself is never read. None where there is no such DOCTYPE or an internal subset stands in the way.
    """
    doctype = _DOCTYPE.search(xml, 0, 10_000)
    if doctype is None:
        return None
    names = {name.decode() for name in _REFERENCE.findall(xml)} - _PREDEFINED
    known = sorted(name for name in names if f"{name};" in html.entities.html5)
    declared = "".join(
        f'<!ENTITY {name} "{"".join(f"&#{ord(c)};" for c in html.entities.html5[name + ";"])}">' for name in known
    )
    return xml[:doctype.end()] + b" [" + declared.encode() + b"]" + xml[doctype.end():]


_JATS_PARTS = {"front", "body", "back", "floats-group"}


def _article(root: Element) -> Element:
    """The first article of the tree. Raises UnitLost("xml-not-jats")."""
    article = root if local(root) == "article" else next(root.iter("{*}article"), None)
    if article is None or not any(local(part) in _JATS_PARTS for part in article):
        raise UnitLost("xml-not-jats", f"no JATS article under <{etree.QName(root).localname}>")
    return article


def _check_fulltext(article: Element, front: Front, xml: bytes) -> None:
    """Raises UnitLost("no-fulltext") for front matter alone: what PMC gives where the publisher allows no more."""
    if front.is_scanned or next(article.iterchildren("{*}body", "{*}back", "{*}floats-group"), None) is not None:
        return
    if not front.has_abstract or b"does not allow downloading" in xml:
        raise UnitLost("no-fulltext", front.pmcid or "")


# --- figures -----------------------------------------------------------------------------------------------------

_FIG, _GROUP = "{*}fig", "{*}fig-group"
_NOT_MAIN = ("{*}sub-article", "{*}response")
_SKIPPED = {"sub-article", "response"}
_WANTED = (_FIG, "{*}graphic", "{*}media", "{*}permissions", "{*}attrib", *_NOT_MAIN)
_OWNERS = {"fig", "caption", "permissions", "label", "attrib", "inline-formula", "disp-formula", "table-wrap",
           "supplementary-material"}
"""Nearest of these above a graphic: it is the figure's only if that is the figure."""
_RIGHTS = {"permissions", "attrib"}
_RIGHTS_OWNERS = (_FIG, _GROUP, "{*}caption")
_HOLDERS = {"fig", "fig-group"}
_PARAGRAPHS = {"p", "title", "td", "th", "term", "label", "sec", "caption", "body"}
_HREF = "{http://www.w3.org/1999/xlink}href"


@dataclass(slots=True)
class _Found:
    """What the pass gathers: figures with their graphics and media, rights, references to figures and their counts."""

    figures: dict[Element, tuple[list[str], list[str]]] = field(default_factory=dict)
    rights: dict[Element, list[str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    xrefs: list[tuple[Element, str]] = field(default_factory=list)
    misplaced: bool = False
    """Whether a sub-article stands where the DTD allows none, so that ancestors have to be looked at."""


def _figures(article: Element) -> list[Figure]:
    found = _Found()
    for part in article:
        name = local(part)
        if name not in _SKIPPED:
            _collect(part, found, in_body=name == "body")
    if not found.figures:
        return []
    texts = [_texts(figure) for figure in found.figures]
    mentions = _mentions(found, [label for label, _, _ in texts])  # leaves marks in the tree, so it comes after
    return [_figure(figure, found, *text, mentions) for figure, text in zip(found.figures, texts, strict=True)]


def _texts(figure: Element) -> tuple[str | None, str | None, str]:
    """Label, caption and the caption's inner XML: of the first direct `<label>` and `<caption>`."""
    label = caption = None
    for child in figure:
        name = local(child)
        if name == "label" and label is None:
            label = child
        elif name == "caption" and caption is None:
            caption = child
        if label is not None and caption is not None:
            break
    return plain(label), *(jats_text.caption_texts(caption) if caption is not None else (None, ""))


def _collect(part: Element, found: _Found, *, in_body: bool) -> None:
    for element in part.iter(*_WANTED, *(("{*}xref",) if in_body else ())):
        kind = element.get("ref-type")
        if kind is not None and kind.lower() != "fig":
            continue
        if found.misplaced and next(element.iterancestors(*_NOT_MAIN), None) is not None:
            continue
        if kind is not None:
            found.xrefs.append((element, element.get("rid") or ""))
            continue
        name = local(element)
        if name in _SKIPPED:
            found.misplaced = True
        elif name == "fig":
            found.figures[element] = ([], [])
        elif name in _RIGHTS:
            owner = element.getparent() if name == "attrib" else next(element.iterancestors(*_RIGHTS_OWNERS), None)
            if owner is not None and local(owner) in _HOLDERS:
                found.rights.setdefault(owner, []).append(serialized(element))
        elif name != "xref":
            owner, href = _owner(element), _href(element)
            if owner in found.figures and href:
                found.figures[owner][name == "media"].append(href)


def _owner(graphic: Element) -> Element | None:
    """The nearest element around it that decides whose graphic it is."""
    element = graphic.getparent()
    while element is not None and local(element) not in _OWNERS:
        element = element.getparent()
    return element


def _figure(
    element: Element, found: _Found, label: str | None, caption: str | None, caption_xml: str,
    mentions: dict[str, list[str]],
) -> Figure:
    xml_id = element.get("id") or None
    graphics, media = found.figures[element]
    license_code = rights = None
    if rights_xml := _rights(element, found):
        license_code, _ = read_license("".join(rights_xml))
        rights = squash(" ".join([text_of(xml) for xml in rights_xml])) or None
    return Figure(
        xml_id=xml_id, label=label, caption=caption, caption_xml=caption_xml, graphics=graphics, media=media,
        fig_type=element.get("fig-type"), license=license_code, rights_note=rights,
        reprint=_is_reprint(caption, caption_xml) or bool(rights and is_reprint(rights, rights=True)),
        mentions=mentions.get(xml_id or "", []), n_mentions=found.counts.get(xml_id or "", 0),
    )


def _is_reprint(caption: str | None, caption_xml: str) -> bool:
    if not caption or not may_be_reprint(caption):
        return False
    if "bib" not in caption_xml:
        return is_reprint(caption)
    return is_reprint(jats_text.with_citations(caption_xml, CITED, jats_text.CAPTION))


def _rights(element: Element, found: _Found) -> list[str]:
    """Serialised permissions and attributions of a figure, then of the groups around it."""
    if not found.rights:
        return []
    return [xml for owner in (element, *element.iterancestors(_GROUP)) for xml in found.rights.get(owner, ())]


def _mentions(found: _Found, labels: list[str | None]) -> dict[str, list[str]]:
    """The sentences that refer to each figure id, in order, each once; ranges reach the figures between their ends."""
    paragraphs: dict[Element, None] = {}
    for xref, ids in found.xrefs:
        for rid in set(ids.split()):
            found.counts[rid] = found.counts.get(rid, 0) + 1
        jats_text.mark(xref, ids)
        paragraphs[_paragraph(xref)] = None
    by_id = {element.get("id"): label for element, label in zip(found.figures, labels, strict=True)}
    sentences: dict[str, dict[str, None]] = {}
    for paragraph in paragraphs:
        for sentence, rids, ranges in jats_text.cited_sentences(paragraph):
            between = [xml_id for limits in ranges for xml_id in _between(limits, by_id)]
            for xml_id in (*rids, *between):
                sentences.setdefault(xml_id, {})[sentence] = None
    return {rid: list(texts) for rid, texts in sentences.items()}


def _paragraph(xref: Element) -> Element:
    """The nearest element around it that holds running text."""
    element = xref.getparent()
    while local(element) not in _PARAGRAPHS:
        element = element.getparent()
    return element


_NUMBERED = re.compile(r"(\D*?)(\d{1,3})\W*")


def _number(label: str | None) -> tuple[str, int] | None:
    """("figure", 3) of "Figure 3."; None for a label that is not words and one number."""
    match = _NUMBERED.fullmatch(label or "")
    return (match[1].strip().casefold(), int(match[2])) if match else None


def _between(limits: jats_text.Range, labels: dict[str, str | None]) -> list[str]:
    """Ids of the figures whose number lies within a range, both ends included; [] for what is no range."""
    numbers = {xml_id: _number(label) for xml_id, label in labels.items() if xml_id}
    first, last = numbers.get(limits[0]), limits[1]
    end = (first[0], last) if first and isinstance(last, int) else numbers.get(str(last))
    if first is None or end is None or end[0] != first[0] or not 0 < end[1] - first[1] < 30:
        return []
    return [xml_id for xml_id, number in numbers.items()
            if number and number[0] == first[0] and first[1] <= number[1] <= end[1]]


def _href(element: Element) -> str:
    """The href as written, whatever its prefix or namespace; "" if it is missing or blank."""
    href = element.get(_HREF) or element.get("href")
    if href is None:
        href = next((value for name, value in element.attrib.items() if name.endswith("}href")), "")
    return href if href.strip() else ""

