"""One of PMC's old packages, `PMC1234567.tar.gz`: a folder with an article's XML (`.nxml`), PDF, images, supplements.

A package is data from the network: nothing of it is ever written to the disk, and what it may ask of memory and
time is bounded. It is read once from front to end (gzip has no index), so who wants several files asks for them
together.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pmcoa_build.errors import UnitLost
from pmcoa_build.pmc.http import MAX_BODY
from pmcoa_build.pmc.media import is_safe_name

INFLATION, INFLATION_FREE, INFLATION_MOST = 100, 64 << 20, 16 << 30
"""A package may inflate to so many times its size plus a free allowance, and in no case to more bytes than the last.
Images do not inflate, text does 3 to 20 times; gzip alone could do 1,032 times."""
MEMBERS = 20_000
"""Most members of a package."""
_AT_ONCE = 1 << 20
"""Bytes read at a time, and the largest header of a member."""
_NOWHERE = "/package"
"""Where `tarfile.data_filter` is to think that members go; no file is made there."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of a package: its name without folders, its size in bytes, its MD5; `data` None if it was not kept."""

    name: str
    size: int
    md5: str
    data: bytes | None


def read_package(path: Path, keep: Callable[[str], bool], most: int = MAX_BODY) -> dict[str, File]:
    """The files of a package by name, in its order, with the bytes of those that `keep` names, as far as `most` goes.

    `most` is in bytes of all that is kept: a file that would exceed it is not kept.
    Names that are not safe are left out, and so is the second of two that are equal ignoring case. Raises UnitLost:
    name-unsafe (members with `..`, absolute names, links, devices), package-damaged, package-too-large, http-404,
    http-403, connection.
    """
    try:
        with path.open("rb") as file:
            return _read(file, keep, most)
    except (FileNotFoundError, IsADirectoryError):
        raise UnitLost("http-404", f"no file {path.name}") from None
    except PermissionError:
        raise UnitLost("http-403", f"no permission to read {path.name}") from None
    except tarfile.FilterError as error:
        raise UnitLost("name-unsafe", f"{path.name}: {str(error)!a}") from None
    except _DAMAGE as error:
        raise UnitLost("package-damaged", f"{path.name}: {str(error)!a}") from None
    except OSError as error:
        raise UnitLost("connection", f"{path.name}: {error.strerror or error}") from None


_DAMAGE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError, ArithmeticError, LookupError,
           RecursionError)
"""What gzip and tarfile raise for bytes that make no sense."""


def _read(file: IO[bytes], keep: Callable[[str], bool], most: int) -> dict[str, File]:
    stored = os.fstat(file.fileno()).st_size
    stream = _Inflated(file, min(INFLATION * stored + INFLATION_FREE, INFLATION_MOST))
    found: dict[str, File] = {}
    with tarfile.TarFile(fileobj=stream, mode="r", encoding="utf-8") as tar:  # type: ignore[arg-type]
        for number, member in enumerate(tar, 1):
            if number > MEMBERS:
                raise UnitLost("package-too-large", f"it has more than {MEMBERS} members")
            name = _name(member)
            if name and name.casefold() not in found:
                stream.seek(member.offset_data)
                kept = keep(name) and member.size <= most
                found[name.casefold()] = _file(stream, name, member.size, kept)
                most -= member.size if kept else 0
    rest = stream.last  # tarfile takes a header that makes no sense for the end, which is zeros
    while rest:  # to the end of the file, where gzip's checksum stands
        if rest.strip(b"\0"):
            raise tarfile.ReadError("a member's header cannot be read")
        rest = stream.read(_AT_ONCE)
    return {one.name: one for one in found.values()}


def _name(member: tarfile.TarInfo) -> str | None:
    """The name without folders; None for folders and names that are not safe. Raises FilterError, UnitLost."""
    checked = tarfile.data_filter(member, _NOWHERE)
    if not (member.isreg() or member.isdir()) or member.name.startswith("/"):
        raise UnitLost("name-unsafe", f"member {member.name!a} is a link, or its name is absolute")
    if member.issparse() or member.size < 0:
        raise tarfile.ReadError(f"member {member.name!a} does not hold its bytes")
    name = checked.name.rpartition("/")[2]
    return name if member.isreg() and is_safe_name(name) else None


def _file(stream: _Inflated, name: str, size: int, kept: bool) -> File:
    digest, pieces, left = hashlib.md5(usedforsecurity=False), [], size
    while left:
        piece = stream.read(min(left, _AT_ONCE))
        if not piece:
            raise tarfile.ReadError("it ends within a member")
        digest.update(piece)
        left -= len(piece)
        if kept:
            pieces.append(piece)
    return File(name, size, digest.hexdigest(), b"".join(pieces) if kept else None)


class _Inflated:
    """What tarfile needs of a file, over a gzipped one: read forwards only, bounded in all and at a time.

    `last` is what was read last.
    """

    def __init__(self, file: IO[bytes], ceiling: int) -> None:
        self._gzip, self._at, self._ceiling = gzip.GzipFile(fileobj=file, mode="rb"), 0, ceiling
        self.last = b""

    def tell(self) -> int:
        return self._at

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _AT_ONCE:
            raise UnitLost("package-too-large", f"a header of {size} bytes")
        data = self._gzip.read(size)
        self._at += len(data)
        if self._at > self._ceiling:
            raise UnitLost("package-too-large", f"it inflates to more than {self._ceiling} bytes")
        self.last = data
        return data

    def seek(self, position: int, *_: Any) -> None:
        if position < self._at:
            raise tarfile.ReadError("a member begins before the one before it ends")
        while self._at < position and self.read(min(position - self._at, _AT_ONCE)):
            pass
