from __future__ import annotations

import io
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pmcoa_build.dataset.rehydrate import THREADS, rehydrate
from pmcoa_build.dataset.rows import shard_rows
from pmcoa_build.errors import UnitLost, UsageError
from pmcoa_build.ids import Box
from tests.dataset.conftest import with_images

Tables = dict[str, pa.Table]


def cut(image: bytes, box: Box | None, size: tuple[int, int]) -> bytes:
    opened = Image.open(io.BytesIO(image))
    part = opened.crop(box) if box else opened
    if part.size != size:
        raise UnitLost("image-changed", f"{part.width} x {part.height} pixels, not {size[0]} x {size[1]}")
    buffer = io.BytesIO()
    part.save(buffer, "PNG")
    return buffer.getvalue() if box else image


class Bucket:
    """A source that counts what is asked of it, and how many ask at once."""

    def __init__(self, tables: Tables) -> None:
        media = tables["media"].select(["image_id", "image"]).to_pylist()
        self.objects = {row["image_id"]: row["image"]["bytes"] for row in media}
        self.asked: list[tuple[str, str | None]] = []
        self.lock = threading.Lock()

    def __call__(self, key: str, md5: str | None) -> bytes:
        with self.lock:
            self.asked.append((key, md5))
        if key not in self.objects:
            raise UnitLost("http-404", key)
        return self.objects[key]


@pytest.fixture
def bare(tables: Tables) -> pa.Table:
    """Published rows of all kinds without images."""
    return shard_rows(**tables, level="both", snapshot_date="2026-01-31").drop_columns(["split"])


def test_images_come_back_whole_and_cut(tables: Tables, bare: pa.Table, tmp_path: Path) -> None:
    bucket = Bucket(tables)
    md5s = dict(zip(tables["media"]["image_id"].to_pylist(), tables["media"]["md5"].to_pylist(), strict=True))
    result = rehydrate(bare, tmp_path / "full.parquet", bucket, cut, md5s)
    assert (result.rows, result.lost) == (72, [])
    assert sorted(bucket.asked) == sorted(md5s.items()), "each image once, with its MD5"
    table = pq.read_table(tmp_path / "full.parquet")
    published = with_images(bare, tables)
    assert table.drop_columns(["image"]) == published.drop_columns(["image"])
    for row, image in zip(table.to_pylist(), published["image"].to_pylist(), strict=True):
        assert Image.open(io.BytesIO(row["image"]["bytes"])).size == (row["width"], row["height"])
        assert (row["image"]["bytes"] == image["bytes"]) == (row["kind"] == "figure")


def test_images_that_take_turns_are_fetched_once(tables: Tables, bare: pa.Table, tmp_path: Path) -> None:
    bucket = Bucket(tables)
    turns = bare.take(pa.array([0, 3, 1, 4, 2, 5]))
    assert rehydrate(turns, tmp_path / "x.parquet", bucket, cut, {}).rows == 6
    assert len(bucket.asked) == 2
    assert pq.read_table(tmp_path / "x.parquet")["panel_id"].to_pylist() == turns["panel_id"].to_pylist()


def test_what_is_gone_or_of_another_size_is_left_out_and_told(tables: Tables, bare: pa.Table, tmp_path: Path) -> None:
    bucket = Bucket(tables)
    first, _, third = tables["media"]["image_id"].to_pylist()[:3]
    del bucket.objects[first]
    bucket.objects[third] = cut(bucket.objects[third], (0, 0, 40, 48), (40, 48))
    result = rehydrate(bare.slice(0, 9), tmp_path / "x.parquet", bucket, cut, {})
    assert [(row["unit"].split("#")[0], row["reason"]) for row in result.lost] == [
        *[(first, "http-404")] * 3, *[(third, "image-changed")] * 1]
    assert result.lost[-1] == {
        "unit": f"{third}#xywh=0,0,64,48", "scope": "panel", "outcome": "dead", "reason": "image-changed",
        "retryable": False, "detail": "40 x 48 pixels, not 64 x 48", "attempts": 1,
    }
    assert result.rows == len(pq.read_table(tmp_path / "x.parquet")) == 5
    assert bucket.asked.count((first, None)) == 1


