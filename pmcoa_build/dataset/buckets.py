"""Fixed hash buckets: which file of its split a row goes to, for good.

A bucket takes whole ranges of 2,048 PMCIDs, so that it reads few upstream blocks and an update, whose articles lie
close together, rewrites few files. Counts are powers of two, so that doubling the count splits each file in two.
"""

from __future__ import annotations

import hashlib

RANGE = 2048
"""PMCIDs that always share a bucket."""


def bucket_of(pmcid: int, n: int) -> int:
    """The bucket, 0 to n - 1, of an article; it depends on nothing but the two numbers.

    Raises ValueError when `n` is not a power of two.
    """
    if n < 1 or n & (n - 1):
        raise ValueError(f"the number of buckets must be a power of two, not {n}")
    digest = hashlib.sha256(b"bucket %d" % (pmcid // RANGE)).digest()
    return int.from_bytes(digest[:8], "big") & (n - 1)


def bucket_count(total_bytes: int, file_bytes: int, current: int = 0) -> int:
    """Buckets for `total_bytes` in files of about `file_bytes`: a power of two, files 0.7 to 1.4 times that size.

    `current` is the count in use (0: none): it stays until files are more than twice or less than a quarter of the
    aimed size, because another count rewrites every file.
    """
    if current and file_bytes / 4 <= total_bytes / current <= file_bytes * 2:
        return current
    count = 1
    while total_bytes / count > file_bytes * 2**0.5:
        count *= 2
    return count
