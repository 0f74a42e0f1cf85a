"""The drawn sample through the pipeline: what its truth says is what comes out, however and whenever it runs."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pmcoa_build import Build
from pmcoa_build.engine.state import State
from pmcoa_build.sample import truth, write_sample
from tests.end_to_end.conftest import ROOT, TO_DATASET, Cli

TABLES = ("articles", "figures", "screen", "media", "panels", "align", "hashes", "dedupe", "shards")
KEYS = {"run.max_dead_fraction": 1, "select.languages": "[]"}


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bucket")
    write_sample(root, articles=24)
    return root


@pytest.fixture(scope="module")
def built(bucket: Path, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built")
    cli(*TO_DATASET, out=out, spec="demo", **{"source.url": bucket, **KEYS})
    return out


def _build(out: Path) -> Build:
    return Build.open(ROOT / "manifests/demo.toml", [f"build.out={out / 'data'}", f"build.state={out / 'state'}"])


def _contents(out: Path) -> dict[str, dict[str, str]]:
    state = State(out / "data", out / "state")
    return {name: {block: r["content"] for block, r in state.records(name).items()} for name in TABLES}


def test_every_figure_has_the_outcome_that_its_truth_says(built: Path, bucket: Path) -> None:
    build = _build(built)
    kept = {row["figure_id"] for row in build.table("screen", ["figure_id", "keep"]).to_pylist() if row["keep"]}
    reasons = {row["figure_id"]: row["reasons"] for row in build.table("screen").to_pylist()}
    for row in truth(bucket):
        if row["outcome"] == "kept":
            assert row["figure_id"] in kept, row["figure_id"]
        elif row["figure_id"] in reasons and not row["outcome"].startswith("image"):
            assert row["outcome"] in reasons[row["figure_id"]], row["figure_id"]


def test_processes_make_the_same_rows(built: Path, bucket: Path, cli: Cli, tmp_path: Path) -> None:
    cli(*TO_DATASET, out=tmp_path, spec="demo", **{"source.url": bucket, "run.on": "processes:2", **KEYS})
    assert _contents(tmp_path) == _contents(built)


def test_the_next_day(built: Path, bucket: Path, cli: Cli) -> None:
    """Edition 2: updates, retractions, a licence change, new and removed articles."""
    before = _build(built)
    gone_from = {row["article"] for row in before.table("shards", ["article"]).to_pylist()}
    write_sample(bucket, articles=24, edition=2)
    cli(*TO_DATASET, "--update", out=built, spec="demo", **{"source.url": bucket, **KEYS})
    after = _build(built)
    articles = after.table("articles", ["article", "is_retracted", "license_code"]).to_pylist()
    assert not any(row["is_retracted"] or row["license_code"] == "CC BY-NC" for row in articles)
    published = {row["article"] for row in after.table("shards", ["article"]).to_pylist()}
    removed = pq.read_table(after.state.out / "dataset/removed.parquet").to_pylist()
    assert gone_from - published == {row["article"] for row in removed if row["article"] not in published}
    assert gone_from - published and published - gone_from
    again = cli(*TO_DATASET, out=built, spec="demo", **{"source.url": bucket, **KEYS})
    assert again.stdout.count("nothing due") == len(TO_DATASET)
