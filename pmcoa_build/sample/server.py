"""PMC's Cloud Service on loopback: an S3 bucket over HTTP/1.1, read only, that can misbehave (see `faults`)."""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

from pmcoa_build.sample.bucket import BUCKET
from pmcoa_build.sample.esearch import LIMIT, esearch
from pmcoa_build.sample.faults import Fault, Faults
from pmcoa_build.sample.listing import SERVED, BadRequest, list_objects

_CODES: dict[int, tuple[str, str]] = {
    400: ("InvalidArgument", "Invalid argument"), 403: ("AccessDenied", "Access Denied"),
    404: ("NoSuchKey", "The specified key does not exist."), 405: ("MethodNotAllowed", "The method is not allowed."),
    412: ("PreconditionFailed", "At least one of the pre-conditions you specified did not hold"),
    416: ("InvalidRange", "The requested range is not satisfiable"),
    429: ("TooManyRequests", "Please reduce your request rate."),
    500: ("InternalError", "We encountered an internal error. Please try again."),
    503: ("SlowDown", "Please reduce your request rate."),
}
_ESEARCH = "eutils/esearch.fcgi"
_TYPES = {"json": "application/json", "xml": "application/xml", "txt": "text/plain", "jpg": "image/jpeg",
          "png": "image/png",
          "pdf": "application/pdf", "gz": "application/x-gzip"}


