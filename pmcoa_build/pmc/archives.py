"""A folder of PMC's old packages (`oa_package/ab/cd/PMC1234567.tar.gz`), read as if it were the bucket.

PMC's FTP service gave one package an article until August 2026, in two levels of folders and listed in
`oa_file_list.csv`. Each plays `PMC<id>.1/` here (packages have no version), and its JSON is made from the list, if
there is one, and from the XML.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Self

from pmcoa_build.errors import SourceUnreachable, UnitLost
from pmcoa_build.ids import article_id
from pmcoa_build.pmc.bucket import CHUNK, safe_key
from pmcoa_build.pmc.filelist import NAME, Listed, read_lists
from pmcoa_build.pmc.http import MAX_BODY, Stats
from pmcoa_build.pmc.listing import Entry, Listing
from pmcoa_build.pmc.media import is_raster
from pmcoa_build.pmc.package import File, read_package
from pmcoa_build.pmc.package_metadata import PackedArticle, arranged, metadata_json

KEPT_PACKAGE, KEPT = 128 << 20, 256 << 20
"""Bytes kept of a package when it is opened, and of all the packages opened last."""

_PACKAGE = re.compile(r"PMC([1-9][0-9]{0,8})\.(?:tar\.gz|tgz)", re.IGNORECASE)
_KEY = re.compile(r"metadata/PMC([1-9][0-9]{0,8})\.1\.json|PMC([1-9][0-9]{0,8})\.1/([^/]+)")

_Index = tuple[dict[int, str], list[Path]]
"""The path of each PMCID's package (a string takes a fifth of a Path's room), and the file lists."""

_log = logging.getLogger(__name__)


def holds_packages(folder: Path) -> bool:
    """Whether a package lies in the folder, at any depth."""
    return any(_PACKAGE.fullmatch(name) for _, _, files in os.walk(folder) for name in files)


class ArchiveBucket:
    """The packages below a folder, at any depth, as a bucket. Nothing is opened before it is asked for.

    The ETag of an article's JSON changes with size or time of the package, or with what the lists say of it; it is
    not the JSON's MD5, which would mean to open every package.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.stats = Stats()
        self._lock = threading.Lock()
        self._found: _Index | None = None
        self._said: dict[int, Listed] | None = None
        self._opened = _Recent()

    def get(self, key: str, md5: str | None = None) -> bytes:
        """See Bucket."""
        match = _KEY.fullmatch(safe_key(key))
        pmcid = int(match[1] or match[2]) if match else 0
        if match is None or pmcid not in self._packages():
            raise UnitLost("http-404", f"no package has {key}")
        json_name = f"{article_id(pmcid, 1)}.json"
        name = match[3] or json_name
        files = self._article(pmcid).files
        if name != json_name and name not in files:
            raise UnitLost("http-404", f"no file {name} in the package of PMC{pmcid}")
        data = self._json(pmcid) if name == json_name else self._bytes(pmcid, files[name])
        found = files[name].md5 if name in files else hashlib.md5(data, usedforsecurity=False).hexdigest()
        if md5 not in (None, found):
            raise UnitLost("md5-mismatch", f"{len(data)} bytes with MD5 {found}, not {md5}")
        return data

    def cached(self, key: str, md5: str) -> bytes | None:
        """None: the folder is the source itself."""
        return None

    def stream(self, key: str) -> Iterator[bytes]:
        """See Bucket."""
        data = self.get(key)
        return (data[at:at + CHUNK] for at in range(0, len(data), CHUNK))

    def list(self, prefix: str, delimiter: Literal["", "/"] = "") -> Listing:
        """The JSONs, with the package's size and time and the ETag described above; with "/" also the folders.

        Files of a package are not listed: its JSON names them.
        """
        keys = {f"metadata/{article_id(pmcid, 1)}.json": pmcid for pmcid in self._packages()}
        folders = ["metadata/", *(f"{article_id(pmcid, 1)}/" for pmcid in self._packages())] if delimiter else []
        inside = not delimiter or prefix.startswith("metadata/")
        entries = (self._entry(key, keys[key]) for key in sorted(keys) if inside and key.startswith(prefix))
        return Listing([entry for entry in entries if entry],
                       sorted(folder for folder in folders if folder.startswith(prefix) and folder != prefix))

    def close(self) -> None:
        """See Bucket."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _index(self) -> _Index:
        with self._lock:
            self._found = self._found or _find(self._root)
            return self._found

    def _packages(self) -> dict[int, str]:
        return self._index()[0]

    def _lists(self) -> dict[int, Listed]:
        packages, lists = self._index()
        with self._lock:
            if self._said is None:
                self._said = read_lists(lists, packages)
            return self._said

    def _entry(self, key: str, pmcid: int) -> Entry | None:
        """None for a package that is gone meanwhile."""
        try:
            stat = os.stat(self._packages()[pmcid])  # noqa: PTH116
        except OSError:
            return None
        seconds = stat.st_mtime_ns // 10**9
        facts = json.dumps([stat.st_size, seconds, *self._lists().get(pmcid, Listed())])
        etag = hashlib.md5(facts.encode(), usedforsecurity=False).hexdigest()
        changed = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        return Entry(key, stat.st_size, etag, changed)

    def _article(self, pmcid: int) -> PackedArticle:
        return self._opened.get(pmcid, lambda: arranged(pmcid, self._read(pmcid, _is_wanted, KEPT_PACKAGE)))

    def _json(self, pmcid: int) -> bytes:
        article = self._article(pmcid)
        xml = self._bytes(pmcid, article.files[f"{article_id(pmcid, 1)}.xml"])
        return metadata_json(pmcid, article, xml, self._lists().get(pmcid, Listed()))

    def _bytes(self, pmcid: int, file: File) -> bytes:
        """The file's bytes; the package is read once more for one that no stage asks for, or that did not fit."""
        if file.data is not None:
            return file.data
        again = self._read(pmcid, lambda name: name == file.name, MAX_BODY).get(file.name)
        if again is None or again.md5 != file.md5:
            raise UnitLost("md5-mismatch", f"the package of PMC{pmcid} has just changed")
        if again.data is None:
            raise UnitLost("package-too-large", f"{file.name} has {file.size} bytes")
        return again.data

    def _read(self, pmcid: int, keep: Callable[[str], bool], most: int) -> dict[str, File]:
        path = Path(self._packages()[pmcid])
        try:
            files = read_package(path, keep, most)
        except UnitLost as lost:
            if lost.reason.code == "http-404" and not self._root.is_dir():
                raise SourceUnreachable(f"The source folder {str(self._root)!r} is no longer there.") from None
            raise
        self.stats.add(requests=1, received=sum(file.size for file in files.values()))
        return files


