"""What a training tells of its steps: one line each, once, also after a kill and in TensorBoard."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path

import pytest

from pmcoa_build.clip.journal import EVENTS, METRICS, Journal, lines_until


def write(folder: Path, after: int, until: int, loss: float) -> None:
    with contextlib.closing(Journal(folder, after)) as journal:
        for step in range(after + 1, until + 1):
            journal.write({"step": step, "epoch": 0, "loss": loss + step})
        journal.flush()


def test_lines_after_the_checkpoint_and_torn_ones_are_dropped(tmp_path: Path) -> None:
    write(tmp_path, 0, 5, 0.1)
    path = tmp_path / METRICS
    path.write_text(path.read_text() + '{"step": 2')
    assert [line["step"] for line in lines_until(path, 3)] == [1, 2, 3]
    assert list(lines_until(tmp_path / "none", 3)) == []
    write(tmp_path, 3, 4, 100.0)
    assert [json.loads(line)["loss"] for line in path.read_text().splitlines()] == [1.1, 2.1, 3.1, 104.0]


def test_it_works_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    write(tmp_path, 0, 2, 0.0)
    assert [path.name for path in tmp_path.iterdir()] == [METRICS]


def test_tensorboard_shows_each_step_once_after_resuming(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed; it is optional")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write(tmp_path, 0, 5, 0.0)
    write(tmp_path, 3, 6, 100.0)
    events = EventAccumulator(str(tmp_path / EVENTS))
    events.Reload()
    assert events.Tags()["scalars"] == ["loss"]
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [
        (1, 1.0), (2, 2.0), (3, 3.0), (4, 104.0), (5, 105.0), (6, 106.0),
    ]
