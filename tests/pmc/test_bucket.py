from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.errors import DiskFull, SourceUnreachable, UnitLost, UsageError
from pmcoa_build.pmc import bucket as module
from pmcoa_build.pmc.bucket import Bucket, FolderBucket, HttpBucket, open_bucket, safe_key
from pmcoa_build.pmc.ratelimit import Clock, Patience

OBJECTS = {
    "metadata/PMC1.1.json": b'{"pmcid": "PMC1"}',
    "metadata/PMC12.1.json": b'{"pmcid": "PMC12"}',
    "PMC1.1/gr1.jpg": bytes(range(256)) * 10,
    "PMC1.1/a b+c&d%20~é.jpg": b"odd name",
    "PMC1.1/empty.txt": b"",
    "PMC12.1/PMC12.1.xml": b"<article/>",
}
INSTANT = Clock(sleep=lambda _: None, random=lambda: 0.5)


def opened(url: str, cache: Path | None = None) -> Bucket:
    return open_bucket(url, connections=2, requests_per_second=0, contact="a@b.example", cache=cache, clock=INSTANT)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@pytest.fixture(params=["http", "folder"])
def source(request: pytest.FixtureRequest, origin: Any, tmp_path: Path) -> Iterator[Bucket]:
    """The same objects behind each kind of bucket."""
    for key, data in OBJECTS.items():
        origin.put(key, data)
        path = tmp_path / "mirror" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    origin.page = 2
    with opened(origin.url if request.param == "http" else str(tmp_path / "mirror")) as bucket:
        yield bucket


def test_get_and_stream_give_the_bytes(source: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 1000)
    for key, data in OBJECTS.items():
        assert source.get(key) == data
        assert source.get(key, md5(data)) == data
        pieces = list(source.stream(key))
        assert b"".join(pieces) == data
        assert all(len(piece) <= 1000 for piece in pieces)


def test_missing_and_wrong(source: Bucket) -> None:
    for key in ("PMC1.1/none.jpg", "PMC1.1", "PMC9.9/x", "metadata/PMC1.1.json/x"):
        with pytest.raises(UnitLost) as lost:
            source.get(key)
        assert lost.value.reason.code == "http-404", key
    with pytest.raises(UnitLost) as lost:
        source.get("PMC1.1/gr1.jpg", "0" * 32)
    assert lost.value.reason.code == "md5-mismatch"


def test_listing(source: Bucket) -> None:
    everything = source.list("")
    assert [(e.key, e.size, e.etag) for e in everything.keys] == [
        (key, len(OBJECTS[key]), md5(OBJECTS[key])) for key in sorted(OBJECTS)]
    assert all(len(e.last_modified) == 24 and e.last_modified.endswith(".000Z") for e in everything.keys)
    assert source.list("PMC1.", "/").prefixes == ["PMC1.1/"]
    assert source.list("", "/").prefixes == ["PMC1.1/", "PMC12.1/", "metadata/"]
    assert [e.key for e in source.list("metadata/PMC1.").keys] == ["metadata/PMC1.1.json"]
    assert [e.key for e in source.list("PMC1.1/g", "/").keys] == ["PMC1.1/gr1.jpg"]
    nothing = source.list("PMC77.", "/")
    assert (nothing.keys, nothing.prefixes) == ([], [])


UNSAFE = ["", "/etc/passwd", "../x", "a/../../x", "a/..", "a/./b", "a//b", "a/", "a\\b", "C:\\x", "a\nb", "a\x00b",
          "a\x7f", "a/.hidden", "a/" + "x" * 256, "x/" * 600 + "x", "a\udcff"]


@pytest.mark.parametrize("key", UNSAFE)
def test_unsafe_keys_are_refused_before_anything_happens(source: Bucket, key: str, tmp_path: Path) -> None:
    before, asked = sorted(tmp_path.rglob("*")), source.stats.requests
    for call in (source.get, lambda k: source.get(k, "0" * 32), lambda k: list(source.stream(k))):
        with pytest.raises(UnitLost) as lost:
            call(key)
        assert lost.value.reason.code == "name-unsafe"
    assert (sorted(tmp_path.rglob("*")), source.stats.requests) == (before, asked)


@given(st.text(max_size=40))
def test_safe_keys_stay_inside(key: str) -> None:
    try:
        safe_key(key)
    except UnitLost:
        return
    assert os.path.normpath(f"/root/bucket/{key}") == f"/root/bucket/{key}"


# HTTP only

def test_wrong_bytes_are_asked_for_once_more_past_caches(origin: Any) -> None:
    digest = origin.put("metadata/a", b"right")
    origin.faults["/bucket/metadata/a"] = ["flip"]
    with opened(origin.url) as bucket:
        assert bucket.get("metadata/a", digest) == b"right"
        assert [h.get("Cache-Control") for path, h in origin.seen if "?" not in path] == [None, "no-cache"]
        origin.faults["/bucket/metadata/a"] = ["always flip"]
        asked = len(origin.seen)
        with pytest.raises(UnitLost) as lost:
            bucket.get("metadata/a", digest)
    assert (lost.value.reason.code, len(origin.seen) - asked) == ("md5-mismatch", 2)


