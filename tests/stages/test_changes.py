"""Every kind of update: it touches its own blocks, reaches the tables, and is listed by `diff` and `report`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from stages.pipeline import NAMES
from tests.stages.bucket import ARTICLES, Article, changed, write_bucket
from tests.stages.conftest import SmallBuild

TO_DATASET = NAMES[: NAMES.index("publish") + 1]
BY_BLOCK = ("articles", "figures", "screen", "media", "panels", "align")
FIRST, SECOND = "PMC2000001.1", "PMC2000002.1"
MANY = tuple(Article(2000001 + n, f"Article {n}", "CC BY", n) for n in range(40))
"""Two blocks."""


def _published(small: SmallBuild) -> set[str]:
    data = small.open().state.out / "dataset" / "data"
    return {name for path in data.iterdir() for name in pq.read_table(path, columns=["article"])["article"].to_pylist()}


def _removed(small: SmallBuild) -> dict[str, str]:
    rows = pq.read_table(small.open().state.out / "dataset" / "removed.parquet").to_pylist()
    return {row["article"]: row["reason"] for row in rows}


def _listed(text: str) -> dict[str, list[str]]:
    """Kind -> articles, as `diff` and `report` print them."""
    found: dict[str, list[str]] = {}
    for line in text.partition("Changes from 2026-10-01T01-00Z to 2026-10-02T01-00Z:\n")[2].splitlines():
        if line.startswith("    "):
            found[list(found)[-1]].append(line.strip())
        elif line.startswith("  "):
            found[line.split(":")[0].strip()] = []
        else:
            break
    return found


@pytest.mark.parametrize(("articles", "listed"), [
    ((*ARTICLES, replace(ARTICLES[0], version=2)), {"new version": ["PMC2000001.2"]}),
    ((*ARTICLES, Article(2000005, "Fifth article", "CC BY", 5)), {"new": ["PMC2000005.1"]}),
    (changed(2000001, note="a new citation"), {"other metadata": [FIRST]}),
    (changed(2000001, title="First article, corrected"), {"text": [FIRST]}),
    (changed(2000001, seed=8), {"media": [FIRST]}),
    (changed(2000001, retracted=True), {"retracted": [FIRST]}),
    (changed(2000001, code="CC BY-NC"), {"licence": [FIRST]}),
    (changed(2000003, code="CC BY"), {"licence": ["PMC2000003.1"]}),
    (ARTICLES[1:], {"removed": [FIRST]}),
    ((*changed(2000001, retracted=True, code="CC BY-NC")[:3],),
     {"retracted": [FIRST], "licence": [FIRST], "removed": ["PMC2000004.1"]}),
])
def test_each_kind_is_listed(
    small: SmallBuild, capsys: pytest.CaptureFixture[str], articles: Sequence[Article], listed: dict[str, list[str]]
) -> None:
    crawl = TO_DATASET[:5]
    assert small.run(*crawl) == 0
    write_bucket(small.root / "bucket", articles, date="2026-10-02")
    assert small.run(*crawl, "--update") == 0
    capsys.readouterr()
    assert small.command("diff", "2026-10-01", "2026-10-02") == 0
    assert _listed(capsys.readouterr().out) == listed
    assert small.command("report") == 0
    assert _listed(capsys.readouterr().out) == listed


def test_before_it_is_read_a_change_is_only_known_to_be_one(
    small: SmallBuild, capsys: pytest.CaptureFixture[str]
) -> None:
    assert small.run("snapshot", "articles") == 0
    write_bucket(small.root / "bucket", changed(2000001, retracted=True), date="2026-10-02")
    assert small.run("snapshot", "--update") == 0
    capsys.readouterr()
    assert small.command("diff", "2026-10-01", "2026-10-02") == 0
    assert _listed(capsys.readouterr().out) == {"not read": [FIRST]}
    assert small.command("diff", "2026-10-01", "2026-10-01T01-00Z") == 0
    assert "Nothing changed" in capsys.readouterr().out
    assert small.command("diff", "2026-10-01", "2026-12-01") == 2
    assert "it has: 2026-10-01T01-00Z, 2026-10-02T01-00Z" in capsys.readouterr().err


@pytest.mark.parametrize(("articles", "kept", "removed"), [
    (changed(2000001, retracted=True), {SECOND, "PMC2000004.1"}, {FIRST: "retracted"}),
    (changed(2000001, code="CC BY-NC"), {SECOND, "PMC2000004.1"}, {FIRST: "license-not-allowed"}),
    (changed(2000003, code="CC BY"), {FIRST, SECOND, "PMC2000003.1", "PMC2000004.1"}, {}),
    ((*ARTICLES, replace(ARTICLES[0], version=2, seed=8)), {"PMC2000001.2", SECOND, "PMC2000004.1"},
     {FIRST: "version-superseded"}),
])
def test_it_reaches_the_dataset(
    small: SmallBuild, articles: Sequence[Article], kept: set[str], removed: dict[str, str]
) -> None:
    assert small.run(*TO_DATASET) == 0
    write_bucket(small.root / "bucket", articles, date="2026-10-02")
    assert small.run(*TO_DATASET, "--update") == 0
    assert (_published(small), _removed(small)) == (kept, removed)


def test_what_is_gone_upstream_leaves_the_dataset(small: SmallBuild) -> None:
    assert small.run(*TO_DATASET) == 0
    write_bucket(small.root / "bucket", ARTICLES[1:], date="2026-10-02")
    assert small.run(*TO_DATASET, "--update") == 0
    assert _published(small) == {SECOND, "PMC2000004.1"} and set(_removed(small)) == {FIRST}


@pytest.mark.parametrize("how", [
    {"note": "a new citation"}, {"title": "Corrected"}, {"seed": 77}, {"retracted": True}, {"code": "CC BY-ND"}, None,
])
def test_other_blocks_keep_their_files(small: SmallBuild, how: dict[str, object] | None) -> None:
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
