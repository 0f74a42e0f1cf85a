"""A folder in bucket layout that keeps fetched objects; what `aws s3 sync` or rclone put there counts as well.

Nothing in it is trusted: who reads it checks the MD5.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path

from pmcoa_build.errors import DiskFull, UsageError


class Cache:
    """Objects by key below `root`; keys must be safe already (`bucket.safe_key`)."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def get(self, key: str) -> bytes | None:
        """The bytes kept under that key, if any."""
        try:
            return (self._root / key).read_bytes()
        except OSError:
            return None

    def put(self, key: str, data: bytes) -> None:
        """Keep the bytes, whole or not at all; never outside of the folder, whatever links lie in it.

        Not flushed to the disk: after a power cut the MD5 tells. Raises DiskFull, or UsageError where the folder
        cannot be written.
        """
        path = self._root / key
        try:
            if not path.parent.resolve().is_relative_to(self._root):
                raise UsageError(f"{path.parent} is a link that leads out of {self._root}; nothing was written.")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write(path, data)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise DiskFull(f"No room for {len(data)} bytes in {self._root}; make room and run again.") from None
            raise UsageError(f"The folder {self._root} cannot be written ({error.strerror or error}).") from None

    def _write(self, path: Path, data: bytes) -> None:
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
