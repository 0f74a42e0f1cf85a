"""Snapshots as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.pmc.snapshot_file import read_rows, write_rows
from pmcoa_build.schema import SNAPSHOT


def rows(count: int) -> pa.Table:
    """Rows in the order of their ids."""
    return pa.Table.from_pylist([
        {"article": f"PMC{n}.1", "pmcid": n, "version": 1, "etag": f"{n:032x}", "last_modified": f"2026-01-0{n % 9}"}
        for n in range(count)], SNAPSHOT)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 40))
def test_chosen_rows_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, chosen: list[bool],
                                            size: int) -> None:
    path, table = tmp_path_factory.mktemp("file") / "x.parquet", rows(len(chosen))
    write_rows(path, (table.slice(at, size) for at in range(0, len(chosen), size)))
    pieces = list(read_rows(path, chosen=np.array(chosen)))
    assert all(piece.num_rows for piece in pieces)
    assert pa.concat_tables(read_rows(path)) == table
    assert pa.concat_tables([SNAPSHOT.empty_table(), *pieces]) == table.filter(pa.array(chosen))


def test_a_row_group_a_piece_and_ids_that_say_where_to_look(tmp_path: Path) -> None:
    """`read_range` of the engine finds the row groups of a block by the statistics of pmcid."""
    write_rows(tmp_path / "x.parquet", [rows(9).slice(0, 4), *rows(9).slice(4).to_batches()])
    meta = pq.read_metadata(tmp_path / "x.parquet")
    column = SNAPSHOT.get_field_index("pmcid")
    ranges = [meta.row_group(number).column(column).statistics for number in range(meta.num_row_groups)]
    assert [(found.min, found.max) for found in ranges] == [(0, 3), (4, 8)]
    [piece] = read_rows(tmp_path / "x.parquet", ["article"], np.arange(9) == 5)
    assert piece.to_pydict() == {"article": ["PMC5.1"]}
