"""The process from which doomed children are forked."""

from __future__ import annotations

from multiprocessing.context import ForkServerContext

import pytest

from tests.faults.crash import forking


@pytest.fixture(scope="session")
def context() -> ForkServerContext:
    """Processes that start with the toy, the stages, and what those import late."""
    return forking(["pyarrow.parquet", "tests.faults.late", "tests.engine.toy"])


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed process has written stays: no test here needs the disk itself, which is slow."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
