"""Which articles a query finds, by NCBI's ESearch (https://www.ncbi.nlm.nih.gov/books/NBK25499/#chapter4.ESearch).

ESearch gives the first 10,000 ids of a result and no more, so a larger one is cut into ranges of PMC's release date
(`pmcrdat`), and a day that is still too large into ranges of the publication date (`pdat`), by halves.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from datetime import date
from urllib.parse import urlencode

from pmcoa_build.errors import RunFailed, SourceUnreachable, UnitLost, UsageError
from pmcoa_build.pmc.http import HttpClient, Stats
from pmcoa_build.pmc.ratelimit import Clock

LIMIT = 9_999
"""Ids asked for in one search; where fewer come than are counted, the search is sliced."""

PER_SECOND, PER_SECOND_WITH_KEY = 3.0, 10.0
"""Requests a second that NCBI allows without and with an API key (support.nlm.nih.gov KA-05317, KA-05318)."""

_SLICES = (("pmcrdat", date(1990, 1, 1), date(2060, 12, 31)), ("pdat", date(1600, 1, 1), date(2060, 12, 31)))
"""Date fields to slice by, in turn, and the days between which all dates of theirs lie."""

_log = logging.getLogger(__name__)

Ask = Callable[[str], tuple[int, list[int]]]
"""term -> (size of its result, the first LIMIT ids of it)."""


def search(query: str, *, eutils_url: str, api_key: str | None, contact: str, stats: Stats | None = None,
           clock: Clock | None = None) -> set[int]:
    """All PMCIDs (numbers, without "PMC") that match an ESearch query on db=pmc.

    `eutils_url` is the folder of the E-utilities, `contact` the e-mail address that NCBI asks for; `stats` counts what
    is asked. Raises UsageError for a query that NCBI does not accept; SourceUnreachable if it does not answer or not in
    sense; RunFailed if one day of the query has more articles than can be had, or the slices together clearly less
    than the whole.
    """
    if not query.strip():
        raise UsageError("[select] query is empty; leave the key out to take every article.")
    fixed = {"db": "pmc", "retmode": "json", "retmax": str(LIMIT), "tool": "pmcoa-build", "email": contact}
    fixed |= {"api_key": api_key} if api_key else {}
    rate = 0.95 * (PER_SECOND_WITH_KEY if api_key else PER_SECOND)
    with HttpClient(eutils_url, connections=1, requests_per_second=rate, contact=contact, stats=stats,
                    clock=clock) as client:
        def ask(term: str) -> tuple[int, list[int]]:
            return _asked(client, fixed | {"term": term})

        total, ids = ask(query)
        if len(ids) == total:
            return set(ids)
        found = {pmcid for some in _slices(ask, f"({query})", _SLICES) for pmcid in some}
        if len(found) < total:
            name, first, last = _SLICES[0]
            found.update(ask(f"({query}) NOT {first:%Y/%m/%d}:{last:%Y/%m/%d}[{name}]")[1])
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
    total, ids = ask(sliced)
    if len(ids) == total:
        yield ids
    elif first < last:
        middle = (first.toordinal() + last.toordinal()) // 2
        yield from _slices(ask, term, ((name, first, date.fromordinal(middle)), *others))
        yield from _slices(ask, term, ((name, date.fromordinal(middle + 1), last), *others))
    elif others:
        yield from _slices(ask, sliced, tuple(others))
    else:
        raise RunFailed(f"The query finds {total} articles of {first} alone, more than ESearch gives: narrow it.")


def _asked(client: HttpClient, form: dict[str, str]) -> tuple[int, list[int]]:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    try:
        reply = client.get("/esearch.fcgi", headers, form=urlencode(form).encode())
        result = json.loads(reply.body, strict=False)["esearchresult"]
    except UnitLost as lost:
        if lost.detail.startswith("HTTP 400"):
            raise UsageError("NCBI does not accept the search; check [select] query and the API key.") from None
        raise SourceUnreachable(f"ESearch does not answer ({lost}); check [source] eutils_url.") from None
    except (ValueError, KeyError, TypeError):
        raise SourceUnreachable("What answers at [source] eutils_url is not ESearch.") from None
    if error := result.get("ERROR"):
        raise UsageError(f"NCBI does not accept the search ({str(error)[:200]}); check [select] query.")
    try:
        total, ids = int(result["count"]), [int(pmcid) for pmcid in result["idlist"]]
    except (ValueError, KeyError, TypeError):
        raise SourceUnreachable("ESearch answers without a count or ids; run again later.") from None
    return total, ids
