"""One host over HTTP(S), asked by many threads at once: keep-alive, patience, politeness.

`http.client` and not `requests`, because objects come by the million: 0.1 CPU-ms a request in place of 1 to 3.
What must not happen is listed in the order of the code: a drip of bytes that holds a thread for ever, a redirect
to somewhere else, a dead source booked as thousands of lost articles.
"""

from __future__ import annotations

import contextlib
import http.client
import queue
import re
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

from pmcoa_build.errors import Interrupted, RunFailed, SourceUnreachable, UnitLost
from pmcoa_build.pmc.ratelimit import Clock, Patience, RateLimit, retry_after
from pmcoa_build.pmc.wire import PacedSocket, new_connection, parse_root, proxy_for, user_agent

CONNECT_ERRORS = 20
"""So many failed connects in a row, over all threads, end the run."""

FORBIDDEN = 20
"""So many replies 403 in a row, over all threads, end the run."""

MAX_BODY = 1 << 30
"""Bytes of the largest body taken into memory."""

_REDIRECTS = 3
_NO_HEADERS: Mapping[str, str] = {}


@dataclass
class Stats:
    """What a source was asked for. `waiting` is in seconds, summed over threads; `cache_hits` were not asked for."""

    requests: int = 0
    bytes: int = 0
    retries: int = 0
    waiting: float = 0.0
    cache_hits: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    def add(self, *, requests: int = 0, received: int = 0, retries: int = 0, waiting: float = 0.0,
            hits: int = 0) -> None:
        """Count, from any thread."""
        with self._lock:
            self.requests += requests
            self.bytes += received
            self.retries += retries
            self.waiting += waiting
            self.cache_hits += hits


@dataclass(frozen=True)
class Reply:
    """A reply with its whole body. Header names ignore case."""

    status: int
    headers: Message
    body: bytes


class _Again(Exception):
    """This try failed, another may not. `pause` = seconds during which no thread may ask."""

    def __init__(self, reason: str, detail: str, pause: float | None = None) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.pause = reason, detail, pause


class _NoConnection(Exception):
    """No connection could be made: says nothing about the object."""


