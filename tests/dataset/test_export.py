from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pmcoa_build import schema
from pmcoa_build.dataset.export import (
    TERMS,
    _figure_name,
    export_jsonl,
    export_table,
    export_webdataset,
    sample_key,
)
from pmcoa_build.errors import UsageError
from pmcoa_build.figures.yolo import mend_torchvision
from tests.dataset.conftest import write_shard


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
    for name, copy in TERMS.items():
        assert (tmp_path / "wds" / copy).read_bytes() == (published / name).read_bytes()
    rows = pq.read_table(published / "data" / "train-00000-of-00001.parquet").to_pylist()
    tars = sorted((tmp_path / "wds").glob("train-*.tar"))
    found = {key: sample for tar in tars for key, sample in samples(tar).items()}
    assert list(found) == [sample_key(row["panel_id"]) for row in rows]
    for row, sample in zip(rows, found.values(), strict=True):
        assert set(sample) == {"jpg", "json", "txt"}
        assert sample["jpg"] == row["image"]["bytes"]
        assert sample["txt"].decode() == row["subcaption"]
        assert json.loads(sample["json"]) == {k: v for k, v in row.items() if k != "image"}


def test_there_are_tars_for_every_worker_and_their_sizes_are_told(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What open_clip asks for: tars numbered without a gap, as many as workers or more, and sizes.json."""
    rows = {split: pq.read_metadata(published / "data" / f"{split}-00000-of-00001.parquet").num_rows
            for split in ("train", "validation", "test")}
    for most, fewest in ((5000, 4), (3, 4), (5000, 99)):
        monkeypatch.setattr("pmcoa_build.dataset.export.TAR_ROWS", most)
        monkeypatch.setattr("pmcoa_build.dataset.export.TARS", fewest)
        out = tmp_path / f"{most}-{fewest}"
        export_webdataset(published, out)
        sizes = json.loads((out / "sizes.json").read_text())
        assert sizes == {tar.name: len(samples(tar)) for tar in out.glob("*.tar")}
        for split, count in rows.items():
            own = [size for name, size in sizes.items() if name.startswith(split)]
            assert [f"{split}-{n:05d}.tar" in sizes for n in range(len(own))] == [True] * len(own)
            assert sum(own) == count and max(own) <= most and len(own) >= min(fewest, count) // 2


@pytest.mark.parametrize("workers", [0, 4])
def test_open_clips_own_loader_reads_it(published: Path, tmp_path: Path, workers: int) -> None:
    mend_torchvision()
    open_clip = pytest.importorskip("open_clip_train.data", reason="the extra `dev` is not installed")
    out = tmp_path / "wds"
    export_webdataset(published, out)
    sizes = json.loads((out / "sizes.json").read_text())

    def shards(split: str) -> str:
        count = sum(name.startswith(split) for name in sizes)
        return f"{out}/{split}-{{00000..{count - 1:05d}}}.tar"

    options = SimpleNamespace(
        train_data=shards("train"), val_data=shards("validation"), train_num_samples=None, val_num_samples=None,
        dataset_resampled=False, train_data_upsampling_factors=None, seed=0, workers=workers, world_size=1,
        batch_size=4,
    )
    for train, split in ((True, "train"), (False, "validation")):
        info = open_clip.get_wds_dataset(
            options, lambda image: np.asarray(image.convert("RGB")), train, tokenizer=lambda text: [text])
        texts = [text for _, batch in info.dataloader for text in batch]
        rows = pq.read_table(published / "data" / f"{split}-00000-of-00001.parquet")
        assert set(texts) <= set(rows["subcaption"].to_pylist())
        assert len(texts) >= len(rows) if train else len(texts) == len(rows)


def test_webdataset_is_the_same_every_time(published: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_webdataset(published, tmp_path / name)
    assert (tmp_path / "a" / "test-00000.tar").read_bytes() == (tmp_path / "b" / "test-00000.tar").read_bytes()


def test_jsonl_in_the_form_of_pmc_oa(published: Path, tmp_path: Path) -> None:
    assert export_jsonl(published, tmp_path / "out") == 48
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *TERMS.values(), "images", "pmc_oa.jsonl", "pmc_oa_beta.jsonl", "train.jsonl", "valid.jsonl", "test.jsonl"}

    def lines(name: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in (tmp_path / "out" / f"{name}.jsonl").read_text().splitlines()]

    everything = []
    for split, title in (("test", "test"), ("train", "train"), ("validation", "valid")):
        rows = pq.read_table(published / "data" / f"{split}-00000-of-00001.parquet").to_pylist()
        for line, row in zip(lines(title), rows, strict=True):
            assert (tmp_path / "out" / "images" / str(line["image"])).read_bytes() == row["image"]["bytes"]
            everything.append((line["image"], row))
            assert line == {
                "image": line["image"], "caption": row["subcaption"], "figure_caption": row["caption"],
                "pmcid": row["article"].split(".")[0], "url_name": row["panel_id"].split("/")[1].split("#")[0],
                "alignment_type": row["method"], "alignment_score": row["confidence"],
                **{k: v for k, v in row.items() if k not in ("image", "caption", "subcaption", "method", "confidence")},
            }
    assert lines("pmc_oa") == [
        {"image": image, "caption": row["subcaption"], "alignment_type": row["method"],
         "alignment_score": row["confidence"]} for image, row in everything]
    assert lines("pmc_oa_beta") == [{"image": image, "caption": row["caption"]} for image, row in everything]
    names = {image for image, _ in everything}
    assert len(names) == 48 and "PMC10000000_F1_2.jpg" in names


def test_a_table_without_images_loads_and_keeps_its_columns(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert export_table(published, tmp_path / "out") == 48
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*TERMS.values(), "data"}
    for file in (tmp_path / "out" / "data").iterdir():
        assert pq.read_table(file).equals(pq.read_table(published / "data" / file.name).drop_columns(["image"]))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="the extra `dev` is not installed")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert sum(map(len, loaded.values())) == 48 and "image" not in loaded["train"].features


def test_other_formats_become_png(tmp_path: Path, tables: dict[str, pa.Table], published: Path) -> None:
    row = pq.read_table(published / "data" / "test-00000-of-00001.parquet").slice(0, 1)
    buffer = io.BytesIO()
    Image.new("P", (32, 48), 3).save(buffer, "GIF")
    (tmp_path / "gif" / "data").mkdir(parents=True)
    for name in TERMS:
        (tmp_path / "gif" / name).touch()
    image = pa.array([{"bytes": buffer.getvalue(), "path": "x.gif"}], schema.IMAGE)
    row = row.set_column(0, schema.SHARDS.field("image"), image)
    write_shard(tmp_path / "gif" / "data" / "test-00000-of-00001.parquet", row)
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
    for export in (export_jsonl, export_table, export_webdataset):
        with pytest.raises(UsageError, match="is not empty"):
            export(published, tmp_path / "out")


def test_a_folder_without_data_is_a_usage_error(tmp_path: Path) -> None:
    for export in (export_jsonl, export_table, export_webdataset):
        with pytest.raises(UsageError, match="not a published dataset"):
            export(tmp_path, tmp_path / "out")


def test_nothing_goes_without_its_terms(published: Path, tmp_path: Path) -> None:
    (published / "LICENSE.md").unlink()
    for export in (export_jsonl, export_table, export_webdataset):
        with pytest.raises(UsageError, match=r"has no LICENSE\.md"):
            export(published, tmp_path / "out")
