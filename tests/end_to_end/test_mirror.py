"""Real articles through the whole pipeline up to the published dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmcoa_build import Build
from tests.end_to_end.conftest import ROOT, TO_DATASET, Cli


@pytest.fixture(scope="module")
def mirror(shared: Path, cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mirror")
    cli(*TO_DATASET, out=out, **{"source.url": shared / "mirror"})
    return out


def _build(out: Path) -> Build:
    return Build.open(ROOT / "manifests/mirror.toml", [f"build.out={out / 'data'}", f"build.state={out / 'state'}"])


def test_every_figure_with_an_image_is_fetched_and_every_other_has_a_reason(mirror: Path) -> None:
    build = _build(mirror)
    figures = set(build.table("figures")["figure_id"].to_pylist())
    fetched = set(build.table("media")["figure_id"].to_pylist())
    reasons = {row["figure_id"]: row["reasons"] for row in build.table("screen").to_pylist()}
    assert len(figures) == 86 and len(fetched) > 80
    assert all(reasons[figure] for figure in figures - fetched)


def test_nothing_is_lost_uncounted(mirror: Path) -> None:
    for stage, counts in _build(mirror).status().items():
        lost = sum(counts["filtered"].values()) + sum(counts["dead"].values())
        assert counts["in"] == counts["done"] + lost, stage
        assert not counts["dead"], stage


def test_the_dataset_loads_with_images(mirror: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import load_dataset

    dataset = load_dataset(str(mirror / "data/dataset"), cache_dir=str(tmp_path))
    pairs = sum(split.num_rows for split in dataset.values())
    assert pairs > 200
    row = dataset["train"][0]
    assert row["image"].size == (row["width"], row["height"]) and row["subcaption"]


def test_a_second_run_has_nothing_to_do(mirror: Path, cli: Cli, shared: Path) -> None:
    done = cli(*TO_DATASET, out=mirror, **{"source.url": shared / "mirror"})
    assert done.stdout.count("nothing due") == len(TO_DATASET)
    assert "0 problems" in cli("verify", out=mirror).stdout
