"""Reading committed tables: whole columns of a block, and single heavy values by key."""

from __future__ import annotations

import bisect
import contextlib
import threading
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pmcoa_build import reasons
from pmcoa_build.engine.stage import Row
from pmcoa_build.errors import RunFailed

UNITS = pa.schema(
    [
        pa.field("unit", pa.string(), nullable=False),
        pa.field("fingerprint", pa.binary(16), nullable=False),
        pa.field("members", pa.int32(), nullable=False),
        pa.field("rows", pa.int32(), nullable=False),
        pa.field("lost", pa.list_(pa.struct([
            pa.field("unit", pa.string()), pa.field("reason", pa.string()), pa.field("detail", pa.string()),
        ])), nullable=False),
        pa.field("dropped", pa.list_(pa.struct([
            pa.field("reason", pa.string()), pa.field("count", pa.int32()),
        ])), nullable=False),
        pa.field("attempts", pa.int32(), nullable=False),
        pa.field("memo", pa.binary()),
    ]
)
"""The ledger beside each block: what became of every unit, in the order of the block's rows; ledgers of older builds
have no memo."""


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file that cannot be read. Raises RunFailed."""
    try:
        yield
    except (OSError, ValueError) as error:  # ArrowInvalid is a ValueError
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunFailed(f"{path} is damaged ({what}): delete it and run the stage that makes it again.") from error


def read_file(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A whole file, or some of its columns, without pyarrow.dataset, which takes half a second to load.

    Raises RunFailed for a damaged file.
    """
    with reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        return file.read(columns=None if columns is None else list(columns))


def read_parts(path: Path) -> Iterator[pa.Table]:
    """A whole file, a row group at a time. Raises RunFailed for a damaged file."""
    with reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            yield file.read_row_group(group)


def read_columns(paths: Sequence[Path], columns: Sequence[str], schema: pa.Schema) -> pa.Table:
    """The columns of several files as one table, in the order of the files."""
    wanted = pa.schema([schema.field(name) for name in columns])
    tables = [wanted.empty_table()]
    for path in paths:
        with reading(path):
            tables.append(read_file(path, columns=columns).cast(wanted))
    return pa.concat_tables(tables)


