"""Which blocks are due, and why: a pure function of spec, records and the clock (for retry waits only)."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pmcoa_build.engine.files import canonical, unwatched
from pmcoa_build.engine.stage import Records, Row, Step, Task
from pmcoa_build.spec import Spec

FIRST_WAIT = 600.0
"""Seconds until a retryable loss becomes due again; each further attempt waits four times as long."""

LONGEST_WAIT = 30 * 86400.0

RETRY = "time to retry"

_NOTHING: frozenset[str] = frozenset()

_BLOCK, _SPLIT = "\0", "\n"
"""In a template: the name of a block, the end of a text; no name has them."""

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


Look = tuple[tuple[str, ...], bool]
"""Columns of a stage that a step looks at, and whether it looks at several blocks together."""

Hasher = Callable[[frozenset[str] | None], str]
"""The blocks that a block reads -> hash of what the step looks at of them."""

Seen = Mapping[str, Mapping[str, str]]
"""Block -> step that looks at it -> hash of the columns; where it looks at several blocks together, the text that goes
into their hash."""


@unwatched()
def plan_all(steps: Sequence[Step], spec: Spec, world: World) -> tuple[dict[str, Plan], World]:
    """The plan of each step of a pipeline (in its order), and the world without records of blocks that are no more."""
    plans: dict[str, Plan] = {}
    stale: dict[str, frozenset[str]] = {}
    seen: dict[str, Seen] = {}
    looks, own_blocks = _looks(steps), {step.name for step in steps if makes_own(step)}
    for step in steps:
        hashers = {source.stage: _hasher(step, source.stage, seen[source.stage], source.stage in own_blocks, world)
                   for source in step.inputs}
        plans[step.name], seen[step.name] = _plan(step, spec, world, stale, hashers, _look(looks[step.name]))
        stale[step.name] = plans[step.name].stale
        records, blocks = world.records.get(step.name, {}), plans[step.name].blocks
        if not plans[step.name].waiting and records.keys() - set(blocks):
            current = {block: records[block] for block in blocks if block in records}
            world = replace(world, records={**world.records, step.name: current})
    return plans, world


def makes_own(step: Step) -> bool:
    """Whether a step has blocks of its own, not those of the snapshot."""
    return isinstance(step, Task) or step.partition is not None


def _looks(steps: Sequence[Step]) -> dict[str, dict[str, Look]]:
    """Stage -> step that looks at it -> how."""
    own = {step.name: makes_own(step) for step in steps}
    found: dict[str, dict[str, Look]] = {step.name: {} for step in steps}
    for step in steps:
        for source in step.inputs:
            found[source.stage][step.name] = source.columns, own[step.name] or own[source.stage]
    return found


def _plan(
    step: Step, spec: Spec, world: World, stale: Mapping[str, frozenset[str]], hashers: Mapping[str, Hasher],
    look: Callable[[str, Row], Mapping[str, str]],
) -> tuple[Plan, Seen]:
    """The plan of one step, and what others see of it. `stale`: upstream stage -> blocks that cannot be used now.

    Each record is decoded once and not kept: those of a large build take a gigabyte.
    """
    blocks = _blocks(step, spec, world, stale)
    if blocks is None:
        return Plan((), {"all": next(source.stage for source in step.inputs if stale.get(source.stage))}, ("all",)), {}
    upstream = functools.cache(functools.partial(_upstream, hashers))  # several blocks may read the same ones
    settings, records = settings_of(step, spec), world.records.get(step.name, {})
    held = any(stale.get(source.stage) for source in step.inputs)
    due, waiting, seen = [], {}, dict[str, Mapping[str, str]]()
    for block, upstream_blocks in blocks:
        late = _late(step, upstream_blocks, stale) if held else None
        if late is not None:
            waiting[block] = late
            continue
        inputs, record = {**settings, "upstream": upstream(upstream_blocks)}, records.get(block)
        why, retry = _why(record, inputs, world)
        if why:
            due.append(Due(block, why, inputs, upstream_blocks, retry))
        if record is not None:
            seen[block] = look(block, record)
    return Plan(tuple(due), waiting, tuple(block for block, _ in blocks)), seen


def settings_of(step: Step, spec: Spec) -> Row:
    """What a step depends on apart from upstream rows."""
    schema = step.schema.to_string(show_schema_metadata=False) if step.schema is not None else ""
    told = {key: spec_value(spec, key) for key in getattr(step, "fact_keys", ()) if spec.value(key)}
    return {
        "version": step.version,
        "schema": hashlib.sha256(schema.encode()).hexdigest()[:16],
        "spec": {key: spec_value(spec, key) for key in step.spec_keys},
        "extra": step.extra(spec) if step.extra else "",
        **({"facts": told} if told else {}),
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
    """The part of every unit's fingerprint that the block shares: all but what reaches a unit through its facts."""
    return canonical({name: value for name, value in inputs.items() if name not in ("upstream", "facts")})


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


