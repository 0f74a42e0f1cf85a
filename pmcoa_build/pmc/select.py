"""Which article versions of an inventory are asked for at all: by id, date and sample, before any request."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pmcoa_build.errors import UsageError
from pmcoa_build.spec import SelectKeys

_ID = re.compile(r"(?:PMC)?([1-9][0-9]{0,9})(?:\.[0-9]+)?")


def select(
    inventory: pa.Table, keys: SelectKeys, found: frozenset[int] | None = None
) -> tuple[pa.Table, dict[str, int]]:
    """The selected rows (schema.SNAPSHOT, order kept), and how many rows each key left out.

    `found`: PMCIDs that the query of [select] query gave, None without a query. Raises UsageError for ids or dates
    that cannot be read.
    """
    left_out: dict[str, int] = {}

    def keep(table: pa.Table, name: str, mask: pa.Array) -> pa.Table:
        kept = table.filter(mask)
        if kept.num_rows < table.num_rows:
            left_out[name] = table.num_rows - kept.num_rows
        return kept

    table = inventory
    if keys.articles:
        table = keep(table, "articles", _among(table, read_ids(keys.articles, "articles")))
    if keys.exclude:
        table = keep(table, "exclude", pc.invert(_among(table, read_ids(keys.exclude, "exclude"))))
    if found is not None:
        table = keep(table, "query", _among(table, found))
    if keys.since:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", keys.since):
            raise UsageError(f"[select] since = {keys.since!r} must be a date such as 2026-01-31.")
        table = keep(table, "since", pc.greater_equal(table["last_modified"], keys.since))
    if keys.sample:
        table = keep(table, "sample", _sampled(table, keys.sample))
    return table, left_out


def read_ids(values: Sequence[str], key: str) -> frozenset[int]:
    """PMCIDs from a list of them, or from one file with an id a line ('#' begins a comment)."""
    lines = list(values)
    if len(lines) == 1 and Path(lines[0]).is_file():
        lines = [line.split("#")[0].strip() for line in Path(lines[0]).read_text("utf-8").splitlines()]
    found = set()
    for line in filter(None, lines):
        match = _ID.fullmatch(line)
        if match is None:
            raise UsageError(f"[select] {key}: {line[:80]!r} is neither a PMCID such as PMC10009416 nor a file.")
        found.add(int(match[1]))
    return frozenset(found)


def _among(table: pa.Table, wanted: frozenset[int]) -> pa.Array:
    known = sorted(pmcid for pmcid in wanted if pmcid < 2**31)  # what does not fit is not in the table
    return pc.is_in(table["pmcid"], pa.array(known, pa.int32()))


def _sampled(table: pa.Table, size: int) -> pa.Array:
    """The `size` articles whose id hashes lowest: a larger sample contains a smaller one."""
    distinct = pc.unique(table["pmcid"]).to_numpy()
    if size >= len(distinct):
        return pa.array(np.ones(table.num_rows, dtype=bool))
    order = np.argsort(_mixed(distinct.astype(np.uint64)), kind="stable")
    return _among(table, frozenset(distinct[order[:size]].tolist()))


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele et al. 2014): a fixed hash of integers, a whole array at once."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def block_hashes(table: pa.Table, bounds: Sequence[int]) -> list[tuple[int, str]]:
    """(rows, hash over article and ETag) of each block [bounds[i], bounds[i+1]) of rows sorted by pmcid."""
    text = pc.binary_join_element_wise(table["article"], table["etag"], " ").combine_chunks()
    edges = np.searchsorted(table["pmcid"].to_numpy(), np.asarray(bounds))
    offsets = np.frombuffer(text.buffers()[1], dtype=np.int32)[: len(text) + 1] if len(text) else np.zeros(1, np.int32)
    data = memoryview(text.buffers()[2]) if len(text) else memoryview(b"")
    return [
        (int(end - start), hashlib.sha256(data[offsets[start] : offsets[end]]).hexdigest()[:32])
        for start, end in itertools.pairwise(edges)
    ]