def read_range(path: Path, columns: Sequence[str], lower: int, upper: int | None, by: str) -> pa.Table:
    """Rows with lower <= by < upper of a file sorted by the integer column `by`; reads only their row groups.

    Raises RunFailed for a damaged file.
    """
    with reading(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        groups = [group for group in range(file.num_row_groups) if _may_hold(file.metadata, group, lower, upper, by)]
        table = file.read_row_groups(groups, columns=list(dict.fromkeys([*columns, by])))
    keep = pc.greater_equal(table[by], lower)
    if upper is not None:
        keep = pc.and_(keep, pc.less(table[by], upper))
    return table.filter(keep).select(list(columns))


def _may_hold(metadata: pq.FileMetaData, group: int, lower: int, upper: int | None, by: str) -> bool:
    """Whether a row group may hold values of the range, by its statistics (without any, it may)."""
    columns = map(metadata.row_group(group).column, range(metadata.num_columns))
    told = next(column for column in columns if column.path_in_schema == by).statistics
    if told is None or not told.has_min_max:
        return True
    return bool(told.max >= lower and (upper is None or told.min < upper))


class Content:
    """Heavy columns of one input by key. Rows asked for in file order cost one read of each row group."""

    def __init__(self, paths: Sequence[Path], key: str, columns: Sequence[str]) -> None:
        self._paths, self._files = list(paths), []
        self._columns = [key, *columns]
        self._places: dict[str, tuple[int, int, int]] = {}
        for number, path in enumerate(paths):
            with reading(path):
                file = pq.ParquetFile(path, page_checksum_verification=True)
                self._files.append(file)
                keys = file.read(columns=[key])[key].to_pylist()
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
            groups = np.repeat(np.arange(len(sizes)), sizes)
            starts = np.concatenate([[0], np.cumsum(sizes)])
            for position, name in enumerate(keys):
                group = int(groups[position])
                self._places[name] = (number, group, int(position - starts[group]))
        self._lock = threading.Lock()
        self._loaded: tuple[int, int] = (-1, -1)
        self._table: pa.Table | None = None

    def row(self, key: str) -> Row:
        """The heavy columns of one row. Raises KeyError for an unknown key, RunFailed for a damaged file."""
        number, group, offset = self._places[key]
        with self._lock:
            if self._loaded != (number, group) or self._table is None:
                with reading(self._paths[number]):
                    self._table = self._files[number].read_row_group(group, columns=self._columns)
                self._loaded = (number, group)
            row: Row = self._table.slice(offset, 1).to_pylist()[0]
        return row

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()


class Previous:
    """The block as it was committed last: its units, and their rows, to be copied where nothing changed."""

    def __init__(self, data: Path, ledger: Path) -> None:
        units = read_file(ledger)
        ends = np.cumsum(units["rows"].to_numpy()) if units.num_rows else np.array([], dtype=np.int64)
        self.units: dict[str, Row] = {}
        for unit, end in zip(units.to_pylist(), ends.tolist(), strict=True):
            self.units[unit["unit"]] = {**unit, "start": end - unit["rows"]}
        self._data = data
        self._file: pq.ParquetFile | None = None
        self._starts: list[int] = []
        self._loaded = -1
        self._table: pa.Table | None = None
        self._lock = threading.Lock()

    def rows(self, unit: str, schema: pa.Schema) -> list[Row]:
        """The rows that a unit gave last time."""
        start, count = self.units[unit]["start"], self.units[unit]["rows"]
        rows: list[Row] = []
        with self._lock:
            while len(rows) < count:
                rows += self._some(start + len(rows), count - len(rows), schema)
        return rows

    def _some(self, start: int, count: int, schema: pa.Schema) -> list[Row]:
        """The first of the wanted rows: as many as one row group holds."""
        if self._file is None:
            with reading(self._data):
                self._file = pq.ParquetFile(self._data, page_checksum_verification=True)
            meta = self._file.metadata
            sizes = [meta.row_group(group).num_rows for group in range(meta.num_row_groups)]
            self._starts = [0, *np.cumsum(sizes).tolist()]
        group = bisect.bisect_right(self._starts, start) - 1
        if self._loaded != group or self._table is None:
            with reading(self._data):
                self._table = self._file.read_row_group(group).select(schema.names)
            self._loaded = group
        found: list[Row] = self._table.slice(start - self._starts[group], count).to_pylist()
        return found

    def table(self) -> pa.Table:
        """All rows of the block."""
        return read_file(self._data)

    def close(self) -> None:
        """Close the data file."""
        if self._file is not None:
            self._file.close()


def memos(ledger: Path, units: Collection[str] | None = None) -> dict[str, bytes]:
    """Unit -> what its stage keeps of it for the next time (b"" if nothing); of some units, or of all."""
    with reading(ledger), pq.ParquetFile(ledger, page_checksum_verification=True) as file:
        table = file.read(columns=[name for name in ("unit", "memo") if name in file.schema_arrow.names])
    if "memo" not in table.column_names:
        return {}
    if units is not None:
        table = table.filter(pc.is_in(table["unit"], pa.array(sorted(units), pa.string())))
    return {row["unit"]: row["memo"] or b"" for row in table.to_pylist()}


def lost_rows(ledger: Path, scope: str) -> list[Row]:
    """The lost table of a block (schema.LOST) from its ledger."""
    units = read_file(ledger, columns=["unit", "lost", "attempts"])
    units = units.filter(pc.greater(pc.list_value_length(units["lost"]), 0))
    rows = []
    for entry in units.to_pylist():
        for loss in entry["lost"]:
            reason = reasons.get(loss["reason"])
            rows.append({
                "unit": loss["unit"], "scope": scope, "outcome": reason.outcome, "reason": reason.code,
                "retryable": reason.retryable, "detail": loss["detail"], "attempts": entry["attempts"],
            })
    return rows
