"""Reading what is committed: columns, ranges, single heavy values, losses."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pmcoa_build.engine.read import Content, lost_rows, read_columns, read_range
from pmcoa_build.errors import RunFailed
from tests.engine.toy import Toy, article, articles

SCHEMA = pa.schema([
    pa.field("key", pa.string(), nullable=False), pa.field("number", pa.int32(), nullable=False),
    pa.field("heavy", pa.binary()),
])


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Two files of ten rows in row groups of four."""
    made = []
    for part in range(2):
        rows = [{"key": f"k{n}", "number": n, "heavy": b"%d" % n} for n in range(part * 10, part * 10 + 10)]
        made.append(tmp_path / f"{part}.parquet")
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), made[-1], row_group_size=4)
    return made


def test_columns_of_several_files_in_their_order(paths: list[Path]) -> None:
    table = read_columns(paths[::-1], ["number", "key"], SCHEMA)
    assert table["number"].to_pylist() == [*range(10, 20), *range(10)]
    assert table.schema == pa.schema([SCHEMA.field("number"), SCHEMA.field("key")])
    assert read_columns([], ["key"], SCHEMA).schema == pa.schema([SCHEMA.field("key")])


@pytest.mark.parametrize(("lower", "upper", "expected"), [
    (3, 6, [3, 4, 5]), (0, 0, []), (8, None, [8, 9]), (8, 99, [8, 9]), (0, 10, list(range(10))), (50, 60, []),
])
def test_a_range_of_a_sorted_file(paths: list[Path], lower: int, upper: int | None, expected: list[int]) -> None:
    table = read_range(paths[0], ["key"], lower, upper, "number")
    assert table["key"].to_pylist() == [f"k{n}" for n in expected]


def test_a_range_of_a_file_without_statistics(paths: list[Path]) -> None:
    pq.write_table(pq.read_table(paths[0]), paths[0], row_group_size=4, write_statistics=False)
    assert read_range(paths[0], ["number", "key"], 3, 6, "number")["number"].to_pylist() == [3, 4, 5]


def test_a_range_reads_no_other_row_groups_and_names_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table({"number": pa.array(range(8000), pa.int32())})
    pq.write_table(table, path, row_group_size=4000, compression="none", use_dictionary=False, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[2000] ^= 1  # a value of the first row group
    path.write_bytes(data)
    assert read_range(path, ["number"], 5000, 5002, "number")["number"].to_pylist() == [5000, 5001]
    with pytest.raises(RunFailed, match=r"x.parquet is damaged"):
        read_range(path, ["number"], 3, 4, "number")


def test_heavy_values_by_key_in_any_order(paths: list[Path]) -> None:
    content = Content(paths, "key", ["heavy"])
    for n in [0, 19, 7, 8, 4, 3, 12, 0]:
        assert content.row(f"k{n}") == {"key": f"k{n}", "heavy": b"%d" % n}
    with pytest.raises(KeyError):
        content.row("k20")
    content.close()


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match=r"gone.parquet is damaged .*delete it"):
        read_columns([tmp_path / "gone.parquet"], ["key"], SCHEMA)


def test_losses_come_from_the_ledger(toy: Toy) -> None:
    toy.write({**articles(60), 7: article("x", lose="timeout"), 9: article("x", lose="retracted")})
    toy.run()
    record = toy.state.records("fetch")["000000000"]
    rows = lost_rows(toy.state.path(record["ledger"]["path"]), "article")
    assert [(row["unit"], row["outcome"], row["retryable"]) for row in rows] == [
        ("PMC7.1", "dead", True), ("PMC9.1", "filtered", False),
    ]
