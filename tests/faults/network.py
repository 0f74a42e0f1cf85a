"""A crawl of the small bucket from the sample server, run by the command line in this process, without any waiting."""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pmcoa_build import Build
from pmcoa_build.engine import care
from pmcoa_build.pmc.bucket import open_bucket
from pmcoa_build.pmc.ratelimit import Clock
from pmcoa_build.sample import Fault, Faults, SampleServer, serve
from stages.__main__ import main
from stages.pipeline import NAMES
from tests.faults.crash import unfinished_files

CRAWL = ("snapshot", "articles", "figures", "screen", "media")
TABLES = CRAWL[1:]
SPEC = """
[build]
out = "data"
state = "state"
[source]
url = "{url}"
requests_per_second = 0
[screen]
terms = "none"
[run]
max_dead_fraction = 1.0
"""


class PlayedTime(threading.local):
    """A clock a thread that sleeping moves on at once, and every look at it by `tick` seconds.

    So a drip, which costs a look a byte, is soon too slow, and no reply that comes at once ever is.
    """

    def __init__(self, tick: float) -> None:
        self.tick, self.time = tick, 0.0

    def now(self) -> float:
        self.time += self.tick
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


def play_time(monkeypatch: pytest.MonkeyPatch, tick: float = 0.05) -> list[float]:
    """From now on no stage waits for its source; the list gets every nap that would have been taken, in seconds."""
    time, naps = PlayedTime(tick), []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        time.sleep(seconds)

    clock = Clock(now=time.now, sleep=sleep, random=lambda: 0.5)
    monkeypatch.setattr("stages.source.open_bucket", functools.partial(open_bucket, clock=clock))
    return naps


@dataclass(frozen=True)
class Crawl:
    """A build below `root` whose source is a sample server; `bucket` is what that serves."""

    root: Path
    bucket: Path
    server: SampleServer

    @property
    def spec(self) -> Path:
        return self.root / "crawl.toml"

    def play(self, key: str, kind: str, **how: object) -> None:
        """Have a fault played; see `Fault`."""
        self.server.faults.rules.append(Fault(key, kind, **how))  # type: ignore[arg-type]

    def run(self, *words: str) -> int:
        """The exit code of `python -m stages WORDS… SPEC`, by default of the whole crawl."""
        stages = [word for word in words if not word.startswith("--")]
        options = [word for word in words if word.startswith("--")]
        return main([*(stages or CRAWL), str(self.spec), *options, "--progress=off"])

    def command(self, *words: str) -> int:
        """The exit code of a command beside the stages."""
        return main([words[0], str(self.spec), *words[1:]])

    def open(self) -> Build:
        return Build.open(self.spec)

    def hashes(self) -> dict[str, dict[str, str]]:
        """Stage -> block -> content hash."""
        state = self.open().state
        return {stage: {b: record["content"] for b, record in state.records(stage).items()} for stage in TABLES}

    def lost(self, stage: str) -> dict[str, tuple[str, str, bool]]:
        """Unit -> outcome, reason, whether it is tried again by itself."""
        rows = self.open().lost(stage).to_pylist()
        return {row["unit"]: (row["outcome"], row["reason"], row["retryable"]) for row in rows}

    def asked(self, pattern: str = "*") -> int:
        """Requests that the server has seen for such keys."""
        return sum(fnmatch.fnmatchcase(key, pattern) for _, key, _, _ in self.server.log)

    def check_sound(self) -> None:
        """Every file is as recorded or kept as fetched, and none is there for another reason."""
        state = self.open().state
        assert care.verify(state, NAMES)[0] == [] and unfinished_files(self.root) == []
        named = {o["path"] for stage in NAMES for record in state.records(stage).values() for o in care.outputs(record)}
        for path in state.out.rglob("*"):
            name = path.relative_to(state.out).as_posix()
            if name.startswith("raw/"):
                assert path.is_dir() or path.read_bytes() == (self.bucket / name[4:]).read_bytes(), name
            elif path.is_file():
                assert name in named | {"BUILD_ID"} or name.startswith("snapshot/"), name


@contextlib.contextmanager
def crawling(root: Path, bucket: Path, port: int = 0) -> Iterator[Crawl]:
    """A build below `root`, a new folder, from a server of its own; a second one at the same port goes on with it."""
    with serve(bucket, port=port, faults=Faults()) as server:
        root.mkdir(exist_ok=True)
        (root / "crawl.toml").write_text(SPEC.format(url=server.url))
        yield Crawl(root, bucket, server)


def copy(bucket: Path, to: Path) -> Path:
    """A copy of a bucket, to be changed."""
    return Path(shutil.copytree(bucket, to))
