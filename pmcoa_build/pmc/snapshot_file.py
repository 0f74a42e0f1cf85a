"""A snapshot as a Parquet file: written in the order of its rows, read by row groups, never as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pmcoa_build.schema import SNAPSHOT


def write_rows(path: Path, pieces: Iterable[pa.Table | pa.RecordBatch]) -> None:
    """Write pieces of schema.SNAPSHOT, a row group each.

    Almost every value of the text columns is unlike all others (no dictionary), and only ids are searched for.
    """
    with pq.ParquetWriter(
        path, SNAPSHOT, compression="zstd", use_dictionary=False, write_statistics=["pmcid"], write_page_checksum=True,
        column_encoding={"pmcid": "DELTA_BINARY_PACKED", "etag": "DELTA_LENGTH_BYTE_ARRAY"},
    ) as writer:
        for piece in pieces:
            writer.write(piece)


def read_rows(
    path: Path, columns: Sequence[str] | None = None, chosen: npt.NDArray[np.bool_] | None = None
) -> Iterator[pa.Table]:
    """The rows of a file, or those for which `chosen` (one a row) is true: a table for each row group that has any."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        start = 0
        for number in range(file.num_row_groups):
            end = start + file.metadata.row_group(number).num_rows
            here = chosen[start:end] if chosen is not None else np.ones(end - start, bool)
            if here.any():
                yield file.read_row_group(number, columns=columns).filter(pa.array(here))
            start = end
