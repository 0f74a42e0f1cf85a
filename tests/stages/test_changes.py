"""Every kind of update is listed by `diff` and `report`; what it does to tables: tests/faults/test_updates.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from tests.stages.bucket import ARTICLES, Article, changed, write_bucket
from tests.stages.conftest import SmallBuild

CRAWL = ("snapshot", "articles", "figures", "screen", "media")
FIRST = "PMC2000001.1"


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
    assert small.run(*CRAWL) == 0
    write_bucket(small.root / "bucket", articles, date="2026-10-02")
    assert small.run(*CRAWL, "--update") == 0
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
