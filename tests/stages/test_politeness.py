"""What the source sees of a crawl: few connections, kept open, and no object asked for twice."""

from __future__ import annotations

import functools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pmcoa_build.spec import SourceKeys
from stages import source
from tests.faults.network import crawling
from tests.faults.tiny import write_tiny


@pytest.mark.parametrize(("stage", "requests"), [("articles", 60 + 45), ("media", 92)])
def test_connections_are_few_and_kept_open(stage: str, requests: int, tmp_path: Path) -> None:
    root = write_tiny(tmp_path / "bucket", 60)
    with crawling(tmp_path / "build", root) as crawl:
        port = int(crawl.server.url.rsplit(":", 1)[1])
        before = ("snapshot", "articles", "figures", "screen")
        assert crawl.run(*before[: 1 if stage == "articles" else 4]) == 0
    with crawling(tmp_path / "build", root, port) as crawl:
        assert crawl.run(stage, "--set=source.connections=3") == 0
        assert crawl.asked("metadata/*") + crawl.asked("PMC*") == requests
        assert crawl.server.most_open <= crawl.server.connections <= 3


def test_no_object_is_asked_for_twice_and_none_that_is_not_used(tmp_path: Path) -> None:
    """Per kept article one JSON and one XML, per image one request; what is left out costs its JSON, and no more."""
    with crawling(tmp_path / "build", write_tiny(tmp_path / "bucket", 60)) as crawl:
        assert crawl.run() == 0
        asked = Counter(key for _, key, _, _ in crawl.server.log if not key.startswith(("?", "inventory")))
        build = crawl.open()
        kept = set(build.table("articles")["article"].to_pylist())
        wanted = [f"metadata/PMC{n}.1.json" for n in range(1, 61)] + [f"{a}/{a}.xml" for a in kept]
        assert asked == Counter(wanted + build.table("media")["image_id"].to_pylist()) and len(kept) == 45


def test_the_default_is_polite_and_reaches_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """8 connections, 20 requests a second over all of them."""
    assert (SourceKeys().connections, SourceKeys().requests_per_second) == (8, 20.0)
    asked: list[dict[str, Any]] = []
    real = source.open_bucket

    @functools.wraps(real)
    def told(url: str, **keys: Any) -> Any:
        asked.append(keys)
        return real(url, **keys)

    monkeypatch.setattr(source, "open_bucket", told)
    with crawling(tmp_path / "build", write_tiny(tmp_path / "bucket", 3)) as crawl:
        crawl.spec.write_text(crawl.spec.read_text().replace("requests_per_second = 0\n", ""))
        assert crawl.run("snapshot") == 0
        assert crawl.run("articles", "--set=source.connections=30", "--set=source.requests_per_second=0") == 0
    assert [(keys["connections"], keys["requests_per_second"]) for keys in asked] == [(8, 20.0), (30, 0.0)]
