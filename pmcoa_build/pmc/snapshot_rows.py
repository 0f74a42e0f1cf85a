"""Rows of a snapshot while they are read: 32 bytes each, sorted, and only then written out as the table's text.

Nine million rows as text take 0.8 GB; sorted as text they would take twice that and more.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pmcoa_build.schema import SNAPSHOT

Array = npt.NDArray[Any]

_KEY = r"^metadata/PMC(?P<pmcid>[1-9][0-9]{0,8})\.(?P<version>[1-9][0-9]{0,3})\.json$"
_ROW = np.dtype([("key", np.int64), ("time", np.int64), ("etag", np.uint8, (16,))])
"""key = pmcid << 16 | version; time in milliseconds since 1970; the ETag's 16 bytes."""
_NIBBLES = np.full(256, 255, np.uint8)
_NIBBLES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), np.uint16)
_EVERY_MS = np.array([b"%03d" % number for number in range(1000)])
_ISO = np.dtype([("day", "S10"), ("t", "S1"), ("second", "S8"), ("dot", "S1"), ("ms", "S3"), ("z", "S1")])
_CHUNK = 1 << 20


class Rows:
    """Article versions, gathered piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[Array] = []
        self._filled = 0

    def add(self, keys: pa.Array, times: pa.Array, etags: pa.Array) -> None:
        """Take up the rows whose key is `metadata/PMC<id>.<version>.json`; others (README, folders) are left out.

        `times` are timestamps in ms. Raises ArrowInvalid for a null among them.
        """
        if times.null_count:
            raise pa.ArrowInvalid("a row has no date")
        ids = pc.extract_regex(keys, _KEY)
        if ids.null_count:
            chosen = ids.is_valid()
            ids, times, etags = ids.filter(chosen), times.filter(chosen), etags.filter(chosen)
        pmcid, version = (ids.field(name).cast(pa.int64()).to_numpy() for name in ("pmcid", "version"))
        for at in range(0, len(ids), _CHUNK):
            rows = self._room(min(_CHUNK, len(ids) - at))
            here = slice(at, at + len(rows))
            rows["key"] = (pmcid[here] << 16) | version[here]
            rows["time"] = times[here].cast(pa.int64()).to_numpy()
            rows["etag"] = _etag_bytes(etags[here])

    def _room(self, count: int) -> Array:
        """So many rows to fill. Large pieces, because small ones would leave holes in memory when they are let go."""
        if not self._pieces or self._filled + count > _CHUNK:
            if self._pieces:
                self._pieces[-1] = self._pieces[-1][:self._filled]
            self._pieces.append(np.empty(_CHUNK, _ROW))
            self._filled = 0
        self._filled += count
        return self._pieces[-1][self._filled - count:self._filled]

    def taken(self) -> list[Array]:
        """What was gathered, piece by piece; the rows are empty afterwards."""
        if self._pieces:
            self._pieces[-1] = self._pieces[-1][:self._filled]
        pieces, self._pieces = self._pieces, []
        return pieces


def table_of(parts: list[Rows]) -> pa.Table:
    """All rows as a table of schema.SNAPSHOT, sorted by (pmcid, version), in chunks of a million; empties the parts.

    Of several rows for one key the one with the latest time stays.
    """
    rows = np.concatenate([np.empty(0, _ROW), *(piece for part in parts for piece in part.taken())])
    pa.default_memory_pool().release_unused()
    order = np.argsort(rows["key"])
    if (np.diff(rows["key"][order]) == 0).any():
        order = np.lexsort((rows["time"], rows["key"]))
        order = order[np.append(np.diff(rows["key"][order]) != 0, True)]
    rows = rows[order]
    del order
    batches = []
    for at in reversed(range(0, len(rows), _CHUNK)):
        batches.append(_batch(rows[at:]))
        rows.resize(at, refcheck=False)  # what is written as text is let go: both never lie in memory as a whole
    return pa.Table.from_batches(reversed(batches), SNAPSHOT)


def _batch(rows: Array) -> pa.RecordBatch:
    pmcid, version = pa.array((rows["key"] >> 16).astype(np.int32)), pa.array((rows["key"] & 0xFFFF).astype(np.int16))
    text = (pmcid.cast(pa.string()), version.cast(pa.string()))
    article = pc.binary_join_element_wise("PMC", text[0], ".", text[1], "")  # the last argument stands between
    etag = _fixed_width(_HEX[rows["etag"]], 32)
    return pa.record_batch([article, pmcid, version, etag, _fixed_width(_iso(rows["time"]), 24)], schema=SNAPSHOT)


def _etag_bytes(etags: pa.Array) -> Array:
    """n x 16 bytes. For an ETag that is no MD5 (upload in parts) the MD5 of its text: it changes when the ETag does."""
    if pc.all(pc.equal(pc.binary_length(etags), 32), min_count=0).as_py():
        text = np.frombuffer(etags.buffers()[2] or b"", np.uint8)
        offsets = np.frombuffer(etags.buffers()[1] or b"", np.int32)[etags.offset:etags.offset + len(etags) + 1]
        digits = _NIBBLES[text[offsets[0]:offsets[-1]].reshape(-1, 32)] if len(etags) else np.empty((0, 32), np.uint8)
        if digits.max(initial=0) < 16:
            return (digits[:, ::2] << 4) | digits[:, 1::2]
    return np.array([list(_digest(etag)) for etag in etags.to_pylist()], np.uint8).reshape(-1, 16)


def _digest(etag: str) -> bytes:
    if len(etag) == 32 and not set(etag) - set("0123456789abcdef"):
        return bytes.fromhex(etag)
    return hashlib.md5(etag.encode(), usedforsecurity=False).digest()


def _iso(times: Array) -> Array:
    """`2026-01-08T11:47:59.000Z` of milliseconds since 1970, 24 bytes each."""
    days, rest = np.divmod(times, 86_400_000)
    seconds, ms = np.divmod(rest.astype(np.int32), np.int32(1000))
    first = int(days.min(initial=0))
    every_day = np.arange(first, int(days.max(initial=0)) + 1).astype("M8[D]").astype("S10")
    text = np.full(len(times), np.array((b"", b"T", b"", b".", b"", b"Z"), _ISO))
    text["day"], text["second"], text["ms"] = every_day[days - first], _every_second()[seconds], _EVERY_MS[ms]
    return text


@cache
def _every_second() -> Array:
    """`00:00:00` to `23:59:59`."""
    return np.arange(86_400).astype("M8[s]").astype("S19").view("S1").reshape(-1, 19)[:, 11:].copy().view("S8")[:, 0]


def _fixed_width(text: Array, width: int) -> pa.Array:
    """A string array over text that has `width` bytes a row."""
    count = text.nbytes // width
    offsets = (np.arange(count + 1) * width).astype(np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text.view(np.uint8).reshape(-1)))
