"""Faults 5 to 14 at the level of whole stages: what a bad network does to a crawl of the small bucket.

Four articles, of which one has a licence that is left out; the others have two images each.
"""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pmcoa_build.sample import Faults, serve
from tests.faults.network import CRAWL, Crawl, copy, crawling, play_time
from tests.faults.tiny import write_tiny
from tests.stages.bucket import changed, write_bucket

ARTICLE, XML, JSON = "PMC2000001.1", "PMC2000001.1/PMC2000001.1.xml", "metadata/PMC2000001.1.json"
IMAGE = "PMC2000001.1/g1.png"
OBJECTS = ("metadata/*.json", "PMC*")


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bucket(tmp_path_factory.mktemp("bucket"))


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return play_time(monkeypatch)


@pytest.fixture
def crawl(tmp_path: Path, bucket: Path) -> Iterator[Crawl]:
    with crawling(tmp_path / "build", bucket) as made:
        yield made


@pytest.fixture
def clean(tmp_path: Path, bucket: Path) -> dict[str, dict[str, str]]:
    """The tables of a crawl without faults."""
    with crawling(tmp_path / "clean", bucket) as made:
        assert made.run() == 0 and made.lost("media") == {}
        assert [made.asked(keys) for keys in OBJECTS] == [4, 9]
        return made.hashes()


PASSING = [
    ("cut", {"at": 0}, 2), ("cut", {"at": 70}, 2), ("flip", {}, 2), ("reset", {}, 2), ("500", {}, 2), ("503", {}, 2),
    ("503", {"times": 4}, 5), ("429", {}, 2), ("429", {"retry_after": 1, "times": 2}, 3),
    ("drip", {"at": 1, "interval": 0.001}, 2),
]


