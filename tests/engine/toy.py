"""A toy pipeline on the real engine: catalogue -> fetch -> words -> index -> report.

The world is one JSON file: PMCID -> {"etag", "text", "lose"? and other misfortunes}. Every unit that is computed writes
a line into a file, so that work can be counted, whichever process did it.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pmcoa_build import spec as specs
from pmcoa_build.atomic import atomic
from pmcoa_build.engine import care
from pmcoa_build.engine import state as states
from pmcoa_build.engine.blocks import block_name, boundaries
from pmcoa_build.engine.plan import Plan, plan_all
from pmcoa_build.engine.runner import Options, Run, Stop, Summary, run_step, world_of
from pmcoa_build.engine.stage import (
    Finish,
    Input,
    Partition,
    Records,
    Result,
    Row,
    Stage,
    Step,
    Tables,
    Task,
    TaskContext,
    TaskOutput,
    Unit,
)
from pmcoa_build.errors import RunFailed, UnitLost

CATALOGUE = pa.schema([("article", pa.string()), ("pmcid", pa.int32()), ("etag", pa.string())])
FETCH = pa.schema([
    pa.field("article", pa.string(), nullable=False), pa.field("md5", pa.string(), nullable=False),
    pa.field("length", pa.int32(), nullable=False), pa.field("body", pa.binary(), nullable=False),
])
WORDS = pa.schema([
    pa.field("word_id", pa.string(), nullable=False), pa.field("word", pa.string(), nullable=False),
    pa.field("place", pa.int32(), nullable=False),
])
INDEX = pa.schema([
    pa.field("word_id", pa.string(), nullable=False), pa.field("word", pa.string(), nullable=False),
    pa.field("count", pa.int32()),
])
Articles = dict[int, Row]


def article(text: str, **more: Any) -> Row:
    """An article of the toy's world; its ETag follows from what it is."""
    told = {"text": text, **more}
    return {"etag": hashlib.md5(json.dumps(told, sort_keys=True).encode()).hexdigest(), **told}


def articles(count: int, first: int = 1) -> Articles:
    """Some articles of three words each."""
    return {pmcid: article(f"word{pmcid} also w{pmcid % 7}") for pmcid in range(first, first + count)}


def _catalogue(context: TaskContext) -> TaskOutput:
    world = json.loads(Path(context.spec.source.url).read_text())
    found = sorted((int(pmcid), row["etag"]) for pmcid, row in world["articles"].items())
    table = pa.Table.from_pylist(
        [{"article": f"PMC{pmcid}.1", "pmcid": pmcid, "etag": etag} for pmcid, etag in found], schema=CATALOGUE
    )
    previous: list[int] = []
    if context.previous and (made := context.out / context.previous["facts"]["blocks"]).exists():
        before = pq.read_table(made).to_pylist()
        previous = [row["lower"] for row in before] + [before[-1]["upper"]]
    bounds = boundaries(np.array([pmcid for pmcid, _ in found], dtype=np.int64), previous, world["size"])
    blocks = []
    for lower, upper in itertools.pairwise(bounds):
        inside = [row for row in found if lower <= row[0] < upper]
        blocks.append({"block": block_name(lower), "by": "pmcid", "lower": lower, "upper": upper,
                       "hash": hashlib.sha256(str(inside).encode()).hexdigest()[:32]})
    paths = []
    for name, rows in (("all", table), ("blocks", pa.Table.from_pylist(blocks))):
        digest = hashlib.sha256(str(rows.to_pylist()).encode()).hexdigest()[:12]
        paths.append(context.out / "catalogue" / f"{name}-{digest}.parquet")
        with atomic(paths[-1]) as temporary:
            pq.write_table(rows, temporary)
    count = len(found)
    return TaskOutput(paths[1:], {"blocks": str(paths[1].relative_to(context.out))}, table=paths[0],
                      counts={"in": count, "done": count, "filtered": {}, "dead": {}})


