from __future__ import annotations

import hashlib
import http.client
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from pmcoa_build.sample import SampleServer

TEXT = "PMC98000001.1/PMC98000001.1.txt"


def ask(server: SampleServer, path: str, headers: Mapping[str, str] | None = None,
        method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    try:
        connection.request(method, path, headers=dict(headers or {}))
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def data_of(bucket: Path) -> bytes:
    return (bucket / TEXT).read_bytes()


def test_an_object_comes_whole_with_its_md5_as_etag(server: SampleServer, bucket: Path) -> None:
    status, headers, body = ask(server, f"/{TEXT}")
    assert (status, body) == (200, data_of(bucket))
    assert headers["etag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert headers["last-modified"] == "Sun, 01 Nov 2026 01:00:00 GMT"
    assert headers["accept-ranges"] == "bytes" and headers["content-length"] == str(len(body))
    assert server.log == [("GET", TEXT, 200, len(body))]


def test_head_gives_headers_only(server: SampleServer, bucket: Path) -> None:
    status, headers, body = ask(server, f"/{TEXT}", method="HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(data_of(bucket))), b"")


def test_path_style_host_style_and_a_md5_parameter_mean_the_same_object(server: SampleServer, bucket: Path) -> None:
    for path, headers in ((f"/pmc-oa-opendata/{TEXT}", {}), (f"/{TEXT}?md5=0", {}), (f"/{quote(TEXT, safe='')}", {}),
                          (f"/{TEXT}", {"Host": "pmc-oa-opendata.s3.amazonaws.com"})):
        assert ask(server, path, headers)[2] == data_of(bucket)


@pytest.mark.parametrize(("header", "status", "first", "end"), [
    ("bytes=0-9", 206, 0, 10), ("bytes=10-", 206, 10, None), ("bytes=-5", 206, -5, None),
    ("bytes=0-999999", 206, 0, None),
    ("bytes=5-2", 200, 0, None), ("bytes=a-b", 200, 0, None), ("lines=1-2", 200, 0, None),
    ("bytes=0-1,4-5", 200, 0, None),
])
def test_ranges(server: SampleServer, bucket: Path, header: str, status: int, first: int, end: int | None) -> None:
    got, headers, body = ask(server, f"/{TEXT}", {"Range": header})
    whole = data_of(bucket)
    assert (got, body) == (status, whole[first:end])
    if status == 206:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", headers["content-range"])
        assert match and whole[int(match[1]) : int(match[2]) + 1] == body and int(match[3]) == len(whole)


@pytest.mark.parametrize("header", ["bytes=999999-", "bytes=-0"])
def test_a_range_beyond_the_end_is_refused(server: SampleServer, bucket: Path, header: str) -> None:
    status, headers, body = ask(server, f"/{TEXT}", {"Range": header})
    assert (status, headers["content-range"]) == (416, f"bytes */{len(data_of(bucket))}")
    assert b"<Code>InvalidRange</Code>" in body


def test_conditions(server: SampleServer) -> None:
    etag = ask(server, f"/{TEXT}")[1]["etag"]
    for headers, status in (({"If-None-Match": etag}, 304), ({"If-None-Match": '"0"'}, 200),
                            ({"If-None-Match": "*"}, 304),
                            ({"If-Match": etag}, 200), ({"If-Match": '"0"'}, 412)):
        assert ask(server, f"/{TEXT}", headers)[0] == status


@pytest.mark.parametrize("path", [
    "/PMC98000001.1/nothing.jpg", "/PMC98000001.1/", "/PMC98000001.1", "/truth.jsonl", "/.sample.json",
    "/metadata/../truth.jsonl", "/%2e%2e/truth.jsonl", "/inventory-reports/../truth.jsonl",
    "/inventory-reports/%2e%2e/truth.jsonl", "//etc/passwd", "/inventory-reports/a%00b",
])
def test_what_is_no_object_is_not_there(server: SampleServer, path: str) -> None:
    status, headers, body = ask(server, path)
    assert status == 404 and headers["content-type"] == "application/xml"
    assert b"<Code>NoSuchKey</Code><Message>The specified key does not exist.</Message>" in body


def test_nothing_can_be_written(server: SampleServer, bucket: Path) -> None:
    assert ask(server, f"/{TEXT}", method="PUT")[0] == 405
    assert ask(server, f"/{TEXT}")[2] == data_of(bucket)


def test_a_connection_is_kept_over_all_kinds_of_replies(server: SampleServer) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    connection.connect()
    socket = connection.sock
    for method, path in (("GET", f"/{TEXT}"), ("GET", "/nothing"), ("HEAD", f"/{TEXT}"),
                         ("GET", "/?list-type=2&max-keys=1")):
        connection.request(method, path)
        connection.getresponse().read()
        assert connection.sock is socket
    connection.close()


def test_many_clients_at_once(server: SampleServer, bucket: Path) -> None:
    wrong: list[int] = []

    def client() -> None:
        for _ in range(10):
            if ask(server, f"/{TEXT}")[2] != data_of(bucket):
                wrong.append(1)

    threads = [threading.Thread(target=client) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and len(server.log) == 80
