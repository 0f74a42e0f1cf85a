"""Selecting article versions before anything is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

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
    ({"exclude": ("PMC2",)}, None, [1, 3, 4], {"exclude": 1}),
    ({"since": "2026-01-03"}, None, [3, 4], {"since": 2}),
    ({}, frozenset({4, 9}), [4], {"query": 3}),
    ({}, frozenset({4, 2**31, 10**12}), [4], {"query": 3}),
    ({"exclude": ("PMC9999999999",)}, None, [1, 2, 3, 4], {}),
    ({"articles": ("1", "2"), "exclude": ("1",)}, None, [2], {"articles": 2, "exclude": 1}),
])
def test_what_is_kept(keys: dict, found: frozenset[int] | None, kept: list[int], left_out: dict) -> None:
    table, counts = select(inventory(1, 2, 3, 4), replace(SelectKeys(), **keys), found)
    assert (table["pmcid"].to_pylist(), counts) == (kept, left_out)


@given(st.sets(st.integers(1, 10**7), min_size=1, max_size=60), st.integers(1, 70), st.integers(1, 70))
def test_a_larger_sample_contains_a_smaller_one(pmcids: set[int], one: int, other: int) -> None:
    small, large = sorted((one, other))
    def chosen(size: int) -> set[int]:
        return set(select(inventory(*pmcids), replace(SelectKeys(), sample=size))[0]["pmcid"].to_pylist())
    assert len(chosen(large)) == min(large, len(pmcids))
    assert chosen(small) <= chosen(large) <= pmcids


def test_ids_from_a_file_with_comments(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("PMC5  # a patient asked\n\n# none\n7.2\n")
    assert read_ids([str(tmp_path / "ids.txt")], "exclude") == {5, 7}


@pytest.mark.parametrize("keys", [{"articles": ("PMX1",)}, {"since": "yesterday"}])
def test_what_cannot_be_read_is_a_usage_error(keys: dict) -> None:
    with pytest.raises(UsageError):
        select(inventory(1), replace(SelectKeys(), **keys))


def test_a_block_hash_changes_with_its_own_rows_only() -> None:
    before = inventory(1, 2, 30, 40)
    changed = before.set_column(3, "etag", pa.array([*before["etag"].to_pylist()[:3], "f" * 32]))
    (_, first), (rows, second) = block_hashes(before, [0, 10, 100])
    (_, first_after), (_, second_after) = block_hashes(changed, [0, 10, 100])
    assert rows == 2 and first == first_after and second != second_after
    assert block_hashes(inventory(1), [5, 10]) == [(0, block_hashes(inventory(2), [5, 10])[0][1])]