@dataclass(frozen=True)
class World:
    """What a worker sees of the world, and where it writes down what it did."""

    rows: Mapping[str, Row]
    calls: Path

    def called(self, stage: str, unit: str) -> None:
        """Count one computed unit; appending so little is atomic, also across processes."""
        descriptor = os.open(self.calls, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(descriptor, f"{stage} {unit}\n".encode())
        os.close(descriptor)


@contextlib.contextmanager
def _world(spec: specs.Spec) -> Iterator[World]:
    world = json.loads(Path(spec.source.url).read_text())
    yield World(world["articles"], Path(spec.source.url).with_name("calls.txt"))


def _fetch_units(tables: Tables, spec: specs.Spec, block: str) -> list[Unit]:
    rows = tables["catalogue"].to_pylist()
    return [Unit(row["article"], {"etag": row["etag"], "pmcid": row["pmcid"]}) for row in rows]


def _suffer(told: Row) -> None:
    """What may befall the process that computes an article."""
    if told.get("stumble") and not Path(told["stumble"]).exists():  # once only
        Path(told["stumble"]).touch()
        os._exit(1)
    if told.get("revolt") and not Path(told["revolt"]).exists():
        Path(told["revolt"]).touch()
        os.kill(os.getppid(), signal.SIGKILL)  # the worker
        threading.Event().wait()
    if told.get("signal"):
        os.kill(os.getpid(), told["signal"])
    if told.get("wait"):
        with contextlib.suppress(OSError):  # a pipe: until the test writes or closes it
            Path(told["wait"]).read_bytes()
    if "exit" in told:
        os._exit(told["exit"])
    if told.get("hog"):
        held = b"x" * told["hog"]
        while held:
            threading.Event().wait()
    while told.get("hang"):
        pass


def _fetch(unit: Unit, content: Mapping[str, Row], world: World) -> Result:
    world.called("fetch", unit.id)
    told = world.rows[str(unit.facts["pmcid"])]
    _suffer(told)
    if told.get("fail"):
        raise RunFailed("The world does not answer.")
    if told.get("bug"):
        raise ZeroDivisionError("division by zero")
    if told.get("lose"):
        raise UnitLost(told["lose"], "as told")
    body = told["text"].encode()
    md5 = hashlib.md5(body).hexdigest()
    return Result([{"article": unit.id, "md5": md5, "length": len(body), "body": body}])


def _words_units(tables: Tables, spec: specs.Spec, block: str) -> list[Unit]:
    return [
        Unit(row["article"], {"md5": row["md5"], "quality": spec.panels.quality}, content={"fetch": row["article"]})
        for row in tables["fetch"].to_pylist()
    ]


def _words(unit: Unit, content: Mapping[str, Row], world: World) -> Result:
    world.called("words", unit.id)
    words = content["fetch"]["body"].decode().split()
    kept = [(place, word) for place, word in enumerate(words) if len(word) < unit.facts["quality"]]
    rows = [{"word_id": f"{unit.id}/{place}", "word": word, "place": place} for place, word in kept]
    return Result(rows, dropped={"panel-too-small": len(words) - len(kept)} if len(kept) < len(words) else {})


def _parts(records: Records, spec: specs.Spec) -> list[Partition]:
    count = 2 if spec.shards.level == "both" else 1
    return [Partition(f"part-{number}-of-{count}") for number in range(count)]


def _index_units(tables: Tables, spec: specs.Spec, block: str) -> list[Unit]:
    number, count = int(block.split("-")[1]), int(block.split("-")[3])
    rows = [row for row in tables["words"].to_pylist() if int(row["word_id"][3:].split(".")[0]) % count == number]
    return [Unit(row["word_id"], {"word": row["word"]}) for row in sorted(rows, key=lambda row: row["word_id"])]


def _index(unit: Unit, content: Mapping[str, Row], world: World) -> Result:
    world.called("index", unit.id)
    return Result([{"word_id": unit.id, "word": unit.facts["word"], "count": None}])


def _count(rows: pa.Table, at: Finish) -> pa.Table:
    counts = Counter(at.tables["words"]["word"].to_pylist())
    filled = pa.array([counts[word] for word in rows["word"].to_pylist()], pa.int32())
    return rows.set_column(2, "count", filled)


def _report(context: TaskContext) -> TaskOutput:
    path = context.out / "report" / f"report-{context.fingerprint[:12]}.txt"
    words = context.tables("index")["word"].to_pylist()
    with atomic(path) as temporary:
        temporary.write_text("\n".join(sorted(words)))
    return TaskOutput([path], {"words": len(words), "sum": hashlib.sha256(str(sorted(words)).encode()).hexdigest()})


PIPELINE: list[Step] = [
    Task("catalogue", 1, (), ("source.url",), _catalogue, CATALOGUE, "article", defines_blocks=True),
    Stage("fetch", 1, "article", FETCH, "article", (Input("catalogue", ("article", "pmcid", "etag")),),
          ("select.licenses",), _fetch_units, _fetch, setup=_world),
    Stage("words", 1, "article", WORDS, "word_id", (Input("fetch", ("article", "md5"), content=("body",)),),
          ("panels.quality",), _words_units, _words, setup=_world),
    Stage("index", 1, "panel", INDEX, "word_id", (Input("words", ("word_id", "word")),), (), _index_units, _index,
          setup=_world, partition=_parts, finish=_count),
    Task("report", 1, (Input("index", ("word", "count")),), ("align.llm_model",), _report),
]
STAGES = tuple(step.name for step in PIPELINE)


@dataclass
class Toy:
    """One toy build below `root`; `keys` are spec overrides."""

    root: Path
    keys: tuple[str, ...] = ()
    pipeline: Sequence[Step] = tuple(PIPELINE)

    def write(self, articles: Articles, size: int = 20) -> None:
        """Set the world: the articles, and how many make a block."""
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "world.json").write_text(json.dumps({"articles": articles, "size": size}))
        (self.root / "toy.toml").write_text('[build]\nout = "data"\nstate = "state"\n[source]\nurl = "./world.json"\n')

    @property
    def spec(self) -> specs.Spec:
        """The spec of the build."""
        return specs.load(self.root / "toy.toml", self.keys)

    @property
    def state(self) -> states.State:
        """Its folders."""
        return states.of(self.spec)

    def run(self, *names: str, signals: bool = False, **options: Any) -> dict[str, Summary]:
        """Run stages (by default all) under the lock, as the command line does."""
        state, summaries = self.state, {}
        chosen = Options(progress="off", **options)
        states.create(state)
        with states.locked(state), Stop().installed() if signals else contextlib.nullcontext(Stop()) as stop:
            working = Run(self.pipeline, self.spec, state, chosen, stop)
            for step in self.pipeline:
                if step.name in (names or STAGES):
                    summaries[step.name] = run_step(working, step)
        return summaries

    def due(self) -> dict[str, list[tuple[str, str]]]:
        """Stage -> what is due and why; stages without any are left out."""
        return {name: [(d.block, d.why) for d in plan.due] for name, plan in self.plans().items() if plan.due}

    def plans(self) -> dict[str, Plan]:
        """The plan of every stage."""
        return plan_all(self.pipeline, self.spec, world_of(self.pipeline, self.state))[0]

    def calls(self) -> list[str]:
        """The units computed since the last time this was asked: "<stage> <unit>", sorted."""
        path = self.root / "calls.txt"
        found = sorted(path.read_text().splitlines()) if path.exists() else []
        path.unlink(missing_ok=True)
        return found

    def hashes(self) -> dict[str, dict[str, str]]:
        """Stage -> block -> content hash."""
        return {name: {b: r["content"] for b, r in self.state.records(name).items()} for name in STAGES}

    def rows(self, stage: str) -> list[Row]:
        """All rows of a stage, sorted by its key."""
        step = next(step for step in self.pipeline if step.name == stage)
        outputs = [record["output"]["path"] for record in self.state.records(stage).values()]
        rows = [row for path in outputs for row in pq.read_table(self.state.path(path)).to_pylist()]
        assert isinstance(step, Stage)
        return sorted(rows, key=lambda row: str(row[step.key]))

    def verify(self) -> list[str]:
        """Problems that `verify` finds."""
        return care.verify(self.state, STAGES)[0]

    def collect(self) -> tuple[int, int]:
        """gc."""
        return care.collect(self.state, STAGES)

    def files(self) -> set[str]:
        """All files of the build's data."""
        return {str(path.relative_to(self.state.out)) for path in self.state.out.rglob("*") if path.is_file()}

    def changed(self, **changes: Any) -> Toy:
        """The same build with other keys or another pipeline."""
        return replace(self, **changes)

    def with_step(self, name: str, **changes: Any) -> Toy:
        """The same build with one step changed."""
        steps = [replace(step, **changes) if step.name == name else step for step in self.pipeline]
        return replace(self, pipeline=steps)
