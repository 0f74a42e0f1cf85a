from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pmcoa_build import schema
from pmcoa_build.dataset.export import _figure_name, export_jsonl, export_webdataset, sample_key
from pmcoa_build.dataset.shards import write_shard
from pmcoa_build.errors import UsageError


def samples(path: Path) -> dict[str, dict[str, bytes]]:
    """A tar as WebDataset groups it: neighbours whose names agree up to the first dot."""
    found: dict[str, dict[str, bytes]] = {}
    last = ""
    with tarfile.open(path) as tar:
        for member in tar:
            key, _, extension = member.name.partition(".")
            assert key == last or key not in found, "the files of a sample must be neighbours"
            last = key
            file = tar.extractfile(member)
            assert file is not None
            found.setdefault(key, {})[extension] = file.read()
    return found


def test_webdataset_samples(published: Path, tmp_path: Path) -> None:
    assert export_webdataset(published, tmp_path / "wds") == 48
    assert sorted(p.name for p in (tmp_path / "wds").iterdir()) == [
        "ATTRIBUTION.parquet", "CARD.md", "test-00000.tar", "train-00000.tar", "validation-00000.tar"]
    for name, copy in (("ATTRIBUTION.parquet", "ATTRIBUTION.parquet"), ("README.md", "CARD.md")):
        assert (tmp_path / "wds" / copy).read_bytes() == (published / name).read_bytes()
    rows = pq.read_table(published / "data" / "train-00000-of-00001.parquet").to_pylist()
    found = samples(tmp_path / "wds" / "train-00000.tar")
    assert list(found) == [sample_key(row["panel_id"]) for row in rows]
    for row, sample in zip(rows, found.values(), strict=True):
        assert set(sample) == {"jpg", "json", "txt"}
        assert sample["jpg"] == row["image"]["bytes"]
        assert sample["txt"].decode() == row["subcaption"]
        assert json.loads(sample["json"]) == {k: v for k, v in row.items() if k != "image"}


def test_webdataset_is_the_same_every_time(published: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_webdataset(published, tmp_path / name)
    assert (tmp_path / "a" / "test-00000.tar").read_bytes() == (tmp_path / "b" / "test-00000.tar").read_bytes()


def test_jsonl_in_the_form_of_pmc_oa(published: Path, tmp_path: Path) -> None:
    assert export_jsonl(published, tmp_path / "out") == 48
    names = set()
    assert {"ATTRIBUTION.parquet", "CARD.md"} < {path.name for path in (tmp_path / "out").iterdir()}
    for split, title in (("train", "train"), ("validation", "valid"), ("test", "test")):
        rows = pq.read_table(published / "data" / f"{split}-00000-of-00001.parquet").to_pylist()
        lines = [json.loads(line) for line in (tmp_path / "out" / f"{title}.jsonl").read_text().splitlines()]
        assert [line["caption"] for line in lines] == [row["subcaption"] for row in rows]
        assert [line["figure_caption"] for line in lines] == [row["caption"] for row in rows]
        for line, row in zip(lines, rows, strict=True):
            assert {"license", "license_url", "attribution", "source_url", "snapshot_date"} < line.keys()
            assert (tmp_path / "out" / "images" / line["image"]).read_bytes() == row["image"]["bytes"]
        names |= {line["image"] for line in lines}
    assert len(names) == 48 and "PMC10000000_F1_2.jpg" in names


def test_other_formats_become_png(tmp_path: Path, tables: dict[str, pa.Table], published: Path) -> None:
    row = pq.read_table(published / "data" / "test-00000-of-00001.parquet").slice(0, 1)
    buffer = io.BytesIO()
    Image.new("P", (32, 48), 3).save(buffer, "GIF")
    (tmp_path / "gif" / "data").mkdir(parents=True)
    for name in ("README.md", "ATTRIBUTION.parquet"):
        (tmp_path / "gif" / name).write_bytes((published / name).read_bytes())
    image = pa.array([{"bytes": buffer.getvalue(), "path": "x.gif"}], schema.IMAGE)
    write_shard(tmp_path / "gif" / "data" / "test-00000-of-00001.parquet", row, lambda _: image)
    export_webdataset(tmp_path / "gif", tmp_path / "out")
    sample = next(iter(samples(tmp_path / "out" / "test-00000.tar").values()))
    assert Image.open(io.BytesIO(sample["png"])).size == (32, 48)


@pytest.mark.parametrize(("figure", "name"), [
    ("PMC212319.1/Fig3", "PMC212319_Fig3"), ("PMC212319.2/Fig3", "PMC212319v2_Fig3"),
])
def test_figure_names(figure: str, name: str) -> None:
    assert _figure_name(figure) == name


@given(st.text(min_size=1, max_size=200), st.text(min_size=1, max_size=200))
def test_names_are_safe_and_unique(one: str, other: str) -> None:
    def figure(text: str) -> str:
        return _figure_name(f"PMC1.1/{text}")

    def sample(text: str) -> str:
        return sample_key(f"PMC1.1/{text}.jpg#xywh=0,0,1,1")

    for make in (figure, sample):
        assert len(make(one)) < 100
        assert all(c.isascii() and (c.isalnum() or c in "-_") for c in make(one))
        assert (make(one) == make(other)) == (one == other)


def test_nothing_is_mixed_with_what_lies_there(published: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "train-00009.tar").touch()
    for export in (export_jsonl, export_webdataset):
        with pytest.raises(UsageError, match="is not empty"):
            export(published, tmp_path / "out")


def test_a_folder_without_data_is_a_usage_error(tmp_path: Path) -> None:
    for export in (export_jsonl, export_webdataset):
        with pytest.raises(UsageError, match="not a published dataset"):
            export(tmp_path, tmp_path / "out")