def test_a_second_run_fetches_only_what_is_missing(tables: Tables, bare: pa.Table, tmp_path: Path) -> None:
    bucket, out = Bucket(tables), tmp_path / "x.parquet"
    first = tables["media"]["image_id"][0].as_py()
    gone = bucket.objects.pop(first)
    assert rehydrate(bare, out, bucket, cut, {}).rows == 69
    bucket.objects[first] = gone
    bucket.asked.clear()
    assert rehydrate(bare, out, bucket, cut, {}).rows == 72
    assert bucket.asked == [(first, None)]
    filled = pq.read_table(out)
    assert filled.drop_columns(["image"]).sort_by("panel_id").equals(bare.sort_by("panel_id"))
    rehydrate(bare.select(["panel_id", "kind"]), out, bucket, cut, {})
    assert pq.read_schema(out).names == ["image", "panel_id", "kind"], "another table begins anew"


def by_pandas(table: pa.Table, path: Path) -> None:
    table.to_pandas().to_parquet(path)


def by_polars(table: pa.Table, path: Path) -> None:
    import polars

    frame = polars.from_arrow(table)
    assert isinstance(frame, polars.DataFrame)
    frame.write_parquet(path)


def by_datasets(table: pa.Table, path: Path) -> None:
    from datasets import Dataset

    Dataset(table).to_parquet(path)


@pytest.mark.parametrize("write", [by_pandas, by_polars, by_datasets])
def test_whatever_program_wrote_the_table(tables: Tables, bare: pa.Table, tmp_path: Path, write) -> None:  # type: ignore[no-untyped-def]
    mine = bare.append_column("mine", pa.array(range(len(bare))))
    write(mine, tmp_path / "bare.parquet")
    result = rehydrate(pq.read_table(tmp_path / "bare.parquet"), tmp_path / "full.parquet", Bucket(tables), cut, {})
    table = pq.read_table(tmp_path / "full.parquet")
    assert (result.rows, result.lost, table.column_names) == (72, [], ["image", *mine.column_names])
    assert table.select(bare.column_names).equals(bare) and table["mine"].to_pylist() == list(range(72))


def test_the_panel_ids_are_enough(tables: Tables, bare: pa.Table, tmp_path: Path) -> None:
    panels = bare.filter(pc.not_equal(bare["kind"], "figure")).select(["panel_id"])
    assert rehydrate(panels, tmp_path / "x.parquet", Bucket(tables), cut, {}).rows == 48
    assert pq.read_schema(tmp_path / "x.parquet").names == ["image", "panel_id"]


@pytest.mark.parametrize(("table", "says"), [
    (pa.table({"image_id": ["PMC1.1/x.jpg"]}), "no column panel_id"),
    (pa.table({"panel_id": ["PMC1.1/x.jpg"]}), "'PMC1.1/x.jpg' is not a panel id"),
    (pa.table({"panel_id": pa.nulls(1, pa.string())}), "names no image"),
])
def test_a_table_that_names_no_images_is_refused(tmp_path: Path, table: pa.Table, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        rehydrate(table, tmp_path / "x.parquet", lambda *_: b"", cut, {})


def test_few_images_are_fetched_ahead_and_none_after_a_stop(tables: Tables, bare: pa.Table, tmp_path: Path) -> None:
    bucket = Bucket(tables)

    def dies(image: bytes, box: Box | None, size: tuple[int, int]) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rehydrate(bare, tmp_path / "x.parquet", bucket, dies, {})
    assert len(bucket.asked) <= 2 * THREADS < len(bucket.objects)
    assert list(tmp_path.iterdir()) == [], "nothing is left at the final name after a crash"
