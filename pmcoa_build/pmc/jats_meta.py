"""What a JATS article says about itself: identifiers, title, authors, journal, date, licence."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pmcoa_build import licenses
from pmcoa_build.pmc import jats_text
from pmcoa_build.pmc.jats_text import Element, plain, serialized, squash, text_of

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_TITLE_CUT = re.compile(
    r"<(/?)(?:[^\s<>/:]+:)?(?:xref|fn|tex-math|annotation|annotation-xml|alt-text|long-desc|object-id)(?=[\s/>])[^>]*>"
)
"""Footnote marks and the like in a title."""


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
    meta = article.find("{*}front/{*}article-meta")
    root = {"article_type": article.get("article-type"), "language": language_of(article)}
    if meta is None:
        return Front(**root)
    numbers = _article_ids(meta)
    custom = _custom_meta(meta)
    code, url = article_license(meta, custom)
    pmid = numbers.get("pmid", "")
    return Front(
        **root,
        pmcid=_pmcid(numbers),
        pmid=int(pmid) if re.fullmatch("[0-9]{1,18}", pmid) else None,
        doi=numbers.get("doi") or None,
        title=plain(meta.find("{*}title-group/{*}article-title"), _TITLE_CUT) or "",
        authors=tuple(_authors(meta)),
        journal=plain(article.find("{*}front/{*}journal-meta//{*}journal-title")),
        year=_year(meta),
        license_code=code,
        license_url=url,
        is_scanned=_is_scanned(meta, custom),
        has_abstract=meta.find("{*}abstract") is not None,
    )


def language_of(article: Element) -> str | None:
    """Primary language subtag in lower case ("en", "pt"); None if not stated."""
    return (article.get(_LANG) or "").replace("_", "-").split("-")[0].strip().lower() or None


def _article_ids(meta: Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in meta.iterchildren("{*}article-id"):
        found.setdefault(item.get("pub-id-type") or "", squash("".join(item.itertext())))
    return found


def _pmcid(numbers: dict[str, str]) -> str | None:
    for kind in ("pmcid", "pmc"):
        match = re.match(r"(?:PMC)?([0-9]+)", numbers.get(kind, ""), re.IGNORECASE)
        if match:
            return f"PMC{match[1]}"
    return None


def _authors(meta: Element) -> list[str]:
    """ "Given Surname" or the name of a group, in order; contributors of other types (editors) are left out."""
    names = []
    for contributor in meta.iterfind("{*}contrib-group/{*}contrib"):
        if (contributor.get("contrib-type") or "author") != "author":
            continue
        name = contributor.find("{*}name")
        if name is None:
            name = contributor.find("{*}name-alternatives/{*}name")
        if name is not None:
            parts = [plain(name.find(f"{{*}}{part}")) for part in ("given-names", "surname", "suffix")]
            names.append(" ".join(part for part in parts if part))
        else:
            names.append(_group(contributor))
    return [name for name in names if name]


def _group(contributor: Element) -> str:
    """A consortium's or an unstructured name, without the list of its members."""
    for kind in ("collab", "string-name", "collab-alternatives"):
        found = contributor.find(f"{{*}}{kind}")
        if found is not None:
            return plain(found, _MEMBERS) or ""
    return ""


_MEMBERS = re.compile(r"<(/?)(?:[^\s<>/:]+:)?(?:contrib-group|xref|fn|aff|email|address)(?=[\s/>])[^>]*>")
_NOT_PUBLISHED = {"pmc-release", "nihms-submitted"}


def _year(meta: Element) -> int | None:
    """The smallest four-digit year of a publication date."""
    years = [
        int(year)
        for date in meta.iterchildren("{*}pub-date")
        if not _NOT_PUBLISHED & {date.get("pub-type"), date.get("date-type")}
        for year in [(date.findtext("{*}year") or "").strip()]
        if re.fullmatch("[0-9]{4}", year)
    ]
    return min(years, default=None)


def _custom_meta(meta: Element) -> dict[str, str]:
    return {
        name: squash("".join(value.itertext()))
        for item in meta.iterfind(".//{*}custom-meta")
        if (name := squash(item.findtext("{*}meta-name") or "")) and (value := item.find("{*}meta-value")) is not None
    }


def _is_scanned(meta: Element, custom: dict[str, str]) -> bool:
    if custom.get("pmc-prop-is-scanned-article", "").lower() in ("yes", "true", "1"):
        return True
    return any(item.get("content-type") == "scanned-pages" for item in meta.iterchildren("{*}supplementary-material"))


_TERMS = ("{*}permissions", "{*}license", "{*}copyright-statement")
"""Where the terms of the article stand: directly in article-meta (older DTDs have no `permissions`)."""
_LICENSE_TYPE = re.compile(r"\s(?:license-type|content-type)=\"([^\"]*)\"")


def article_license(meta: Element, custom: dict[str, str]) -> tuple[str | None, str | None]:
    """(code, URL) of the article's own licence; (None, None) where no Creative Commons licence is stated."""
    xml = "".join(serialized(item) for item in meta.iterchildren(*_TERMS))
    return read_license(xml, custom.get("pmc-license-ref", ""))


def read_license(xml: str, stated: str = "") -> tuple[str | None, str | None]:
    """(code, URL) that serialised `permissions` state, the most restrictive where they contradict themselves.

    Signals: Creative Commons URLs anywhere in it, `license-type` and `content-type`, PMC's `stated` reference; only
    without any of these the words. A CC0 beside another licence is a waiver for the data (BioMed Central) and yields.
    """
    urls = licenses.urls_in(xml)
    codes = [code for code, _ in urls]
    for kind in (*_LICENSE_TYPE.findall(xml), stated):
        codes += licenses.codes_in_words(kind)
    if not codes:
        codes = licenses.codes_in_words(text_of(jats_text.cut(xml, jats_text.SILENT)))
    code = licenses.most_restrictive(codes)
    return code, next((url for found, url in urls if found == code), None)
