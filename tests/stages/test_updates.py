"""What an update touches: only what depends on it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pmcoa_build.pmc import jats
from stages.pipeline import NAMES
from tests.stages.bucket import Article, changed, write_bucket
from tests.stages.conftest import SmallBuild

TO_DATASET = NAMES[: NAMES.index("publish") + 1]


def _files(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in folder.glob("*.parquet")}


def test_second_run_has_nothing_due(small: SmallBuild, capsys: pytest.CaptureFixture[str]) -> None:
    assert small.run(*TO_DATASET) == 0
    capsys.readouterr()
    assert small.run(*TO_DATASET) == 0
    assert capsys.readouterr().out.count("nothing due") == len(TO_DATASET)


def test_one_changed_article_is_the_only_one_parsed_again(small: SmallBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    assert small.run(*TO_DATASET) == 0
    panels = _files(small.root / "builds" / "small" / "panels")
    parsed = []
    real = jats.parse_article

    def counting(xml: bytes) -> jats.Article:
        parsed.append(xml)
        return real(xml)

    monkeypatch.setattr("stages.figures.parse_article", counting)
    write_bucket(small.root / "bucket", changed(2000001, title="First article, corrected"))
    assert small.run(*TO_DATASET, "--update") == 0
    assert len(parsed) == 1 and b"corrected" in parsed[0]
    titles = small.open().table("articles")["title"].to_pylist()
    assert titles == ["First article, corrected", "Second article", "Fourth article"]
    assert _files(small.root / "builds" / "small" / "panels") == panels  # same captions and images: cut off early


def test_an_inventory_is_read_once_whatever_is_selected(small: SmallBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(table: str) -> list[str]:
        return list(pq.read_table(small.open().state.path(table))["article"].to_pylist())

    assert small.run("snapshot", "--set=select.articles=['2000001', 'PMC2000002']") == 0
    chosen = small.open().state.records("snapshot")["all"]
    assert rows(chosen["table"]["path"]) == ["PMC2000001.1", "PMC2000002.1"]
    monkeypatch.delattr("stages.snapshot.read_inventory")
    assert small.run("snapshot", "--update") == 0
    everything = small.open().state.records("snapshot")["all"]
    assert everything["table"] == everything["files"][0] and len(rows(everything["table"]["path"])) == 4


def test_a_damaged_inventory_is_named(small: SmallBuild, capsys: pytest.CaptureFixture[str]) -> None:
    assert small.run("snapshot") == 0
    path = small.open().state.path(small.open().state.records("snapshot")["all"]["facts"]["inventory"])
    data = bytearray(path.read_bytes())
    data[pq.read_metadata(path).row_group(0).column(3).data_page_offset + 60] ^= 255
    path.write_bytes(data)
    capsys.readouterr()
    assert small.run("snapshot", "--set=select.since=2020-01-01", "--set=select.exclude=['PMC2000001']") == 4
    assert f"{path} is damaged" in capsys.readouterr().err


def test_a_retracted_article_leaves_the_dataset(small: SmallBuild) -> None:
    assert small.run(*TO_DATASET) == 0
    write_bucket(small.root / "bucket", changed(2000001, retracted=True))
    assert small.run(*TO_DATASET, "--update") == 0
    dataset = small.open().state.out / "dataset"
    kept = {row["article"] for path in (dataset / "data").iterdir() for row in pq.read_table(path).to_pylist()}
    assert kept == {"PMC2000002.1", "PMC2000004.1"}
    removed = pq.read_table(dataset / "removed.parquet").to_pylist()
    assert {(row["article"], row["reason"]) for row in removed} == {("PMC2000001.1", "retracted")}


def test_after_a_retraction_only_the_files_that_held_it_change(
    small: SmallBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve articles far apart in four buckets: the file of one article goes, another changes, none is renamed."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets", reason="the extra `dev` is not installed")
    articles = [Article(2_000_000 + 5000 * n, f"Article {n}", "CC BY", n) for n in range(12)]
    shutil.rmtree(small.root / "bucket")
    write_bucket(small.root / "bucket", articles)
    sizes = ("--set=shards.file_bytes=70000", "--set=shards.splits=[0.6,0.2,0.2]")
    assert small.run(*TO_DATASET, *sizes) == 0
    dataset = small.open().state.out / "dataset"

    def loaded() -> dict[str, set[str]]:
        found = datasets.load_dataset(str(dataset), cache_dir=str(small.root / "cache"))
        for split in found.values():
            assert all(row["image"].size == (row["width"], row["height"]) for row in split)
        return {name: set(split["article"]) for name, split in found.items()}

    held = {path.name: set(pq.read_table(path)["article"].to_pylist()) for path in (dataset / "data").iterdir()}
    alone = next(name for name, ids in sorted(held.items()) if len(ids) == 1)
    shared = next(name for name, ids in sorted(held.items()) if len(ids) > 1)
    gone = {next(iter(held[alone])), min(held[shared])}
    assert len(held) > 4 and gone <= set.union(*loaded().values())
    files = _files(dataset / "data")

    after = [replace(one, retracted=one.id in gone) for one in articles]
    write_bucket(small.root / "bucket", after, date="2026-10-02")
    assert small.run(*TO_DATASET, "--update", *sizes) == 0
    now = _files(dataset / "data")
    assert {name for name in files if now.get(name) != files[name]} == {alone, shared} and now.keys() < files.keys()
    assert set.union(*loaded().values()) == set.union(*held.values()) - gone
    removed = pq.read_table(dataset / "removed.parquet").to_pylist()
    assert {(row["article"], row["reason"]) for row in removed} == {(article, "retracted") for article in gone}


@pytest.mark.parametrize(("change", "first"), [
    ("train.lr=0.5", None), ("panels.quality=80", "panels"), ("screen.terms=none", "screen"),
    ("shards.splits=[0,1,0]", "dedupe"),
])
def test_a_spec_change_makes_due_what_depends_on_it(
    small: SmallBuild, capsys: pytest.CaptureFixture[str], change: str, first: str | None
) -> None:
    assert small.run(*TO_DATASET) == 0
    capsys.readouterr()
    assert small.run(*TO_DATASET, "--set", change) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.split()[0] in NAMES]
    due = [line.split()[0] for line in lines if "nothing due" not in line]
    assert (due[0] if due else None) == first


def test_originals_can_be_freed_and_fetched_again(small: SmallBuild, capsys: pytest.CaptureFixture[str]) -> None:
    assert small.run(*TO_DATASET) == 0
    size = sum(path.stat().st_size for path in (small.open().state.out / "media").iterdir())
    crops = small.contents("panels")
    assert small.command("gc", "--originals") == 0
    assert sum(path.stat().st_size for path in (small.open().state.out / "media").iterdir()) < size / 2
    capsys.readouterr()
    assert small.run(*TO_DATASET) == 0
    assert capsys.readouterr().out.count("nothing due") == len(TO_DATASET)
    assert small.run("panels", "--set", "panels.quality=50") == 3
    assert "--reason freed" in capsys.readouterr().err
    assert small.command("retry", "--reason", "freed") == 0
    assert small.run("media", "panels", "--set", "panels.quality=50") == 0
    assert small.contents("panels") != crops
    assert small.run("media", "panels") == 0
    assert small.contents("panels") == crops
