"""The commit log of a stage: `<state>/<stage>.jsonl`, one line a commit, appended and fsynced by the driver alone.

The last line of a block counts. Each line carries its own checksum. A torn last line is dropped with a warning (its
commit did not happen); a damaged line further up is named, and what it said is done again. No record = no data.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from pmcoa_build.atomic import append_synced, write_atomic
from pmcoa_build.engine.files import unwatched
from pmcoa_build.engine.stage import Row
from pmcoa_build.errors import UsageError

FORMAT = 1
_END = b', "check": "%s"}'
_END_SIZE = len(_END % bytes(16))
_HEAD = re.compile(rb'\{(?:"awaiting": \[[^]]*\], )?"block": "([\w-]+)", "columns": ')
"""How the line of a stage's record begins, as `encode` sorts it."""
_OURS, _GONE = b', "format": %d, ' % FORMAT, b'"gone": '
_kept: dict[Path, tuple[tuple[int, int], Log]] = {}
"""Logs by path, as long as their files stay as they are: each stage of a run looks at the logs of all before it."""
log = logging.getLogger(__name__)


class Decoded(Mapping[str, Row]):
    """The record of each block, decoded whenever it is asked for: lines take a quarter of the memory of records."""

    def __init__(self, lines: Mapping[str, bytes]) -> None:
        self._lines = lines

    def __getitem__(self, block: str) -> Row:
        record: Row = _loads(self._lines[block])
        del record["format"], record["check"]
        return record

    def __contains__(self, block: object) -> bool:
        return block in self._lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


@dataclass(frozen=True)
class Log:
    """The last record of each block, and the numbers (from 1) of lines that cannot be trusted."""

    records: Mapping[str, Row]
    damaged: tuple[int, ...] = field(default=())


def encode(record: Row) -> bytes:
    """One line: the record as JSON, its checksum last, closed by a newline."""
    body = json.dumps({**record, "format": FORMAT}, sort_keys=True).encode()
    return body[:-1] + _END % _check(body) + b"\n"


def decode(line: bytes) -> Row | None:
    """The record of a line, or None when the line is damaged. Raises UsageError for a newer format."""
    whole = _is_whole(line)
    try:
        record = _loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict):
        return None
    version = record.pop("format", None)
    if isinstance(version, int) and version > FORMAT:
        raise UsageError(f"This build was made by a newer pmcoa-build (record format {version}); please upgrade.")
    if not whole or "block" not in record:
        return None
    del record["check"]
    return record


def _is_whole(line: bytes) -> bool:
    return line[-_END_SIZE:] == _END % _check(line[:-_END_SIZE] + b"}")


def _loads(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return json.loads(line)  # NaN and half surrogates, which `json.dumps` writes


def read(path: Path) -> Log:
    """Read a commit log; a missing file is an empty log."""
    if not path.exists():
        return Log({})
    now = path.stat()
    stamp = now.st_size, now.st_mtime_ns
    if path not in _kept or _kept[path][0] != stamp:
        _kept.pop(path, None)
        _kept[path] = stamp, _read(path)
    return _kept[path][1]


@unwatched()
def _read(path: Path) -> Log:
    lines: dict[str, bytes] = {}
    damaged = []
    data = path.read_bytes().split(b"\n")
    torn = data.pop()
    for number, line in enumerate(data, 1):
        block = _block(line)
        if block:
            lines[block] = line
            continue
        record = decode(line)
        if record is None:
            damaged.append(number)
        elif record.get("gone"):
            lines.pop(record["block"], None)
        else:
            lines[record["block"]] = line
    if torn:
        log.warning("%s: the last line is torn (a commit was cut off); it is dropped.", path)
    return Log(Decoded(lines), tuple(damaged))


def _block(line: bytes) -> str:
    """The block of a line that needs no decoding to see that it counts, or "": nearly all lines are of this kind."""
    head = _HEAD.match(line) if _is_whole(line) and _OURS in line and _GONE not in line else None
    return head[1].decode() if head else ""


def append(path: Path, record: Row) -> None:
    """Commit: append one line and fsync. A torn end left by a crash is cut off first."""
    _cut_torn_end(path)
    append_synced(path, encode(record))


def drop(path: Path, block: str) -> None:
    """Take back the record of a block that is no more."""
    append(path, {"block": block, "gone": True})


def compact(path: Path) -> int:
    """Rewrite the log with the last record of each block only. Returns the number of lines dropped."""
    if not path.exists():
        return 0
    records = read(path).records
    before = path.read_bytes().count(b"\n")
    write_atomic(path, b"".join(encode(record) for record in records.values()))
    return before - len(records)


def _check(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest()[:16].encode()


def _cut_torn_end(path: Path) -> None:
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb+") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) == b"\n":
            return
        whole = path.read_bytes()
        file.truncate(whole.rfind(b"\n") + 1)
