"""Whole or not there: writes that fail leave the earlier file, and what is read is checked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pmcoa_build.clip import checkpoint
from pmcoa_build.clip.config import load_config
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.errors import DiskFull, RunFailed, UsageError


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), RuntimeError("PytorchStreamWriter failed")])
def test_a_failed_write_keeps_the_earlier_checkpoint_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(content: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    path = tmp_path / "last.pt"
    checkpoint.save(path, {"step": 1})
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(DiskFull, match=r"last\.pt"):
        checkpoint.save(path, {"step": 2})
    assert (checkpoint.load(path) or {})["step"] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_checkpoints_round_trip_and_damage_is_named(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    assert checkpoint.load(path) is None
    checkpoint.save(path, {"step": 3, "model": {"w": torch.arange(4.0)}})
    loaded = checkpoint.load(path)
    assert loaded is not None
    assert loaded["step"] == 3
    assert torch.equal(loaded["model"]["w"], torch.arange(4.0))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RunFailed, match=r"damaged.*remove it"):
        checkpoint.load(path)


def test_exported_weights_come_back_equal_and_are_checked(tmp_path: Path, small_config: Path) -> None:
    model = PMCCLIP(load_config(small_config).with_text(vocab_size=50)).eval()
    digest = checkpoint.export(tmp_path / "model", model, {"model": model.config.as_dict()})
    loaded, about = checkpoint.load_exported(tmp_path / "model")
    assert about["weights_sha256"] == digest
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in model.state_dict().items())
    weights = tmp_path / "model" / checkpoint.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(UsageError, match="checksum"):
        checkpoint.load_exported(tmp_path / "model")
    with pytest.raises(UsageError, match="no exported model"):
        checkpoint.load_exported(tmp_path / "nothing")
