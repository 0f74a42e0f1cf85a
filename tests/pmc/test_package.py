"""Reading one package: what comes out, and what a hostile or damaged one cannot do."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.errors import UnitLost
from pmcoa_build.pmc import package as module
from pmcoa_build.pmc.media import is_safe_name
from pmcoa_build.pmc.package import File, read_package
from tests.pmc.packages import package

FILES = {"a.nxml": b"<article/>", "gr1.jpg": bytes(range(256)) * 9, "empty.txt": b""}


def everything(_: str) -> bool:
    return True


def reason(path: Path) -> str:
    with pytest.raises(UnitLost) as lost:
        read_package(path, everything)
    return lost.value.reason.code


def member(name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """One member of a tar, whatever tarfile thinks of it."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(data)
    return info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)


def packed(path: Path, *members: bytes) -> Path:
    path.write_bytes(gzip.compress(b"".join(members) + bytes(1024), 1))
    return path


def test_files_by_name_with_md5_and_the_bytes_that_are_asked_for(tmp_path: Path) -> None:
    path = package(tmp_path / "PMC1.tar.gz", FILES)
    assert read_package(path, lambda name: name == "gr1.jpg") == {
        name: File(name, len(data), hashlib.md5(data).hexdigest(), data if name == "gr1.jpg" else None)
        for name, data in FILES.items()}
    assert [file.data is None for file in read_package(path, everything, most=2309).values()] == [False, True, False]


def test_folders_are_dropped_whatever_they_are(tmp_path: Path) -> None:
    path = packed(tmp_path / "x", member("./a.nxml"), member("PMC1/deep/down/b.jpg"), member("c.jpg"))
    assert list(read_package(path, everything)) == ["a.nxml", "b.jpg", "c.jpg"]


def test_names_that_are_not_safe_are_left_out_and_of_equal_ones_the_first_stays(tmp_path: Path) -> None:
    names = [".hidden", "._gr1.jpg", "CON.jpg", "a\\b.jpg", "a\nb.jpg", "x" * 300, "gr1.jpg", "GR1.JPG", "gr1.jpg"]
    path = packed(tmp_path / "x", *(member(f"PMC1/{name}", b"%d" % i) for i, name in enumerate(names)))
    assert [(one.name, one.data) for one in read_package(path, everything).values()] == [("gr1.jpg", b"6")]


@pytest.mark.parametrize("hostile", [
    member("../x"), member("PMC1/../../x"), member("/etc/passwd"), member("//x"), member("/"),
    member("PMC1/link", b"", tarfile.SYMTYPE, "/etc/passwd"), member("PMC1/link", b"", tarfile.SYMTYPE, "../../x"),
    member("PMC1/link", b"", tarfile.SYMTYPE, "gr1.jpg"), member("PMC1/link", b"", tarfile.LNKTYPE, "/etc/passwd"),
    member("PMC1/link", b"", tarfile.LNKTYPE, "PMC1/gr1.jpg"), member("PMC1/fifo", b"", tarfile.FIFOTYPE),
    member("PMC1/null", b"", tarfile.CHRTYPE), member("PMC1/disk", b"", tarfile.BLKTYPE),
    member("../x", b"", tarfile.DIRTYPE),
])
def test_members_that_lead_elsewhere_make_the_package_unsafe(tmp_path: Path, hostile: bytes) -> None:
    (tmp_path / "in").mkdir()
    assert reason(packed(tmp_path / "in" / "x", member("PMC1/a.nxml"), hostile)) == "name-unsafe"
    assert [path.name for path in tmp_path.rglob("*")] == ["in", "x"]


