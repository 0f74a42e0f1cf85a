"""Parquet blocks, written whole or not at all, and hashes of bytes and of content."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pmcoa_build.atomic import atomic
from pmcoa_build.engine.stage import Row


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """Make millions of objects that form no cycles without the collector going through them again and again."""
    watched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if watched:
            gc.enable()


def sha256(path: Path) -> str:
    """sha256 hex of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe(path: Path, root: Path) -> Row:
    """Path relative to `root`, bytes and sha256 of a file, as a record holds them."""
    return {"path": str(path.relative_to(root)), "bytes": path.stat().st_size, "sha256": sha256(path)}


def write_block(
    path: Path,
    schema: pa.Schema,
    key: str,
    tables: Iterable[pa.Table],
    open_writer: Callable[[Path, pa.Schema], Any] | None = None,
) -> ContentHash:
    """Write tables, a row group each, as one Parquet file, atomically and in bounded memory; hashes what it wrote."""
    content = ContentHash(schema, key)
    with atomic(path) as temporary, (open_writer or block_writer)(temporary, schema) as writer:
        for table in tables:
            writer.write_table(table)
            content.add(table)
    return content


def batches(rows: Iterable[Row], schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """Rows as tables of at most `size` rows."""
    pending = iter(rows)
    while batch := list(itertools.islice(pending, size)):
        yield pa.Table.from_pylist(batch, schema=schema)


def block_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A Parquet writer with page checksums, and zstd on all but image bytes, which gain nothing from it (JPEG)."""
    leaves = [leaf for column in schema for leaf in _leaves(column.name, column.type)]
    plain = {name for name, type_ in leaves if pa.types.is_binary(type_) and name.endswith("bytes")}
    return pq.ParquetWriter(
        path,
        schema,
        compression={name: "none" if name in plain else "zstd" for name, _ in leaves},
        use_dictionary=[name for name, _ in leaves if name not in plain],
        write_page_checksum=True,
    )


def _leaves(name: str, type_: pa.DataType) -> list[tuple[str, pa.DataType]]:
    if pa.types.is_struct(type_):
        return [leaf for child in type_ for leaf in _leaves(f"{name}.{child.name}", child.type)]
    if pa.types.is_list(type_) or pa.types.is_fixed_size_list(type_):
        return _leaves(f"{name}.list.element", type_.value_type)
    return [(name, type_)]


class ContentHash:
    """Hash of logical rows: for each column the sum (mod 2^256) of sha256(key, value) over the rows.

    It depends neither on the order of rows nor on how or when they were stored. Not meant against forgery.
    """

    def __init__(self, schema: pa.Schema, key: str) -> None:
        self.key = key
        self.sums = dict.fromkeys(schema.names, 0)
        self.rows = 0

    def add(self, table: pa.Table) -> None:
        """Add the rows of a table (as stored: a value's type is part of what it is)."""
        self.rows += table.num_rows
        keys = [str(key).encode() + b"\0" for key in table[self.key].to_pylist()]
        for column in self.sums:
            for key, value in zip(keys, table[column].to_pylist(), strict=True):
                digest = hashlib.sha256(key + canonical(value)).digest()
                self.sums[column] += int.from_bytes(digest, "big")

    def columns(self) -> dict[str, str]:
        """Column -> 32 hex digits."""
        return {name: f"{total % 2**256:064x}"[:32] for name, total in self.sums.items()}


def combined(columns: dict[str, str]) -> str:
    """One hash for a set of column hashes."""
    return hashlib.sha256(_encode(columns).encode()).hexdigest()


def canonical(value: Any) -> bytes:
    """One byte string for a value: bytes by their sha256, the rest as sorted JSON."""
    if isinstance(value, bytes):
        return hashlib.sha256(value).digest()
    return _encode(value).encode()


def _bytes_as_hash(value: Any) -> str:
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    raise TypeError(f"{type(value).__name__} cannot be hashed")


_encode = json.JSONEncoder(sort_keys=True, default=_bytes_as_hash).encode
"""`json.dumps` makes an encoder at every call, which costs as much as encoding a small value."""
