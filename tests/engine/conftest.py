"""Toy builds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests.engine.toy import Toy, articles

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """A toy of 60 articles in blocks of 20, not run yet."""
    made = Toy(tmp_path)
    made.write(articles(60))
    return made


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here needs the disk itself, which is slow."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
