"""Scores as they are stored: a protocol at a time, whole or not there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pmcoa_build import schema
from pmcoa_build.atomic import TEMP, atomic
from pmcoa_build.clip.benchmarks.subject import Subject
from pmcoa_build.errors import RunFailed

Row = dict[str, Any]
Say = Callable[[str], None]


class Score(NamedTuple):
    """One number, and over how many samples."""

    metric: str
    value: float
    n: int


@dataclass(frozen=True)
class Protocol:
    """One way to score one set of data: computed as a whole, stored as a whole.

    `data`: "name:sha256 of what is read" (`identity`); `compute` is called only where nothing is stored yet.
    """

    data: str
    name: str
    compute: Callable[[], Sequence[Score]]


def identity(name: str, parts: Iterable[tuple[str, bytes | Path]]) -> str:
    """"name:sha256" of named contents, files or bytes, in the order given."""
    whole = hashlib.sha256()
    for label, content in parts:
        whole.update(f"{label}\0{_sha256(content)}\n".encode())
    return f"{name}:{whole.hexdigest()}"


def _sha256(content: bytes | Path) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def score(protocols: Iterable[Protocol], subject: Subject, seed: int, path: Path, say: Say) -> None:
    """Compute what `path` does not hold yet of these protocols; each is added to it when it is whole.

    Several runs may add to one table. Raises RunFailed where `path` is no table of scores, or memory runs out.
    """
    for protocol in protocols:
        same = {"model": subject.name, "weights_sha256": subject.weights_sha256, "dataset_id": protocol.data,
                "protocol": protocol.name, "seed": seed}
        shown = f"{protocol.data.partition(':')[0]} {protocol.name}"
        if _stored(same, read(path)):
            say(f"{shown}: stored already")
        else:
            say(f"{shown} …")
            _add(path, same, _computed(protocol, shown))


def _computed(protocol: Protocol, shown: str) -> Sequence[Score]:
    import torch

    try:
        return protocol.compute()
    except (MemoryError, torch.OutOfMemoryError):
        sentence = f"Memory ran out on {shown}; what was scored before is stored, and --only names other protocols."
        raise RunFailed(sentence) from None


def _stored(same: Row, rows: Iterable[Row]) -> bool:
    return any(same.items() <= row.items() for row in rows)


def read(path: Path) -> list[Row]:
    """All stored rows (`schema.EVALUATE`), the oldest first; none where there is no file."""
    if not path.exists():
        return []
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
    except (OSError, ValueError) as error:
        raise RunFailed(f"{path} is no table of scores ({str(error).splitlines()[0]}); move it away.") from None
    if not table.schema.equals(schema.EVALUATE):
        raise RunFailed(f"{path} is no table of scores (it has other columns); move it away.")
    rows: list[Row] = table.to_pylist()
    return rows


def _add(path: Path, same: Row, scores: Iterable[Score]) -> None:
    from filelock import FileLock

    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        for leftover in path.parent.glob(f"{path.name}.*{TEMP}"):  # of a run that was killed
            leftover.unlink()
        rows = read(path)
        if not _stored(same, rows):  # by another run, meanwhile
            table = pa.Table.from_pylist([*rows, *({**same, **one._asdict()} for one in scores)], schema.EVALUATE)
            with atomic(path) as temporary:
                pq.write_table(table, temporary, write_page_checksum=True)
