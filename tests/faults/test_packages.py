"""Fault 27: hostile and damaged packages among sound ones, through the stages that read them."""

from __future__ import annotations

import gzip
import logging
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pmcoa_build import Build
from stages.__main__ import main
from tests.pmc.packages import pack_bucket, package
from tests.stages.bucket import write_bucket

CRAWL = ("snapshot", "articles", "figures", "screen", "media")
SPEC = """
[build]
name = "old"
[source]
url = "../packages"
[select]
licenses = ["any"]
[run]
max_dead_fraction = 1.0
on = "threads:4"
"""


class Old:
    """A build over a folder of packages."""

    def __init__(self, root: Path) -> None:
        self.root, self.spec = root, root / "manifests/old.toml"
        self.spec.parent.mkdir()
        self.spec.write_text(SPEC)
        write_bucket(root / "bucket")
        self.sound = pack_bucket(root / "bucket", root / "packages")

    def run(self, *words: str) -> int:
        return main([*(words or CRAWL), str(self.spec), "--progress", "off"])

    def rows(self, stage: str) -> dict[str, int]:
        """How many rows each article has."""
        ids = Build.open(self.spec).table(stage)[0].to_pylist()
        return {f"{one}.1": sum(name.startswith(f"{one}.1") for name in ids) for one in self.sound}

    def lost(self, stage: str = "articles") -> dict[str, str]:
        return {row["unit"]: row["reason"] for row in Build.open(self.spec).lost(stage).to_pylist()}


@pytest.fixture
def old(tmp_path: Path) -> Old:
    return Old(tmp_path)


def _members(*members: tarfile.TarInfo) -> Callable[[Path], None]:
    """A package with an article's XML and these members."""
    def write(path: Path) -> None:
        with tarfile.open(path, "w:gz", format=tarfile.GNU_FORMAT) as tar:
            for member in (tarfile.TarInfo("PMC5/a.nxml"), *members):
                tar.addfile(member)
    return write


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def _bytes(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


FAULTS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "parent": ("name-unsafe", _members(_member("PMC5/../../../escaped"))),
    "absolute": ("name-unsafe", _members(_member("/tmp/pmcoa-escaped"))),
    "link": ("name-unsafe", _members(_member("PMC5/gr1.jpg", tarfile.SYMTYPE, "/etc/passwd"))),
    "hard link": ("name-unsafe", _members(_member("PMC5/gr1.jpg", tarfile.LNKTYPE, "../../../../etc/passwd"))),
    "device": ("name-unsafe", _members(_member("PMC5/zero", tarfile.CHRTYPE))),
    "fifo": ("name-unsafe", _members(_member("PMC5/fifo", tarfile.FIFOTYPE))),
    "bomb": ("package-too-large", _bytes(gzip.compress(bytes(128 << 20)))),
    "cut": ("package-damaged", lambda path: (package(path, {"a.nxml": b"<article/>" * 999}), os.truncate(path, 100))),
    "no tar": ("package-damaged", _bytes(gzip.compress(b"no tar" * 999))),
    "no gzip": ("package-damaged", _bytes(b"<html>404 Not Found</html>")),
    "empty file": ("package-damaged", _bytes(b"")),
    "empty package": ("xml-missing", lambda path: package(path, {})),
    "no xml": ("xml-missing", lambda path: package(path, {"gr1.jpg": b"x"})),
    "two xmls": ("package-damaged", lambda path: package(path, {"a.nxml": b"<article/>", "b.nxml": b"<article/>"})),
    "broken xml": ("xml-malformed", lambda path: package(path, {"a.nxml": b"<article>"})),
    "billion laughs": ("xml-entity", lambda path: package(path, {"a.nxml": _laughs()})),
}


def _laughs() -> bytes:
    entities = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    return f'<!DOCTYPE article [<!ENTITY e0 "ha">{entities}]><article><front>&e11;</front></article>'.encode()


def test_each_costs_its_own_article_with_a_reason(old: Old) -> None:
    for number, (_, write) in enumerate(FAULTS.values()):
        path = old.root / f"packages/{number}/PMC{3_000_000 + number}.tar.gz"
        path.parent.mkdir()
        write(path)
    around = set(old.root.iterdir())
    assert old.run() == 0
    assert old.lost() == {f"PMC{3_000_000 + number}.1": code for number, (code, _) in enumerate(FAULTS.values())}
    assert old.rows("articles") == dict.fromkeys(old.rows("articles"), 1) and len(old.sound) == 4
    assert old.rows("media") == dict.fromkeys(old.rows("media"), 2)
    assert set(old.root.iterdir()) == {*around, old.root / "builds"}
    assert not Path("/tmp/pmcoa-escaped").exists()
    assert not [path for path in old.root.rglob("*") if path.name in ("escaped", "zero", "fifo", "gr1.jpg", "g1.png")
                and "bucket" not in path.parts]


def test_unsafe_names_and_equal_ones_cost_only_themselves(old: Old) -> None:
    path = old.root / f"packages/{old.sound[0]}.tar.gz"
    article = f"{old.sound[0]}.1"
    files = {file.name.replace(f"{article}.xml", "a.nxml"): file.read_bytes()
             for file in (old.root / "bucket" / article).iterdir()}
    odd = ("G1.PNG", ".hidden.jpg", "CON.jpg", "a\\b.jpg", "._a.nxml", "y" * 300)
    package(path, {**files, **dict.fromkeys(odd, b"x")})
    os.utime(path, (9_000_000_000, 9_000_000_000))  # the later one of two packages
    assert old.run() == 0
    articles = Build.open(old.spec).table("articles").to_pylist()
    assert {item["name"] for row in articles for item in row["media"]} == {"g1.png", "g2.png"}
    assert old.rows("media") == dict.fromkeys(old.rows("media"), 2) and old.lost() == {}


def test_a_mended_package_is_taken_up_and_no_other_read_again(old: Old, capsys: pytest.CaptureFixture[str]) -> None:
    path = old.root / "packages/PMC3000000.tar.gz"
    path.write_bytes(b"cut")
    assert old.run() == 0 and old.lost() == {"PMC3000000.1": "package-damaged"}
    capsys.readouterr()
    assert old.run(*CRAWL, "--update") == 0
    assert capsys.readouterr().out.count("nothing due") == 4
    content = (old.root / "bucket/PMC2000001.1/PMC2000001.1.xml").read_bytes().replace(b"PMC2000001", b"PMC3000000")
    package(path, {"a.nxml": content})
    assert old.run(*CRAWL, "--update") == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("articles")]
    assert line.endswith("1 computed") and old.lost() == {}


def test_two_packages_of_one_article_are_said(old: Old, caplog: pytest.LogCaptureFixture) -> None:
    package(old.root / f"packages/again/{old.sound[0]}.tar.gz", {})
    os.utime(old.root / f"packages/again/{old.sound[0]}.tar.gz", (1, 1))
    with caplog.at_level(logging.WARNING):
        assert old.run() == 0
    assert f"such as {old.sound[0]}" in caplog.text and old.lost() == {}