@pytest.mark.parametrize(("etag", "checked"), [('"{}"', True), ('"{}-2"', False), ('W/"{}"', False), ("", False)])
def test_without_an_md5_that_of_the_etag_counts(origin: Any, etag: str, checked: bool) -> None:
    origin.put("metadata/a", b"right")
    origin.etag = etag
    with opened(origin.url) as bucket:
        asked = len(origin.seen)
        assert bucket.get("metadata/a") == b"right" and len(origin.seen) == asked + 1
        origin.faults["/bucket/metadata/a"] = ["flip"]
        assert (bucket.get("metadata/a") == b"right") is checked
        assert len(origin.seen) == asked + (3 if checked else 2)
        if checked:
            origin.faults["/bucket/metadata/a"] = ["always flip"]
            with pytest.raises(UnitLost, match="md5-mismatch"):
                bucket.get("metadata/a")


@pytest.mark.parametrize("header", [{"x-amz-server-side-encryption": "aws:kms"},
                                    {"x-amz-server-side-encryption-customer-algorithm": "AES256"}])
def test_the_etag_of_what_is_encrypted_otherwise_is_no_md5(origin: Any, header: dict[str, str]) -> None:
    origin.put("metadata/a", b"right")
    origin.etag, origin.headers = f'"{"0" * 32}"', header
    with opened(origin.url) as bucket:
        assert bucket.get("metadata/a") == b"right"
        origin.headers = {"x-amz-server-side-encryption": "AES256"}
        with pytest.raises(UnitLost, match="md5-mismatch"):
            bucket.get("metadata/a")


def test_stream_takes_each_piece_up_again(origin: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 1000)
    data = os.urandom(5500)
    origin.put("metadata/big", data)
    with opened(origin.url) as bucket:
        origin.faults["/bucket/metadata/big"] = ["503", "reset", "cut:9"]
        assert b"".join(bucket.stream("metadata/big")) == data
        origin.faults["/bucket/metadata/big"] = ["chunked"]  # a server that knows no Range: all at once
        assert b"".join(bucket.stream("metadata/big")) == data


def test_cache(origin: Any, tmp_path: Path) -> None:
    digest = origin.put("metadata/a.json", b"one")
    cache = tmp_path / "raw"
    with opened(origin.url, cache) as bucket:
        asked = bucket.stats.requests
        assert bucket.get("metadata/a.json", digest) == b"one"
        assert bucket.get("metadata/a.json", digest) == b"one"
        assert bucket.cached("metadata/a.json", digest) == b"one"
        assert (bucket.stats.requests - asked, bucket.stats.cache_hits) == (1, 2)
        assert [p.relative_to(cache).as_posix() for p in cache.rglob("*")] == ["metadata", "metadata/a.json"]
        (cache / "metadata/a.json").write_bytes(b"damaged or old")
        assert bucket.cached("metadata/a.json", digest) is None
        assert bucket.get("metadata/a.json", digest) == b"one"
        assert (cache / "metadata/a.json").read_bytes() == b"one"
        assert bucket.get("metadata/a.json") == b"one"  # without an MD5 nothing on disk is trusted
        assert bucket.stats.requests - asked == 3


def test_a_copy_made_by_other_tools_is_used(origin: Any, tmp_path: Path) -> None:
    digest = origin.put("metadata/a.json", b"one")
    origin.put("PMC1.1/a.jpg", b"picture")
    (tmp_path / "PMC1.1").mkdir()
    (tmp_path / "PMC1.1/a.jpg").write_bytes(b"picture")
    with opened(origin.url, tmp_path) as bucket:
        asked = len(origin.seen)
        assert bucket.get("PMC1.1/a.jpg", md5(b"picture")) == b"picture"
        assert len(origin.seen) == asked
        assert bucket.get("metadata/a.json", digest) == b"one"


def test_a_cache_emptied_meanwhile_is_filled_again(origin: Any, tmp_path: Path) -> None:
    digest = origin.put("metadata/a", b"one")
    with opened(origin.url, tmp_path / "raw") as bucket:
        for _ in range(2):
            assert bucket.get("metadata/a", digest) == b"one"
            shutil.rmtree(tmp_path / "raw")
        assert bucket.stats.cache_hits == 0


def test_wrong_or_cut_bytes_never_reach_the_cache(origin: Any, tmp_path: Path) -> None:
    digest = origin.put("metadata/a", b"right")
    for fault in ("always flip", "always cut:3", "always 503"):
        origin.faults["/bucket/metadata/a"] = [fault]
        with opened(origin.url, tmp_path / "raw") as bucket, pytest.raises(UnitLost):
            bucket.get("metadata/a", digest)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_links_in_the_cache_lead_nowhere(origin: Any, tmp_path: Path) -> None:
    digest = origin.put("metadata/sub/a", b"right")
    (tmp_path / "raw").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "raw/metadata").symlink_to(tmp_path / "outside")
    with opened(origin.url, tmp_path / "raw") as bucket, pytest.raises(UsageError, match="leads out"):
        bucket.get("metadata/sub/a", digest)
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_full_disk_is_not_the_objects_fault(origin: Any, tmp_path: Path) -> None:
    origin.put("metadata/a", bytes(100_000))
    script = ("import resource, sys, signal\nfrom pathlib import Path\nfrom pmcoa_build.errors import DiskFull\n"
              "from pmcoa_build.pmc.cache import Cache\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
              "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
              "try:\n    Cache(Path(sys.argv[1])).put('metadata/a', bytes(100_000))\n"
              "except DiskFull as full:\n    sys.exit(44 if 'No room' in str(full) else 1)\n")
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == 44
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []
    assert DiskFull("").exit_code == 4


