"""What a training writes down step by step: a line of JSON, and TensorBoard's events where that is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pmcoa_build.atomic import write_atomic

METRICS, EVENTS = "metrics.jsonl", "tensorboard"


class Journal:
    """`metrics.jsonl` and `tensorboard/` of a folder, continued after `step`: what was told of later steps is gone."""

    def __init__(self, folder: Path, step: int) -> None:
        path = folder / METRICS
        kept = "".join(f"{json.dumps(line)}\n" for line in lines_until(path, step))
        write_atomic(path, kept.encode())
        self._file = path.open("a", encoding="utf-8")
        self._events = _events(folder / EVENTS, step)

    def write(self, line: dict[str, Any]) -> None:
        """Add a line with its `step`; in TensorBoard each number is a curve."""
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        if self._events is not None:
            for name in line.keys() - {"step", "epoch"}:
                self._events.add_scalar(name, line[name], line["step"])

    def flush(self) -> None:
        """Hand everything to the system: before a checkpoint, so that it never knows more than the journal."""
        if self._events is not None:
            self._events.flush()

    def close(self) -> None:
        """Close what is open."""
        self._file.close()
        if self._events is not None:
            self._events.close()


def _events(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1)


def lines_until(path: Path, step: int) -> Iterator[dict[str, Any]]:
    """The lines of a metrics file whose `step` is at most `step`; a torn last line is dropped."""
    if not path.exists():
        return
    for line in path.read_text("utf-8").splitlines():
        try:
            told = json.loads(line)
            if told["step"] <= step:
                yield told
        except (ValueError, KeyError, TypeError):
            continue
