"""Running the command line as a user does, in child processes, on builds below a temporary folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real articles and truths, where there is one."""
    if "PMCOA_SHARED" not in os.environ:
        pytest.skip("PMCOA_SHARED is not set: no real articles here")
    return Path(os.environ["PMCOA_SHARED"])


@pytest.fixture(scope="session")
def cli() -> Cli:
    """`cli("align", out=…, spec="demo", code=0, **{"select.sample": 3})` runs stages on manifests/demo.toml."""

    def run(
        *words: str, out: Path, spec: str = "mirror", code: int = 0, **keys: object
    ) -> subprocess.CompletedProcess[str]:
        folders = {"build.out": out / "data", "build.state": out / "state"}
        sets = [f"--set={key}={value}" for key, value in {**folders, **keys}.items()]
        options = [word for word in words if word.startswith("--")]
        names = [word for word in words if word not in options]
        path = ROOT / "manifests" / f"{spec}.toml"
        command = [sys.executable, "-m", "stages", *names, str(path), *options, *sets]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


CRAWL = ("snapshot", "articles", "figures", "screen", "media")
TO_DATASET = (*CRAWL, "panels", "align", "hashes", "dedupe", "shards", "publish")
