from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from pmcoa_build.dataset import publish as publishing
from pmcoa_build.dataset.attribution import ATTRIBUTION
from pmcoa_build.errors import UsageError

Tables = dict[str, pa.Table]
PutUp = Callable[..., str]
FILES = {"README.md", "LICENSE.md", "ATTRIBUTION.parquet", "removed.parquet", "croissant.json", "gallery.html",
         "DATASET_ID", "data"}


def without(tables: Tables, article: str) -> Tables:
    """The tables as they are after an article has left the selection."""
    return {name: table.filter(pc.invert(pc.starts_with(table.column(0), article))) for name, table in tables.items()}


def rows_of(dataset: Path) -> set[str]:
    return {p for f in (dataset / "data").glob("*.parquet") for p in pq.read_table(f)["panel_id"].to_pylist()}


def test_the_folder_is_complete_and_linked(tables: Tables, put_up: PutUp, tmp_path: Path) -> None:
    dataset_id = put_up(tables, tmp_path)
    dataset = tmp_path / "dataset"
    assert dataset.is_symlink() and not dataset.readlink().is_absolute()
    assert dataset.resolve().name == f"dataset-{dataset_id}"
    assert {path.name for path in dataset.iterdir()} == FILES
    assert (dataset / "DATASET_ID").read_text() == dataset_id + "\n"
    names = sorted(path.name for path in (dataset / "data").iterdir())
    assert names == [f"{split}-00000-of-00001.parquet" for split in ("test", "train", "validation")]
    shard = tmp_path / "shards" / "2026-01-31" / "train.parquet"
    assert (dataset / "data" / "train-00000-of-00001.parquet").samefile(shard)
    assert pq.read_table(dataset / "ATTRIBUTION.parquet").schema == ATTRIBUTION
    assert not list(tmp_path.glob(".*"))


