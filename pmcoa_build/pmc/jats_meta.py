"""What a JATS article says about itself: identifiers, title, authors, journal, date, licence."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pmcoa_build import licenses
from pmcoa_build.pmc import jats_text
from pmcoa_build.pmc.jats_text import Element, plain, serialized, text_of

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

@dataclass(frozen=True, slots=True)
class Front:
    """The fields of `Article` that come from the front matter."""

    pmcid: str | None = None
    pmid: int | None = None
    doi: str | None = None
    title: str = ""
    authors: tuple[str, ...] = ()
    journal: str | None = None
    year: int | None = None
    article_type: str | None = None
    language: str | None = None
    license_code: str | None = None
    license_url: str | None = None
    is_scanned: bool = False
    has_abstract: bool = False


def read_front(article: Element) -> Front:
    """Read the direct front matter of an article (never that of a sub-article)."""
    front = _child(article, "front")
    meta = None if front is None else _child(front, "article-meta")
    root = {"article_type": article.get("article-type"), "language": language_of(article)}
    if front is None or meta is None:
        return Front(**root)
    parts: dict[str, list[Element]] = {}
    for part in meta:
        parts.setdefault(local(part), []).append(part)
    numbers = _article_ids(parts.get("article-id", ()))
    custom = _custom_meta(meta)
    code, url = read_license("".join(serialized(part) for name in _TERMS for part in parts.get(name, ())),
                             custom.get("pmc-license-ref", ""))
    pmid = numbers.get("pmid", "")
    return Front(
        **root,
        pmcid=_pmcid(numbers),
        pmid=int(pmid) if re.fullmatch("[0-9]{1,18}", pmid) else None,
        doi=numbers.get("doi") or None,
        title=plain(_descendant(parts.get("title-group", ()), "article-title"), jats_text.TITLE) or "",
        authors=tuple(_authors(parts.get("contrib-group", ()))),
        journal=plain(_descendant(front.iterchildren("{*}journal-meta"), "journal-title")),
        year=_year(parts.get("pub-date", ())),
        license_code=code,
        license_url=url,
        is_scanned=_is_scanned(parts.get("supplementary-material", ()), custom),
        has_abstract="abstract" in parts,
    )


def local(element: Element) -> str:
    """The tag without its namespace."""
    tag: str = element.tag
    return tag.rpartition("}")[2] if tag[0] == "{" else tag


def language_of(article: Element) -> str | None:
    """Primary language subtag in lower case ("en", "pt"); None if not stated."""
    return (article.get(_LANG) or "").replace("_", "-").split("-")[0].strip().lower() or None


def _child(element: Element, name: str) -> Element | None:
    return next((child for child in element if local(child) == name), None)


def _descendant(elements: Iterable[Element], name: str) -> Element | None:
    return next((found for element in elements for found in element.iterdescendants(f"{{*}}{name}")), None)


def _article_ids(items: Iterable[Element]) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in items:
        found.setdefault(item.get("pub-id-type") or "", plain(item) or "")
    return found


def _pmcid(numbers: dict[str, str]) -> str | None:
    for kind in ("pmcid", "pmc"):
        match = re.match(r"(?:PMC)?([0-9]+)", numbers.get(kind, ""), re.IGNORECASE)
        if match:
            return f"PMC{match[1]}"
    return None


def _authors(groups: Iterable[Element]) -> list[str]:
    """ "Given Surname" or the name of a group, in order; contributors of other types (editors) are left out."""
    people = (person for group in groups for person in group.iterchildren("{*}contrib"))
    names = (_author(person) for person in people if (person.get("contrib-type") or "author") == "author")
    return [name for name in names if name]


def _author(person: Element) -> str:
    """The first name that a contributor has, whichever way it is tagged; "" without one."""
    for part in person:
        kind = local(part)
        if kind in ("name", "name-alternatives"):
            name = part if kind == "name" else _child(part, "name")
            texts = {} if name is None else {local(piece): piece for piece in name}
            found = [plain(texts.get(piece)) for piece in ("given-names", "surname", "suffix")]
            return " ".join(text for text in found if text)
        if kind in ("collab", "string-name", "collab-alternatives"):
            return plain(part, jats_text.NAME) or ""
    return ""


_NOT_PUBLISHED = {"pmc-release", "nihms-submitted"}


def _year(dates: Iterable[Element]) -> int | None:
    """The smallest four-digit year of a publication date."""
    years = [
        int(year)
        for date in dates
        if not _NOT_PUBLISHED & {date.get("pub-type"), date.get("date-type")}
        for year in [plain(_child(date, "year")) or ""]
        if re.fullmatch("[0-9]{4}", year)
    ]
    return min(years, default=None)


def _custom_meta(meta: Element) -> dict[str, str]:
    found = {}
    for item in meta.iterdescendants("{*}custom-meta"):
        pair = {local(part): plain(part) or "" for part in item}
        found[pair.get("meta-name", "")] = pair.get("meta-value", "")
    return found


def _is_scanned(attached: Iterable[Element], custom: dict[str, str]) -> bool:
    if custom.get("pmc-prop-is-scanned-article", "").lower() in ("yes", "true", "1"):
        return True
    return any(item.get("content-type") == "scanned-pages" for item in attached)


_TERMS = ("permissions", "license", "copyright-statement")
"""Where the terms of the article stand: directly in article-meta (older DTDs have no `permissions`)."""


def read_license(xml: str, stated: str = "") -> tuple[str | None, str | None]:
    """(code, URL) that serialised `permissions` state, the most restrictive where they contradict themselves.

    Signals: Creative Commons URLs, `license-type`, `content-type` and words anywhere in it, PMC's `stated` reference. A
    CC0 beside another licence is a waiver for the data (BioMed Central) and yields. Other terms (licenses.OTHERS) have
    a URL, but no code.
    """
    said = f"{xml} {stated}"
    urls = licenses.urls_in(said)
    codes = [code for code, _ in urls] + licenses.codes_in_words(said)
    if not codes:
        codes = licenses.codes_in_words(text_of(xml))
    code = licenses.most_restrictive(codes)
    if code is None:
        other = licenses.other_terms(xml)
        return None, other.url if other else None
    return code, next((url for found, url in urls if found == code), None)
