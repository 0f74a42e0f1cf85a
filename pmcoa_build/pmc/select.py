"""Which article versions of an inventory are asked for at all: by id, date and sample, before any request."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pmcoa_build.errors import UsageError
from pmcoa_build.spec import SelectKeys

_ID = re.compile(r"(?:PMC)?([1-9][0-9]{0,9})(?:\.[0-9]+)?")


def select(
    inventory: pa.Table, keys: SelectKeys, found: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Which rows are selected, and how many rows each key left out.

    `inventory`: pmcid and last_modified of rows sorted by pmcid. `found`: PMCIDs that the query of [select] query
    gave, None without a query. Raises UsageError for ids or dates that cannot be read.
    """
    pmcids = inventory["pmcid"].to_numpy()
    chosen = np.ones(len(pmcids), dtype=bool)
    left_out: dict[str, int] = {}

    def keep(name: str, mask: NDArray[np.bool_]) -> None:
        lost = int(np.count_nonzero(chosen & ~mask))
        if lost:
            left_out[name] = lost
        np.logical_and(chosen, mask, out=chosen)

    if keys.articles:
        keep("articles", np.isin(pmcids, _ids(read_ids(keys.articles, "articles"))))
    if keys.exclude:
        keep("exclude", ~np.isin(pmcids, _ids(read_ids(keys.exclude, "exclude"))))
    if found is not None:
        keep("query", np.isin(pmcids, found))
    if keys.since:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", keys.since):
            raise UsageError(f"[select] since = {keys.since!r} must be a date such as 2026-01-31.")
        keep("since", pc.greater_equal(inventory["last_modified"], keys.since).to_numpy())
    if keys.sample:
        keep("sample", _sampled(pmcids, chosen, keys.sample))
    return chosen, left_out


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


def _ids(wanted: frozenset[int]) -> NDArray[np.int64]:
    return np.fromiter(wanted, np.int64, len(wanted))


def _sampled(pmcids: NDArray[np.int32], chosen: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Rows of the `size` chosen articles whose id hashes lowest: a larger sample contains a smaller one."""
    ids = pmcids[chosen]
    distinct = ids[np.diff(ids, prepend=-1) != 0]
    if size >= len(distinct):
        return chosen
    lowest = np.argpartition(_mixed(distinct.astype(np.uint64)), size - 1)[:size]
    return np.isin(pmcids, distinct[lowest])


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele et al. 2014): a fixed hash of integers, a whole array at once."""
    mixed = values + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def block_hashes(pieces: Iterable[pa.Table], bounds: Sequence[int]) -> list[tuple[int, str]]:
    """(rows, hash over article and ETag) of each block [bounds[i], bounds[i+1]).

    `pieces`, none of them empty: article, pmcid and etag of rows sorted by pmcid, all within the bounds.
    """
    counts, hashes, lowers = [0] * (len(bounds) - 1), [hashlib.sha256() for _ in bounds[1:]], np.asarray(bounds)
    for piece in pieces:
        text = pc.binary_join_element_wise(piece["article"], piece["etag"], " ").combine_chunks()
        offsets, data = np.frombuffer(text.buffers()[1], np.int32), memoryview(text.buffers()[2])
        pmcids = piece["pmcid"].to_numpy()
        first, last = np.searchsorted(lowers, pmcids[[0, -1]], "right").tolist()
        edges = np.searchsorted(pmcids, lowers[first - 1:last + 1])
        for block, (start, end) in enumerate(itertools.pairwise(edges.tolist()), first - 1):
            counts[block] += end - start
            hashes[block].update(data[offsets[start]:offsets[end]])
    return [(count, digest.hexdigest()[:32]) for count, digest in zip(counts, hashes, strict=True)]
