"""Below HTTP: sockets that do not wait for ever, certificates, proxies, and the one kind of URL that is a source."""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import urllib.request
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pmcoa_build.errors import UsageError
from pmcoa_build.pmc.ratelimit import Clock, Patience


class _Paced(io.RawIOBase):
    """A socket's bytes, read no slower than `Patience` allows over the whole reply, headers included."""

    def __init__(self, sock: socket.socket, patience: Patience, clock: Clock) -> None:
        self._sock, self._io = sock, sock.makefile("rb", buffering=0)
        self._now, self._rate = clock.now, patience.bytes_per_second
        self._deadline = clock.now() + patience.grace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - self._now()
        if left <= 0:
            raise TimeoutError("the bytes came too slowly")
        self._sock.settimeout(left)
        count = self._io.readinto(buffer) or 0
        self._deadline += count / self._rate
        return count

    def close(self) -> None:
        self._io.close()
        super().close()


class PacedSocket:
    """What `http.client` uses of a socket, with `_Paced` for reading."""

    def __init__(self, sock: socket.socket, patience: Patience, clock: Clock) -> None:
        self._sock, self._patience, self._clock = sock, patience, clock
        self.close = sock.close

    def sendall(self, data: Any) -> None:
        self._sock.settimeout(self._patience.grace)
        self._sock.sendall(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Paced(self._sock, self._patience, self._clock), 16_384)


def proxy_for(url: SplitResult) -> SplitResult | None:
    """The proxy that `http_proxy`, `https_proxy` and `no_proxy` ask for; none for the machine itself."""
    host = url.hostname or ""
    proxy = urllib.request.getproxies().get(url.scheme)
    local = host in ("localhost", "::1") or host.startswith("127.")
    if not proxy or local or urllib.request.proxy_bypass(host):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def new_connection(url: SplitResult, proxy: SplitResult | None, timeout: float) -> http.client.HTTPConnection:
    """A connection that is not open yet; `timeout` in seconds holds for connecting."""
    at = proxy or url
    host, port = at.hostname or "", at.port
    if url.scheme == "http":
        return http.client.HTTPConnection(host, port or 80, timeout=timeout)
    connection = http.client.HTTPSConnection(host, port or 443, timeout=timeout, context=_tls())
    if proxy:
        connection.set_tunnel(url.hostname or "", url.port or 443)
    return connection


def user_agent(contact: str) -> str:
    """`pmcoa-build/<version> (+contact)`. Raises UsageError for a contact that cannot stand in a header."""
    if not re.fullmatch(r"[\x20-\x7e]*", contact):
        raise UsageError(f"[source] contact {contact!r} must be plain ASCII on one line, such as you@example.org.")
    return f"pmcoa-build/{_version()} (+{contact})" if contact else f"pmcoa-build/{_version()}"


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pmcoa-build")
    except PackageNotFoundError:
        return "0"


def _tls() -> ssl.SSLContext:
    """The machine's certificates and certifi's: either may be the only one that is there."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def parse_root(root: str) -> SplitResult:
    """`http(s)://host[:port][/path]`, without user, query or fragment. Raises UsageError for anything else."""
    try:
        url = urlsplit(root)
        good = url.scheme in ("http", "https") and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        good = False
    if not good or url.query or url.fragment or "@" in url.netloc or not re.fullmatch(r"[\x21-\x7e]+", root):
        raise UsageError(f"{root!r} is not a URL such as https://host or http://host/bucket.")
    return url
