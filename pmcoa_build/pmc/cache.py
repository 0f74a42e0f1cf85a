"""A folder in bucket layout that keeps fetched objects; what `aws s3 sync` or rclone put there counts as well.

Nothing in it is trusted: who reads it checks the MD5.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
from pathlib import Path

from pmcoa_build.errors import DiskFull, UsageError


class Cache:
    """Objects by key below `root`; keys must be safe already (`bucket.safe_key`)."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._made: set[str] = set()
        self._unfinished = os.urandom(8).hex()  # no other process has this name, and no thread this number
        self._numbers = itertools.count()

    def get(self, key: str) -> bytes | None:
        """The bytes kept under that key, if any."""
        try:
            with open(f"{self._root}/{key}", "rb") as file:  # noqa: PTH123 (a third of the time of pathlib)
                return file.read()
        except OSError:
            return None

    def put(self, key: str, data: bytes) -> None:
        """Keep the bytes, whole or not at all; never outside of the folder, whatever links lie in it.

        Not flushed to the disk: after a power cut the MD5 tells. Raises DiskFull, or UsageError where the folder
        cannot be written.
        """
        folder, _, name = key.rpartition("/")
        try:
            self._make(folder)
            try:
                self._write(f"{self._root}/{folder}", name, data)
            except FileNotFoundError:  # emptied meanwhile
                self._made.discard(folder)
                self._make(folder)
                self._write(f"{self._root}/{folder}", name, data)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                free = shutil.disk_usage(self._root).free
                raise DiskFull(f"No room for {key}: {free:,} bytes are free in {self._root} and {len(data):,} are "
                               "needed; free some space and run again, nothing was lost.") from None
            raise UsageError(f"The folder {self._root} cannot be written ({error.strerror or error}).") from None

    def _make(self, folder: str) -> None:
        path = self._root / folder
        if folder in self._made:
            return
        if not path.resolve().is_relative_to(self._root):
            raise UsageError(f"{path} is a link that leads out of {self._root}; nothing was written.")
        path.mkdir(parents=True, exist_ok=True)
        self._made.add(folder)

    def _write(self, folder: str, name: str, data: bytes) -> None:
        temporary = f"{folder}/.{self._unfinished}-{next(self._numbers)}.part"
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[os.write(handle, rest):]
            finally:
                os.close(handle)
            os.replace(temporary, f"{folder}/{name}")  # noqa: PTH105
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
