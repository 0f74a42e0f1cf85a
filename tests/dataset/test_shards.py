from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build import ids, schema
from pmcoa_build.dataset import shards
from pmcoa_build.dataset.rows import shard_rows
from tests.dataset.conftest import with_images, write_shard


def plain_rows(rows_per_article: list[int], image: bytes = b"x") -> pa.Table:
    """A narrow stand-in for SHARDS: article and image."""
    articles = [ids.article_id(n, 1) for n, count in enumerate(rows_per_article, 1) for _ in range(count)]
    images = pa.array([{"bytes": image, "path": "x.jpg"}] * len(articles), schema.IMAGE)
    return pa.table({"image": images, "article": pa.array(articles, pa.string())})


counts = st.lists(st.integers(1, 40), max_size=40)


@given(counts, st.integers(1, 100))
def test_row_groups_keep_all_rows_within_the_limits(rows_per_article: list[int], slice_rows: int) -> None:
    table = plain_rows(rows_per_article)
    slices = [table.slice(start, slice_rows) for start in range(0, len(table), slice_rows)]
    groups = list(shards.row_groups(slices))
    assert sum(map(len, groups)) == len(table)
    assert all(0 < len(group) <= shards.GROUP_ROWS for group in groups)
    assert [len(g) for g in groups] == [len(g) for g in shards.row_groups([table])], "slicing must not show"
    if groups:
        assert pa.concat_tables(groups).combine_chunks() == table.combine_chunks()


def test_row_groups_after_a_retraction_are_the_old_ones_elsewhere() -> None:
    table = plain_rows([7] * 400)
    smaller = pa.concat_tables([table.slice(0, 700), table.slice(707)])
    heads = [[g["article"][0].as_py() for g in shards.row_groups([rows])] for rows in (table, smaller)]
    assert len(heads[0]) > 15
    assert len(set(heads[0]) ^ set(heads[1])) <= 4
    assert heads[0][-5:] == heads[1][-5:]


def test_row_groups_hold_no_more_than_so_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "GROUP_BYTES", 64_000)
    table = plain_rows([1] * 8, bytes(20_000))
    assert [len(group) for group in shards.row_groups([table])] == [3, 3, 2]
    assert [len(group) for group in shards.row_groups([plain_rows([1] * 2, bytes(70_000))])] == [1, 1]


@pytest.fixture
def shard(tables: dict[str, pa.Table], tmp_path: Path) -> Path:
    metadata = shard_rows(**tables, level="both", snapshot_date="2026-01-31")
    path = tmp_path / "shard.parquet"
    write_shard(path, with_images(metadata, tables))
    return path


def test_a_shard_reads_back_as_it_was(shard: Path, tables: dict[str, pa.Table]) -> None:
    metadata = shard_rows(**tables, level="both", snapshot_date="2026-01-31")
    table = pq.read_table(shard)
    assert table.schema.remove_metadata() == schema.SHARDS
    assert table.combine_chunks() == with_images(metadata, tables).combine_chunks()


def test_images_lie_raw_and_text_is_compressed(shard: Path) -> None:
    with pq.ParquetFile(shard) as file:
        group = file.metadata.row_group(0)
        columns = {group.column(i).path_in_schema: group.column(i) for i in range(group.num_columns)}
    assert columns["image.bytes"].compression == "UNCOMPRESSED"
    assert not columns["image.bytes"].has_dictionary_page
    assert columns["caption"].compression == columns["subcaption"].compression == "ZSTD"
    assert columns["caption"].has_offset_index and columns["caption"].has_column_index


def test_a_flipped_bit_in_an_image_is_noticed(shard: Path, tables: dict[str, pa.Table]) -> None:
    data = bytearray(shard.read_bytes())
    at = data.index(tables["media"]["image"][0].as_py()["bytes"]) + 100
    data[at] ^= 1
    shard.write_bytes(data)
    with pytest.raises(OSError, match="CRC"):
        pq.ParquetFile(shard, page_checksum_verification=True).read()


def test_equal_rows_give_equal_bytes(shard: Path, tables: dict[str, pa.Table], tmp_path: Path) -> None:
    metadata = shard_rows(**tables, level="both", snapshot_date="2026-01-31")
    write_shard(tmp_path / "again.parquet", with_images(metadata, tables))
    assert (tmp_path / "again.parquet").read_bytes() == shard.read_bytes()


def test_an_empty_shard_is_a_valid_file(tmp_path: Path) -> None:
    write_shard(tmp_path / "x.parquet", schema.SHARDS.empty_table())
    assert pq.read_table(tmp_path / "x.parquet").schema.remove_metadata() == schema.SHARDS


def test_the_hub_finds_its_features(shard: Path) -> None:
    described = json.loads(pq.read_schema(shard).metadata[b"huggingface"])["info"]["features"]
    assert list(described) == schema.SHARDS.names
    assert described["image"] == {"_type": "Image"}
    assert described["confidence"] == {"dtype": "float32", "_type": "Value"}
    number = {"dtype": "int32", "_type": "Value"}
    assert described["bbox"] == {"feature": number, "length": 4, "_type": "Sequence"}
