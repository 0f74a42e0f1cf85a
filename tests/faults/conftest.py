"""The process from which doomed children are forked."""

from __future__ import annotations

from multiprocessing.context import ForkServerContext

import pytest

from stages.pipeline import NAMES
from tests.faults.crash import forking


@pytest.fixture(scope="session")
def context() -> ForkServerContext:
    """Processes that start with the toy, the stages, and what those import late."""
    late = ["pyarrow.parquet", "pyarrow.dataset", "filelock", "torch", "transformers", "onnxruntime", "jinja2"]
    stages = ["stages.__main__", *(f"stages.{name}" for name in NAMES)]
    return forking([*late, *stages, "pmcoa_build.clip.train", "pmcoa_build.clip.evaluate", "tests.engine.toy"])


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed process has written stays: no test here needs the disk itself, which is slow."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
