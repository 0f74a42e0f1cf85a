"""Who is who in the sample: which article speaks which dialect, under which licence, with which oddity.

The first fifteen articles hold every special case, so that a small sample has them too; the others repeat a
pattern of forty-five.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from pmcoa_build.ids import article_id

DIALECTS = ("elife", "plos", "elsevier", "mdpi", "bmc", "jcb", "manuscript")
FIRST_PMCID = 98_000_001
"""Placeholders: PMC had not come near this number in 2026."""


@dataclass(frozen=True)
class Part:
    """One article version of the sample.

    `license`: PMC's code, None where it gives none. `oddities`: names that the article's making heeds.
    `content`: seeds what the article says and shows; two versions of one article share it. `revision` is 0, or how
    often the object was changed since.
    """

    index: int
    dialect: str
    license: str | None = "CC BY"
    oddities: frozenset[str] = frozenset()
    version: int = 1
    revision: int = 0
    content: str = ""

    @property
    def pmcid(self) -> int:
        """The number without "PMC"."""
        return FIRST_PMCID + 13 * self.index

    @property
    def article(self) -> str:
        """`PMC98000001.1`."""
        return article_id(self.pmcid, self.version)

    @property
    def outcome(self) -> str:
        """What becomes of the whole article with default settings: `kept` or a code of `reasons`."""
        if "unwell-formed" in self.oddities:
            return "xml-malformed"
        if "cut-json" in self.oddities:
            return "json-malformed"
        if "missing-xml" in self.oddities:
            return "http-404"
        if "retracted" in self.oddities:
            return "retracted"
        if "superseded" in self.oddities:
            return "version-superseded"
        return "kept" if self.license in ("CC BY", "CC0", "CC BY-SA") else "license-not-allowed"


_FIRST: tuple[tuple[str, str | None, str], ...] = (
    ("elife", "CC BY", "reprint sub-article supplement-figures"),
    ("plos", "CC BY", "shared-figure figure-permissions extensionless no-pdf"),
    ("elsevier", "CC BY", "graphical-abstract large-variant no-label"),
    ("mdpi", "CC BY", "shared-figure several-graphics video pdf-null"),
    ("bmc", "CC BY", "near-figure data-waiver alternatives formats"),
    ("jcb", "CC0", "case-differs no-id no-caption repeated-id"),
    ("manuscript", "TDM", "no-media-key"),
    ("mdpi", "CC BY", "retracted"),
    ("plos", "CC BY", "unwell-formed"),
    ("manuscript", "CC BY", "two-versions"),
    ("bmc", "CC BY-SA", "truncated-image html-image media-missing"),
    ("elsevier", "CC BY-NC", "graphical-abstract"),
    ("mdpi", "CC BY", "spanish"),
    ("plos", "CC BY", "missing-xml"),
    ("elife", "CC BY", "no-figures empty-media"),
)
_PATTERN: dict[int, tuple[str | None, str]] = {
    2: ("CC BY-NC", ""), 5: ("CC BY", "reprint"), 7: ("CC BY-NC-ND", ""), 9: ("CC0", ""),
    11: ("CC BY", "several-graphics"),
    13: ("CC BY", "spanish"), 15: ("CC BY-SA", ""), 17: ("TDM", "no-media-key"), 19: ("CC BY", "formats"),
    21: ("CC BY", "retracted"), 23: ("CC BY-NC-SA", ""), 25: ("CC BY", "two-versions"), 27: (None, "pdf-null"),
    29: ("CC BY", "no-label no-id"), 31: ("CC0", "no-caption"), 33: ("CC BY-ND", ""), 35: ("CC BY", "sub-article"),
    37: ("CC BY", "no-figures"), 39: ("CC BY", "figure-permissions"), 41: ("CC BY-SA", "formats"),
    43: ("CC BY", "video"),
}
_BROKEN = {60: "unwell-formed", 77: "missing-xml", 101: "cut-json"}
_ALWAYS = {"elsevier": "graphical-abstract", "bmc": "data-waiver", "jcb": "case-differs", "plos": "extensionless",
           "elife": "supplement-figures"}


def cast(articles: int, edition: int = 1) -> list[Part]:
    """The article versions of an edition, in the order of their ids."""
    parts: list[Part] = []
    for index in range(articles):
        parts.extend(_versions(_first_edition(index)))
    return parts if edition == 1 else _next_day(parts, articles)


def _first_edition(index: int) -> Part:
    if index < len(_FIRST):
        dialect, license_code, words = _FIRST[index]
        return Part(index, dialect, license_code, frozenset(words.split()), content=str(index))
    dialect = DIALECTS[index % len(DIALECTS)]
    license_code, words = _PATTERN.get((index - len(_FIRST)) % 45, ("CC BY", ""))
    if index in _BROKEN:
        license_code, words = "CC BY", _BROKEN[index]
    if dialect == "manuscript" and license_code != "TDM" and index % 2:
        words += " preprint"
    oddities = frozenset(words.split()) | ({_ALWAYS[dialect]} if dialect in _ALWAYS else set())
    return Part(index, dialect, license_code, oddities, content=str(index))


def _versions(part: Part) -> list[Part]:
    """A manuscript and the published article behind it, or the one version there is."""
    if "two-versions" not in part.oddities:
        return [part]
    first = replace(part, dialect="manuscript", oddities=part.oddities | {"superseded"})
    published = replace(part, dialect="bmc", version=2, oddities=part.oddities | {"data-waiver"})
    return [first, published]


CHANGES: dict[str, tuple[int, ...]] = {
    "text": (1, 16, 46), "image": (2, 18, 48), "retracted": (4, 50), "non-commercial": (5,), "version": (0,),
    "removed": (10,),
}
"""What edition 2 does to which articles (by index); it adds three new ones besides."""


def _next_day(parts: list[Part], articles: int) -> list[Part]:
    changed: list[Part] = []
    for part in parts:
        if part.index in CHANGES["removed"]:
            continue
        if part.index in CHANGES["version"]:
            changed += [replace(part, oddities=part.oddities | {"superseded"}), replace(part, version=2, revision=1)]
        elif part.index in CHANGES["text"]:
            changed.append(replace(part, revision=1))
        elif part.index in CHANGES["image"]:
            changed.append(replace(part, revision=1, oddities=part.oddities | {"new-image"}))
        elif part.index in CHANGES["retracted"]:
            changed.append(replace(part, revision=1, oddities=part.oddities | {"retracted"}))
        elif part.index in CHANGES["non-commercial"]:
            changed.append(replace(part, revision=1, license="CC BY-NC"))
        else:
            changed.append(part)
    new = [Part(index, "mdpi", content=f"{index}") for index in range(articles, articles + 3)]
    return changed + new
