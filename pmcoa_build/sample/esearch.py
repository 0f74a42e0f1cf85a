"""A stand-in for ESearch on db=pmc: filters, dates, words of titles.

See https://www.ncbi.nlm.nih.gov/books/NBK25499/#chapter4.ESearch. Knows `AND`, `OR`, `NOT`, parentheses,
`"…"[Filter]` and `…[pmcrdat]`; anything else is looked for in the title. What finds nothing, and fields that are not
known, are listed as NCBI lists them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LIMIT = 10_000
"""ESearch gives no more ids than these for one query, however it is paged."""

_DATES = {"pmcrdat", "pdat"}
_FIELDS = {"", "filter", "title", "ti", "all fields", *_DATES}
_TOKENS = re.compile(r'\s*(\(|\)|(?:AND|OR|NOT)(?![\w])|"[^"]*"(?:\[[^\]]*\])?|[^\s()\[]+(?:\s*\[[^\]]*\])?)')
_FILTERS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "open_access": lambda record: bool(record["is_pmc_openaccess"]),
    "author_manuscript": lambda record: bool(record["is_manuscript"]),
    "has_pdf": lambda record: bool(record.get("pdf_url")),
    **{f"{code.lower().replace(' ', '_')}_license": lambda record, code=code: record["license_code"] == code  # type: ignore[misc]
       for code in ("CC0", "CC BY", "CC BY-SA", "CC BY-ND", "CC BY-NC", "CC BY-NC-SA", "CC BY-NC-ND")},
}


def esearch(root: Path, query: Mapping[str, str], limit: int = LIMIT) -> bytes:
    """The JSON reply: `esearchresult.count` and `.idlist` (digits without "PMC", newest first, paged)."""
    parser = _Parser(query.get("term", ""), _records(root))
    found = sorted(parser.whole(), reverse=True)
    start, most = int(query.get("retstart", "0")), min(int(query.get("retmax", "20")), limit)
    result: dict[str, Any] = {"count": str(len(found)), "retmax": str(most), "retstart": str(start),
              "idlist": [str(pmcid) for pmcid in found[:limit][start : start + most]],
              "querytranslation": query.get("term", "")}
    if parser.phrases or parser.fields:
        result["errorlist"] = {"phrasesnotfound": parser.phrases, "fieldsnotfound": parser.fields}
    if not found:
        result["warninglist"] = {"phrasesignored": [], "quotedphrasesnotfound": [],
                                 "outputmessages": ["No items found."]}
    return json.dumps({"header": {"type": "esearch", "version": "0.3"}, "esearchresult": result}).encode()


def _records(root: Path) -> dict[int, dict[str, Any]]:
    """PMCID to the JSON of its highest version, with the day of its release."""
    records: dict[int, dict[str, Any]] = {}
    for path in sorted((root / "metadata").glob("*.json")):
        try:
            record = json.loads(path.read_text("utf-8"))
        except ValueError:
            continue
        xml = root / path.stem / f"{path.stem}.xml"
        day = re.search(r"<day>(\d+)</day><month>(\d+)</month><year>(\d+)",
                        xml.read_text("utf-8")) if xml.exists() else None
        record["day"] = f"{day[3]}/{day[2]}/{day[1]}" if day else ""
        records[int(record["pmcid"][3:])] = record
    return records


class _Parser:
    """Terms to sets of PMCIDs; operators bind from left to right, as in Entrez."""

    def __init__(self, term: str, records: dict[int, dict[str, Any]]) -> None:
        self.tokens = [match[1] for match in _TOKENS.finditer(term)]
        self.records = records
        self.phrases: list[str] = []
        self.fields: list[str] = []

    def whole(self) -> set[int]:
        """All of them if nothing is asked."""
        return self._terms() if self.tokens else set(self.records)

    def _terms(self) -> set[int]:
        found = self._one()
        while self.tokens and self.tokens[0] != ")":
            operator = self.tokens.pop(0) if self.tokens[0] in ("AND", "OR", "NOT") else "AND"
            other = self._one()
            found = {"AND": found & other, "OR": found | other, "NOT": found - other}[operator]
        return found

    def _one(self) -> set[int]:
        token = self.tokens.pop(0) if self.tokens else ""
        if token == "(":
            found = self._terms()
            if self.tokens:
                self.tokens.pop(0)
            return found
        words, _, tag = token.partition("[")
        tag = tag.rstrip("]").lower()
        found = {pmcid for pmcid, record in self.records.items() if _holds(record, words.strip().strip('"'), tag)}
        if not found and tag not in _DATES:
            self.phrases.append(token)
        if tag not in _FIELDS:
            self.fields.append(f"[{tag}]")
        return found


def _holds(record: dict[str, Any], words: str, tag: str) -> bool:
    words = words.strip()
    if tag == "filter":
        name = words.lower().replace(" ", "_")
        return name in _FILTERS and _FILTERS[name](record)
    if tag in _DATES:
        first, _, last = (part.strip().strip('"') for part in words.partition(":"))
        return bool(first <= record["day"] <= (last or first + "~")) if record["day"] else False
    return words.lower() in record["title"].lower()
