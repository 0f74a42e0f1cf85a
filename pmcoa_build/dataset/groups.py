"""Which panels are published, and in which split: duplicates, splits and benchmarks decided for all panels at once.

A split belongs to an article (by a hash of its id, so it never moves) and to a duplicate group (the split in which it
was first published). Of each group one panel stays. All decisions depend on the set of rows, not on their order.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pmcoa_build import ids, schema
from pmcoa_build.errors import UnitLost, UsageError

SPLITS = ("train", "validation", "test")
BENCHMARK = "benchmark:"
"""Head of `excluded_by` for benchmarks."""

_PICTURES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".gif", ".bmp", ".webp"}
_NAMED = re.compile(r"PMC([1-9][0-9]{0,9})(?:\.[0-9]+)?(?:[_/]([^\s,;\"']+))?", re.IGNORECASE)
_Ints = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Exclusions:
    """What benchmarks hold.

    `articles`: PMCID → benchmark; `figures`: (PMCID, figure id or image stem, lower case) → benchmark; `hashes`: those
    of its images (uint64), `names`: the benchmark of each, sorted; `unreadable`: files skipped.
    """

    articles: dict[int, str]
    figures: dict[tuple[int, str], str]
    hashes: np.ndarray
    names: list[str]
    unreadable: int = 0


def load_exclusions(paths: Sequence[str | Path], hash_image: Callable[[bytes], int]) -> Exclusions:
    """Read id lists and folders of images; a benchmark's name is the file's or folder's stem.

    An id list (.txt) has a line each for an article (`PMC212319`), figure (`PMC212319.1/F3`) or image
    (`PMC212319_Fig3_4.jpg`, as in PMC-OA; `PMC4083729_AMHSR-4-14-g002.jpg`, as in ROCO); what else stands on a line is
    ignored. `hash_image` gives the 64-bit perceptual hash, or raises UnitLost for an unreadable file.
    Raises UsageError for a path that is not there, a list without any PMCID, and a folder without any picture.
    """
    articles: dict[int, str] = {}
    figures: dict[tuple[int, str], str] = {}
    pictures: list[tuple[str, int]] = []
    unreadable = 0
    for path in sorted(map(Path, paths)):
        if path.is_dir():
            unreadable += _hash_folder(path, hash_image, pictures)
        elif path.is_file():
            _read_list(path, articles, figures)
        else:
            raise UsageError(f"[shards] exclude: {path} is neither a file nor a folder.")
    pictures.sort()
    hashes = np.array([found for _, found in pictures], np.uint64)
    return Exclusions(articles, figures, hashes, [name for name, _ in pictures], unreadable)


def _hash_folder(folder: Path, hash_image: Callable[[bytes], int], pictures: list[tuple[str, int]]) -> int:
    def hashed(file: Path) -> int | None:
        try:
            return hash_image(file.read_bytes())
        except UnitLost:
            return None

    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in _PICTURES)
    if not files:
        raise UsageError(f"[shards] exclude: there is no picture in the folder {folder}.")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [value for value in pool.map(hashed, files) if value is not None]
    pictures += [(folder.name, value) for value in found]
    return len(files) - len(found)


def _read_list(path: Path, articles: dict[int, str], figures: dict[tuple[int, str], str]) -> None:
    found = _NAMED.findall(path.read_text("utf-8", errors="replace"))
    if not found:
        raise UsageError(f"[shards] exclude: {path} has no PMCID such as PMC212319 in it.")
    for pmcid, rest in found:
        if not rest:
            articles.setdefault(int(pmcid), path.stem)
            continue
        name = _stem(rest.split("#")[0]).lower()
        figures.setdefault((int(pmcid), name), path.stem)
        if panel := re.fullmatch(r"(.+)_\d+", name):
            figures.setdefault((int(pmcid), panel[1]), path.stem)


def _stem(name: str) -> str:
    return name[: -len(suffix)] if (suffix := Path(name).suffix).lower() in _PICTURES else name


def benchmark_of(panels: pa.Table, exclusions: Exclusions) -> pa.Array:
    """For each row (panel_id, figure_id) the benchmark that lists its article, figure or image, or null."""
    numbers = pc.struct_field(pc.extract_regex(panels["panel_id"], r"^PMC(?P<n>\d+)"), "n").cast(pa.int64())
    listed = pa.array(sorted({*exclusions.articles, *(pmcid for pmcid, _ in exclusions.figures)}), pa.int64())
    names: list[str | None] = [None] * len(panels)
    for row in np.flatnonzero(pc.is_in(numbers, listed).to_numpy()).tolist():
        pmcid = numbers[row].as_py()
        image = _stem(ids.image_of(panels["panel_id"][row].as_py()).split("/", 1)[1]).lower()
        figure = panels["figure_id"][row].as_py().split("/", 1)[1].lower()
        candidates = (exclusions.articles.get(pmcid), *(exclusions.figures.get((pmcid, n)) for n in (image, figure)))
        names[row] = next((name for name in candidates if name), None)
    return pa.array(names, pa.string())


def assign_splits(rows: pa.Table, *, splits: Sequence[float], previous: pa.Table | None = None) -> pa.Table:
    """Decide split and exclusion of every panel; returns the dedupe table, sorted by panel_id.

    `rows`: panel_id, phash, group (null: no duplicates; best the panel_id of the group's centre), benchmark (null, or
    the benchmark that holds the panel): its whole group is left out. `splits`: shares of train, validation, test.
    `previous`: the dedupe table published last.

    What is published stays, in its split. Of a group without a published panel, the centre, else the lowest PMCID, is
    kept, if its article's split is the one in which the group was first published; if no member's is, all are left out
    (`split-conflict`). The others are left out as `duplicate`, or as `split-conflict` when published ones are in
    several splits. Raises UsageError for shares that are negative or all zero.
    """
    own = rows.select(["panel_id", "phash", "group", "benchmark"]).take(_order(rows["panel_id"]))
    member, before, kept_before = _previous(own, previous)
    by_article = _article_splits(own["panel_id"], splits, before, kept_before)
    names, benchmark = _spread_benchmarks(own["benchmark"], member)
    free = benchmark < 0
    published = kept_before & free
    first, conflicting = _first_split(member, before, published)
    fits = (first < 0) | ((by_article == first) & ~conflicting)
    kept = published | _representatives(own, member, free, published, fits)
    chosen = np.full(member.max(initial=-1) + 1, -1)
    chosen[member[kept][::-1]] = np.where(published, before, by_article)[kept][::-1]
    split = np.where(published, before, np.where(chosen[member] >= 0, chosen[member], first))
    split = np.where(split < 0, by_article, split)
    plain = np.where((chosen[member] >= 0) & ~conflicting, len(names), len(names) + 1)
    code = np.where(free, np.where(kept, -1, plain), benchmark)
    excluded = [*(BENCHMARK + name for name in names), "duplicate", "split-conflict"]
    table = pa.table({
        **{name: own[name] for name in ("panel_id", "phash", "group")},
        "split": _named(split, SPLITS), "excluded_by": _named(code, excluded),
    })
    return table.cast(schema.DEDUPE).sort_by("panel_id")


def _named(codes: np.ndarray, names: Sequence[str]) -> pa.Array:
    """The name of each code; null where it is negative."""
    return pa.array(names, pa.string()).take(pa.array(codes, pa.int32(), mask=codes < 0))


def reason_of(excluded_by: str) -> tuple[str, str]:
    """Reason code of reasons.py and detail for a value of the column `excluded_by`."""
    name = excluded_by.removeprefix(BENCHMARK)
    return ("benchmark", name) if name != excluded_by else (excluded_by, "")


def _order(panels: pa.ChunkedArray) -> pa.Array:
    """Order of precedence: PMCID, version, panel id."""
    parts = pc.extract_regex(panels, r"^PMC(?P<pmcid>\d+)\.(?P<version>\d+)/")
    numbers = {name: pc.struct_field(parts, name).cast(pa.int64()) for name in ("pmcid", "version")}
    keys = pa.table({**numbers, "panel_id": panels})
    return pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names])


def _previous(own: pa.Table, previous: pa.Table | None) -> tuple[_Ints, _Ints, np.ndarray]:
    """For each row its group's number, its split code when decided last (-1: new), and whether it was published."""
    member = pc.coalesce(own["group"], own["panel_id"]).combine_chunks().dictionary_encode().indices.to_numpy()
    before = np.full(len(own), -1)
    kept = np.zeros(len(own), bool)
    if previous is not None and len(previous):
        at = pc.index_in(own["panel_id"], previous["panel_id"].combine_chunks())
        known = pc.is_valid(at).to_numpy()
        was = previous.take(at.drop_null())
        counts = ~pc.fill_null(pc.starts_with(was["excluded_by"], BENCHMARK), False).to_numpy()
        before[known] = np.where(counts, pc.index_in(was["split"], pa.array(SPLITS)).to_numpy(), -1)
        kept[known] = pc.is_null(was["excluded_by"]).to_numpy()
    return member.astype(np.int64), before, kept