class HttpClient:
    """GET requests to one root such as `https://host` or `http://host:8000/bucket`, from any number of threads.

    At most `connections` sockets are open at a time. Raises UsageError for a root that is no URL; connects to
    nothing before the first request. `http_proxy`, `https_proxy` and `no_proxy` are heeded.
    """

    def __init__(self, root: str, *, connections: int, requests_per_second: float, contact: str,
                 patience: Patience = Patience(), clock: Clock | None = None,  # noqa: B008 (frozen)
                 stats: Stats | None = None) -> None:
        self._url = parse_root(root)
        self._base = self._url.path.rstrip("/")
        self._headers = {"User-Agent": user_agent(contact), "Accept": "*/*", "Accept-Encoding": "identity"}
        self._closed = threading.Event()
        self._clock = clock or Clock(sleep=self._sleep)
        self._patience = patience
        self._limit = RateLimit(requests_per_second, self._clock)
        self.stats = stats or Stats()
        self._lock = threading.Lock()
        self._connect_errors = self._forbidden = 0
        self._stopped: tuple[type[RunFailed], str] | None = None
        proxy = proxy_for(self._url)
        self._plain_proxy = proxy is not None and self._url.scheme == "http"
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()
        for _ in range(max(1, connections)):
            self._idle.put(new_connection(self._url, proxy, self._patience.connect))

    def connect(self) -> None:
        """Open one connection, to see early whether there is anybody. Raises SourceUnreachable with one sentence."""
        connection = self._idle.get()
        try:
            self._connected(connection)
        except _NoConnection as error:
            raise SourceUnreachable(self._unreachable(str(error))) from None
        finally:
            self._idle.put(connection)

    def get(self, target: str, headers: Mapping[str, str] = _NO_HEADERS, accept: tuple[int, ...] = (200,),
            form: bytes | None = None) -> Reply:
        """The reply to `GET <root><target>`; `target` starts with "/" or "?" and is percent-encoded.

        With a `form` (URL-encoded) it is a POST, for queries that are too long for a URL.

        Raises UnitLost (http-403, http-404, http-429, http-5xx, http-error, truncated, timeout, connection,
        redirect-refused) for this object; SourceUnreachable or RunFailed when the source as a whole has stopped
        answering; Interrupted after `close`.
        """
        target, tries, attempt, refused = self._base + target, 0, 0, 0
        while True:
            self._check_open()
            self.stats.add(waiting=self._limit.acquire())
            tries += 1
            try:
                return self._follow(target, headers, accept, form)
            except _NoConnection as error:
                refused += 1
                self._count_refusal(str(error))
                if refused >= CONNECT_ERRORS:
                    raise UnitLost("connection", str(error)) from None
                self._wait(self._patience.wait(refused, self._clock))
            except _Again as error:
                attempt += 2 if error.reason == "timeout" else 1  # a drip holds a thread for the whole grace
                if error.pause is not None:
                    self._limit.pause(error.pause or self._patience.wait(attempt, self._clock))
                if attempt > self._patience.retries:
                    raise UnitLost(error.reason, f"{error.detail} ({tries} tries)") from None
                self.stats.add(retries=1)
                if error.pause is None:
                    self._wait(self._patience.wait(attempt, self._clock))

    def close(self) -> None:
        """Close all connections, those in use after their reply; threads that wait are woken and get Interrupted."""
        self._closed.set()
        self._close_idle()

    def _close_idle(self) -> None:
        idle = []
        with contextlib.suppress(queue.Empty):
            while True:
                idle.append(self._idle.get_nowait())
        for connection in idle:
            connection.close()
            self._idle.put(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # one try

    def _follow(self, target: str, headers: Mapping[str, str], accept: tuple[int, ...],
                form: bytes | None) -> Reply:
        for _ in range(_REDIRECTS + 1):
            reply = self._exchange(target, headers, form)
            if reply.status not in (301, 302, 303, 307, 308):
                return self._judged(reply, accept)
            here = f"{self._url.scheme}://{self._url.netloc}{target}"
            there = urlsplit(urljoin(here, reply.headers.get("Location", "")))
            if (there.scheme, there.netloc) != (self._url.scheme, self._url.netloc):
                raise UnitLost("redirect-refused", f"to {there.scheme}://{there.netloc}")
            target = there.path + (f"?{there.query}" if there.query else "")
        raise UnitLost("redirect-refused", f"more than {_REDIRECTS} redirects")

    def _exchange(self, target: str, headers: Mapping[str, str], form: bytes | None) -> Reply:
        connection = self._idle.get()
        try:
            while True:
                reused = self._connected(connection)
                try:
                    reply = self._sent_and_read(connection, target, headers, form)
                except _Stale:
                    connection.close()
                    if not reused:
                        raise _Again("connection", "the connection was closed before a reply") from None
                except BaseException:
                    connection.close()
                    raise
                else:
                    return reply
        finally:
            self._idle.put(connection)
            if self._closed.is_set():
                self._close_idle()

    def _connected(self, connection: http.client.HTTPConnection) -> bool:
        """Connect if need be; True if the connection was there before."""
        if connection.sock is not None:
            return True
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise _NoConnection(getattr(error, "strerror", None) or str(error) or type(error).__name__) from None
        sock: Any = connection.sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sock = PacedSocket(sock, self._patience, self._clock)
        return False

    def _sent_and_read(self, connection: http.client.HTTPConnection, target: str, headers: Mapping[str, str],
                       form: bytes | None) -> Reply:
        self.stats.add(requests=1)
        try:
            method = "GET" if form is None else "POST"
            connection.request(method, self._absolute(target), form, {**self._headers, **headers})
            response = connection.getresponse()
        except TimeoutError as error:
            raise _Again("timeout", f"no reply in time: {error}") from None
        except (ConnectionError, ssl.SSLError):
            raise _Stale from None
        except (OSError, http.client.HTTPException) as error:
            raise _Again("connection", f"{type(error).__name__}: {error}") from None
        try:
            body = _body(response)
        except TimeoutError as error:
            raise _Again("timeout", str(error)) from None
        except (OSError, http.client.HTTPException) as error:
            raise _Again("truncated", f"{type(error).__name__}: {error}") from None
        self.stats.add(received=len(body))
        return Reply(response.status, response.headers, body)

    def _judged(self, reply: Reply, accept: tuple[int, ...]) -> Reply:
        status = reply.status
        self._count_reply(status)
        if status in accept:
            return reply
        detail = f"HTTP {status}{_s3_code(reply.body)}"
        if status == 429 or status >= 500:
            asked = retry_after(reply.headers.get("Retry-After"), self._clock)
            if asked is not None and asked > self._patience.longest_wait:
                raise SourceUnreachable(f"The source {self._root()} asks to wait {asked:.0f} seconds; run again then.")
            for_all = asked if asked is not None or status != 429 else 0.0
            raise _Again("http-429" if status == 429 else "http-5xx", detail, for_all)
        if status == 408:
            raise _Again("timeout", detail)
        raise UnitLost(f"http-{status}" if status in (403, 404) else "http-error", detail)

    # all threads together

    def _count_reply(self, status: int) -> None:
        if not self._connect_errors and not self._forbidden and status != 403:
            return
        with self._lock:
            self._connect_errors = 0
            self._forbidden = self._forbidden + 1 if status == 403 else 0
            if self._forbidden >= FORBIDDEN:
                self._stopped = (RunFailed, f"The source {self._root()} refused {FORBIDDEN} objects in a row "
                                            "(HTTP 403): blocked? Check [source] url and contact; try again later.")
        self._check_open()

    def _count_refusal(self, why: str) -> None:
        with self._lock:
            self._connect_errors += 1
            if self._connect_errors >= CONNECT_ERRORS:
                self._stopped = (SourceUnreachable, self._unreachable(why))
        self._check_open()

    def _check_open(self) -> None:
        if self._stopped:
            error, sentence = self._stopped
            raise error(sentence)
        if self._closed.is_set():
            raise Interrupted("The source was closed while it was being asked.")

    def _wait(self, seconds: float) -> None:
        self._clock.sleep(seconds)
        self.stats.add(waiting=seconds)

    def _sleep(self, seconds: float) -> None:
        if self._closed.wait(seconds):
            self._check_open()

    # names and connections

    def _root(self) -> str:
        return f"{self._url.scheme}://{self._url.netloc}{self._base}"

    def _unreachable(self, why: str) -> str:
        return f"The source {self._root()} cannot be reached ({why}); check [source] url and the network."

    def _absolute(self, target: str) -> str:
        return f"http://{self._url.netloc}{target}" if self._plain_proxy else target


class _Stale(Exception):
    """The other side had closed the connection before it replied, as it may with one that was idle."""


def _body(response: http.client.HTTPResponse) -> bytes:
    """The whole body, of at most MAX_BODY bytes. Raises IncompleteRead if it is shorter than promised."""
    if response.length is not None:
        if response.length > MAX_BODY:
            raise UnitLost("http-error", f"{response.length} bytes is too large")
        return response.read()
    pieces, size = [], 0
    while piece := response.read1(1 << 16):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_BODY:
            raise UnitLost("http-error", f"more than {MAX_BODY} bytes is too large")
    return b"".join(pieces)


def _s3_code(body: bytes) -> str:
    found = re.search(rb"<Code>(\w{1,60})</Code>", body[:2000])
    return f" {found[1].decode()}" if found else ""
