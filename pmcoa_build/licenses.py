"""Licences: what each code of PMC allows, how to read one from a URL or from words, and the attribution line.

PMC's codes carry no version ("CC BY"); the version is known only where a URL states it. A null code says that the
article is open to read, and no more: other terms than Creative Commons' (`OTHERS`), works of governments, "open
access" without a licence. None of them is selected by a code; only `licenses = ["any"]` keeps them.
Sources: https://creativecommons.org/licenses/ , https://spdx.org/licenses/ ,
https://pmc.ncbi.nlm.nih.gov/tools/pmcaws/ (`license_code`: a CC code, "TDM", or null).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class License:
    """A licence: PMC's code, SPDX id (None if it has none), deed URL, and what it allows others to do.

    `redistribution`: pass copies on; `adaptation`: pass on what was changed (a cropped panel is an adaptation);
    `commercial`: either for money. `version`: as stated, with the port ("4.0", "2.0 UK"); None where none is stated:
    `spdx` and `url` are then those of the current version.
    """

    code: str
    spdx: str | None
    url: str | None
    redistribution: bool
    adaptation: bool
    commercial: bool
    version: str | None = None

    @property
    def open(self) -> bool:
        """Whether it allows all three: what the default selection keeps."""
        return self.redistribution and self.adaptation and self.commercial

    @property
    def name(self) -> str:
        """Code and version: "CC BY 2.0 UK"; the code alone where no version is stated."""
        return f"{self.code} {self.version}" if self.version else self.code


def _cc(parts: str) -> License:
    return License(
        code=f"CC {parts.upper()}",
        spdx=f"CC-{parts.upper()}-4.0",
        url=f"https://creativecommons.org/licenses/{parts}/4.0/",
        redistribution=True,
        adaptation="nd" not in parts,
        commercial="nc" not in parts,
    )


_ROOT = "https://creativecommons.org"
LICENSES: dict[str, License] = {
    entry.code: entry
    for entry in (
        License("CC0", "CC0-1.0", f"{_ROOT}/publicdomain/zero/1.0/", True, True, True, "1.0"),
        License("PDM", "CC-PDM-1.0", f"{_ROOT}/publicdomain/mark/1.0/", True, True, True, "1.0"),
        *(_cc(parts) for parts in ("by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd")),
        License("TDM", None, None, False, False, False),
    )
}
"""Every code, from the most to the least permissive."""

_OGL = "nationalarchives.gov.uk/doc/open-government-licence"
OTHERS: dict[str, License] = {
    **{part: License("OGL", f"OGL-UK-{version}.0", f"https://www.{_OGL}/version/{version}/", True, True, True)
       for version, part in ((1, f"{_OGL}/version/1"), (2, f"{_OGL}/version/2"), (3, _OGL))},
    "pubs.acs.org/page/policy/authorchoice_termsofuse": License(
        "ACS AuthorChoice", None, "https://pubs.acs.org/page/policy/authorchoice_termsofuse.html", True, True, False),
    "elsevier.com/open-access/userlicense": License(
        "Elsevier user license", None, "https://www.elsevier.com/open-access/userlicense/1.0/", False, False, False),
}  # fmt: skip
"""Other terms met in PMC, by a part of their URL. PMC gives them no code."""

# --- URLs --------------------------------------------------------------------------------------------------------

_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-")
                        | dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""))
"""Publishers write `by‐nc‐nd` with other hyphens, and break it with characters that are not seen: without this such
a licence would be read as CC BY."""
_ODD = re.compile(f"[{''.join(map(chr, _DASHES))}]")


def _plain(text: str) -> str:
    """In lower case, with plain hyphens only."""
    lowered = text.lower()
    return lowered.translate(_DASHES) if _ODD.search(lowered) else lowered


_PARTS = r"(?:by|nc|nd|sa)(?:[-_/+\s]*(?:by|nc|nd|sa))*"
_URL = re.compile(
    r"creativecommons?\.(?:org|net|com)(?:"
    r"(?:/*\s?licen[cs]es?[/.]*|/+l/+|/+(?=[a-z/-]+/[0-9]\.))"
    rf"(?:cc[-_ ]?)?(?P<parts>{_PARTS})(?=[\s\"'<>()\[\]{{}}.,;:#?&\\/|]|[-_]?v?[0-9]|-?$)"
    r"|/+(?:publicdomain|licen[cs]es?|public-domain|share-your-work/public-domain|about|choose)/+"
    r"(?P<public>zero|cc0|mark|publicdomain)\b)"
    r"(?:[-_/\s]*v?(?P<version>[0-9]\.[0-9])(?![0-9])(?:/+(?P<port>igo|scotland|[a-z]{2})(?![a-z0-9.-]))?)?"
)
"""For `_plain` text; begins with a literal, which makes it an order of magnitude faster."""
_VERSIONS = {"1.0", "2.0", "2.1", "2.5", "3.0", "4.0"}
_PORTS = frozenset(
    """ar at au az be bg br ca ch cl cn co cr cz de dk ec ee eg es fi fr ge gr gt hk hr hu ie igo il in it jp kr lu mk
    mt mx my nl no nz pe ph pl pr pt ro rs scotland se sg si th tw ug uk us ve vn za""".split()  # noqa: SIM905
)
"""Jurisdictions that versions before 4.0 were ported to."""
_SPDX_PORTS = {
    "CC-BY-2.5-AU", "CC-BY-3.0-AT", "CC-BY-3.0-AU", "CC-BY-3.0-DE", "CC-BY-3.0-IGO", "CC-BY-3.0-NL", "CC-BY-3.0-US",
    "CC-BY-NC-3.0-DE", "CC-BY-NC-ND-3.0-DE", "CC-BY-NC-ND-3.0-IGO", "CC-BY-NC-SA-2.0-DE", "CC-BY-NC-SA-2.0-FR",
    "CC-BY-NC-SA-2.0-UK", "CC-BY-NC-SA-3.0-DE", "CC-BY-NC-SA-3.0-IGO", "CC-BY-ND-3.0-DE", "CC-BY-SA-2.0-UK",
    "CC-BY-SA-2.1-JP", "CC-BY-SA-3.0-AT", "CC-BY-SA-3.0-DE", "CC-BY-SA-3.0-IGO",
}  # fmt: skip
"""The ported licences that SPDX lists; the others have no id."""


def urls_in(text: str) -> list[tuple[str, str]]:
    """(code, URL as Creative Commons writes it today) of every Creative Commons URL in the text, in order.

    The URL carries a version and a port only where the text states one. Deeds, legal codes, buttons and common slips
    (`license/by`, `by/4.0` without `licenses`, other hyphens) are read; a licence that is none of today's (`nc/1.0`,
    `sampling/1.0`), or whose name cannot be read to its end, is not.
    """
    hits = []
    for match in _URL.finditer(_plain(text)):
        if match["public"]:
            hits.append(_PUBLIC[match["public"]])
        elif code := _code(_PART.findall(match["parts"])):
            hits.append((code, f"{_ROOT}/licenses/{_path(code, match['version'], match['port'])}/"))
    return hits


_PART = re.compile("by|nc|nd|sa")
_PUBLIC = {
    "zero": ("CC0", f"{_ROOT}/publicdomain/zero/1.0/"),
    "cc0": ("CC0", f"{_ROOT}/publicdomain/zero/1.0/"),
    "mark": ("PDM", f"{_ROOT}/publicdomain/mark/1.0/"),
    "publicdomain": ("PDM", f"{_ROOT}/licenses/publicdomain/"),
}
"""The last is the dedication that CC0 and the mark replaced in 2010: public domain all the same."""


def _code(parts: Iterable[str]) -> str | None:
    """`CC BY-NC-ND` of {"by", "nc", "nd"} in any order; None for what is no licence of today's six."""
    found = set(parts)
    if "by" not in found or {"nd", "sa"} <= found:
        return None
    return "CC " + "-".join(part.upper() for part in ("by", "nc", "nd", "sa") if part in found)


