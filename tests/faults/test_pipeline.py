"""Faults 1 and 2 over the real stages: killed while they write, fresh and while they follow a change."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from pmcoa_build import spec as specs
from pmcoa_build.engine import care
from pmcoa_build.engine import state as states
from pmcoa_build.engine.plan import plan_all
from pmcoa_build.engine.runner import world_of
from pmcoa_build.sample import write_sample
from stages.pipeline import NAMES, pipeline
from tests.faults.crash import ROOT, check_invariants, crash_points, put_back

ARTICLES = 8
SETTINGS = (
    "source.requests_per_second=0", "select.licenses=any", "select.versions=all", "screen.terms=none", "run.on=sync",
    "run.max_dead_fraction=1", "train.epochs=1", "train.batch_size=4", "train.warmup=1", "train.image_size=32",
    "train.checkpoint_steps=2", "shards.splits=[0.4, 0.1, 0.5]",
)
MOST = 6
"""Crash points a stage and way, evenly spread: a commit has about a dozen, of its files and its record."""

SLOW = {"panels": 4, "train": 3}


def _stage(name: str, settings: Sequence[str]) -> None:
    """In a child: one stage by the command line."""
    from stages.__main__ import main

    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        code = main([name, str(ROOT / "manifests/demo.toml"), *(f"--set={one}" for one in settings), "--progress=off"])
    if code:
        sys.exit(code)


@dataclass(frozen=True)
class Stage:
    """One stage of a real build, as `check_invariants` wants it; it runs in child processes."""

    name: str
    root: Path
    settings: tuple[str, ...]
    context: ForkServerContext

    @property
    def state(self) -> states.State:
        return states.of(specs.load(ROOT / "manifests/demo.toml", self.settings))

    def run(self) -> None:
        process = self.context.Process(target=_stage, args=(self.name, self.settings))
        process.start()
        process.join()
        assert process.exitcode == 0

    def verify(self) -> Sequence[str]:
        return care.verify(self.state, NAMES)[0]

    def due(self) -> object:
        steps = pipeline()
        return plan_all(steps, specs.load(ROOT / "manifests/demo.toml", self.settings), world_of(steps, self.state))[0][
            self.name
        ].due

    def collect(self) -> object:
        return care.collect(self.state, NAMES)

    def hashes(self) -> dict[str, str]:
        return {block: record["content"] for block, record in self.state.records(self.name).items()}


@dataclass(frozen=True)
class Chain:
    """A build run stage by stage, with a copy of what was there before each stage."""

    root: Path
    settings: tuple[str, ...]

    def before(self, name: str) -> Path:
        return self.root / f"before-{name}"

    def after(self, name: str) -> Path:
        following = (*NAMES, "end")[NAMES.index(name) + 1]
        return self.before(following)


@pytest.fixture(scope="module")
def chains(context: ForkServerContext, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Chain]:
    """A fresh build, and a finished one that follows a change of what is selected."""
    root = tmp_path_factory.mktemp("chains")
    write_sample(root / "bucket", articles=ARTICLES, seed=3)
    ids = sorted({path.name.split(".")[0] for path in (root / "bucket" / "metadata").glob("*.json")})
    made: dict[str, Chain] = {}
    start = root / "nothing"
    start.mkdir()
    for way, chosen in (("fresh", ids[:-1]), ("update", ids[1:])):
        settings = (
            f"source.url={root / 'bucket'}", f"build.out={root / 'work/data'}", f"build.state={root / 'work/state'}",
            f"select.articles={chosen}", *SETTINGS,
        )
        chain = Chain(root / way, settings)
        put_back(start, root / "work")
        for name in NAMES:
            put_back(root / "work", chain.before(name))
            Stage(name, root, settings, context).run()
        put_back(root / "work", chain.before("end"))
        start = chain.before("end")
        made[way] = chain
    return made


@pytest.mark.parametrize("way", ["fresh", "update"])
@pytest.mark.parametrize("name", NAMES)
def test_a_kill_anywhere_in_a_stage(name: str, way: str, chains: dict[str, Chain], context: ForkServerContext) -> None:
    chain = chains[way]
    work = chain.root.parent / "work"
    stage = Stage(name, work, chain.settings, context)
    put_back(chain.after(name), work)
    expected = stage.hashes()
    assert expected
    tried, most = 0, SLOW.get(name, MOST)
    for point in crash_points(
        context, _stage, name, chain.settings, put_back=lambda: put_back(chain.before(name), work), most=most
    ):
        tried += 1
        gc_first = point % 2 == 1 and any(stage.state.folder.glob("*.jsonl"))
        check_invariants(stage, expected, gc_first=gc_first, folders=[work])
    assert tried == most


@pytest.mark.parametrize("damage", [lambda path: os.truncate(path, 1000), Path.unlink])
def test_a_damaged_file_of_the_dataset_is_put_back(
    damage: Callable[[Path], object], chains: dict[str, Chain], context: ForkServerContext
) -> None:
    chain = chains["fresh"]
    work = chain.root.parent / "work"
    put_back(chain.after("publish"), work)
    shards, publish = (Stage(name, work, chain.settings, context) for name in ("shards", "publish"))
    file = next((work / "data/dataset/data").glob("train-*.parquet"))
    before = file.read_bytes()
    damage(file)
    assert publish.verify() and publish.due()
    shards.run()
    publish.run()
    assert file.read_bytes() == before and not publish.verify() and not publish.due()