def _find(root: Path) -> _Index:
    """What lies below the folder; a file list may also lie beside a folder `oa_package`."""
    found: dict[int, str] = {}
    lists = [path for path in root.parent.iterdir() if NAME.fullmatch(path.name)] if root.name == "oa_package" else []
    several: set[int] = set()
    for folder, _, names in os.walk(root, onerror=_unreadable):
        for name in names:
            path = f"{folder}/{name}"
            if match := _PACKAGE.fullmatch(name):
                pmcid = int(match[1])
                if pmcid in found:
                    several.add(pmcid)
                    path = max(found[pmcid], path, key=_age)
                found[pmcid] = path
            elif NAME.fullmatch(name):
                lists.append(Path(path))
    if several:
        _log.warning("%d article(s) have more than one package, such as PMC%d; the one changed last is taken.",
                     len(several), min(several))
    return found, sorted(lists)


def _age(path: str) -> tuple[float, str]:
    """Orders packages of one article by their time, and by path where that is the same."""
    try:
        return (Path(path).stat().st_mtime, path)
    except OSError:
        return (0.0, path)


def _unreadable(error: OSError) -> None:
    raise SourceUnreachable(f"The folder {error.filename} cannot be read ({error.strerror}); nothing was changed.")


def _is_wanted(name: str) -> bool:
    """Whether a stage may ask for the file."""
    return is_raster(name) or name.lower().endswith(".nxml")


class _Recent:
    """The packages opened last, of at most KEPT bytes, each opened once however many threads ask for it at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[int, Future[PackedArticle]] = OrderedDict()
        self._weight = 0

    def get(self, pmcid: int, load: Callable[[], PackedArticle]) -> PackedArticle:
        """The article of that PMCID; what `load` raises is raised and not kept."""
        with self._lock:
            future = self._held.get(pmcid)
            mine = future is None
            if future is None:
                future = self._held[pmcid] = Future()
            self._held.move_to_end(pmcid)
        if mine:
            try:
                future.set_result(load())
            except BaseException as error:
                with self._lock:
                    del self._held[pmcid]
                future.set_exception(error)
                raise
            self._took(pmcid, future.result().weight)
        return future.result()

    def _took(self, latest: int, weight: int) -> None:
        """Count it, and let the oldest go while there is too much."""
        with self._lock:
            self._weight += weight
            while self._weight > KEPT:
                done = (pmcid for pmcid, future in self._held.items() if future.done() and pmcid != latest)
                oldest = next(done, None)
                if oldest is None:
                    return
                self._weight -= self._held.pop(oldest).result().weight
