"""The source as keys and bytes: PMC's bucket over HTTP(S), a folder of the same layout, or one of PMC's old packages.

Layout (bucket README, https://pmc-oa-opendata.s3.amazonaws.com/README.txt): `PMC<id>.<version>/<file>`,
`metadata/PMC<id>.<version>.json`, `inventory-reports/pmc-oa-opendata/metadata/<date>/manifest.json`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol, Self
from urllib.parse import quote

from pmcoa_build.errors import SourceUnreachable, UnitLost, UsageError
from pmcoa_build.pmc.cache import Cache
from pmcoa_build.pmc.http import HttpClient, Stats
from pmcoa_build.pmc.listing import Entry, Listing, list_pages
from pmcoa_build.pmc.ratelimit import Clock, Patience
from pmcoa_build.pmc.wire import parse_root

CHUNK = 8 << 20
"""Bytes of a piece of `stream`."""

_LAYOUT = ("inventory-reports/", "metadata/")


class Bucket(Protocol):
    """Read-only objects by key; every method may be called from many threads.

    `stats` counts what was asked of the source. `close` ends waiting threads with Interrupted.
    """

    stats: Stats

    def get(self, key: str, md5: str | None = None) -> bytes:
        """The whole object, its MD5 (32 hex digits, lower case) checked when given. Raises UnitLost."""
        ...

    def cached(self, key: str, md5: str) -> bytes | None:
        """The object if it lies in the cache with that MD5; asks nobody."""
        ...

    def stream(self, key: str) -> Iterator[bytes]:
        """The object in pieces of at most CHUNK bytes where the source allows; the caller checks the whole.

        Raises UnitLost.
        """
        ...

    def list(self, prefix: str, delimiter: Literal["", "/"] = "") -> Listing:
        """Objects whose key starts with `prefix`; with "/" only those at this level, and the folders there."""
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


def open_bucket(url: str, *, connections: int, requests_per_second: float, contact: str, cache: Path | None,
                patience: Patience = Patience(), clock: Clock | None = None) -> Bucket:  # noqa: B008 (frozen)
    """The bucket at `http(s)://host`, at `http(s)://host/bucket`, or in a local folder, after a look that it is one.

    A folder may also hold PMC's old packages instead (`PMC<id>.tar.gz`, at any depth; see archives).

    `requests_per_second` holds over all threads (0 = no limit). `cache` is a folder in bucket layout that is read
    and filled. Raises UsageError for a URL that makes no sense; SourceUnreachable if nobody answers or what is
    there is no bucket in PMC's layout.
    """
    if "://" not in url:
        return _open_folder(url)
    if not url.startswith(("http://", "https://")):
        raise UsageError(f"[source] url {url!r} must be an http(s) URL such as https://bucket.s3.amazonaws.com, "
                         "or a folder.")
    if len([part for part in parse_root(url).path.split("/") if part]) > 1:
        raise UsageError(f"[source] url {url!r} must end after the bucket: https://host or https://host/bucket.")
    client = HttpClient(url, connections=connections, requests_per_second=requests_per_second, contact=contact,
                        patience=patience, clock=clock)
    bucket = HttpBucket(client, Cache(cache) if cache else None)
    try:
        client.connect()
        _look(bucket, url)
    except BaseException:
        bucket.close()
        raise
    return bucket


def _open_folder(url: str) -> Bucket:
    folder = Path(url).expanduser()
    if not url.strip():
        raise UsageError("[source] url is empty; it must be an http(s) URL or a folder.")
    if not folder.is_dir():
        raise SourceUnreachable(f"The source folder {url!r} does not exist; check [source] url.")
    if any((folder / name).is_dir() for name in _LAYOUT):
        return FolderBucket(folder)
    from pmcoa_build.pmc.archives import ArchiveBucket, holds_packages

    if holds_packages(folder):
        return ArchiveBucket(folder)
    raise SourceUnreachable(f"{folder} is neither a bucket in PMC's layout (it has no {' and no '.join(_LAYOUT)}) nor "
                            "a folder of PMC's old packages (it holds no PMC<id>.tar.gz).")


def _look(bucket: HttpBucket, url: str) -> None:
    try:
        found = any(name in bucket.list(name.rstrip("/"), "/").prefixes for name in _LAYOUT)
    except UnitLost as lost:
        raise SourceUnreachable(f"{url} does not answer as a bucket does ({lost}); check [source] url.") from None
    if not found:
        raise SourceUnreachable(f"{url} is not a bucket in PMC's layout: it has neither {' nor '.join(_LAYOUT)}.")


class HttpBucket:
    """A bucket over HTTP(S), with an optional cache."""

    def __init__(self, client: HttpClient, cache: Cache | None = None) -> None:
        self._client, self._cache = client, cache
        self.stats = client.stats

    def get(self, key: str, md5: str | None = None) -> bytes:
        """See Bucket. Wrong bytes are asked for once more, past any cache on the way (fault 6)."""
        target = _target(key)
        if md5 is not None and (data := self.cached(key, md5)) is not None:
            return data
        data = self._client.get(target).body
        if md5 is not None and _md5(data) != md5:
            data = self._client.get(target, {"Cache-Control": "no-cache"}).body
            _check_md5(data, md5)
        if self._cache:
            self._cache.put(key, data)
        return data

    def cached(self, key: str, md5: str) -> bytes | None:
        """See Bucket."""
        data = self._cache.get(safe_key(key)) if self._cache else None
        if data is None or _md5(data) != md5:
            return None
        self.stats.add(hits=1)
        return data

    def stream(self, key: str) -> Iterator[bytes]:
        """See Bucket: one request with `Range` a piece, so that each is tried again by itself."""
        target, start = _target(key), 0
        while True:
            reply = self._client.get(target, {"Range": f"bytes={start}-{start + CHUNK - 1}"}, accept=(200, 206, 416))
            if reply.status == 416:
                return
            if reply.status == 200:
                yield reply.body[start:]
                return
            yield reply.body
            start += len(reply.body)
            total = re.fullmatch(r"bytes \d+-\d+/(\d+)", reply.headers.get("Content-Range", ""))
            if not reply.body or total is None or start >= int(total[1]):
                return

    def list(self, prefix: str, delimiter: Literal["", "/"] = "") -> Listing:
        """See Bucket."""
        return list_pages(lambda query: self._client.get(query).body, prefix, delimiter)

    def close(self) -> None:
        """See Bucket."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FolderBucket:
    """A local folder in bucket layout, such as `aws s3 sync` makes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.stats = Stats()

    def get(self, key: str, md5: str | None = None) -> bytes:
        """See Bucket."""
        data = b"".join(self.stream(key))
        if md5 is not None:
            _check_md5(data, md5)
        return data

    def cached(self, key: str, md5: str) -> bytes | None:
        """None: the folder is the source itself."""
        return None

    def stream(self, key: str) -> Iterator[bytes]:
        """See Bucket."""
        path = self._root / safe_key(key)
        self.stats.add(requests=1)
        try:
            with path.open("rb") as file:
                while piece := file.read(CHUNK):
                    self.stats.add(received=len(piece))
                    yield piece
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise UnitLost("http-404", f"no file {key}") from None
        except PermissionError:
            raise UnitLost("http-403", f"no permission to read {key}") from None
        except OSError as error:
            raise UnitLost("connection", f"{key}: {error.strerror or error}") from None

    def list(self, prefix: str, delimiter: Literal["", "/"] = "") -> Listing:
        """See Bucket. ETag = MD5 of the file, last_modified = its modification time (as `aws s3 sync` keeps it)."""
        folder = self._root / safe_key(prefix.rpartition("/")[0]) if "/" in prefix else self._root
        found = folder.glob("*") if delimiter else folder.rglob("*")
        names = [(path.relative_to(self._root).as_posix(), path) for path in found]
        below = [(name, path) for name, path in names if name.startswith(prefix) and "/." not in f"/{name}"]
        files = sorted(name for name, path in below if path.is_file())
        prefixes = sorted(f"{name}/" for name, path in below if path.is_dir()) if delimiter else []
        return Listing([self._entry(name) for name in files], prefixes)

    def _entry(self, key: str) -> Entry:
        stat = (self._root / key).stat()
        changed = datetime.fromtimestamp(stat.st_mtime_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        digest = hashlib.md5(usedforsecurity=False)
        for piece in self.stream(key):
            digest.update(piece)
        return Entry(key, stat.st_size, digest.hexdigest(), changed)

    def close(self) -> None:
        """See Bucket."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def safe_key(key: str) -> str:
    """The key itself if it is one that stays inside the bucket. Raises UnitLost name-unsafe.

    Refused are empty, hidden, `.` and `..` parts, absolute keys, backslashes, control characters, text that is no
    UTF-8, parts of more than 255 bytes (no file system takes them) and keys of more than 1,024 (S3's limit).
    """
    try:
        encoded = key.encode()
    except UnicodeEncodeError:
        encoded = b""
    if (any(not part or part[:1] == b"." or len(part) > 255 for part in encoded.split(b"/")) or len(encoded) > 1024
            or re.search(r"[\x00-\x1f\x7f-\x9f\\]", key)):
        raise UnitLost("name-unsafe", f"key {key!a}")
    return key


def _target(key: str) -> str:
    return "/" + quote(safe_key(key))


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _check_md5(data: bytes, md5: str) -> None:
    if (got := _md5(data)) != md5:
        raise UnitLost("md5-mismatch", f"{len(data)} bytes with MD5 {got}, not {md5}")