def _path(code: str, version: str | None, port: str | None) -> str:
    """`by-nc-nd/2.0/uk`; what is no version or port of Creative Commons is left away."""
    parts = code[3:].lower()
    if version not in _VERSIONS:
        return parts
    if version == "1.0" and parts == "by-nc-nd":
        return "by-nd-nc/1.0"  # as its deed is called
    return f"{parts}/{version}/{port}" if version != "4.0" and port in _PORTS else f"{parts}/{version}"


# --- words -------------------------------------------------------------------------------------------------------

_NC = r"(?:usos?\s+)?(?:non|não|nao|no|pas\s+d['’]utilisation|nicht|keine)[\s-]*(?:com+er[csz]\w*|kommerziell\w*)"
_ND = (r"(?:no|non|sem|sin|pas\s+de|keine)[\s-]*(?:opere\s+)?(?:deriv\w*|obras?\s+deriv\w*|modification\w*"
       r"|bearbeitung\w*)")
_SA = (r"share[\s-]*alike|compart\w*?[\s-]*igual|compart\w*\s+pela\s+mesma\s+licença|condividi\s+allo\s+stesso\s+modo"
       r"|partage\s+dans\s+les\s+mêmes\s+conditions|weitergabe\s+unter\s+gleichen\s+bedingungen")
