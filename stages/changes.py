"""What changed between two snapshots that a build has kept, article by article."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pmcoa_build.engine.read import read_file
from pmcoa_build.engine.state import State
from pmcoa_build.errors import UsageError
from pmcoa_build.pmc import known
from pmcoa_build.pmc.inventory import diff
from stages.articles import remembered

KINDS = ("new", "new version", *known.KINDS, "removed")
_SHOWN = 20
_COLUMNS = ("article", "pmcid", "version", "etag")


def between(state: State, old: str, new: str) -> dict[str, list[str]]:
    """Kind of change (KINDS) -> article versions, between the snapshots of two dates. One may stand under several.

    How a listed version changed shows its JSON, where this build has read both states of it. Raises UsageError for a
    date of which no snapshot is kept.
    """
    before, after = (read_file(_inventory(state, date)[1], columns=_COLUMNS) for date in (old, new))
    found = diff(before, after)
    held = pc.is_in(found.new["pmcid"], pc.unique(before["pmcid"]))
    kinds = {
        "new": found.new.filter(pc.invert(held))["article"].to_pylist(),
        "new version": found.new.filter(held)["article"].to_pylist(),
        "removed": found.removed["article"].to_pylist(),
        **_changed(state, found.changed, before),
    }
    return {kind: kinds[kind] for kind in KINDS if kinds.get(kind)}


def changes_text(state: State, old: str, new: str) -> str:
    """The changes as text: a line a kind, then the first articles of it."""
    found = between(state, old, new)
    span = f"from {_inventory(state, old)[0]} to {_inventory(state, new)[0]}"
    lines = [f"Changes {span}:" if found else f"Nothing changed {span}."]
    for kind, articles in found.items():
        more = [f"    … and {len(articles) - _SHOWN:,} more"] if len(articles) > _SHOWN else []
        lines += [f"  {kind}: {len(articles):,}", *(f"    {article}" for article in articles[:_SHOWN]), *more]
    return "\n".join(lines)


def last_changes_text(state: State) -> str:
    """The changes that the last update brought; "" where there was none, or the snapshot before it was not kept."""
    record = state.records("snapshot").get("all")
    facts = record["facts"] if record else {}
    held, old, new = _inventories(state), facts.get("before") or "", facts.get("folder") or ""
    return changes_text(state, old, new) if old in held and new in held else ""


def _changed(state: State, changed: pa.Table, before: pa.Table) -> dict[str, list[str]]:
    """`changed`: the newer rows of versions whose ETag differs."""
    old = before.filter(pc.is_in(before["article"], changed["article"].combine_chunks()))
    old_etags = dict(zip(old["article"].to_pylist(), old["etag"].to_pylist(), strict=True))
    seen = _seen(state, changed["pmcid"].to_pylist())
    kinds: dict[str, list[str]] = defaultdict(list)
    for article, etag in zip(changed["article"].to_pylist(), changed["etag"].to_pylist(), strict=True):
        for kind in known.changes(seen.get(article), old_etags[article], etag):
            kinds[kind].append(article)
    return kinds


def _seen(state: State, pmcids: Iterable[int]) -> dict[str, known.Seen]:
    """What the build knows of the versions of these articles, from the ledgers of the blocks that hold them."""
    blocks = sorted(state.records("articles"))
    wanted: dict[str, set[str]] = defaultdict(set)
    for pmcid in pmcids:
        at = bisect.bisect_right(blocks, f"{pmcid:09d}") - 1  # blocks are named by their lower ends
        if at >= 0:
            wanted[blocks[at]].add(f"PMC{pmcid}")
    return {article: one for block, units in wanted.items() for versions in remembered(state, block, units)
            for article, one in versions.items()}


def _inventory(state: State, date: str) -> tuple[str, Path]:
    """Name and file of the snapshot of a date, or of that name."""
    held = _inventories(state)
    for name, path in held.items():
        if name == date or name.startswith(f"{date}T"):
            return name, path
    raise UsageError(f"This build has kept no snapshot {date!r}; it has: {', '.join(held) or 'none'}.")


def _inventories(state: State) -> dict[str, Path]:
    """Name -> `inventory-<name>-<hash>.parquet`, of every snapshot that is kept."""
    paths = sorted((state.out / "snapshot").glob("inventory-*.parquet"))
    return {path.stem.removeprefix("inventory-").rpartition("-")[0]: path for path in paths}
