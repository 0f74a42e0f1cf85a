"""Snapshots: which article versions the bucket held on a day, from its inventory reports, and what changed between two.

S3 Inventory (https://docs.aws.amazon.com/AmazonS3/latest/userguide/storage-inventory-location.html): a manifest.json
in a dated folder names gzipped CSV parts with size and MD5; no header, every field quoted. PMC's covers
`metadata/*.json`: one row an article version, whose ETag changes when any file of the article does.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import itertools
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pmcoa_build.errors import RunFailed, UnitLost, UsageError
from pmcoa_build.pmc.bucket import Bucket
from pmcoa_build.pmc.snapshot_rows import Array, Rows, merged
from pmcoa_build.schema import SNAPSHOT

ROOT = "inventory-reports/pmc-oa-opendata/metadata/"

_FOLDER = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}-\d{2}Z")
_LISTING = "listing-"
_INFLATION, _INFLATION_FREE = 100, 1 << 20
"""A part may inflate to so many times its size, plus a free allowance in bytes. Real ones inflate 4 to 5 times."""
_BLOCK = 1 << 20
_AT_ONCE = 2
"""Parts read at the same time; inflating and parsing use a core each."""
_SPAN = 1 << 17
"""Rows that `diff` looks at together."""
_COLUMNS = ("Key", "LastModifiedDate", "ETag")


@dataclass(frozen=True)
class Part:
    """One gzipped CSV file of an inventory; `size` in bytes and `md5` are those of the file as it is stored."""

    key: str
    size: int
    md5: str


@dataclass(frozen=True)
class Diff:
    """Rows (schema.SNAPSHOT) that are only in the newer snapshot, differ in ETag (the newer row), or are gone."""

    new: pa.Table
    changed: pa.Table
    removed: pa.Table


def snapshot_dates(bucket: Bucket) -> list[str]:
    """Names of the dated inventory folders, `2026-09-01T01-00Z`, oldest first; none in a partial copy of the bucket."""
    try:
        prefixes = bucket.list(ROOT, "/").prefixes
    except UnitLost as lost:
        raise RunFailed(f"The inventory reports cannot be listed ({lost}); run again later.") from None
    names = (prefix.removeprefix(ROOT).rstrip("/") for prefix in prefixes)
    return sorted(name for name in names if _FOLDER.fullmatch(name))


def resolve(bucket: Bucket, wanted: str) -> str:
    """The name of the snapshot that `wanted` means: "latest", a date such as 2026-09-01, or a name as given back.

    A bucket without inventory reports has one snapshot, the listing of its metadata, `listing-<hash>`.
    Raises UsageError if there is none of that date.
    """
    names = snapshot_dates(bucket) or [_listing_name(_listing(bucket))]
    if wanted == "latest":
        return names[-1]
    found = [name for name in names if name == wanted or name.startswith(f"{wanted}T")]
    if not found:
        held = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        raise UsageError(f"[source] snapshot {wanted!r} is not in the source, which holds {held}; PMC keeps 30 days.")
    return found[-1]


def read_inventory(bucket: Bucket, folder: str) -> pa.RecordBatchReader:
    """The snapshot of that name as batches of schema.SNAPSHOT, sorted by (pmcid, version), each pair once.

    `last_modified` is ISO 8601 in UTC with milliseconds; of two rows for one key the later one stays. Raises
    RunFailed, with nothing used, when any part is missing, damaged, of the wrong MD5 or beyond reason in size: all
    is read and checked before the first batch is made.
    """
    with _usable(folder):
        runs = _from_listing(bucket, folder) if folder.startswith(_LISTING) else _from_parts(bucket, folder)
    if not any(len(run) for run in runs):
        raise RunFailed(f"The snapshot {folder} lists no article; nothing was changed.")
    return pa.RecordBatchReader.from_batches(SNAPSHOT, merged(runs))


def fingerprint(bucket: Bucket, folder: str) -> str:
    """12 hex digits that tell apart what one name may stand for in two sources: over the manifest with its checksums.

    Raises RunFailed when there is none.
    """
    if folder.startswith(_LISTING):
        return folder.removeprefix(_LISTING)
    with _usable(folder):
        return hashlib.sha256(bucket.get(_manifest_key(folder))).hexdigest()[:12]


def diff(old: pa.Table, new: pa.Table) -> Diff:
    """What changed from one snapshot to another, both as `read_inventory` gives them; compared by ETag.

    Worked on in spans of keys that fit into the processor's cache.
    """
    keys = _sort_keys(old), _sort_keys(new)
    cuts = keys[1][_SPAN::_SPAN]
    edges = [[0, *np.searchsorted(side, cuts).tolist(), len(side)] for side in keys]
    found: list[list[Array]] = [[], [], []]
    for (start, end), (new_start, new_end) in zip(*map(itertools.pairwise, edges), strict=True):
        added, changed, gone = _compared(
            keys[0][start:end], keys[1][new_start:new_end],
            old["etag"].slice(start, end - start), new["etag"].slice(new_start, new_end - new_start))
        for rows, here in zip(found, (added + new_start, changed + new_start, gone + start), strict=True):
            rows.append(here)
    added, changed, gone = (pa.array(np.concatenate(rows)) for rows in found)
    return Diff(new.take(added), new.take(changed), old.take(gone))


def _compared(old_keys: Array, new_keys: Array, before: pa.ChunkedArray, after: pa.ChunkedArray) -> list[Array]:
    """Positions of new rows, of changed ones (both in the newer snapshot) and of removed ones (in the older)."""
    at = np.searchsorted(new_keys, old_keys)
    both = np.append(new_keys, -1)[at] == old_keys
    is_new = np.ones(len(new_keys), bool)
    is_new[at[both]] = False
    same = pc.equal(before.filter(pa.array(both)), after.filter(pa.array(~is_new)))
    differs = ~same.to_numpy()
    return [np.flatnonzero(is_new), at[both][differs], np.flatnonzero(~both)]


def _sort_keys(table: pa.Table) -> npt.NDArray[np.int64]:
    pmcid = table["pmcid"].to_numpy().astype(np.int64)
    keys: npt.NDArray[np.int64] = (pmcid << 16) | table["version"].to_numpy()
    return keys


class _Damaged(Exception):
    """The inventory is not what it says it is."""


@contextlib.contextmanager
def _usable(folder: str) -> Iterator[None]:
    try:
        yield
    except (UnitLost, _Damaged, pa.ArrowInvalid) as error:
        raise RunFailed(f"The snapshot {folder} cannot be used: {error}; nothing was changed.") from None


def _manifest_key(folder: str) -> str:
    if not _FOLDER.fullmatch(folder):
        raise UsageError(f"{folder!r} is not a snapshot such as 2026-09-01T01-00Z.")
    return f"{ROOT}{folder}/manifest.json"


def _from_parts(bucket: Bucket, folder: str) -> list[Array]:
    columns, parts = _manifest(bucket.get(_manifest_key(folder)))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [run for runs in pool.map(lambda part: _part_runs(bucket, part, columns), parts) for run in runs]


def _part_runs(bucket: Bucket, part: Part, columns: list[str]) -> list[Array]:
    rows = Rows()
    for batch in _batches(bucket, part, columns):
        rows.add(*(batch.column(name) for name in _COLUMNS))
    return rows.runs()


def _manifest(text: bytes) -> tuple[list[str], list[Part]]:
    """Column names (`fileSchema`) and parts of a manifest."""
    try:
        manifest = json.loads(text)
        columns = [name.strip() for name in manifest["fileSchema"].split(",")]
        parts = [Part(str(file["key"]), int(file["size"]), str(file["MD5checksum"])) for file in manifest["files"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _Damaged(f"its manifest.json cannot be read ({type(error).__name__}: {error})") from None
    if manifest.get("fileFormat") != "CSV":
        raise _Damaged(f"its format is {manifest.get('fileFormat')!r}, not CSV")
    if missing := set(_COLUMNS) - set(columns):
        raise _Damaged(f"its rows have no {', '.join(sorted(missing))}")
    return columns, parts


def _batches(bucket: Bucket, part: Part, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows of a part, checked against its size and MD5 when the last one has been given."""
    from pyarrow import csv

    stored = _Stored(bucket.stream(part.key))
    inflated = _Inflated(pa.CompressedInputStream(pa.PythonFile(stored, "r"), "gzip"), part)
    types = {"Key": pa.string(), "ETag": pa.string(), "LastModifiedDate": pa.timestamp("ms", "UTC")}
    try:
        yield from csv.open_csv(
            inflated,
            csv.ReadOptions(column_names=columns, block_size=_BLOCK),
            csv.ParseOptions(ignore_empty_lines=False),
            csv.ConvertOptions(column_types=types, include_columns=list(_COLUMNS)),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise _Damaged(f"its part {part.key} cannot be read ({str(error).splitlines()[0][:200]})") from None
    if (stored.size, stored.md5.hexdigest()) != (part.size, part.md5):
        raise _Damaged(f"its part {part.key} has {stored.size} bytes with MD5 {stored.md5.hexdigest()}, "
                       f"the manifest says {part.size} with {part.md5}")


class _Stored(io.RawIOBase):
    """A part as a file to read, its bytes counted and hashed on the way."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, memoryview(b"")
        self.size, self.md5 = 0, hashlib.md5(usedforsecurity=False)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self.md5.update(piece)
            self.size += len(piece)
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class _Inflated(io.RawIOBase):
    """The inflated bytes, of which there may not be too many (fault 15)."""

    def __init__(self, stream: Any, part: Part) -> None:
        self._stream, self._key = stream, part.key
        self._left = _INFLATION * part.size + _INFLATION_FREE

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(size if size >= 0 else _BLOCK)
        self._left -= len(data)
        if self._left < 0:
            raise _Damaged(f"its part {self._key} inflates to more than {_INFLATION} times its size")
        return data


def _listing(bucket: Bucket) -> Any:
    try:
        return bucket.list("metadata/").keys
    except UnitLost as lost:
        raise RunFailed(f"The metadata of the source cannot be listed ({lost}); run again later.") from None


def _listing_name(entries: Any) -> str:
    digest = hashlib.sha256("".join(f"{entry.key} {entry.etag}\n" for entry in entries).encode())
    return _LISTING + digest.hexdigest()[:12]


def _from_listing(bucket: Bucket, folder: str) -> list[Array]:
    entries = _listing(bucket)
    if (now := _listing_name(entries)) != folder:
        raise _Damaged(f"the metadata of the source have changed and are now {now} (--update takes them)")
    rows = Rows()
    times = pa.array([entry.last_modified for entry in entries], pa.string())
    rows.add(pa.array([entry.key for entry in entries], pa.string()), times.cast(pa.timestamp("ms", "UTC")),
             pa.array([entry.etag for entry in entries], pa.string()))
    return rows.runs()