def test_load_dataset_shows_images_in_all_splits(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="the extra `dev` is not installed")
    loaded = datasets.load_dataset(str(published), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train", "validation", "test"]
    assert sum(map(len, loaded.values())) == 48
    for split in loaded.values():
        row = split[0]
        assert row["image"].size == (row["width"], row["height"]) == (32, 48)
        assert row["bbox"][2] - row["bbox"][0] == 32
        assert row["subcaption"] in ("left view", "right view")
    streamed = next(iter(datasets.load_dataset(str(published), split="test", streaming=True)))
    assert streamed["image"].convert("RGB").size == (32, 48)


def test_the_same_data_have_the_same_id_whatever_is_said_of_them(tables: Tables, put_up: PutUp, tmp_path: Path) -> None:
    first = put_up(tables, tmp_path / "a")
    assert put_up(tables, tmp_path / "b", funnel=[]) == first
    before = (tmp_path / "a" / "dataset" / "README.md").read_text()
    inode = (tmp_path / "a" / "dataset" / "data" / "train-00000-of-00001.parquet").stat().st_ino
    assert put_up(tables, tmp_path / "a", funnel=[]) == first
    assert (tmp_path / "a" / "dataset" / "README.md").read_text() != before
    assert (tmp_path / "a" / "dataset" / "data" / "train-00000-of-00001.parquet").stat().st_ino == inode
    assert put_up(without(tables, "PMC10000000.1"), tmp_path / "b") != first


def test_a_retraction_leaves_and_is_listed(tables: Tables, put_up: PutUp, tmp_path: Path) -> None:
    old = put_up(tables, tmp_path)
    assert pq.read_table(tmp_path / "dataset" / "removed.parquet") == publishing.REMOVED.empty_table()
    gone = {p for p in rows_of(tmp_path / "dataset") if p.startswith("PMC10009000.1/")}
    reasons = {"PMC10009000.1": "retracted"}
    put_up(without(tables, "PMC10009000.1"), tmp_path, date="2026-02-28", reasons=reasons)
    assert not gone & rows_of(tmp_path / "dataset")
    removed = pq.read_table(tmp_path / "dataset" / "removed.parquet").to_pylist()
    assert {row["panel_id"] for row in removed} == gone
    assert {(row["article"], row["reason"], row["removed_in"]) for row in removed} == {
        ("PMC10009000.1", "retracted", "2026-02-28")}
    assert "retracted 4" in (tmp_path / "dataset" / "README.md").read_text()
    assert rows_of(tmp_path / f"dataset-{old}") >= gone, "who trains on the old one must be able to finish"


def test_removed_rows_accumulate_and_come_back(tables: Tables, put_up: PutUp, tmp_path: Path) -> None:
    put_up(tables, tmp_path)
    fewer = without(tables, "PMC10000000.1")
    put_up(fewer, tmp_path, date="2026-02-28", reasons={"PMC10000000.1/gr1.jpg": "benchmark"})
    put_up(without(fewer, "PMC10003000.1"), tmp_path, date="2026-03-31")
    removed = pq.read_table(tmp_path / "dataset" / "removed.parquet").to_pylist()
    assert [(row["panel_id"][:21], row["reason"], row["removed_in"]) for row in removed[::2]] == [
        ("PMC10000000.1/gr1.jpg", "benchmark", "2026-02-28"), ("PMC10000000.1/gr2.jpg", "changed", "2026-02-28"),
        ("PMC10003000.1/gr1.jpg", "changed", "2026-03-31"), ("PMC10003000.1/gr2.jpg", "changed", "2026-03-31"),
    ]  # fmt: skip
    put_up(without(tables, "PMC10003000.1"), tmp_path, date="2026-04-30")
    listed = pq.read_table(tmp_path / "dataset" / "removed.parquet")["article"].to_pylist()
    assert set(listed) == {"PMC10003000.1"}


@pytest.mark.parametrize("step", ["_assemble", "_move_in", "_switch"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_leaves_the_old_dataset_or_the_new(
    tables: Tables, put_up: PutUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    put_up(tables, tmp_path)
    full, fewer = rows_of(tmp_path / "dataset"), without(tables, "PMC10000000.1")
    real = getattr(publishing, step)

    def dies(*given: Any) -> None:
        if when == "after":
            real(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(publishing, step, dies)
        put_up(fewer, tmp_path, date="2026-02-28")
    now = rows_of(tmp_path / "dataset")
    assert now < full if (step, when) == ("_switch", "after") else now == full
    assert {path.name for path in (tmp_path / "dataset").iterdir()} == FILES
    put_up(fewer, tmp_path, date="2026-02-28")
    assert len(rows_of(tmp_path / "dataset")) == len(full) - 4
    assert len(pq.read_table(tmp_path / "dataset" / "removed.parquet")) == 4
    assert not [path for path in tmp_path.rglob("*") if "tmp~" in path.name]


def test_without_hard_links_data_are_copied(
    tables: Tables, put_up: PutUp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(publishing.os, "link", refuses)
    put_up(tables, tmp_path)
    assert len(rows_of(tmp_path / "dataset")) == 48


def test_a_folder_of_the_users_is_not_replaced(tables: Tables, put_up: PutUp, tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    with pytest.raises(UsageError, match="move it away"):
        put_up(tables, tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("dataset")] == ["dataset"]


def test_empty_files_are_not_published(tmp_path: Path) -> None:
    def shard(split: str, bucket: int, rows: int) -> publishing.ShardFile:
        return publishing.ShardFile(split, tmp_path / f"{split}{bucket}", rows, 1, "0")

    sizes = [("test", 0, 0), ("test", 1, 0), ("train", 0, 0), ("train", 1, 5), ("train", 2, 1), ("validation", 0, 2)]
    shards = [shard(*size) for size in sizes]
    assert [(path, file.path.name) for path, file in publishing._named(shards)] == [
        ("data/train-00001-of-00003.parquet", "train1"), ("data/train-00002-of-00003.parquet", "train2"),
        ("data/validation-00000-of-00001.parquet", "validation0"),
    ]  # fmt: skip
