"""Licences: what each code of PMC allows, how to read one from a URL or from words, and the attribution line.

PMC's codes carry no version ("CC BY"); the version is known only where a URL states it.
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
    `commercial`: either for money. Where no version is stated, `spdx` and `url` are those of the current version.
    """

    code: str
    spdx: str | None
    url: str | None
    redistribution: bool
    adaptation: bool
    commercial: bool

    @property
    def open(self) -> bool:
        """Whether it allows all three: what the default selection keeps."""
        return self.redistribution and self.adaptation and self.commercial


def _cc(parts: str) -> License:
    return License(
        code=f"CC {parts.upper()}",
        spdx=f"CC-{parts.upper()}-4.0",
        url=f"https://creativecommons.org/licenses/{parts}/4.0/",
        redistribution=True,
        adaptation="nd" not in parts,
        commercial="nc" not in parts,
    )


_PUBLIC = "https://creativecommons.org/publicdomain"
LICENSES: dict[str, License] = {
    entry.code: entry
    for entry in (
        License("CC0", "CC0-1.0", f"{_PUBLIC}/zero/1.0/", True, True, True),
        License("PDM", None, f"{_PUBLIC}/mark/1.0/", True, True, True),
        *(_cc(parts) for parts in ("by", "by-sa", "by-nd", "by-nc", "by-nc-sa", "by-nc-nd")),
        License("TDM", None, None, False, False, False),
    )
}
"""Every code, from the most to the least permissive."""

DEFAULT_CODES: tuple[str, ...] = ("CC0", "CC BY", "CC BY-SA")
"""What the default selection keeps: the codes PMC gives that allow passing on, changing and selling."""

_URL = re.compile(
    r"creativecommons\.org/(?:licen[cs]es?/(?:cc[-_ ]?)?([a-z-]+)|(publicdomain/zero|publicdomain/mark))"
    r"(?:/([0-9]\.[0-9])(?![0-9]))?"
)
"""In lower case, which makes it an order of magnitude faster."""
_WORDS = re.compile(
    r"c(?<!\w.)(?:(?P<zero>c[ -]?(?:0|zero)(?![0-9])|reative[ -]commons public domain(?! mark))"
    r"|(?:c|reative[ -]?commons)[-_ ]?by(?P<abbr>(?:[-_ ]?(?:nc|nd|sa)){0,2})(?![a-km-z])"
    r"|reative[ -]?commons[ -](?:licen[cs]e[ -])?[(\"“]?attribution(?P<full>(?:[\s,/‐‑–-]*"
    r"(?:and\b)?[\s,/‐‑–-]*(?:non[ ‐‑-]?commercial|no[ ‐‑-]?deriv\w*|share[ ‐‑-]?alike)(?:[ -]works?)?){0,2}))"
)
"""In lower case and with one first letter, as above."""
_FULL = (("nc", "commercial"), ("nd", "deriv"), ("sa", "alike"))


def _code(parts: Iterable[str]) -> str | None:
    """`CC BY-NC-ND` of {"by", "nc", "nd"} in any order; None for what is no licence of today's six."""
    found = set(parts)
    if "by" not in found or not found <= {"by", "nc", "nd", "sa"} or {"nd", "sa"} <= found:
        return None
    return "CC " + "-".join(part.upper() for part in ("by", "nc", "nd", "sa") if part in found)


def urls_in(text: str) -> list[tuple[str, str]]:
    """(code, URL as Creative Commons writes it today) of every Creative Commons URL in the text, in order.

    The URL carries a version only where the text states one.
    """
    hits = []
    for parts, public, version in _URL.findall(text.lower()):
        public_code = "CC0" if public == "publicdomain/zero" else "PDM"
        code = _code(parts.strip("-").split("-")) if parts else public_code
        if code:
            path = public or f"licenses/{code[3:].lower()}"
            hits.append((code, f"https://creativecommons.org/{path}/" + (f"{version}/" if version else "")))
    return hits


def codes_in_words(text: str) -> list[str]:
    """Codes named in words: "CC BY-NC 4.0", "cc-by", "Creative Commons Attribution-NonCommercial", "CC0"."""
    codes = []
    for match in _WORDS.finditer(text.lower()):
        if match["zero"]:
            codes.append("CC0")
            continue
        if match["full"] is not None:
            parts = [part for part, word in _FULL if word in match["full"]]
        else:
            parts = re.findall(r"nc|nd|sa", match["abbr"])
        code = _code(["by", *parts])
        if code:
            codes.append(code)
    return codes


def most_restrictive(codes: Iterable[str]) -> str | None:
    """The code that allows least (later in `LICENSES`); CC0 beside another CC code is a waiver for data, so it yields.

    None when there is no known code.
    """
    order = list(LICENSES)
    return max((code for code in codes if code in LICENSES), key=order.index, default=None)


def license_of(code_or_url: str | None) -> License | None:
    """The licence of a code ("CC BY-NC"), an SPDX id ("CC-BY-4.0") or a URL; None if none is stated or known.

    A URL with a version gives that version's SPDX id and URL.
    """
    text = " ".join((code_or_url or "").split())
    if not text:
        return None
    if text.upper() in LICENSES:
        return LICENSES[text.upper()]
    urls = urls_in(text)
    if urls:
        return _of_url(*urls[0])
    code = most_restrictive(codes_in_words(text))
    return LICENSES[code] if code else None


def _of_url(code: str, url: str) -> License:
    version = re.search(r"/([0-9.]+)/$", url)
    if version is None or not code.startswith("CC BY"):
        return LICENSES[code]
    return replace(LICENSES[code], spdx=f"CC-{code[3:]}-{version[1]}", url=url)


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
) -> str:
    """One line with title, author, source and licence.

    After TASL (https://wiki.creativecommons.org/wiki/Recommended_practices_for_attribution).
    What is unknown is left out; an unknown licence is said to be unknown.
    """
    source = " ".join(part for part in (journal or "", f"({year})" if year else "") if part)
    link = f"https://doi.org/{doi}" if doi else ""
    pieces = [shortened(authors), " ".join(title.split()), source, link, _terms(license)]
    return " ".join(piece if piece.endswith((".", "?", "!")) or piece.startswith("https://") else f"{piece}."
                    for piece in pieces if piece)


def _terms(entry: License | None) -> str:
    if entry is None:
        return "Licence not stated."
    version = re.fullmatch(r".*-([0-9.]+)", entry.spdx or "")
    name = f"{entry.code} {version[1]}" if version else entry.code
    return f"Licence: {name}" + (f" ({entry.url})." if entry.url else ".")