class SampleServer:
    """A running server. `log`: (method, key, status, bytes of body sent) of every request, oldest first.

    `faults` and `esearch_limit` may be changed while it runs.
    """

    def __init__(self, root: Path, port: int, faults: Faults) -> None:
        self.root, self.faults, self.esearch_limit = root, faults, LIMIT
        self.log: list[tuple[str, str, int, int]] = []
        self.stopping = threading.Event()
        self._etags: dict[Path, tuple[tuple[int, int], str]] = {}
        handler = type("Handler", (_Handler,), {"sample": self})
        self._http = _Http(("127.0.0.1", port), handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def connections(self) -> int:
        """Connections accepted so far."""
        return self._http.accepted

    @property
    def most_open(self) -> int:
        """The largest number of connections that were open at one time."""
        return self._http.most_open

    def close(self) -> None:
        """Stop answering: what drips is cut off, connections are closed, nobody listens any more."""
        self.stopping.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()
        self._http.hang_up()

    def describe(self, path: Path) -> tuple[str, str, int]:
        """(quoted ETag, last modified as in listings, size in bytes) of a file."""
        stat = path.stat()
        have = self._etags.get(path)
        if have is None or have[0] != (stat.st_mtime_ns, stat.st_size):
            digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
            have = self._etags[path] = (stat.st_mtime_ns, stat.st_size), f'"{digest}"'
        modified = datetime.fromtimestamp(stat.st_mtime, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return have[1], modified, stat.st_size


@contextmanager
def serve(root: Path, *, port: int = 0, faults: Faults | None = None) -> Iterator[SampleServer]:
    """Serve the bucket below `root` at `.url`, from any number of threads, until the block ends. Port 0: any free one.

    Keys are at `/KEY` (whatever Host says, so host style works) and at `/pmc-oa-opendata/KEY`; listings at
    `/?list-type=2`; ESearch at `/eutils/esearch.fcgi`. Raises OSError if the port is taken.
    """
    server = SampleServer(Path(root), port, faults or Faults())
    try:
        yield server
    finally:
        server.close()


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    accepted = most_open = 0

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def get_request(self) -> tuple[socket.socket, Any]:
        request, address = super().get_request()
        self._open.add(request)
        self.accepted += 1
        self.most_open = max(self.most_open, len(self._open))
        return request, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End all connections, idle ones too; what handles them sees it."""
        for request in list(self._open):
            with suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "AmazonS3", ""
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    sample: SampleServer

    def do_GET(self) -> None:
        self._reply(urlsplit(self.path).query)

    do_HEAD = do_GET

    def do_POST(self) -> None:
        """E-utilities take their parameters this way too; a bucket doesn't."""
        if self._key() != _ESEARCH:
            self.do_PUT()
            return
        form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._reply(f"{urlsplit(self.path).query}&{form}")

    def do_PUT(self) -> None:
        self.close_connection = True
        self._error(self._key(), 405)

    do_DELETE = do_PUT

    def _key(self) -> str:
        """What is asked for, in whatever style of URL; `?list` for the bucket itself."""
        key = unquote(urlsplit(self.path).path).removeprefix("/")
        if key.split("/", 1)[0] == BUCKET:
            key = key[len(BUCKET) :].lstrip("/")
        return _ESEARCH if key == f"entrez/{_ESEARCH}" else key or "?list"

    def _reply(self, query: str) -> None:
        key = self._key()
        if not self.path.startswith("/"):  # RFC 9112 3.2.1; a proxy, to which other forms go, this is not
            self._error(key, 400)
            return
        fault = self.sample.faults.take(key)
        if fault is None or not self._refused(key, fault):
            self._answer(key, dict(parse_qsl(query, keep_blank_values=True)), fault)

    def log_message(self, format: str, *args: Any) -> None:
        """The log is `SampleServer.log`."""

    def _refused(self, key: str, fault: Fault) -> bool:
        """Play a fault that needs no object; False if it is of the other sort."""
        if fault.kind in ("reset", "gone"):
            self.sample.log.append((self.command, key, 0, 0))
            if fault.kind == "gone":
                self.sample.close()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return True
        if fault.kind == "redirect":
            self._send(key, 302, b"", {"Location": fault.to})
            return True
        if fault.kind.isdecimal():
            wait = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            self._error(key, int(fault.kind), wait)
            return True
        return False

    def _answer(self, key: str, query: dict[str, str], fault: Fault | None) -> None:
        try:
            if key == "?list":
                self._send(key, 200, list_objects(self.sample.root, query, self.sample.describe),
                           {"Content-Type": "application/xml"}, fault)
            elif key == _ESEARCH:
                body = esearch(self.sample.root, query, self.sample.esearch_limit)
                self._send(key, 200, body, {"Content-Type": "application/json"}, fault)
            else:
                self._object(key, fault)
        except (BadRequest, ValueError):
            self._error(key, 400)

    def _object(self, key: str, fault: Fault | None) -> None:
        path = self.sample.root / key
        if not SERVED.fullmatch(key) or ".." in key.split("/") or "\0" in key or not path.is_file():
            self._error(key, 404)
            return
        data, etag = path.read_bytes(), self.sample.describe(path)[0]
        if fault is not None and fault.kind == "changed":
            data = fault.body or data + b"\n"
            etag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
        modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        headers = {"ETag": etag, "Last-Modified": format_datetime(modified, usegmt=True), "Accept-Ranges": "bytes",
                   "Content-Type": _TYPES.get(path.suffix[1:].lower(), "binary/octet-stream")}
        wanted, unwanted = self.headers.get("If-Match"), self.headers.get("If-None-Match")
        if wanted is not None and not _names(wanted, etag):
            self._error(key, 412)
        elif unwanted is not None and _names(unwanted, etag):
            self._send(key, 304, b"", headers)
        else:
            self._ranged(key, data, headers, fault)

    def _ranged(self, key: str, data: bytes, headers: dict[str, str], fault: Fault | None) -> None:
        span = _range(self.headers.get("Range"), len(data))
        if span is None:
            self._send(key, 200, data, headers, fault)
        elif span[0] >= span[1]:
            self._error(key, 416, {"Content-Range": f"bytes */{len(data)}"})
        else:
            headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{len(data)}"
            self._send(key, 206, data[span[0] : span[1]], headers, fault)

    def _error(self, key: str, status: int, headers: dict[str, str] | None = None) -> None:
        code, message = _CODES[status]
        body = (f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message>'
                f"<Key>{escape(key)}</Key><RequestId>SAMPLE</RequestId><HostId>sample</HostId></Error>")
        self._send(key, status, body.encode(), {"Content-Type": "application/xml", **(headers or {})})

    def _send(self, key: str, status: int, body: bytes, headers: dict[str, str], fault: Fault | None = None) -> None:
        """Headers and body, or what the fault makes of them. The log entry comes before the last byte."""
        kind = fault.kind if fault else ""
        if kind == "flip" and body:
            middle = len(body) // 2
            body = body[:middle] + bytes([body[middle] ^ 0xFF]) + body[middle + 1 :]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        body = b"" if self.command == "HEAD" or status == 304 else body
        if fault is not None and kind == "cut":
            body = body[: fault.at]
            self.close_connection = True
        self.sample.log.append((self.command, key, status, len(body)))
        with suppress(OSError):
            if fault is not None and kind == "drip":
                self._drip(body, fault)
            else:
                self.wfile.write(body)
                self.wfile.flush()

    def _drip(self, body: bytes, fault: Fault) -> None:
        for start in range(0, len(body), fault.at):
            self.wfile.write(body[start : start + fault.at])
            self.wfile.flush()
            if self.sample.stopping.wait(fault.interval):
                self.close_connection = True
                return


def _names(header: str, etag: str) -> bool:
    return header.strip() == "*" or etag in (part.strip().removeprefix("W/") for part in header.split(","))


def _range(header: str | None, size: int) -> tuple[int, int] | None:
    """(first, end) of a single byte range, empty if it can't be satisfied; None if the whole is wanted."""
    unit, _, text = (header or "").partition("=")
    first, dash, last = text.strip().partition("-")
    if unit.strip() != "bytes" or not dash or not (first + last).isdecimal():
        return None
    if not first:
        return (max(0, size - int(last)), size) if int(last) else (0, 0)
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size