def _blocks(
    step: Step, spec: Spec, world: World, stale: Mapping[str, frozenset[str]],
) -> list[tuple[str, frozenset[str] | None]] | None:
    """Each block of a step with the upstream blocks that it reads (None = all); None before they can be known."""
    late = any(stale.get(source.stage) for source in step.inputs)
    if late and (makes_own(step) or not world.block_hashes):
        return None
    if isinstance(step, Task):
        return [("all", None)]
    if step.partition is not None:
        upstream = {source.stage: world.records.get(source.stage, {}) for source in step.inputs}
        parts = step.partition(Records(upstream, world.records.get(step.name, {})), spec)
        return [(part.id, part.blocks) for part in parts]
    return [(block, frozenset((block,))) for block in world.block_hashes]


def _upstream(hashers: Mapping[str, Hasher], blocks: frozenset[str] | None) -> dict[str, str]:
    return {stage: hasher(blocks) for stage, hasher in hashers.items()}


def _hasher(step: Step, stage: str, seen: Seen, own_blocks: bool, world: World) -> Hasher:
    """Blocks -> hash of the columns that a step looks at, or of the rows as the task that defines blocks has them."""
    def together(blocks: Iterable[str]) -> str:
        return _hash([seen[block][step.name] for block in sorted(blocks)])

    def some(blocks: frozenset[str] | None) -> str:
        if blocks is None or own_blocks:
            return everything()
        return together(filter(seen.__contains__, blocks))

    def one(blocks: frozenset[str] | None) -> str:
        found = seen.get(next(iter(blocks or ())))
        return found[step.name] if found else _hash(())

    def defined(blocks: frozenset[str] | None) -> str:
        if blocks is None:
            return everything()
        return _hash([f'"{block}": "{world.block_hashes[block]}"' for block in sorted(blocks)])

    everything = functools.cache(lambda: together(seen))
    if stage == world.defining:
        return defined
    return some if own_blocks or makes_own(step) else one


def _hash(texts: Sequence[str]) -> str:
    """`combined` of what the texts are the members of (none of them is empty, or all are)."""
    return hashlib.sha256(f"{{{', '.join(texts) if texts and texts[0] else ''}}}".encode()).hexdigest()


def _look(looks: Mapping[str, Look]) -> Callable[[str, Row], Mapping[str, str]]:
    """(block, its record) -> step -> `block/column` -> hash as JSON without braces, or its hash; no column is "".

    One template is filled for all steps, because a large build has 400,000 such texts.
    """
    if not looks:
        return lambda block, record: {}
    parts = [", ".join(f'"{_BLOCK}/{column.replace("%", "%%")}": "%s"' for column in sorted(columns))
             for columns, _ in looks.values()]
    template, steps = _SPLIT.join(parts), list(looks)
    ordered = [column for columns, _ in looks.values() for column in sorted(columns)]
    nothing = [""] * len(ordered)
    hashed = [step for step, (_, together) in looks.items() if not together]

    def look(block: str, record: Row) -> Mapping[str, str]:
        filled = template % tuple(map(record["columns"].get, ordered, nothing))
        texts = dict(zip(steps, filled.replace(_BLOCK, block).split(_SPLIT), strict=True))
        for step in hashed:
            texts[step] = _hash((texts[step],))
        return texts

    return look


def used_blocks(upstream: Step, records: Mapping[str, Row], blocks: frozenset[str] | None) -> list[str]:
    """Which of an upstream stage's blocks are read: those named, or all of a stage that makes its own."""
    everything = blocks is None or makes_own(upstream)
    return sorted(records) if everything or blocks is None else sorted(filter(records.__contains__, blocks))


def _why(record: Row | None, inputs: Row, world: World) -> tuple[str, frozenset[str]]:
    if record is None:
        return "never done", _NOTHING
    asked = frozenset(record["retry"]) if "retry" in record else _NOTHING
    again, changes = asked | _over(record, world), _changes(record["inputs"], inputs)
    if changes:
        return changes, again
    if not world.intact(record):
        return "its file is missing or damaged", again
    if asked:
        return f"retry asked for {', '.join(sorted(asked))}", again
    return (f"{RETRY} {', '.join(sorted(again))}" if again else ""), again


def _over(record: Row, world: World) -> frozenset[str]:
    """The reasons for which units were lost whose wait is over, by the clock or by a newer snapshot."""
    awaiting = record.get("awaiting", ()) if record.get("snapshot") != world.snapshot else ()
    waits = record.get("retryable")
    if not (awaiting or waits):
        return _NOTHING
    over = {reason for reason, n in (waits or {}).items() if record["run"]["finished"] + retry_wait(n) <= world.now}
    return frozenset(over.union(awaiting))


def _changes(before: Row, after: Row) -> str:
    """What differs between two sets of inputs, in words; "" when nothing does."""
    if before == after:
        return ""
    changes = []
    if before["version"] != after["version"]:
        changes.append(f"version {before['version']} -> {after['version']}")
    if before["schema"] != after["schema"]:
        changes.append("its columns changed")
    said, says = ({**inputs["spec"], **inputs.get("facts", {})} for inputs in (before, after))
    changes += [f"spec {key} changed" for key in sorted({*said, *says}) if said.get(key) != says.get(key)]
    if before["extra"] != after["extra"]:
        changes.append("weights changed")
    for stage in sorted({*before["upstream"], *after["upstream"]}):
        if before["upstream"].get(stage) != after["upstream"].get(stage):
            changes.append(f"{stage} changed")
    return ", ".join(changes)
