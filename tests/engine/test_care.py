"""verify, gc and retry."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmcoa_build.engine import care
from pmcoa_build.errors import UsageError
from tests.engine.toy import STAGES, Toy, article, articles


def test_gc_deletes_what_no_record_names_and_nothing_else(toy: Toy) -> None:
    toy.run()
    named = toy.files()
    assert toy.collect() == (0, 0) and toy.files() == named
    toy.changed(keys=("panels.quality=5",)).run()
    later = toy.changed(keys=("panels.quality=5",))
    out = later.state.out
    strays = ["words/000000000-abc.parquet", "fetch/x.parquet.12.tmp~", "BUILD_ID.3.tmp~", "raw/PMC1.1/.abc.part",
              "snapshot/inventory-2026-11-01.parquet", "raw/PMC1.1/a.jpg", "mine/notes.txt"]
    for name in strays:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text("stray")
    (later.state.folder / "words.jsonl.9.tmp~").write_text("stray")
    hashes = later.hashes()
    removed, freed = later.collect()
    kept = {"snapshot/inventory-2026-11-01.parquet", "raw/PMC1.1/a.jpg", "mine/notes.txt"}
    assert later.files() & set(strays) == kept
    assert removed > 5 and freed > 25 and later.verify() == [] and later.hashes() == hashes and later.due() == {}
    assert not list(later.state.folder.glob("*.tmp~"))


def test_gc_removes_unfinished_folders_and_keeps_the_dataset_that_is_up(toy: Toy) -> None:
    toy.run()
    out = toy.state.out
    for name in (".dataset-new.7.tmp~/data", "dataset-old/data", "dataset-up/data", "train/begun", "train/over"):
        (out / name).mkdir(parents=True)
        (out / name / "file").write_text("x")
    (out / "dataset").symlink_to("dataset-up")
    (out / "dataset.7.tmp~").symlink_to("nowhere")
    (out / "train/begun" / care.UNFINISHED).write_text("")
    care.collect(toy.state, [*STAGES, "train"])
    left = {str(path.relative_to(out)) for path in out.glob("*")}
    assert {"dataset", "dataset-up"} <= left and not {".dataset-new.7.tmp~", "dataset-old", "dataset.7.tmp~"} & left
    assert (out / "dataset/data/file").exists()
    assert (out / "train/begun/file").exists() and not (out / "train/over/file").exists()


def test_gc_compacts_the_logs(toy: Toy) -> None:
    toy.run()
    for version in (2, 3):
        toy = toy.with_step("words", version=version)
        toy.run()
    path = toy.state.log_path("words")
    assert len(path.read_bytes().splitlines()) == 9
    toy.collect()
    assert len(path.read_bytes().splitlines()) == 3 and toy.due() == {}


def test_verify_counts_every_file(toy: Toy) -> None:
    toy.run()
    problems, checked = care.verify(toy.state, STAGES)
    assert problems == [] and checked == len(toy.files() - {"BUILD_ID"})


@pytest.fixture
def lossy(tmp_path: Path) -> Toy:
    toy = Toy(tmp_path)
    toy.write({**articles(60), 1: article("x", lose="retracted"), 30: article("x", lose="xml-malformed")})
    toy.run()
    toy.calls()
    return toy


@pytest.mark.parametrize(("reason", "again"), [
    ("", ["fetch PMC30.1"]), ("xml-malformed", ["fetch PMC30.1"]), ("retracted", ["fetch PMC1.1"]), ("timeout", []),
])
def test_retry_computes_those_units_again_and_once(lossy: Toy, reason: str, again: list[str]) -> None:
    assert care.ask_retry(lossy.state, STAGES, reason) == len(again)
    assert [why for _, why in lossy.due().get("fetch", [])] == [
        f"retry asked for {reason or 'xml-malformed'}" for _ in again
    ]
    lossy.run()
    assert lossy.calls() == again and lossy.due() == {} and lossy.verify() == []


def test_retry_for_an_unknown_reason(lossy: Toy) -> None:
    with pytest.raises(UsageError, match="reasons are"):
        care.ask_retry(lossy.state, STAGES, "bad luck")
