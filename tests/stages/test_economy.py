"""What the source is asked for, request by request: nothing that is not needed, nothing twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pmcoa_build.sample import SampleServer, serve
from tests.stages.bucket import ARTICLES, Article, changed, write_article, write_bucket
from tests.stages.conftest import SmallBuild

CRAWL = ("snapshot", "articles", "figures", "screen", "media")
FIRST = ARTICLES[0]


@pytest.fixture
def server(small: SmallBuild) -> Iterator[SampleServer]:
    with serve(small.root / "bucket") as running:
        yield running


class Crawl:
    """Crawls the served bucket; each call gives the keys of objects asked for (no listings, no inventory), sorted."""

    def __init__(self, small: SmallBuild, server: SampleServer) -> None:
        self.small, self.server = small, server

    def __call__(self, *settings: str, update: bool = False) -> list[str]:
        words = [word for setting in (f"source.url={self.server.url}", "source.requests_per_second=0", *settings)
                 for word in ("--set", setting)]
        asked = len(self.server.log)
        assert self.small.run(*CRAWL, *words, *(["--update"] if update else [])) == 0
        keys = [key for _, key, _, _ in self.server.log[asked:]]
        return sorted(key for key in keys if key.startswith(("metadata/", "PMC")))

    def update(self, *articles: Article) -> list[str]:
        """Crawl the bucket as it is a day later."""
        write_bucket(self.server.root, articles, date="2026-10-02")
        return self(update=True)


@pytest.fixture
def crawl(small: SmallBuild, server: SampleServer) -> Crawl:
    return Crawl(small, server)


def metadata(*articles: Article) -> list[str]:
    return [f"metadata/{article.id}.json" for article in articles]


def files(*articles: Article) -> list[str]:
    """XML and images."""
    return [f"{article.id}/{name}" for article in articles for name in (f"{article.id}.xml", "g1.png", "g2.png")]


OPEN = (ARTICLES[0], ARTICLES[1], ARTICLES[3])
CLOSED = ARTICLES[2]


def test_what_is_excluded_by_licence_costs_one_json(crawl: Crawl) -> None:
    assert crawl() == sorted(metadata(*ARTICLES) + files(*OPEN))
    assert crawl() == []


@pytest.mark.parametrize("setting", ["select.exclude=PMC2000001,PMC2000002,PMC2000003", "select.articles=PMC2000004"])
def test_what_is_excluded_by_id_costs_nothing(crawl: Crawl, setting: str, tmp_path: Path) -> None:
    key, _, ids = setting.partition("=")
    (tmp_path / "ids.txt").write_text(ids.replace(",", "\n"))
    assert crawl(f"{key}={tmp_path / 'ids.txt'}") == sorted(metadata(ARTICLES[3]) + files(ARTICLES[3]))


def test_retracted_articles_and_lower_versions_cost_one_json(crawl: Crawl) -> None:
    second = replace(FIRST, version=2)
    retracted = replace(ARTICLES[1], retracted=True)
    write_bucket(crawl.server.root, (FIRST, second, retracted))
    assert crawl() == sorted(metadata(FIRST, second, retracted) + files(second))


def test_the_latest_version_is_known_without_asking(crawl: Crawl) -> None:
    second = replace(FIRST, version=2)
    write_bucket(crawl.server.root, (FIRST, second))
    assert crawl("select.versions=latest") == sorted(metadata(second) + files(second))


def test_images_of_unwanted_figures_cost_nothing(crawl: Crawl, tmp_path: Path) -> None:
    (tmp_path / "terms.txt").write_text("radiograph\n")
    asked = crawl(f"screen.terms={tmp_path / 'terms.txt'}")
    assert [key for key in asked if key.endswith(".png")] == [f"{article.id}/g2.png" for article in OPEN]
    assert crawl("screen.terms=none") == [f"{article.id}/g1.png" for article in OPEN]


def test_another_choice_of_licences_asks_only_for_what_it_adds(crawl: Crawl) -> None:
    crawl()
    assert crawl("select.licenses=any") == files(CLOSED)
    assert crawl("select.licenses=CC0") == []
    assert crawl() == files(FIRST, ARTICLES[3])  # their XML and images went with the choice before


def test_a_language_that_is_known_is_not_read_again(crawl: Crawl) -> None:
    german = ["select.languages=de", "run.max_dead_fraction=1"]
    assert [key for key in crawl(*german) if key.endswith(".xml")] == [files(article)[0] for article in OPEN]
    assert crawl(*german, "select.versions=all") == []


def test_a_new_day_asks_only_for_what_changed(crawl: Crawl) -> None:
    crawl()
    note, title = changed(2000001, note="a new citation"), changed(2000002, title="Second article, corrected")
    assert crawl.update(*note) == metadata(FIRST)
    assert crawl.update(*title) == sorted([*metadata(*ARTICLES[:2]), files(title[1])[0]])
    drawn = changed(2000004, seed=9)
    back = [*metadata(ARTICLES[1]), files(ARTICLES[1])[0]]
    assert crawl.update(*drawn) == sorted([*metadata(drawn[3]), *files(drawn[3])[1:], *back])


def test_what_changed_between_inventory_and_fetch_is_taken_as_it_is_and_not_fetched_twice(
    crawl: Crawl, small: SmallBuild
) -> None:
    newer = changed(2000001, title="First article, corrected")
    write_article(crawl.server.root, newer[0])
    assert crawl() == sorted(metadata(*ARTICLES) + files(*OPEN))
    assert small.open().table("articles")["title"].to_pylist()[0] == "First article, corrected"
    assert crawl("select.versions=all") == []  # its ETag is not the snapshot's, yet it has been asked for
    before = small.contents("articles")
    write_bucket(crawl.server.root, newer, date="2026-10-02")
    assert crawl("select.versions=all", update=True) == []
    assert small.contents("articles") == before


def test_an_xml_that_changed_after_its_json_was_read_is_read_with_its_new_json(
    crawl: Crawl, small: SmallBuild, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stages import articles

    newer = replace(FIRST, title="First article, corrected")
    real = articles._asked

    def asked(*given: object) -> object:
        seen = real(*given)  # type: ignore[arg-type]
        if given[1] == FIRST.id:
            write_article(crawl.server.root, newer)
        return seen

    monkeypatch.setattr(articles, "_asked", asked)
    keys = crawl()
    assert keys.count("metadata/PMC2000001.1.json") == 2 and keys.count("PMC2000001.1/PMC2000001.1.xml") == 3
    assert small.open().table("articles")["title"].to_pylist()[0] == "First article, corrected"


def test_an_image_that_is_there_stays_when_its_figure_is_named_otherwise(crawl: Crawl, small: SmallBuild) -> None:
    crawl()
    assert [key for key in crawl.update(*changed(2000001, figure="Fig1")) if key.endswith("png")] == []
    assert "PMC2000001.1/Fig1" in small.open().table("media")["figure_id"].to_pylist()


def test_a_copy_made_by_aws_s3_sync_is_not_fetched_again(crawl: Crawl, small: SmallBuild) -> None:
    raw = small.root / "builds" / "small" / "raw"
    shutil.copytree(crawl.server.root, raw)
    (raw / "PMC2000001.1" / "g1.png").write_bytes(b"cut short")
    assert crawl("source.keep_raw=true") == ["PMC2000001.1/g1.png"]
    assert (raw / "PMC2000002.1" / "g1.png").exists()


def test_requests_are_counted_where_they_are_asked(crawl: Crawl, small: SmallBuild) -> None:
    crawl()
    crawl("select.licenses=any")
    records = [record for stage in ("snapshot", "articles", "media")
               for record in small.open().state.records(stage).values()]
    assert sum(record["run"]["fetched"]["requests"] for record in records) == len(crawl.server.log)
