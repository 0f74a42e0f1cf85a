"""Selecting article versions before anything is asked for."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build import schema
from pmcoa_build.errors import UsageError
from pmcoa_build.pmc.select import block_hashes, read_ids, select
from pmcoa_build.spec import SelectKeys


def inventory(*pmcids: int) -> pa.Table:
    """One version an article; changed on day 1, 2, … of 2026-01."""
    rows = [
        {"article": f"PMC{n}.1", "pmcid": n, "version": 1, "etag": f"{n:032x}",
         "last_modified": f"2026-01-{1 + i % 28:02d}T00:00:00.000Z"}
        for i, n in enumerate(sorted(pmcids))
    ]
    return pa.Table.from_pylist(rows, schema=schema.SNAPSHOT)


@pytest.mark.parametrize(("keys", "found", "kept", "left_out"), [
    ({}, None, [1, 2, 3, 4], {}),
    ({"articles": ("PMC2", "3.1")}, None, [2, 3], {"articles": 2}),
    ({"articles": ("PMC9999999999",)}, None, [], {"articles": 4}),
    ({"exclude": ("PMC2",)}, None, [1, 3, 4], {"exclude": 1}),
    ({"since": "2026-01-03"}, None, [3, 4], {"since": 2}),
    ({}, {4, 9}, [4], {"query": 3}),
    ({}, {4, 2**31, 10**12}, [4], {"query": 3}),
    ({"exclude": ("PMC9999999999",)}, None, [1, 2, 3, 4], {}),
    ({"articles": ("1", "2"), "exclude": ("1",)}, None, [2], {"articles": 2, "exclude": 1}),
])
def test_what_is_kept(keys: dict, found: set[int] | None, kept: list[int], left_out: dict) -> None:
    table = inventory(1, 2, 3, 4)
    chosen, counts = select(table, replace(SelectKeys(), **keys), None if found is None else np.array(sorted(found)))
    assert (table["pmcid"].filter(pa.array(chosen)).to_pylist(), counts) == (kept, left_out)


@given(st.sets(st.integers(1, 10**7), min_size=1, max_size=60), st.integers(1, 70), st.integers(1, 70))
def test_a_larger_sample_contains_a_smaller_one(pmcids: set[int], one: int, other: int) -> None:
    small, large = sorted((one, other))
    def chosen(size: int) -> set[int]:
        return {n for n, kept in zip(sorted(pmcids), select(inventory(*pmcids), replace(SelectKeys(), sample=size))[0],
                                     strict=True) if kept}
    assert len(chosen(large)) == min(large, len(pmcids))
    assert chosen(small) <= chosen(large) <= pmcids


def test_a_sample_counts_articles_and_takes_all_their_versions() -> None:
    table = inventory(1, 2, 2, 2, 3)
    for size in (1, 2):
        kept = table["pmcid"].filter(pa.array(select(table, replace(SelectKeys(), sample=size))[0])).to_pylist()
        assert len(set(kept)) == size and kept.count(2) in (0, 3)


def test_ids_from_a_file_with_comments(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("PMC5  # a patient asked\n\n# none\n7.2\n")
    assert read_ids([str(tmp_path / "ids.txt")], "exclude") == {5, 7}


@pytest.mark.parametrize("keys", [{"articles": ("PMX1",)}, {"since": "yesterday"}])
def test_what_cannot_be_read_is_a_usage_error(keys: dict) -> None:
    with pytest.raises(UsageError):
        select(inventory(1), replace(SelectKeys(), **keys))


@given(st.lists(st.integers(1, 99), min_size=1, max_size=30), st.sets(st.integers(1, 99)), st.integers(1, 30))
def test_block_hashes_are_over_the_text_of_their_rows_however_it_is_cut(
    pmcids: list[int], inner: set[int], size: int
) -> None:
    table, bounds = inventory(*pmcids), [0, *sorted(inner), 100]
    pieces = [table.slice(at, size) for at in range(0, table.num_rows, size)]
    expected = []
    for lower, upper in itertools.pairwise(bounds):
        texts = [f"{row['article']} {row['etag']}" for row in table.to_pylist() if lower <= row["pmcid"] < upper]
        expected.append((len(texts), hashlib.sha256("".join(texts).encode()).hexdigest()[:32]))
    assert block_hashes(pieces, bounds) == expected
