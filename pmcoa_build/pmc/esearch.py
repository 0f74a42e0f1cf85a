"""Which articles a query finds, by NCBI's ESearch (https://www.ncbi.nlm.nih.gov/books/NBK25499/#chapter4.ESearch).

ESearch gives the first 10,000 ids of a result (9,999 in PubMed) and no more, so a larger one is cut into ranges of
PMC's release date (`pmcrdat`), and a day that is still too large into ranges of the publication date (`pdat`), each
time by halves.
Databases other than PubMed may be paged further by `retstart`, says NBK25499; slices hold whether PMC can or not.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from pmcoa_build.errors import RunFailed, SourceUnreachable, UnitLost, UsageError
from pmcoa_build.pmc.http import HttpClient, Stats
from pmcoa_build.pmc.ratelimit import Clock, Patience

LIMIT = 9_999
"""Ids asked for in one search; where fewer come than are counted, the search is sliced."""

PER_SECOND, PER_SECOND_WITH_KEY = 3.0, 10.0
"""Requests a second that NCBI allows without and with an API key (support.nlm.nih.gov KA-05317, KA-05318)."""

_SLICES = (("pmcrdat", date(1990, 1, 1), date(2060, 12, 31)), ("pdat", date(1600, 1, 1), date(2060, 12, 31)))
"""Date fields to slice by, in turn, and the days between which all dates of theirs lie."""

_PATIENCE = Patience(grace=60.0, backoff=1.0)
"""A long query takes NCBI more than a few seconds."""

_TRIES, _PAUSE = 4, 5.0
"""How often, and after how many seconds, a search is sent again that NCBI's own back end failed on."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Answer:
    """Size of a result, the first LIMIT ids of it, and what of the term NCBI did not know."""

    total: int
    ids: list[int]
    unknown: tuple[str, ...]


Ask = Callable[[str], _Answer]
"""term -> its answer."""


def search(query: str, *, eutils_url: str, api_key: str | None, contact: str, stats: Stats | None = None,
           clock: Clock | None = None) -> set[int]:
    """All PMCIDs (numbers, without "PMC") that match an ESearch query on db=pmc.

    `eutils_url` is the folder of the E-utilities, `contact` the e-mail address that NCBI asks for; `stats` counts what
    is asked. A warning tells which words NCBI does not know, because it drops them silently. Raises UsageError for a
    query that NCBI does not accept, that names an unknown field, or that finds nothing and has unknown words;
    SourceUnreachable if it does not answer or not in sense; RunFailed if one day of the query has more articles than
    can be had, or the slices together clearly less than the whole.
    """
    if not query.strip():
        raise UsageError("[select] query is empty; leave the key out to take every article.")
    fixed = {"db": "pmc", "retmode": "json", "retmax": str(LIMIT), "tool": "pmcoa-build"}
    fixed |= {name: value for name, value in (("email", contact), ("api_key", api_key)) if value}
    rate = 0.95 * (PER_SECOND_WITH_KEY if api_key else PER_SECOND)
    with HttpClient(eutils_url, connections=1, requests_per_second=rate, contact=contact, patience=_PATIENCE,
                    stats=stats, clock=clock) as client:
        def ask(term: str) -> _Answer:
            return _asked(client, fixed | {"term": term}, clock or Clock())

        whole = ask(query)
        _tell_unknown(whole)
        total = whole.total
        if len(whole.ids) == total:
            return set(whole.ids)
        found = {pmcid for some in _slices(ask, f"({query})", _SLICES) for pmcid in some}
        if len(found) < total:
            name, first, last = _SLICES[0]
            found.update(ask(f"({query}) NOT {first:%Y/%m/%d}:{last:%Y/%m/%d}[{name}]").ids)
    if len(found) < 0.99 * total:
        raise RunFailed(f"ESearch counts {total} articles, its slices by date hold only {len(found)}; run again later.")
    if len(found) != total:
        _log.warning("ESearch counts %d articles, its slices by date hold %d: it changed meanwhile.",
                     total, len(found))
    return found


def _slices(ask: Ask, term: str, fields: tuple[tuple[str, date, date], ...]) -> Iterator[list[int]]:
    """The ids of `term` in slices that are small enough to be given whole."""
    (name, first, last), *others = fields
    sliced = f"{term} AND {first:%Y/%m/%d}:{last:%Y/%m/%d}[{name}]"
    answer = ask(sliced)
    if len(answer.ids) == answer.total:
        yield answer.ids
    elif first < last:
        middle = (first.toordinal() + last.toordinal()) // 2
        yield from _slices(ask, term, ((name, first, date.fromordinal(middle)), *others))
        yield from _slices(ask, term, ((name, date.fromordinal(middle + 1), last), *others))
    elif others:
        yield from _slices(ask, sliced, tuple(others))
    else:
        raise RunFailed(f"The query finds {answer.total} articles of {first} alone, more than ESearch gives: "
                        "narrow it.")


def _tell_unknown(answer: _Answer) -> None:
    words = ", ".join(repr(word[:60]) for word in answer.unknown[:10])
    if words and not answer.total:
        raise UsageError(f"The search finds nothing, and NCBI does not know {words}: check [select] query.")
    if words:
        _log.warning("NCBI does not know %s in [select] query, and leaves it out or takes it apart: check it.", words)


def _asked(client: HttpClient, form: dict[str, str], clock: Clock) -> _Answer:
    for _ in range(_TRIES):
        result = _reply(client, form)
        fault = result.get("ERROR")
        if not str(fault or "").startswith("Search Backend failed"):
            break
        clock.sleep(_PAUSE)
    else:
        raise SourceUnreachable("NCBI's search fails on its side (Search Backend failed); run again later.")
    if fault:
        raise UsageError(f"NCBI does not accept the search ({str(fault)[:200]}); check [select] query.")
    try:
        total, ids = int(result["count"]), [int(pmcid) for pmcid in result["idlist"]]
        errors, warnings = result.get("errorlist") or {}, result.get("warninglist") or {}
        fields = [str(name) for name in errors.get("fieldsnotfound") or ()]
        kinds = (errors, "phrasesnotfound"), (warnings, "phrasesignored"), (warnings, "quotedphrasesnotfound")
        unknown = tuple(dict.fromkeys(str(word) for of, kind in kinds for word in of.get(kind) or ()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SourceUnreachable("ESearch answers without a count or ids; run again later.") from None
    if fields:
        raise UsageError(f"NCBI does not know the search field {', '.join(fields)[:100]}: check [select] query.")
    return _Answer(total, ids, unknown)


def _reply(client: HttpClient, form: dict[str, str]) -> dict[str, Any]:
    """`esearchresult` of one reply; NCBI leaves line breaks in its errors, which JSON forbids."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        reply = client.get("/esearch.fcgi", headers, form=urlencode(form).encode())
        answer = json.loads(reply.body, strict=False)
        if "error" in answer:
            raise SourceUnreachable(f"NCBI refuses the search ({str(answer['error'])[:100]}); run again later.")
        result: dict[str, Any] = answer["esearchresult"]
    except UnitLost as lost:
        if lost.detail.startswith("HTTP 400"):
            raise UsageError("NCBI does not accept the search; check [select] query and the API key.") from None
        raise SourceUnreachable(f"ESearch does not answer ({lost}); check [source] eutils_url.") from None
    except (ValueError, KeyError, TypeError):
        raise SourceUnreachable("What answers at [source] eutils_url is not ESearch.") from None
    if not isinstance(result, dict):
        raise SourceUnreachable("What answers at [source] eutils_url is not ESearch.")
    return result
