"""The tiny model, opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmcoa_build.clip.benchmarks.subject import Subject, open_subject
from tests.clip.benchmarks.made_up import export_tiny


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_tiny(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def subject(exported: Path) -> Subject:
    return open_subject(exported)
