"""Read a published dataset folder: which rows there are, and the samples of some of them. Opens nothing for writing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pmcoa_build.clip.images import crop_into
from pmcoa_build.clip.masking import RATIO, generator, mask
from pmcoa_build.clip.tokenizer import Tokenizer, load_tokenizer
from pmcoa_build.errors import RunFailed

Text = Literal["subcaption", "caption", "preamble+subcaption", "subcaption+mentions"]
"""What is paired with the image; a sentence that mentions the figure is added in training alone, every other time."""


@dataclass(frozen=True)
class Group:
    """One row group of one Parquet file; `rows`: the rows of it that are used.

    `stamp`: the file's size and time when it was listed, where a change since then is to be an error.
    """

    path: str
    group: int
    rows: NDArray[np.int64]
    stamp: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sampling:
    """How a row becomes a sample. `training`: random crop and masks; else centred square and whole text."""

    text: Text
    text_model: str
    context_length: int
    image_size: int
    seed: int
    training: bool


def dataset_id(dataset: Path) -> str:
    """The id of a published dataset folder. Raises RunFailed where there is none."""
    try:
        return (dataset / "DATASET_ID").read_text("utf-8").strip()
    except OSError as error:
        why = error.strerror or error
        raise RunFailed(f"{dataset} is not a published dataset: DATASET_ID cannot be read ({why}).") from None


def row_groups(dataset: Path, split: str, kinds: Sequence[str] = ()) -> list[Group]:
    """All row groups of `data/<split>-*.parquet` in name order, with the rows whose kind is wanted (all if empty)."""
    found = []
    for path in sorted((dataset / "data").glob(f"{split}-*.parquet")):
        stamp = _stamp(str(path))
        with _opened(str(path)) as file:
            counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            for group, count in enumerate(counts):
                rows = np.arange(count)
                if kinds:
                    kind = _columns_of(file, str(path), group, ("kind",))["kind"].to_numpy()
                    rows = rows[np.isin(kind.astype(str), list(kinds))]
                if len(rows):
                    found.append(Group(str(path), group, rows, stamp))
    return found


def columns(groups: Sequence[Group], names: Sequence[str]) -> dict[str, list[Any]]:
    """Those columns of all used rows, as lists, in the order of `groups`. Not for images."""
    result: dict[str, list[Any]] = {name: [] for name in names}
    for group in groups:
        table = _group_table(group, list(names)).take(group.rows)
        for name in names:
            result[name] += table[name].to_pylist()
    return result


def text_of(row: dict[str, Any], text: Text) -> str:
    """The text that is paired with the image, as an evaluation reads it: without mentions."""
    return " ".join(row[name] for name in text_columns(text)).strip()


def text_columns(text: Text) -> list[str]:
    """The columns that `text_of` needs."""
    return [name for name in text.split("+") if name != "mentions"]


def _training_text(row: dict[str, Any], text: Text, draw: Random) -> str:
    """`text_of`, followed, if mentions are wanted, by one of them, drawn anew every epoch, or by none.

    The panel's own text stays in front and whole, and is seen alone as often, because that is what is asked for later;
    what does not fit the context is cut from the mention.
    """
    plain = text_of(row, text)
    mentions = row["mentions"] if _mentions(text) else []
    return f"{plain} {draw.choice(mentions)}".strip() if mentions and draw.random() < 0.5 else plain


def _mentions(text: Text) -> bool:
    return "mentions" in text.split("+")


@dataclass(frozen=True)
class Samples:
    """`pixels` uint8 (N, S, S, 3); `ids`, `labels` int64 (N, T)."""

    pixels: NDArray[np.uint8]
    ids: NDArray[np.int64]
    labels: NDArray[np.int64]


def load_samples(group: Group, rows: NDArray[np.int64], epoch: int, sampling: Sampling) -> Samples:
    """The samples of `rows` (numbers within the row group), drawn from (seed, panel id, epoch) alone.

    Raises RunFailed, with the file and panel, where an image cannot be decoded.
    """
    size, context = sampling.image_size, sampling.context_length
    pixels = np.empty((len(rows), size, size, 3), np.uint8)
    ids = np.empty((len(rows), context), np.int64)
    samples = Samples(pixels, ids, np.empty_like(ids))
    fill(samples, np.arange(len(rows)), group, rows, epoch, sampling)
    return samples


def fill(samples: Samples, slots: NDArray[np.int64], group: Group, rows: NDArray[np.int64], epoch: int,
         sampling: Sampling) -> None:
    """`load_samples` into given places of `samples`. Raises RunFailed as it does."""
    tokenizer = tokenizer_of(sampling)
    names = text_columns(sampling.text) + ["mentions"] * _mentions(sampling.text)
    table = _group_table(group, ["image", "panel_id", *names])
    texts = table.drop_columns("image").take(rows).to_pylist()
    for slot, image, row in zip(slots.tolist(), table["image"].take(rows), texts, strict=True):
        sample = row["panel_id"]

        def draw(purpose: str, sample: str = sample) -> Random:
            return generator(sampling.seed, sample, epoch, purpose)

        try:
            crop_into(samples.pixels[slot], _bytes(image), draw("crop") if sampling.training else None)
        except OSError as error:
            raise RunFailed(f"The image of {sample} in {group.path} cannot be decoded: {error}.") from None
        text = _training_text(row, sampling.text, draw("text")) if sampling.training else text_of(row, sampling.text)
        ratio = RATIO if sampling.training else 0.0
        samples.ids[slot], samples.labels[slot] = mask(text, tokenizer, draw("mask"), ratio)


def _bytes(image: Any) -> memoryview:
    """The encoded bytes of an image scalar, not copied; none for a null."""
    data = image["bytes"] if image.is_valid else None
    return memoryview(data.as_buffer() if data is not None and data.is_valid else b"")


def tokenizer_of(sampling: Sampling) -> Tokenizer:
    """The tokenizer of the text model, loaded once a process. Raises UsageError where it cannot be had."""
    return _tokenizer(sampling.text_model, sampling.context_length)


_tokenizer = lru_cache(maxsize=2)(load_tokenizer)


def _group_table(group: Group, names: list[str]) -> Any:
    stamp = _stamp(group.path)
    if group.stamp and stamp != group.stamp:
        raise RunFailed(f"{group.path} was changed while it was in use: a run reads one dataset; start it again.")
    return _read_group(group.path, group.group, tuple(names), stamp)


@lru_cache(maxsize=1)  # a row group may be asked for in several pieces, one after the other
def _read_group(path: str, group: int, names: tuple[str, ...], stamp: tuple[int, ...]) -> Any:
    return _columns_of(_kept_open(path, stamp), path, group, names)


def _columns_of(file: Any, path: str, group: int, names: tuple[str, ...]) -> Any:
    try:
        table = file.read_row_group(group, list(names), use_threads=False)
    except (OSError, ValueError) as error:
        raise RunFailed(f"{path} cannot be read: {str(error).splitlines()[0]}") from None
    for name in names:
        if name not in table.column_names:
            raise RunFailed(f"{path} has no column {name!r}: it is not a shard of a published dataset.")
    return table


@lru_cache(maxsize=8)
def _kept_open(path: str, _stamp: tuple[int, ...]) -> Any:
    return _opened(path)


def _opened(path: str) -> Any:
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except (OSError, ValueError) as error:
        raise RunFailed(f"{path} cannot be read: {str(error).splitlines()[0]}") from None


def _stamp(path: str) -> tuple[int, ...]:
    try:
        stat = Path(path).stat()
    except OSError as error:
        raise RunFailed(f"{path} cannot be read: {error.strerror}") from None
    return stat.st_size, stat.st_mtime_ns