_FULL = (("nc", re.compile(_NC)), ("nd", re.compile(_ND)), ("sa", re.compile(_SA)))
_WORDS = re.compile(
    r"c(?<!\w.)(?:(?P<zero>c[ -]?(?:0|zero)(?![0-9])|reative[ -]commons public domain(?! mark))"
    r"|(?:c|reative[ -]?commons)[-_ :]?by(?P<abbr>(?:[-_/, ]{0,3}(?:nc|nd|sa)){0,2})(?![a-km-z])"
    r"|reative[ -]?commons[ -](?:(?:licen[cs]e|international|de)[ -])*[(\"“]?"
    r"(?:attribution|atribui[cç][aã]o|atribuci[oó]n|reconocimiento|attribuzione|paternité|namensnennung)"
    r"(?:\s*\(by\)|\s*[0-9]\.[0-9])?"
    rf"(?P<full>(?:[\s,/()-]*(?:\b(?:and|e|y|et|und)\b)?[\s,/()-]*(?:{_NC}|{_ND}|{_SA})(?:[ -]works?)?){{0,2}}))"
)
"""For `_plain` text; begins with one letter, which makes it several times faster. In six languages."""


def codes_in_words(text: str) -> list[str]:
    """Codes named in words: "CC BY-NC 4.0", "cc-by", "Creative Commons Attribution-NonCommercial", "CC0"."""
    codes = []
    for match in _WORDS.finditer(_plain(text)):
        if match["zero"]:
            codes.append("CC0")
            continue
        if match["full"] is not None:
            parts = [part for part, words in _FULL if words.search(match["full"])]
        else:
            parts = re.findall(r"nc|nd|sa", match["abbr"])
        code = _code(["by", *parts])
        if code:
            codes.append(code)
    return codes


# --- what is meant -----------------------------------------------------------------------------------------------


def most_restrictive(codes: Iterable[str | None]) -> str | None:
    """The code that allows no more than any of those stated: for CC BY-ND beside CC BY-NC it is CC BY-NC-ND.

    The safe reading of statements that contradict each other, such as PMC's code and the XML. CC0 beside another code
    is a waiver for the data (BioMed Central) and the Public Domain Mark one for a part, so both yield. None when there
    is no known code.
    """
    known = [code for code in codes if code in LICENSES]
    if "TDM" in known:
        return "TDM"
    parts = {part for code in known if code.startswith("CC BY") for part in code[3:].lower().split("-")}
    if parts:
        return _code(parts - {"sa"} if "nd" in parts else parts)
    return max(known, key=list(LICENSES).index, default=None)


def license_of(code_or_url: str | None) -> License | None:
    """The licence of a code ("CC BY-NC"), an SPDX id ("CC-BY-4.0"), a URL or words; None if none is stated or known.

    A URL with a version gives that version's SPDX id and URL.
    """
    text = " ".join((code_or_url or "").split())
    for entry in LICENSES.values():
        if text.upper() == entry.code or (entry.version and text.upper() == entry.spdx):
            return entry
    for code, url in urls_in(_ID.sub(r"creativecommons.org/licenses/\1/\2/\3", text)):
        return _of_url(code, url)
    named = most_restrictive(codes_in_words(text))
    return LICENSES[named] if named else other_terms(text)


def other_terms(text: str) -> License | None:
    """The terms of OTHERS that a URL in the text, or a code of theirs, names."""
    return next((entry for part, entry in OTHERS.items() if part in text.lower() or text == entry.code), None)


_ID = re.compile(r"^CC[- ](BY(?:-(?:NC|ND|SA))*)[- ]([0-9]\.[0-9])(?:[- ]([A-Z]+))?$", re.IGNORECASE)
"""An SPDX id, or a name with a version, as a URL says it."""