def _sized(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header that promises `size` bytes."""
    info = tarfile.TarInfo("PMC1/a")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(("data", "code"), [
    (b"", "package-damaged"),
    (b"<html>Not found</html>", "package-damaged"),
    (gzip.compress(b""), "package-damaged"),
    (gzip.compress(b"no tar at all" * 100), "package-damaged"),
    (member("PMC1/a.nxml") + bytes(1024), "package-damaged"),  # not gzipped
    (gzip.compress(member("PMC1/a.nxml") + b"?" * 512 + bytes(1024)), "package-damaged"),
    (gzip.compress(_sized(1 << 20)), "package-damaged"),
    (gzip.compress(_sized(-1024) + bytes(1024)), "package-damaged"),
    (gzip.compress(_sized(-512, tarfile.GNUTYPE_LONGNAME) + bytes(1024)), "package-too-large"),
    (gzip.compress(_sized(1 << 40, tarfile.GNUTYPE_LONGNAME) + bytes(1024)), "package-too-large"),
    (gzip.compress(_sized(1, tarfile.XHDTYPE) * 3000), "package-damaged"),
    (gzip.compress(_sized(1 << 50, tarfile.GNUTYPE_SPARSE) + bytes(1024)), "package-damaged"),
], ids=["empty", "page", "gzip of nothing", "no tar", "no gzip", "bad header", "cut member", "negative",
        "negative header", "large header", "nested headers", "sparse"])
def test_what_is_no_sound_package(tmp_path: Path, data: bytes, code: str) -> None:
    (tmp_path / "x").write_bytes(data)
    assert reason(tmp_path / "x") == code


@pytest.mark.parametrize("cut", [1, 8, 100, 2000])
def test_cut_short(tmp_path: Path, cut: int) -> None:
    path = package(tmp_path / "PMC1.tar.gz", {**FILES, "noise.bin": hashlib.shake_256(b"x").digest(9999)})
    path.write_bytes(path.read_bytes()[:-cut])
    assert reason(path) == "package-damaged"


def test_a_flipped_bit_is_seen_by_the_checksum(tmp_path: Path) -> None:
    path = tmp_path / "x"
    data = bytearray(gzip.compress(member("PMC1/a.jpg", bytes(5000)) + bytes(1024), 0))
    data[3000] ^= 1
    path.write_bytes(data)
    assert reason(path) == "package-damaged"


def test_bombs_are_stopped_at_the_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INFLATION_FREE", 1 << 20)
    bombs: dict[str, Callable[[], bytes]] = {
        "member": lambda: member("PMC1/a.jpg", bytes(8 << 20)),
        "skipped": lambda: member("PMC1/.hidden", bytes(8 << 20)),
        "after the end": lambda: member("PMC1/a.nxml") + bytes(8 << 20),
        "many": lambda: member("PMC1/a.jpg", b"") * 15_000,
    }
    for name, bomb in bombs.items():
        assert reason(packed(tmp_path / name, bomb())) == "package-too-large", name
    monkeypatch.setattr(module, "INFLATION_FREE", 64 << 20)
    assert reason(packed(tmp_path / "members", member("PMC1/a.jpg", b"") * 20_001)) == "package-too-large"
    monkeypatch.setattr(module, "INFLATION_MOST", 1 << 20)
    assert reason(tmp_path / "member") == "package-too-large"


def test_no_file_and_no_permission(tmp_path: Path) -> None:
    assert reason(tmp_path / "none") == "http-404"
    assert reason(tmp_path) == "http-404"


SOUND = b"".join(member(f"PMC1/{name}", data) for name, data in FILES.items()) + bytes(1024)


@given(st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=6), st.booleans(),
       st.integers(0, 40))
def test_damage_gives_safe_names_or_a_reason(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], before: bool, cut: int
) -> None:
    """Bytes changed in the tar, or in the gzip around it, and the end cut off."""
    data = bytearray(SOUND if before else gzip.compress(SOUND, mtime=0))
    for at, value in changes:
        data[at % len(data)] = value
    if cut:
        del data[-cut:]
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(gzip.compress(bytes(data)) if before else bytes(data))
    try:
        files = read_package(path, everything)
    except UnitLost as lost:
        assert lost.reason.code in ("package-damaged", "package-too-large", "name-unsafe")
        return
    assert all(is_safe_name(name) and hashlib.md5(file.data or b"").hexdigest() == file.md5
               for name, file in files.items())


def test_only_gzip_and_tarfile_are_trusted_with_the_bytes(tmp_path: Path) -> None:
    """A package made by tarfile itself in each format it knows."""
    for number, format_ in enumerate((tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)):
        path = tmp_path / str(number)
        with tarfile.open(path, "w:gz", format=format_) as tar:
            info = tarfile.TarInfo("PMC1/" + "deep/" * 15 + "gr1.jpg")
            info.size, info.mtime = 3, 12 if format_ == tarfile.USTAR_FORMAT else 12.5
            tar.addfile(info, io.BytesIO(b"abc"))
        assert read_package(path, everything)["gr1.jpg"].data == b"abc"
