"""Faults 29 and 30: what changes upstream touches its own blocks only, and reaches the published dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stages.pipeline import NAMES
from tests.stages.bucket import ARTICLES, Article, changed, write_bucket
from tests.stages.conftest import SmallBuild, StubDetector

TO_DATASET = NAMES[: NAMES.index("publish") + 1]
BY_BLOCK = ("articles", "figures", "screen", "media", "panels", "align")
FIRST, SECOND = "PMC2000001.1", "PMC2000002.1"
MANY = tuple(Article(2000001 + n, f"Article {n}", "CC BY", n) for n in range(40))
"""Two blocks."""


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallBuild:
    monkeypatch.setattr("stages.panels.Detector", StubDetector)
    return SmallBuild(tmp_path)


def _rows(small: SmallBuild) -> list[dict[str, Any]]:
    data = small.open().state.out / "dataset" / "data"
    return [row for path in data.iterdir() for row in pq.read_table(path, columns=["article", "flags"]).to_pylist()]


def _published(small: SmallBuild) -> set[str]:
    return {row["article"] for row in _rows(small)}


def _removed(small: SmallBuild) -> dict[str, str]:
    rows = pq.read_table(small.open().state.out / "dataset" / "removed.parquet").to_pylist()
    return {row["article"]: row["reason"] for row in rows}


@pytest.mark.parametrize(("articles", "kept", "removed"), [
    (changed(2000001, retracted=True), {SECOND, "PMC2000004.1"}, {FIRST: "retracted"}),
    (changed(2000001, code="CC BY-NC"), {SECOND, "PMC2000004.1"}, {FIRST: "license-not-allowed"}),
    (changed(2000003, code="CC BY"), {FIRST, SECOND, "PMC2000003.1", "PMC2000004.1"}, {}),
    ((*ARTICLES, replace(ARTICLES[0], version=2, seed=8)), {"PMC2000001.2", SECOND, "PMC2000004.1"},
     {FIRST: "version-superseded"}),
])
def test_fault_30_it_reaches_the_dataset(
    small: SmallBuild, articles: Sequence[Article], kept: set[str], removed: dict[str, str]
) -> None:
    assert small.run(*TO_DATASET) == 0
    write_bucket(small.root / "bucket", articles, date="2026-10-02")
    assert small.run(*TO_DATASET, "--update") == 0
    assert (_published(small), _removed(small)) == (kept, removed)


def test_fault_30_what_is_gone_upstream_leaves_the_dataset(small: SmallBuild) -> None:
    assert small.run(*TO_DATASET) == 0
    write_bucket(small.root / "bucket", ARTICLES[1:], date="2026-10-02")
    assert small.run(*TO_DATASET, "--update") == 0
    assert _published(small) == {SECOND, "PMC2000004.1"} and set(_removed(small)) == {FIRST}


@pytest.mark.parametrize("how", [
    {"note": "a new citation"}, {"title": "Corrected"}, {"seed": 77}, {"retracted": True}, {"code": "CC BY-ND"}, None,
])
def test_fault_29_other_blocks_keep_their_files(small: SmallBuild, how: dict[str, object] | None) -> None:
    write_bucket(small.root / "bucket", MANY)
    assert small.run("snapshot", *BY_BLOCK) == 0
    state = small.open().state
    blocks = sorted(state.records("articles"))
    assert len(blocks) == 2
    records = {stage: state.records(stage)[blocks[1]] for stage in BY_BLOCK}
    inodes = {stage: state.path(records[stage]["output"]["path"]).stat().st_ino for stage in BY_BLOCK}
    first = (replace(MANY[0], **how),) if how else ()  # type: ignore[arg-type]
    write_bucket(small.root / "bucket", (*first, *MANY[1:]), date="2026-10-02")
    assert small.run("snapshot", *BY_BLOCK, "--update") == 0
    for stage in BY_BLOCK:
        after = state.records(stage)
        assert after[blocks[1]] == records[stage], "a block that has nothing to do with it was done again"
        assert state.path(records[stage]["output"]["path"]).stat().st_ino == inodes[stage]
    assert state.records("articles")[blocks[0]]["run"]["computed"] == (1 if how else 0)


def test_fault_30_a_retracted_article_is_kept_and_marked_where_it_is_asked_for(small: SmallBuild) -> None:
    flag = ("--set", "select.retracted=flag")
    assert small.run(*TO_DATASET, *flag) == 0
    write_bucket(small.root / "bucket", changed(2000001, retracted=True), date="2026-10-02")
    assert small.run(*TO_DATASET, "--update", *flag) == 0
    assert {row["article"] for row in _rows(small) if "retracted" in row["flags"]} == {FIRST}
    assert _published(small) == {FIRST, SECOND, "PMC2000004.1"} and _removed(small) == {}
