"""What a stage is.

A `Stage` turns units (articles, figures, images, panels) into rows, block by block; a `Task` does one thing as a
whole (take a snapshot, publish, train). Both say what they may look at: upstream columns and spec keys. What they
do not declare cannot make them run again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from pmcoa_build.spec import Spec

Row = dict[str, Any]
Tables = Mapping[str, pa.Table]


@dataclass(frozen=True)
class Input:
    """An upstream table and the columns of it that the stage looks at.

    `content` names heavy columns (images, XML) that are read for due units only; one of `columns` must hold a hash
    of them, because content itself is not part of a unit's fingerprint.
    """

    stage: str
    columns: tuple[str, ...]
    content: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unit:
    """One thing to work on.

    `facts`: all that `process` may depend on, as JSON values. `members`: the ids of the input rows that it stands
    for (by default itself), each of which is counted. `content`: input stage -> key of the row whose heavy columns
    `process` gets.
    """

    id: str
    facts: Row
    members: tuple[str, ...] = ()
    content: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.members:
            object.__setattr__(self, "members", (self.id,))


@dataclass(frozen=True)
class Loss:
    """Why a member of a unit was left out."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Result:
    """What `process` made of a unit: rows, the members that were left out, and what was dropped inside of it.

    `dropped` counts, by reason, things that are no units (single panels of an image). `memo` is what a stage that
    `recalls` wants to be told next time, whatever became of the unit.
    """

    rows: Sequence[Row] = ()
    lost: Mapping[str, Loss] = field(default_factory=dict)
    dropped: Mapping[str, int] = field(default_factory=dict)
    memo: bytes = b""


@dataclass(frozen=True)
class Partition:
    """A block of a stage that makes its own blocks: `blocks` = the upstream blocks that it reads (None = all)."""

    id: str
    blocks: frozenset[str] | None = None


@dataclass(frozen=True)
class Records:
    """What a partition function sees: the last record of each block of each upstream stage, and of its own."""

    upstream: Mapping[str, Mapping[str, Row]]
    own: Mapping[str, Row]


@dataclass(frozen=True)
class Finish:
    """What `finish` may use: declared tables, the table of the last run, and the heavy columns by key."""

    tables: Tables
    previous: pa.Table | None
    content: Callable[[str, str], Row]
    spec: Spec


@dataclass(frozen=True)
class Stage:
    """A step that works unit by unit.

    `version` is bumped by the author whenever rows change for the same input. `units(tables, spec, block)` gives units
    in a fixed order, which is that of the rows. `units` and `process(unit, content, resource)` are pure but for the
    resource (a bucket, a detector) that `setup` opens once a worker; `process` raises UnitLost for a unit that cannot
    be done. `partition` gives own blocks in place of the snapshot's; `finish` sees all rows of a block at once and may
    fill columns, never add, drop or move rows. With `recalls`, `content` also holds, under the stage's own name, what
    the unit gave last time ({"rows", "memo"}): to spare work, never to change rows. `open_writer` and `row_groups`
    (which cuts a stream of tables anew) replace the engine's layout where others read the files. `extra(spec)` is
    hashed into every unit (the detector's weights). `fact_keys` are spec keys that `units` turns into facts: when one
    changes, blocks are looked at again, but only units whose facts differ are computed. `committed(resource)` runs
    after each commit; `spent(resource)` says just before it what the source has been asked for since the last time:
    counts, which records add up.
    """

    name: str
    version: int
    scope: str
    schema: pa.Schema
    key: str
    inputs: tuple[Input, ...]
    spec_keys: tuple[str, ...]
    units: Callable[[Tables, Spec, str], list[Unit]]
    process: Callable[[Unit, Mapping[str, Row], Any], Result]
    network: bool | Callable[[Spec], bool] = False
    setup: Callable[[Spec], AbstractContextManager[Any]] | None = None
    extra: Callable[[Spec], str] | None = None
    partition: Callable[[Records, Spec], list[Partition]] | None = None
    finish: Callable[[pa.Table, Finish], pa.Table] | None = None
    committed: Callable[[Any], None] | None = None
    spent: Callable[[Any], dict[str, int]] | None = None
    recalls: bool = False
    open_writer: Callable[[Path, pa.Schema], Any] | None = None
    row_groups: Callable[[Iterable[pa.Table]], Iterator[pa.Table]] | None = None
    fact_keys: tuple[str, ...] = ()

    def uses_network(self, spec: Spec) -> bool:
        """Whether units ask a server, so that they run as threads of the driver: some stages do by the spec only."""
        return self.network(spec) if callable(self.network) else self.network


@dataclass(frozen=True)
class TaskOutput:
    """What a task made: files (their folder included) under the build's out folder, and facts for the record.

    `spent`: what it asked the source for, as in `Stage.spent`.
    """

    files: Sequence[Path]
    facts: Row
    table: Path | None = None
    counts: Row | None = None
    spent: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskContext:
    """What a task may use. `tables(stage)` reads the whole upstream table (declared columns only)."""

    spec: Spec
    out: Path
    fingerprint: str
    previous: Row | None
    update: bool
    tables: Callable[[str], pa.Table]
    upstream: Mapping[str, Mapping[str, Row]]
    stop: Callable[[], bool]
    show: Callable[[Row], None]


@dataclass(frozen=True)
class Task:
    """A step done as a whole: one block named "all". `schema` and `key` describe its table, if it has one."""

    name: str
    version: int
    inputs: tuple[Input, ...]
    spec_keys: tuple[str, ...]
    run: Callable[[TaskContext], TaskOutput]
    schema: pa.Schema | None = None
    key: str = ""
    extra: Callable[[Spec], str] | None = None
    defines_blocks: bool = False


Step = Stage | Task
