"""Faults 15 to 18 at the level of whole stages: inventories that are not what they say, full and locked disks."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import re
import resource
import sys
import zlib
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from pmcoa_build.engine import care
from pmcoa_build.sample import Faults
from stages.__main__ import main
from stages.pipeline import NAMES
from tests.faults.network import CRAWL, copy, crawling, play_time
from tests.faults.tiny import png, write_article, write_inventory, xml
from tests.stages.bucket import changed, write_bucket

INVENTORY = "inventory-reports/pmc-oa-opendata/metadata"
PART, MANIFEST = f"{INVENTORY}/data/2026-10-02.csv.gz", f"{INVENTORY}/2026-10-02T01-00Z/manifest.json"
Hashes = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bucket(tmp_path_factory.mktemp("bucket"))


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, bucket: Path) -> Hashes:
    """The tables of a crawl without faults."""
    with crawling(tmp_path_factory.mktemp("clean"), bucket) as made:
        assert made.run() == 0
        return made.hashes()


def _in_child(context: ForkServerContext, target: Callable[..., object], *args: object) -> int | None:
    process = context.Process(target=target, args=args)
    process.start()
    process.join()
    return process.exitcode


def _main(words: Sequence[str], said: Path) -> None:
    """In a child: the command line, what it says kept in a file."""
    with said.open("w") as file, contextlib.redirect_stderr(file):
        code = main(words)
    sys.exit(code)


# 15 and 16: the inventory


def _bomb(root: Path) -> None:
    """A part of 1 GB of zeros, about 1 MB packed, with the size and MD5 that the manifest gives."""
    packer, zeros = zlib.compressobj(9, wbits=31), bytes(16 << 20)
    first, more = (packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    (root / PART).write_bytes(first + more * 63)
    _describe(root)


def _describe(root: Path) -> None:
    """Make the manifest say what its part is."""
    data, manifest = (root / PART).read_bytes(), json.loads((root / MANIFEST).read_text())
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    manifest["files"][0] |= {"size": len(data), "MD5checksum": md5}
    (root / MANIFEST).write_text(json.dumps(manifest))


def _wrong_md5(root: Path) -> None:
    manifest = json.loads((root / MANIFEST).read_text())
    manifest["files"][0]["MD5checksum"] = "0" * 32
    (root / MANIFEST).write_text(json.dumps(manifest))


def _one_part_missing(root: Path) -> None:
    manifest = json.loads((root / MANIFEST).read_text())
    manifest["files"].append({"key": f"{INVENTORY}/data/none.csv.gz", "size": 1, "MD5checksum": "0" * 32})
    (root / MANIFEST).write_text(json.dumps(manifest))


def _unreadable(root: Path) -> None:
    (root / MANIFEST).write_text("{")


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("damage", [
    _bomb, _wrong_md5, _one_part_missing, _unreadable, "404", "cut", "flip", "reset", "503", "drip",
])
def test_15_16_a_damaged_inventory_is_refused_and_the_previous_snapshot_stays(
    damage: Callable[[Path], None] | str, fresh: bool, tmp_path: Path, bucket: Path, clean: Hashes,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    play_time(monkeypatch, tick=1.0)
    root = copy(bucket, tmp_path / "bucket")
    with crawling(tmp_path / "build", root) as crawl:
        assert fresh or crawl.run() == 0
        write_bucket(root, changed(2000001, title="Corrected"), date="2026-10-02")
        if isinstance(damage, str):
            crawl.play(PART, damage, times=None, at=1, interval=0.001)
        else:
            damage(root)
        before = crawl.asked()
        capsys.readouterr()
        assert crawl.run(*CRAWL, "--update") == 4
        said = capsys.readouterr().err.splitlines()
        assert len(said) == 1 and "2026-10-02T01-00Z cannot be used" in said[0] and "nothing was changed" in said[0]
        assert crawl.asked() - before <= 15, "nothing is fetched after a snapshot that is refused"
        state = crawl.open().state
        assert [record["facts"]["date"] for record in state.records("snapshot").values()] == (
            [] if fresh else ["2026-10-01"])
        assert care.verify(state, NAMES)[0] == []
        if not fresh:
            assert crawl.run() == 0 and crawl.hashes() == clean
        crawl.server.faults = Faults()
        write_bucket(root, date="2026-10-03")
        assert crawl.run(*CRAWL, "--update") == 0 and crawl.hashes() == clean
        crawl.command("gc")
        crawl.check_sound()


def _in_little_memory(words: Sequence[str], said: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        _main(words, said)
    finally:
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        said.write_text(said.read_text() + f"\n{grown}")


def test_15_a_bomb_is_never_in_memory(tmp_path: Path, bucket: Path, context: ForkServerContext) -> None:
    root = copy(bucket, tmp_path / "bucket")
    write_bucket(root, date="2026-10-02")
    _bomb(root)
    with crawling(tmp_path / "build", root) as crawl:
        words = ["snapshot", str(crawl.spec), "--progress=off"]
        assert _in_child(context, _in_little_memory, words, tmp_path / "said") == 4
    assert int((tmp_path / "said").read_text().splitlines()[-1]) < 256 * 1024, "KB"


# 17: full disks


def _limited(limit: int, words: Sequence[str], said: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    _main(words, said)


@pytest.mark.parametrize(("limit", "full"), [(60_000, "/g.png"), (150_000, ".parquet")])
def test_17_a_disk_that_fills_up_stops_the_crawl_and_costs_no_unit(
    limit: int, full: str, tmp_path: Path, context: ForkServerContext
) -> None:
    """No room for a fetched image, then for a block of them: the run says what is free and needed; a rerun goes on."""
    root = tmp_path / "bucket"
    for n in range(1, 7):
        write_article(root, f"PMC{n}.1", xml([("F1", "g.png")]), {"g.png": png(n) + bytes(100_000)})
    write_inventory(root)
    with crawling(tmp_path / "clean", root) as crawl:
        assert crawl.run() == 0
        clean = crawl.hashes()
    with crawling(tmp_path / "build", root) as crawl:
        words = [*CRAWL, str(crawl.spec), "--progress=off", "--set=source.connections=1"]
        assert _in_child(context, _limited, limit, words, tmp_path / "said") == 4
        [said] = (tmp_path / "said").read_text().splitlines()
        assert re.search(rf"No room for \S+{full}: [\d,]+ bytes are free .* [\d,]+ are needed", said)
        assert list(crawl.open().state.records("screen")) and not crawl.open().state.records("media")
        asked = crawl.asked("*.png")
        crawl.check_sound()
        assert crawl.run() == 0 and crawl.hashes() == clean and crawl.lost("media") == {}
        assert crawl.asked("*.png") - asked == (6 if limit == 60_000 else 0), "what was whole is not fetched again"
        crawl.check_sound()


# 18: folders that may not be written


def _like_anyone(words: Sequence[str], said: Path) -> None:
    """In a child: as a user whom permissions bind, which for root means to give up two of its capabilities."""
    version, override_and_read_search = 0x20080522, 0b110
    header = (ctypes.c_uint32 * 2)(version, 0)
    held = (ctypes.c_uint32 * 6)()
    system = ctypes.CDLL(None, use_errno=True)
    assert system.capget(header, held) == 0
    for at in (0, 1):
        held[at] &= ~override_and_read_search
    assert system.capset(header, held) == 0
    _main(words, said)


@pytest.mark.parametrize("folder", ["data", "state"])
@pytest.mark.parametrize("fresh", [True, False])
def test_18_a_locked_folder_is_refused_before_any_work(
    folder: str, fresh: bool, tmp_path: Path, bucket: Path, clean: Hashes, context: ForkServerContext
) -> None:
    with crawling(tmp_path / "build", bucket) as crawl:
        assert fresh or crawl.run("snapshot", "articles") == 0
        (crawl.root / folder).mkdir(exist_ok=True)
        (crawl.root / folder).chmod(0o500)
        asked = crawl.asked()
        words = [*CRAWL, str(crawl.spec), "--progress=off"]
        assert _in_child(context, _like_anyone, words, tmp_path / "said") == 2
        assert "cannot be written" in (tmp_path / "said").read_text() and crawl.asked() == asked
        (crawl.root / folder).chmod(0o700)
        assert crawl.run() == 0 and crawl.hashes() == clean


def test_18_a_locked_folder_within_the_data_is_no_loss(
    tmp_path: Path, bucket: Path, clean: Hashes, context: ForkServerContext
) -> None:
    """Exit 2 at the first file that cannot be written, and no record of it."""
    with crawling(tmp_path / "build", bucket) as crawl:
        for folder in ("raw", "articles"):
            (crawl.root / "data" / folder).mkdir(parents=True, exist_ok=True)
            (crawl.root / "data" / folder).chmod(0o500)
            words = [*CRAWL, str(crawl.spec), "--progress=off"]
            assert _in_child(context, _like_anyone, words, tmp_path / "said") == 2
            assert f"/data/{folder}" in (tmp_path / "said").read_text()
            assert not crawl.open().state.records("articles")
            (crawl.root / "data" / folder).chmod(0o700)
        assert crawl.run() == 0 and crawl.hashes() == clean