# what is no bucket

def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_unreachable(origin: Any, tmp_path: Path) -> None:
    origin.put("other/x", b"")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for url in (f"http://127.0.0.1:{_closed_port()}", "http://no-such-host.invalid", str(tmp_path / "none"),
                str(tmp_path / "empty"), str(tmp_path / "file"), origin.url):
        with pytest.raises(SourceUnreachable) as error:
            opened(url)
        assert str(error.value).count(". ") == 0
        assert str(error.value).endswith(".")


@pytest.mark.parametrize("page", ["<html><body>Welcome</body></html>", "", "not xml", "{}", "<a><b></a>",
                                  "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
                                  "<ListBucketResult><Contents><Key>inventory-reports</Key><Size>x</Size></Contents>"
                                  "</ListBucketResult>",
                                  "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>same"
                                  "</NextContinuationToken></ListBucketResult>"])
def test_servers_that_are_no_bucket(origin: Any, page: str) -> None:
    origin.faults["*"] = [f"always page:{page}"]
    with pytest.raises(SourceUnreachable, match="bucket"):
        opened(origin.url)


@pytest.mark.parametrize("status", ["404", "403", "301", "500"])
def test_servers_that_refuse_to_list(origin: Any, status: str) -> None:
    origin.faults["*"] = [f"always {status}"]
    with pytest.raises(SourceUnreachable, match=r"does not answer as a bucket"):
        opened(origin.url)


@pytest.mark.parametrize("url", ["", "ftp://host/x", "s3://bucket", "file:///tmp", "http://", "http://h/a/b", "http://h/b?x=1",
                                 "https://u@h/b"])
def test_nonsense(url: str) -> None:
    with pytest.raises(UsageError):
        opened(url)


def test_host_style_and_path_style(origin: Any) -> None:
    origin.put("metadata/a", b"x")
    host_style = f"http://127.0.0.1:{origin.port}"
    with opened(origin.url + "/") as bucket:
        assert isinstance(bucket, HttpBucket)
        assert bucket.get("metadata/a") == b"x"
    origin.objects["/metadata/a"] = b"y"
    with opened(host_style) as bucket:
        assert bucket.get("metadata/a") == b"y"


def test_folder_of_another_user(tmp_path: Path) -> None:
    (tmp_path / "metadata").mkdir()
    (tmp_path / "metadata/a").write_bytes(b"x")
    (tmp_path / "metadata/a").chmod(0)
    if os.access(tmp_path / "metadata/a", os.R_OK):
        pytest.skip("root may read everything")
    with pytest.raises(UnitLost) as lost:
        FolderBucket(tmp_path).get("metadata/a")
    assert lost.value.reason.code == "http-403"


# an S3 server that others wrote

@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """moto's S3 on loopback with OBJECTS in bucket `pmc`, readable by anyone."""
    pytest.importorskip("moto.server", reason="moto is a development dependency")
    port = _closed_port()
    env = {**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    log = (tmp_path_factory.mktemp("moto") / "log").open("wb")
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], env=env,
                              stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/pmc"
    try:
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, "moto did not start"
                time.sleep(0.1)
        _put(url, None)
        for key, data in OBJECTS.items():
            _put(f"{url}/{module.quote(key)}", data)
        yield url
    finally:
        server.terminate()
        server.wait()
        log.close()


def _put(url: str, data: bytes | None) -> None:
    headers = {"x-amz-acl": "public-read", "Content-Type": "application/octet-stream"}
    if data is None:
        headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request"
    urlopen(Request(url, data=data or b"", method="PUT", headers=headers), timeout=20).close()


def test_against_moto(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 1000)
    with opened(moto) as bucket:
        for key, data in OBJECTS.items():
            assert bucket.get(key, md5(data)) == data
            assert b"".join(bucket.stream(key)) == data
        assert [(e.key, e.size, e.etag) for e in bucket.list("").keys] == [
            (key, len(OBJECTS[key]), md5(OBJECTS[key])) for key in sorted(OBJECTS)]
        assert bucket.list("PMC1.", "/").prefixes == ["PMC1.1/"]
        with pytest.raises(UnitLost) as lost:
            bucket.get("PMC1.1/none.jpg")
        assert lost.value.reason.code == "http-404"
    with pytest.raises(SourceUnreachable):
        open_bucket(moto + "-other", connections=1, requests_per_second=0, contact="", cache=None,
                    patience=Patience(retries=0))