@pytest.mark.parametrize("key", [JSON, XML, IMAGE])
@pytest.mark.parametrize(("kind", "how", "asked"), PASSING)
def test_5_6_10_11_12_a_fault_that_passes_leaves_no_trace(
    key: str, kind: str, how: dict[str, object], asked: int, crawl: Crawl, clean: dict[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    play_time(monkeypatch, tick=1.0)
    crawl.play(key, kind, **how)
    assert crawl.run("--set=source.keep_raw=true") == 0
    assert crawl.hashes() == clean and crawl.asked(key) == asked
    crawl.check_sound()


STAYING = [
    ("cut", {"at": 70}, "truncated", 5), ("flip", {}, "md5-mismatch", 2), ("reset", {}, "connection", 5),
    ("500", {}, "http-5xx", 5), ("503", {"retry_after": 2}, "http-5xx", 5), ("429", {}, "http-429", 5),
    ("drip", {"at": 1, "interval": 0.001}, "timeout", 3),
]


@pytest.mark.parametrize("key", [JSON, XML, IMAGE])
@pytest.mark.parametrize(("kind", "how", "reason", "asked"), STAYING)
def test_5_6_10_11_12_a_fault_that_stays_is_a_retryable_loss(
    key: str, kind: str, how: dict[str, object], reason: str, asked: int, crawl: Crawl,
    clean: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing stands at a final path; the run is done (0); later, and not before, the loss is made good."""
    play_time(monkeypatch, tick=1.0)
    crawl.play(key, kind, times=None, **how)
    stage, unit = ("media", IMAGE) if key == IMAGE else ("articles", ARTICLE)
    assert crawl.run("--set=source.keep_raw=true") == 0
    assert crawl.lost(stage)[unit] == ("dead", reason, True)
    again = crawl.asked(key) - asked
    assert again in ((0, 1) if kind == "reset" else (0,)), "a connection kept open may be gone: no try is lost to that"
    assert crawl.hashes()[stage] != clean[stage]
    assert not (crawl.root / "data/raw" / key).exists()
    crawl.check_sound()
    crawl.server.faults.rules.clear()
    assert crawl.run() == 0 and crawl.asked(key) == asked + again, "it was not due yet"
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 601)
    assert crawl.run() == 0 and crawl.asked(key) == asked + again + 1
    assert crawl.hashes() == clean and crawl.command("gc") == 0
    crawl.check_sound()


def _update(root: Path, title: str, date: str) -> None:
    """Another title, XML and JSON for the first article, and an inventory of that date."""
    write_bucket(root, changed(2000001, title=title), date=date)


def test_6_an_image_updated_since_its_json_was_read_is_taken_with_its_new_md5(
    tmp_path: Path, bucket: Path, clean: dict[str, dict[str, str]]
) -> None:
    """The bytes stay wrong, so the JSON is read again; what it says now holds."""
    root = copy(bucket, tmp_path / "bucket")
    record = json.loads((root / JSON).read_text())
    data = (root / "PMC2000002.1/g1.png").read_bytes()
    with crawling(tmp_path / "build", root) as crawl:
        assert crawl.run("snapshot", "articles", "figures", "screen") == 0
        old = md5(root / IMAGE)
        (root / IMAGE).write_bytes(data)
        record["media_urls"] = [url.replace(old, md5(root / IMAGE)) for url in record["media_urls"]]
        (root / JSON).write_text(json.dumps(record))
        assert crawl.run("media") == 0 and crawl.lost("media") == {}
        [row] = [row for row in crawl.open().table("media").to_pylist() if row["image_id"] == IMAGE]
        assert (row["md5"], row["image"]["bytes"]) == (md5(root / IMAGE), data)
        assert crawl.asked(JSON) == 2 and crawl.asked(IMAGE) == 3


def test_6_an_image_that_is_wrong_by_its_json_too_is_a_retryable_loss(tmp_path: Path, bucket: Path) -> None:
    root = copy(bucket, tmp_path / "bucket")
    (root / IMAGE).write_bytes(b"neither old nor new")
    with crawling(tmp_path / "build", root) as crawl:
        assert crawl.run() == 0
        assert crawl.lost("media") == {IMAGE: ("dead", "md5-mismatch", True)}
        assert crawl.asked(JSON) == 2 and crawl.asked(IMAGE) == 2


def test_6_an_xml_updated_since_its_json_was_read_is_taken_with_its_new_md5(tmp_path: Path, bucket: Path) -> None:
    """The JSON that comes first is of yesterday; the second is that of the XML which is there."""
    root = copy(bucket, tmp_path / "bucket")
    old = (root / JSON).read_bytes()
    _update(root, "Corrected", "2026-10-01")
    with crawling(tmp_path / "build", root) as crawl:
        crawl.play(JSON, "changed", body=old)
        assert crawl.run() == 0 and crawl.asked(JSON) == 2 and crawl.asked(XML) <= 3
        [row] = [row for row in crawl.open().table("articles").to_pylist() if row["article"] == ARTICLE]
        assert (row["title"], row["etag"], row["xml_md5"]) == ("Corrected", md5(root / JSON), md5(root / XML))


def test_7_an_article_changed_since_the_snapshot_is_taken_as_it_is_and_not_fetched_twice(
    tmp_path: Path, bucket: Path
) -> None:
    root = copy(bucket, tmp_path / "bucket")
    with crawling(tmp_path / "build", root) as crawl:
        assert crawl.run("snapshot") == 0
        _update(root, "Corrected", "2026-10-02")
        assert crawl.run() == 0
        [row] = [row for row in crawl.open().table("articles").to_pylist() if row["article"] == ARTICLE]
        assert (row["title"], row["etag"]) == ("Corrected", md5(root / JSON))
        before, images = [crawl.asked(keys) for keys in OBJECTS], crawl.hashes()["media"]
        assert crawl.run() == 0 and [crawl.asked(keys) for keys in OBJECTS] == before, "nothing was due"
        assert crawl.run("--update") == 0
        assert [crawl.asked(keys) for keys in OBJECTS] == before, "it was known already"
        _update(root, "Corrected", "2026-10-03")
        assert crawl.run("--update") == 0 and [crawl.asked(keys) for keys in OBJECTS] == before, "due more than once"
        assert crawl.hashes()["media"] == images
    with crawling(tmp_path / "fresh", root) as fresh:
        assert fresh.run() == 0 and fresh.hashes() == crawl.hashes()


@pytest.mark.parametrize("key", [JSON, XML, IMAGE])
def test_8_what_is_missing_is_asked_for_once_more_after_the_next_snapshot(
    key: str, tmp_path: Path, bucket: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, real = copy(bucket, tmp_path / "bucket"), time.time
    stage, unit = ("media", IMAGE) if key == IMAGE else ("articles", ARTICLE)
    with crawling(tmp_path / "build", root) as crawl:
        crawl.play(key, "404", times=None)
        assert crawl.run() == 0 and crawl.asked(key) == 1
        assert crawl.lost(stage)[unit][:2] == ("dead", "http-404")
        monkeypatch.setattr(time, "time", lambda: real() + 10**8)
        assert crawl.run() == 0 and crawl.asked(key) == 1, "not again with the same snapshot, however late"
        for day, asked in ((2, 2), (3, 2), (4, 2)):
            write_bucket(root, date=f"2026-10-0{day}")
            assert crawl.run("--update") == 0 and crawl.asked(key) == asked
        crawl.server.faults.rules.clear()
        assert crawl.command("retry", "--reason", "http-404") == 0 and crawl.run() == 0
        assert crawl.lost(stage).get(unit) is None and crawl.asked(key) == 3


def test_9_a_403_is_permanent(crawl: Crawl, bucket: Path) -> None:
    crawl.play(XML, "403", times=None)
    assert crawl.run() == 0 and crawl.asked(XML) == 1
    assert crawl.lost("articles")[ARTICLE] == ("dead", "http-403", False)
    write_bucket(bucket, date="2026-10-01")
    assert crawl.run("--update") == 0 and crawl.asked(XML) == 1


@pytest.mark.parametrize("key", ["metadata/PMC*", "*.png"])
def test_9_twenty_403_in_a_row_stop_the_stage(
    key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Blocked: nobody goes on asking, and no article is booked as lost for it."""
    with crawling(tmp_path / "build", write_tiny(tmp_path / "bucket", 60)) as crawl:
        stage = "media" if key == "*.png" else "articles"
        crawl.play(key, "403", times=None)
        assert crawl.run("--set=source.connections=2") == 4
        [said] = capsys.readouterr().err.splitlines()
        assert "HTTP 403" in said and "blocked?" in said
        assert 20 <= crawl.asked(key) <= 21 and not crawl.open().state.records(stage).keys() - {"000000000"}
        crawl.check_sound()
        crawl.server.faults.rules.clear()
        assert crawl.run() == 0 and crawl.lost("media") == {}
        with crawling(tmp_path / "clean", tmp_path / "bucket") as clean:
            assert clean.run() == 0 and crawl.hashes() == clean.hashes()


def test_more_losses_than_allowed_are_committed_and_exit_4(
    crawl: Crawl, clean: dict[str, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    crawl.play(XML, "cut", times=None)
    assert crawl.run("--set=run.max_dead_fraction=0.05") == 4
    assert "1 of 4 units are dead (mostly truncated)" in capsys.readouterr().err
    assert crawl.lost("articles")[ARTICLE] == ("dead", "truncated", True) and not crawl.open().state.records("figures")
    crawl.server.faults.rules.clear()
    assert crawl.command("retry", "--reason", "truncated") == 0 and crawl.run() == 0 and crawl.hashes() == clean


def test_10_all_threads_wait_as_long_as_retry_after_says(crawl: Crawl, naps: list[float]) -> None:
    crawl.play("metadata/*1.1.json", "429", retry_after=70)
    assert crawl.run("snapshot", "articles") == 0
    assert crawl.asked("metadata/*.json") == 5 and 70 <= max(naps) < 75


def test_11_waits_grow(crawl: Crawl, naps: list[float]) -> None:
    crawl.play(XML, "500", times=None)
    assert crawl.run("snapshot", "articles", "--set=source.connections=1") == 0
    assert [nap for nap in naps if nap > 0.2][-4:] == [0.25, 0.5, 1.0, 2.0]


def _refuse(*_: object, **__: object) -> None:
    raise socket.gaierror(-3, "Temporary failure in name resolution")


@pytest.mark.parametrize("key", [JSON, IMAGE])
@pytest.mark.parametrize("dns", [False, True])
def test_13_a_source_that_is_gone_costs_no_article(
    key: str, dns: bool, tmp_path: Path, bucket: Path, clean: dict[str, dict[str, str]],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    """In the middle of a stage: exit 4 after one sentence, no record, no loss; and so it is from its start."""
    stage = "media" if key == IMAGE else "articles"
    with crawling(tmp_path / "build", bucket) as crawl:
        port = int(crawl.server.url.rsplit(":", 1)[1])
        crawl.play(key, "gone")
        with monkeypatch.context() as patched:
            if dns:
                assert crawl.run(*CRAWL[: CRAWL.index(stage)]) == 0
                patched.setattr(socket, "getaddrinfo", _refuse)
            for stages in ((stage,) if dns else CRAWL, (stage,)):
                capsys.readouterr()
                assert crawl.run(*stages) == 4
                said = capsys.readouterr().err.splitlines()
                assert len(said) == 1 and "cannot be reached" in said[0]
                assert crawl.open().state.records(stage) == {}
        crawl.check_sound()
    with crawling(tmp_path / "build", bucket, port) as crawl:
        assert crawl.run() == 0 and crawl.hashes() == clean
        crawl.check_sound()


@pytest.mark.parametrize("to", ["http://127.0.0.1:{other}/", "https://127.0.0.1:{own}/", "file:///etc/passwd"])
@pytest.mark.parametrize("key", [JSON, XML, IMAGE])
def test_14_a_redirect_to_elsewhere_is_refused(key: str, to: str, crawl: Crawl, bucket: Path) -> None:
    own = crawl.server.url.rsplit(":", 1)[1]
    stage, unit = ("media", IMAGE) if key == IMAGE else ("articles", ARTICLE)
    with serve(bucket, faults=Faults()) as other:
        crawl.play(key, "redirect", times=None, to=to.format(other=other.url.rsplit(":", 1)[1], own=own))
        assert crawl.run("--set=source.keep_raw=true") == 0
        assert other.log == [] and other.connections == 0
    assert crawl.lost(stage)[unit] == ("dead", "redirect-refused", False) and crawl.asked(key) == 1
    crawl.check_sound()
