"""A build looked into from Python."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pmcoa_build import schema
from pmcoa_build.build import Build
from pmcoa_build.engine.stage import Stage
from pmcoa_build.errors import UsageError
from tests.engine.toy import Toy, article, articles


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    made = Toy(tmp_path)
    made.write({**articles(60), 3: article("x", lose="timeout"), 50: article("x", lose="retracted")})
    made.run()
    return made


def test_tables_losses_and_counts(toy: Toy) -> None:
    build = Build.open(toy.root / "toy.toml")
    step = toy.pipeline[1]
    assert isinstance(step, Stage)
    table = build.table("fetch")
    assert table.num_rows == 58 and table.schema.equals(step.schema)
    assert build.table("words", columns=["word"]).column_names == ["word"]
    assert build.table("catalogue").num_rows == 60  # a task's table
    assert build.lost("fetch").schema.equals(schema.LOST)
    assert build.lost("fetch").to_pylist() == [
        {"unit": "PMC3.1", "scope": "article", "outcome": "dead", "reason": "timeout", "retryable": True,
         "detail": "as told", "attempts": 1},
        {"unit": "PMC50.1", "scope": "article", "outcome": "filtered", "reason": "retracted", "retryable": False,
         "detail": "as told", "attempts": 1},
    ]
    assert build.lost("words").num_rows == 0
    assert build.status()["fetch"] == {
        "blocks": 3, "rows": 58, "in": 60, "done": 58, "filtered": {"retracted": 1}, "dead": {"timeout": 1},
    }


def test_only_records_count(toy: Toy) -> None:
    (toy.state.out / "fetch/000000000-stray.parquet").write_text("stray")
    assert Build.open(toy.root / "toy.toml").table("fetch").num_rows == 58
    toy.changed(keys=("shards.level=both",)).run()
    assert Build.open(toy.root / "toy.toml").table("index").num_rows == 58 * 3


def test_what_has_not_run_is_a_sentence(toy: Toy, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no table of 'media' yet"):
        Build.open(toy.root / "toy.toml").table("media")
    with pytest.raises(UsageError, match="cannot be read"):
        Build.open(tmp_path / "missing.toml")
    shutil.rmtree(toy.state.folder)
    with pytest.raises(UsageError, match="records"):
        Build.open(toy.root / "toy.toml")


def test_overrides(toy: Toy) -> None:
    assert Build.open(toy.root / "toy.toml", ["panels.min_side=7"]).spec.panels.min_side == 7


def test_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, pmcoa_build; assert pmcoa_build.Build and 'parse_article' in dir(pmcoa_build);"
        "print([n for n in ('torch', 'cv2', 'dask', 'ultralytics', 'onnxruntime', 'transformers') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          cwd=Path(__file__).parents[1])
    assert done.stdout.strip() == "[]"
