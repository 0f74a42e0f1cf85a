"""A scripted origin on loopback: objects by path, and faults that are played once each, in order."""

from __future__ import annotations

import email.utils
import hashlib
import re
import socket
import struct
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import pytest


class Origin:
    """`objects[path] = bytes`; `faults[path] = ["503", "429:1", "cut:10", "flip", "reset", "drip", "goto:URL", …]`.

    A fault for path "*" hits whatever comes next. `seen` holds (path, headers) of every request in order. `etag` is
    sent with whole objects, "{}" in it being the MD5 of the right bytes.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.faults: dict[str, list[str]] = defaultdict(list)
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.page = 1000
        self.etag = ""
        self.headers: dict[str, str] = {}
        self.lock = threading.Lock()
        self.sockets = 0
        self.open_now = self.open_most = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/bucket"

    def put(self, key: str, data: bytes) -> str:
        self.objects[f"/bucket/{key}"] = data
        return hashlib.md5(data).hexdigest()

    def fault(self, path: str) -> str:
        with self.lock:
            for name in (path, "*"):
                if self.faults[name]:
                    return self.faults[name][0] if self.faults[name][0].startswith("always") else self.faults[
                        name].pop(0)
        return ""


def _listing(origin: Origin, query: dict[str, list[str]]) -> bytes:
    prefix, delimiter = query.get("prefix", [""])[0], query.get("delimiter", [""])[0]
    after = query.get("continuation-token", [""])[0]
    rows: dict[str, str] = {}
    for path in sorted(origin.objects):
        key = path.removeprefix("/bucket/")
        if not key.startswith(prefix):
            continue
        rest = key[len(prefix):]
        if delimiter and delimiter in rest:
            folder = prefix + rest.split(delimiter)[0] + delimiter
            rows[folder] = f"<CommonPrefixes><Prefix>{escape(folder)}</Prefix></CommonPrefixes>"
        else:
            md5 = hashlib.md5(origin.objects[path]).hexdigest()
            rows[key] = (f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-08T11:47:59.000Z</LastModified>"
                         f"<ETag>&quot;{md5}&quot;</ETag><Size>{len(origin.objects[path])}</Size></Contents>")
    left = [key for key in sorted(rows) if key > after]
    more = len(left) > origin.page
    token = f"<NextContinuationToken>{escape(left[origin.page - 1])}</NextContinuationToken>" if more else ""
    return ('<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>bucket</Name><Prefix>{escape(prefix)}</Prefix><IsTruncated>{str(more).lower()}</IsTruncated>{token}"
            + "".join(rows[key] for key in left[:origin.page]) + "</ListBucketResult>").encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    origin: Origin

    def setup(self) -> None:
        super().setup()
        with self.origin.lock:
            self.origin.sockets += 1
            self.origin.open_now += 1
            self.origin.open_most = max(self.origin.open_most, self.origin.open_now)

    def finish(self) -> None:
        with self.origin.lock:
            self.origin.open_now -= 1
        super().finish()

    def log_message(self, *_: Any) -> None:
        pass

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        path, headers = self.path, dict(self.headers.items())
        with self.origin.lock:
            self.origin.seen.append((path, headers))
        data = self.body_of(path)
        kind, _, value = self.origin.fault(path).removeprefix("always ").partition(":")
        if kind:
            self.play(kind, value, data or b"")
        elif data is None:
            self.reply(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif match := re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("Range", "")):
            start, end = int(match[1]), min(int(match[2]), len(data) - 1)
            if start >= len(data):
                self.reply(416, b"")
            else:
                self.reply(206, data[start:end + 1], {"Content-Range": f"bytes {start}-{end}/{len(data)}"})
        else:
            self.reply(200, data, self.etag_of(data))

    def etag_of(self, data: bytes) -> dict[str, str]:
        etag = {"ETag": self.origin.etag.format(hashlib.md5(data).hexdigest())} if self.origin.etag else {}
        return etag | self.origin.headers

    def body_of(self, path: str) -> bytes | None:
        parts = urlsplit(path)
        query = parse_qs(parts.query)
        return _listing(self.origin, query) if "list-type" in query else self.origin.objects.get(unquote(parts.path))

    def play(self, kind: str, value: str, data: bytes) -> None:
        if kind == "cut":
            self.reply(200, data[:int(value)], length=len(data))
            self.close_connection = True
        elif kind == "flip":
            self.reply(200, bytes([data[0] ^ 1]) + data[1:], self.etag_of(data))
        elif kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
        elif kind in ("drip", "drip-headers"):
            self.drip(kind, data)
        elif kind == "goto":
            self.reply(302, b"", {"Location": value})
        elif kind == "chunked":
            self.chunked(data, whole=value != "cut")
        elif kind == "hangup":  # whole reply, then the connection goes, unannounced
            self.reply(200, data)
            self.close_connection = True
        elif kind == "date":
            self.reply(429, b"", {"Retry-After": email.utils.formatdate(float(value), usegmt=True)})
        elif kind == "page":
            self.reply(200, value.encode())
        else:
            self.reply(int(kind), b"<Error><Code>Played</Code></Error>", {"Retry-After": value} if value else None)

    def drip(self, kind: str, data: bytes) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        fast, slow = (b"", head) if kind == "drip-headers" else (head, data)
        self.close_connection = True
        try:
            self.wfile.write(fast)
            for i in range(len(slow)):
                self.wfile.write(slow[i:i + 1])
                time.sleep(0.01)
        except OSError:
            pass

    def chunked(self, data: bytes, *, whole: bool) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for i in range(0, len(data), 1000):
            piece = data[i:i + 1000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        if whole:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: Any) -> None:
        """Clients that go away are part of the tests."""


@pytest.fixture
def origin() -> Iterator[Origin]:
    origin = Origin()
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"origin": origin}))
    origin.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield origin
    server.shutdown()
    server.server_close()
    thread.join()