def stated_license(code: str | None, url: str | None) -> License | None:
    """The licence of a code, in the version that the URL beside it states if it is a URL of the same licence.

    Without a known code that of the URL; None if neither says anything known.
    """
    named, linked = license_of(code), license_of(url)
    return linked if named is None or (linked is not None and linked.code == named.code) else named


_RESERVED = re.compile(
    r"\brights\s+reserved|\bdroits\s+réservés|\bderechos\s+reservados|\bdireitos\s+reservados|\brechte\s+vorbehalten"
    r"|\b(?:not|neither)\b[^.;]{0,60}\b(?:licen[cs]e|cc[- ]?by|creative\s+commons)"
    r"|\b(?:exempt|exclu|except)\w*\b[^.;]{0,60}\b(?:licen[cs]e|cc[- ]?by|creative\s+commons)"
)
_COPYRIGHT = re.compile(
    r"(?:©|\bcopyright(?:ed)?\b|\(c\)(?=\s*[12][0-9]{3}))(?![\s\d,-]*(?:by\s+|of\s+)?(?:the\s+)?(?:author|copyright|©))"
)


def figure_license(own: str | None, notice: str | None, article: str | None) -> str:
    """The code that a figure stands under: `own`, which its permissions state, be it stricter or freer; else `article`.

    "", no licence, where the `notice` beside it reserves rights or takes it out of the article's licence, and where it
    names another copyright holder than the authors without a licence; also where nothing is stated at all.
    """
    text = _plain(notice or "")
    if _RESERVED.search(text) or (own is None and _COPYRIGHT.search(text)):
        return ""
    return own or article or ""


def _of_url(code: str, url: str) -> License:
    match = re.search(r"/([0-9.]+)/(?:([a-z]+)/)?$", url)
    if code == "PDM" and match is None:
        return replace(LICENSES[code], spdx="CC-PDDC", url=url, version=None)
    if match is None or not code.startswith("CC BY"):
        return LICENSES[code]
    version = " ".join(filter(None, (match[1], (match[2] or "").upper())))
    spdx = f"CC-{code[3:]}-{version.replace(' ', '-')}"
    listed = spdx in _SPDX_PORTS if match[2] else match[1] != "2.1"
    return replace(LICENSES[code], spdx=spdx if listed else None, url=url, version=version)


# --- the attribution line ----------------------------------------------------------------------------------------


def shortened(authors: Sequence[str], most: int = 3) -> str:
    """`A, B, C et al.` beyond `most` authors, all of them otherwise; "" without any."""
    names = [" ".join(name.split()) for name in authors if name.strip()]
    return ", ".join(names[:most]) + (" et al." if len(names) > most else "")


def attribution(
    *,
    authors: Sequence[str],
    title: str,
    journal: str | None,
    year: int | None,
    doi: str | None,
    license: License | None,
    source_url: str = "",
    notice: str | None = None,
) -> str:
    """One line with title, author, source, notice and licence.

    After TASL (https://wiki.creativecommons.org/wiki/Recommended_practices_for_attribution): what the licences ask for
    (4.0, section 3(a)) "in any reasonable manner", the link leading to all authors, notices and disclaimers: the DOI,
    or `source_url` without one. `notice`: the copyright or credit that stands beside the figure itself. What is unknown
    is left out; an unknown licence is said to be unknown, and a version is named only where one is stated.
    """
    source = " ".join(part for part in (journal or "", f"({year})" if year else "") if part)
    link = f"https://doi.org/{doi}" if doi else source_url
    beside = f"Notice: {' '.join(notice.split())}" if notice else ""
    pieces = [shortened(authors), " ".join(title.split()), source, link, beside, _terms(license)]
    return " ".join(piece if piece.endswith((".", "?", "!")) or piece.startswith("https://") else f"{piece}."
                    for piece in pieces if piece)


def with_changes(line: str, changes: str) -> str:
    """The line with what was changed, which the licences ask to be told (4.0, section 3(a)(1)(B)); "" = nothing."""
    return f"{line} Changes: {changes}." if changes else line


def _terms(entry: License | None) -> str:
    if entry is None:
        return "Licence not stated."
    return f"Licence: {entry.name}" + (f" ({entry.url})." if entry.url else ".")
