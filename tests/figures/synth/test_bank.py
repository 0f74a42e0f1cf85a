from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pmcoa_build.figures.kinds import DRAWINGS, IMAGES
from pmcoa_build.figures.synth import bank
from pmcoa_build.figures.synth.bank import Bank, draw_bank, draw_content
from pmcoa_build.figures.synth.content import PAINTERS
from pmcoa_build.figures.synth.imagery import rng_of

QUICK = tuple(replace(p, weight=1.0) for p in PAINTERS if p.name in ("head", "venn", "haematoxylin_eosin", "dot_blot"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bank, "PAINTERS", QUICK)
    monkeypatch.setattr(bank, "_PROCESSES", 1000)
    draw_bank(tmp_path / "bank", 12, seed=5)
    return tmp_path / "bank"


def test_equal_seeds_give_equal_banks(folder: Path, tmp_path: Path) -> None:
    draw_bank(tmp_path / "again", 12, seed=5)
    names = sorted(path.name for path in folder.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    assert all((folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in names)
    draw_bank(tmp_path / "other", 12, seed=6)
    assert (tmp_path / "other" / "index.json").read_text() != (folder / "index.json").read_text()


def test_seed_and_number_decide_a_content_whoever_draws_it(folder: Path) -> None:
    assert [draw_content(5, n)[0].name for n in range(12)] == [e.painter for e in Bank(folder).entries]


def test_the_index_counts_painters(folder: Path) -> None:
    index = json.loads((folder / "index.json").read_text())
    assert index["seed"] == 5
    assert sum(index["painters"].values()) == index["count"] == len(index["entries"]) == 12


def test_sizes_and_kinds(folder: Path) -> None:
    for entry in Bank(folder).entries:
        assert entry.kind in (*IMAGES, *DRAWINGS)
        assert 100 <= min(entry.width, entry.height) <= max(entry.width, entry.height) <= 700
        assert entry.file.endswith("png") == (entry.kind in DRAWINGS)


def test_take_gives_the_kind_and_varies(folder: Path) -> None:
    drawn = Bank(folder)
    rng = rng_of(1)
    taken = [drawn.take(rng, "microscopy", 1.0) for _ in range(4)]
    assert {kind for _, kind in taken} == {"microscopy"}
    assert all(image.dtype == np.uint8 and image.shape[2] == 3 for image, _ in taken)
    one, same = (drawn.take(rng_of(9), None, 1.0)[0] for _ in range(2))
    assert np.array_equal(one, same)


def test_whole_pictures_are_no_montages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both = tuple(replace(p, weight=1.0) for p in PAINTERS if p.name in ("haematoxylin_eosin", "sections"))
    monkeypatch.setattr(bank, "PAINTERS", both)
    monkeypatch.setattr(bank, "_PROCESSES", 1000)
    draw_bank(tmp_path, 8, seed=1)
    drawn, opened = Bank(tmp_path), []
    assert len({entry.single for entry in drawn.entries}) == 2
    read = cv2.imread
    monkeypatch.setattr(cv2, "imread", lambda path: opened.append(Path(path).name) or read(path))
    for seed in range(12):
        drawn.take(rng_of(seed), "microscopy", 2.0, whole=True)
    assert set(opened) <= {entry.file for entry in drawn.entries if entry.single}


def test_what_is_not_there(folder: Path, tmp_path: Path) -> None:
    assert Bank(folder).take(rng_of(1), "table", 1.0)[1] != "table"
    with pytest.raises(FileNotFoundError):
        Bank(tmp_path / "nowhere")
