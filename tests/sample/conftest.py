from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pmcoa_build.sample import SampleServer, serve, write_sample


@pytest.fixture(scope="session")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first fifteen articles: every special case is among them."""
    root = tmp_path_factory.mktemp("sample") / "bucket"
    write_sample(root, articles=15)
    return root


@pytest.fixture(scope="session")
def next_day(bucket: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the bucket, brought up to edition 2."""
    root = tmp_path_factory.mktemp("next") / "bucket"
    shutil.copytree(bucket, root)
    write_sample(root, articles=15, edition=2)
    return root


@pytest.fixture
def server(bucket: Path) -> Iterator[SampleServer]:
    with serve(bucket) as running:
        yield running
