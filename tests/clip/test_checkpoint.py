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
    with pytest.raises(RunFailed, match=r"last\.pt is damaged"):
        checkpoint.load(path)


def test_a_flipped_byte_is_damage_too(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    checkpoint.save(path, {"step": 3, "model": {"w": torch.full((4096,), 1.5)}})
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(RunFailed, match=r"checksum|CRC"):
        checkpoint.load(path)


@pytest.mark.parametrize("error", [
    MemoryError(), PermissionError(13, "Permission denied"), RuntimeError("DefaultCPUAllocator: can't allocate memory"),
])
def test_what_is_not_the_file_s_fault_is_not_called_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise error

    checkpoint.save_step(tmp_path, content(1))
    monkeypatch.setattr(torch, "load", failing)
    with pytest.raises(type(error)):
        checkpoint.newest(tmp_path, "ours")


def content(step: int, run: str = "ours") -> dict[str, object]:
    return {"step": step, "run_id": run, "model": {"w": torch.arange(4.0)}}


def test_the_newest_step_files_are_kept_and_last_is_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for step in (5, 10, 15, 20):
        checkpoint.save_step(tmp_path, content(step))
    names = ["last.pt", "step-00000010.pt", "step-00000015.pt", "step-00000020.pt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (tmp_path / "last.pt").samefile(tmp_path / "step-00000020.pt")

    def refused(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", refused)  # a file system without links
    checkpoint.save_step(tmp_path, content(25))
    assert (checkpoint.load(tmp_path / "last.pt") or {})["step"] == 25


def found(folder: Path) -> tuple[str, int] | None:
    whole = checkpoint.newest(folder, "ours")
    return whole and (whole[0].name, whole[1]["step"])


def test_the_newest_whole_checkpoint_of_the_run_is_found(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert found(tmp_path) is None
    for step in (5, 10):
        checkpoint.save_step(tmp_path, content(step))
    assert found(tmp_path) == ("last.pt", 10)
    assert checkpoint.newest(tmp_path, "another") is None
    assert caplog.text == ""
    (tmp_path / "last.pt").unlink()
    (tmp_path / "step-00000010.pt").write_bytes(b"torn")
    assert found(tmp_path) == ("step-00000005.pt", 5)
    assert "step-00000010.pt is damaged" in caplog.text
    (tmp_path / "step-00000005.pt").write_bytes(b"")
    with pytest.raises(RunFailed, match=r"step-00000010\.pt is damaged.*; remove it to begin anew"):
        checkpoint.newest(tmp_path, "ours")
    checkpoint.begin_anew(tmp_path)
    assert list(tmp_path.iterdir()) == []


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