def _article_splits(panels: pa.ChunkedArray, splits: Sequence[float], before: _Ints, kept: np.ndarray) -> _Ints:
    """Split code of each panel's article: where it is published already, else by hash."""
    if len(splits) != len(SPLITS) or min(splits) < 0 or sum(splits) <= 0:
        raise UsageError(f"[shards] splits must be three shares such as [0.8, 0.1, 0.1], not {list(splits)}.")
    bounds = np.cumsum(splits)[:-1] / sum(splits)
    articles = pc.struct_field(pc.extract_regex(panels, "^(?P<article>[^/]+)"), "article")
    encoded = articles.combine_chunks().dictionary_encode()
    code = encoded.indices.to_numpy()
    hashed = [ids.unit_interval(article, "split") for article in encoded.dictionary.to_pylist()]
    by_article: _Ints = np.searchsorted(bounds, np.array(hashed), side="right").astype(np.int64)
    by_article[code[kept][::-1]] = before[kept][::-1]
    rows: _Ints = by_article[code]
    return rows


def _spread_benchmarks(benchmark: pa.ChunkedArray, member: _Ints) -> tuple[list[str], _Ints]:
    """Names of benchmarks, and for each row the number of the first that holds a member of its group, or -1."""
    names = sorted(pc.unique(benchmark.drop_null()).to_pylist())
    found = pc.fill_null(pc.index_in(benchmark, pa.array(names, pa.string())), len(names)).to_numpy()
    first = np.full(member.max(initial=-1) + 1, len(names))
    np.minimum.at(first, member, found)
    return names, np.where(first < len(names), first, -1)[member]


