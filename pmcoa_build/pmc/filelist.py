"""PMC's old file lists, `oa_file_list.csv` and its kin: licence, retraction and citation of each article.

Two forms (https://www.ncbi.nlm.nih.gov/pmc/tools/ftp/, gone since August 2026). CSV with a title line, whose titles
differ a little from list to list: `File,Article Citation,Accession ID,Last Updated (YYYY-MM-DD HH:MM:SS),PMID,License`
and later `,Retracted`. Text: a line with the date, then path, citation, `PMC13900`, `PMID:11250746` and licence between
tabs. The licence is a code such as "CC BY-NC", or "NO-CC CODE".
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pmcoa_build.errors import UsageError

NAME = re.compile(r".*file_?list\.(csv|txt)", re.IGNORECASE)
_UNTITLED = ["file", "articlecitation", "accession", "pmid", "license"]
_IS_UNTITLED = re.compile(r"\d{4}-\d\d-\d\d|[^\t]*\t[^\t]*\tPMC\d")
_TITLES = ("accession", "lastupdated", "license", "retracted", "pmid", "articlecitation")
_BLOCK = 1 << 20


class Listed(NamedTuple):
    """What the lists say of an article; None where they say nothing. `license` is PMC's word for it, as it stands."""

    license: str | None = None
    retracted: bool | None = None
    pmid: int | None = None
    citation: str | None = None


def read_lists(paths: Iterable[Path], wanted: Iterable[int]) -> dict[int, Listed]:
    """What the lists say of the wanted PMCIDs (numbers); of two rows the later update counts, field by field.

    Rows that cannot be read are left out. Raises UsageError for a file that is no such list.
    """
    ids = pa.array(list(wanted), pa.int64())
    found: dict[int, tuple[str, Listed]] = {}
    for path in paths:
        for updated, pmcid, listed in _rows(path, ids):
            last, before = found.get(pmcid, ("", listed))
            older, newer = (before, listed) if updated >= last else (listed, before)
            merged = Listed._make(old if new is None else new for old, new in zip(older, newer, strict=True))
            found[pmcid] = (max(updated, last), merged)
    return {pmcid: listed for pmcid, (_, listed) in found.items()}


def _rows(path: Path, ids: pa.Array) -> Iterator[tuple[str, int, Listed]]:
    """(time of the update, PMCID, what is said) of each wanted row."""
    from pyarrow import csv as arrow

    try:
        with path.open("rb") as file:
            first = file.readline(1 << 16).decode("utf-8-sig", "replace")
        titles, delimiter = _titles(first)
        batches = arrow.open_csv(
            path,
            arrow.ReadOptions(column_names=titles, skip_rows=0 if "\tPMC" in first else 1, block_size=_BLOCK),
            arrow.ParseOptions(delimiter=delimiter, quote_char='"' if delimiter == "," else False,
                               invalid_row_handler=lambda _: "skip"),
            arrow.ConvertOptions(column_types=dict.fromkeys(titles, pa.binary()),
                                 include_columns=[title for title in _TITLES if title in titles]),
        )
        for batch in batches:
            yield from _wanted(batch, ids)
    except (pa.ArrowInvalid, OSError) as error:
        raise UsageError(f"The file list {path} cannot be read ({str(error).splitlines()[0][:200]}); mend it, or move "
                         "it away.") from None


def _titles(first: str) -> tuple[list[str], str]:
    """Titles of the columns in few letters, and what stands between columns."""
    delimiter = "\t" if "\t" in first or "," not in first else ","
    titles = [re.sub("[^a-z]", "", title.lower()) for title in next(csv.reader([first], delimiter=delimiter), [])]
    known = [next((known for known in _TITLES if title.startswith(known)), title) for title in titles]
    if "accession" not in known and _IS_UNTITLED.match(first):
        known = _UNTITLED
    elif "accession" not in known or "license" not in known or len(set(known)) < len(known):
        raise pa.ArrowInvalid(f"its titles are {', '.join(titles)[:100]}")
    return known, delimiter


def _wanted(batch: pa.RecordBatch, ids: pa.Array) -> Iterator[tuple[str, int, Listed]]:
    accessions = pc.extract_regex(batch["accession"], r"^(?:PMC)?(?P<id>[1-9][0-9]{0,8})$")
    readable = accessions.is_valid()
    pmcids = accessions.filter(readable).field("id").cast(pa.string()).cast(pa.int64())
    batch, chosen = batch.filter(readable), pc.is_in(pmcids, ids)
    for pmcid, row in zip(pmcids.filter(chosen).to_pylist(), batch.filter(chosen).to_pylist(), strict=True):
        text = {title: (value or b"").decode("utf-8", "replace").strip() for title, value in row.items()}
        pmid = re.search("[1-9][0-9]{0,17}", text["pmid"]) if "pmid" in text else None
        yield text.get("lastupdated", ""), pmcid, Listed(
            sys.intern(text["license"]) or None,
            {"yes": True, "no": False}.get(text.get("retracted", "").lower()),
            int(pmid[0]) if pmid else None,
            text.get("articlecitation") or None,
        )
