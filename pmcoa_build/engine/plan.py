"""Which blocks are due, and why: a pure function of spec, records and the clock (for retry waits only)."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pmcoa_build.engine.files import canonical, combined, unwatched
from pmcoa_build.engine.stage import Records, Row, Step, Task
from pmcoa_build.spec import Spec

FIRST_WAIT = 600.0
"""Seconds until a retryable loss becomes due again; each further attempt waits four times as long."""

LONGEST_WAIT = 30 * 86400.0

RETRY = "time to retry"

BlockHashes = Mapping[str, str]
"""Block -> hash of its rows, as the task that defines the blocks recorded them."""


@dataclass(frozen=True)
class Due:
    """A block to work on: `inputs` go into its record, `why` is for people, `retry` names reasons to try again."""

    block: str
    why: str
    inputs: Row
    upstream_blocks: frozenset[str] | None
    retry: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Plan:
    """Blocks to work on, and blocks that wait for an upstream stage (block -> that stage's name)."""

    due: tuple[Due, ...]
    waiting: Mapping[str, str]
    blocks: tuple[str, ...]

    @property
    def stale(self) -> frozenset[str]:
        """Blocks whose rows are not what they should be; a mere retry does not count."""
        return frozenset(self.waiting) | {item.block for item in self.due if not item.why.startswith(RETRY)}


@dataclass(frozen=True)
class World:
    """All that a plan depends on.

    Records by stage, hashes of blocks and the task that defines them, the pinned snapshot, whether the outputs of a
    record are whole, and the time.
    """

    records: Mapping[str, Mapping[str, Row]]
    block_hashes: BlockHashes
    defining: str
    snapshot: str
    intact: Callable[[Row], bool]
    now: float


@unwatched()
def plan_all(steps: Sequence[Step], spec: Spec, world: World) -> tuple[dict[str, Plan], World]:
    """The plan of each step of a pipeline (in its order), and the world without records of blocks that are no more."""
    plans: dict[str, Plan] = {}
    stale: dict[str, frozenset[str]] = {}
    for step in steps:
        plans[step.name] = made = plan(step, spec, world, stale)
        stale[step.name] = made.stale
        records = world.records.get(step.name, {})
        current = {block: records[block] for block in made.blocks if block in records}
        if not made.waiting:
            world = replace(world, records={**world.records, step.name: current})
    return plans, world


def plan(step: Step, spec: Spec, world: World, stale: Mapping[str, frozenset[str]]) -> Plan:
    """The plan of one step. `stale`: upstream stage -> blocks whose rows cannot be used now."""
    settings = settings_of(step, spec)
    whole = isinstance(step, Task) or step.partition is not None
    late = next((source.stage for source in step.inputs if stale.get(source.stage)), None)
    if late is not None and (whole or not world.block_hashes):
        return Plan((), {"all": late}, ("all",))
    upstream = functools.cache(lambda blocks: _upstream(step, blocks, world))  # several blocks may read the same ones
    due, waiting, names = [], {}, []
    for block, upstream_blocks in _blocks(step, spec, world):
        names.append(block)
        late = _late(step, upstream_blocks, stale)
        if late is not None:
            waiting[block] = late
            continue
        inputs = {**settings, "upstream": upstream(upstream_blocks)}
        why, retry = _why(world.records.get(step.name, {}).get(block), inputs, world)
        if why:
            due.append(Due(block, why, inputs, upstream_blocks, retry))
    return Plan(tuple(due), waiting, tuple(names))


def settings_of(step: Step, spec: Spec) -> Row:
    """What a step depends on apart from upstream rows."""
    schema = step.schema.to_string(show_schema_metadata=False) if step.schema is not None else ""
    return {
        "version": step.version,
        "schema": hashlib.sha256(schema.encode()).hexdigest()[:16],
        "spec": {key: spec_value(spec, key) for key in step.spec_keys},
        "extra": step.extra(spec) if step.extra else "",
    }


def spec_value(spec: Spec, key: str) -> str:
    """A spec value as text; a file named by it counts by its content, a folder by its name."""
    value = spec.value(key)
    told = [_with_content(item) for item in value] if isinstance(value, tuple) else _with_content(value)
    return canonical(told).decode()


def _with_content(value: object) -> object:
    if isinstance(value, str) and value.startswith("/") and Path(value).is_file():
        return hashlib.sha256(Path(value).read_bytes()).hexdigest()
    return value


def fingerprint(inputs: Row, salt: str = "") -> str:
    """The name part of an output: 64 hex digits over its inputs."""
    return hashlib.sha256(canonical(inputs) + salt.encode()).hexdigest()


def unit_base(inputs: Row) -> bytes:
    """The part of every unit's fingerprint that the block shares: everything but the upstream rows."""
    return canonical({name: value for name, value in inputs.items() if name != "upstream"})


def retry_wait(attempts: int) -> float:
    """Seconds after an attempt until the next."""
    return min(FIRST_WAIT * 4.0 ** max(0, attempts - 1), LONGEST_WAIT)


def _late(step: Step, blocks: frozenset[str] | None, stale: Mapping[str, frozenset[str]]) -> str | None:
    """The first upstream stage that has to run before this block can."""
    for source in step.inputs:
        old = stale.get(source.stage, frozenset())
        if old and (blocks is None or "all" in old or old & blocks):
            return source.stage
    return None


def _blocks(step: Step, spec: Spec, world: World) -> list[tuple[str, frozenset[str] | None]]:
    if isinstance(step, Task):
        return [("all", None)]
    if step.partition is not None:
        upstream = {source.stage: world.records.get(source.stage, {}) for source in step.inputs}
        parts = step.partition(Records(upstream, world.records.get(step.name, {})), spec)
        return [(part.id, part.blocks) for part in parts]
    return [(block, frozenset((block,))) for block in world.block_hashes]


def _upstream(step: Step, blocks: frozenset[str] | None, world: World) -> dict[str, str]:
    """Input stage -> hash of the columns that the step looks at, over the blocks that it reads."""
    hashes = {}
    for source in step.inputs:
        if source.stage == world.defining and blocks is not None:
            hashes[source.stage] = combined({name: world.block_hashes[name] for name in sorted(blocks)})
            continue
        records = world.records.get(source.stage, {})
        used = used_blocks(records, blocks, world.block_hashes)
        hashes[source.stage] = _columns_hash(records, used, source.columns)
    return hashes


def _columns_hash(records: Mapping[str, Row], blocks: Sequence[str], columns: Sequence[str]) -> str:
    """`combined` of `block/column` -> hash; written out, because a plan of a large build takes 250,000 of them."""
    ordered, texts = sorted(columns), []
    for block in blocks:
        hashes = records[block]["columns"]
        texts += [f'"{block}/{column}": "{hashes.get(column, "")}"' for column in ordered]
    return hashlib.sha256(f"{{{', '.join(texts)}}}".encode()).hexdigest()


def used_blocks(records: Mapping[str, Row], blocks: frozenset[str] | None, known: BlockHashes) -> list[str]:
    """Which of an upstream stage's blocks are read: those named, or all of a stage that makes its own."""
    makes_own = next(iter(records), "") not in known
    return sorted(records) if blocks is None or makes_own else sorted(filter(records.__contains__, blocks))


def _why(record: Row | None, inputs: Row, world: World) -> tuple[str, frozenset[str]]:
    if record is None:
        return "never done", frozenset()
    asked = frozenset(record.get("retry", ()))
    waits = {reason: record["run"]["finished"] + retry_wait(n) for reason, n in record.get("retryable", {}).items()}
    moved = record.get("snapshot") != world.snapshot
    over = {reason for reason, when in waits.items() if when <= world.now}
    again = asked | over | frozenset(record.get("awaiting", ()) if moved else ())
    changes = _changes(record["inputs"], inputs)
    if changes:
        return changes, again
    if not world.intact(record):
        return "its file is missing or damaged", again
    if asked:
        return f"retry asked for {', '.join(sorted(asked))}", again
    return (f"{RETRY} {', '.join(sorted(again))}" if again else ""), again


def _changes(before: Row, after: Row) -> str:
    """What differs between two sets of inputs, in words; "" when nothing does."""
    if before == after:
        return ""
    changes = []
    if before["version"] != after["version"]:
        changes.append(f"version {before['version']} -> {after['version']}")
    if before["schema"] != after["schema"]:
        changes.append("its columns changed")
    for key in sorted({*before["spec"], *after["spec"]}):
        if before["spec"].get(key) != after["spec"].get(key):
            changes.append(f"spec {key} changed")
    if before["extra"] != after["extra"]:
        changes.append("weights changed")
    for stage in sorted({*before["upstream"], *after["upstream"]}):
        if before["upstream"].get(stage) != after["upstream"].get(stage):
            changes.append(f"{stage} changed")
    return ", ".join(changes)