def _first_split(member: _Ints, before: _Ints, published: np.ndarray) -> tuple[_Ints, np.ndarray]:
    """For each row the split in which its group was first published (-1: never), and whether that were several."""
    size = member.max(initial=-1) + 1
    known = before >= 0
    any_published = np.zeros(size, bool)
    any_published[member[published]] = True
    counts = known & (published | ~any_published[member])
    lowest, highest = np.full(size, len(SPLITS)), np.full(size, -1)
    np.minimum.at(lowest, member[counts], before[counts])
    np.maximum.at(highest, member[counts], before[counts])
    first = np.where(highest < 0, -1, lowest)
    return first[member], ((highest >= 0) & (lowest != highest))[member]


def _representatives(
    own: pa.Table, member: _Ints, free: np.ndarray, published: np.ndarray, fits: np.ndarray
) -> np.ndarray:
    """Marks, for each group without a published row, its centre, else its first row, among those that fit."""
    taken = np.zeros(member.max(initial=-1) + 1, bool)
    taken[member[published]] = True
    eligible = np.flatnonzero(free & fits & ~taken[member])
    centre = pc.fill_null(pc.equal(own["group"], own["panel_id"]), False).to_numpy()
    ranked = eligible[np.lexsort((eligible, ~centre[eligible], member[eligible]))]
    chosen = ranked[np.unique(member[ranked], return_index=True)[1]]
    mask = np.zeros(len(own), bool)
    mask[chosen] = True
    return mask
