"""`detector` from end to end on eight small figures: interrupted, gone on with, its weights used."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from pmcoa_build.figures.network import load_network
from pmcoa_build.figures.training import fit
from stages import detector
from stages.__main__ import main
from tests.figures.training.drawn import stub_generator


def words(folder: Path, epochs: int = 2) -> list[str]:
    return ["detector", "--out", str(folder), "--figures", "8", "--pictures", "8", "--side", "64",
            "--epochs", str(epochs)]


def losses(folder: Path) -> list[list[str]]:
    with (folder / "run" / "results.csv").open(newline="") as file:
        return [[value for key, value in row.items() if key.startswith("train/")] for row in csv.DictReader(file)]


def test_interrupted_and_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub_generator(monkeypatch)
    monkeypatch.setattr(fit, "cores", lambda: 1)
    folder, said = tmp_path / "a", list[str]()

    def stop_at_the_first_epoch(line: str) -> None:
        if line.startswith("epoch 1 of 2"):
            raise KeyboardInterrupt

    monkeypatch.setattr(detector, "_say", stop_at_the_first_epoch)
    assert [main(words(path)) for path in (folder, tmp_path / "b")] == [130, 130]
    assert losses(folder) == losses(tmp_path / "b")  # the seed decides
    monkeypatch.setattr(detector, "_say", said.append)
    assert main(words(folder)) == 0
    assert main(words(folder)) == 0  # nothing is due but the weights' export
    assert [line.split(",")[0] for line in said if line.startswith("epoch")] == ["epoch 2 of 2"]
    assert len(losses(folder)) == len(fit.seconds(folder / "run")) == 2
    found = {kind: load_network(str(folder / f"panels.{kind}"), 0.0)(np.zeros((40, 60, 3), np.uint8))
             for kind in ("onnx", "pt")}
    assert [box for box, _ in found["onnx"]] == [box for box, _ in found["pt"]]
    assert [score for _, score in found["onnx"]] == pytest.approx([score for _, score in found["pt"]], abs=1e-3)
    for name in ("panels.onnx", "panels.pt", "panels.md"):
        data = (folder / name).read_bytes()
        assert str(tmp_path).encode() not in data and str(Path.home()).encode() not in data


@pytest.mark.parametrize("option", [["--side", "100"], ["--figures", "0"], ["--epochs", "0"]])
def test_plans_that_cannot_be(tmp_path: Path, option: list[str]) -> None:
    assert main([*words(tmp_path), *option]) == 2


def test_a_folder_keeps_to_its_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text('{"figures": 9}')
    assert main(words(tmp_path)) == 2
    assert "holds another training" in capsys.readouterr().err
