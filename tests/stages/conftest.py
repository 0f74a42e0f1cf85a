"""A build over the small bucket, in this process, with a detector that always cuts at the same place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pmcoa_build import Build
from pmcoa_build.figures.boxes import Box
from pmcoa_build.figures.detector import Panel, Separation
from stages.__main__ import main
from tests.stages.bucket import write_bucket

SPEC = """
[build]
name = "small"
[source]
url = "../bucket"
[shards]
splits = [1, 0, 0]
"""


class StubDetector:
    """Cuts a figure into as many columns as the caption names labels."""

    name = "stub"
    fingerprint = "stub"

    def __init__(self, *_: object) -> None:
        pass

    def detect(self, rgb: np.ndarray, *, labels: Sequence[str] = (), cues: object = None) -> Separation:
        height, width = rgb.shape[:2]
        count = max(1, len(labels))
        panels = [
            Panel((width * i // count, 0, width * (i + 1) // count, height), 0.5, labels[i] if labels else None,
                  0.9 if labels else None, "radiology", 0.5, "network")
            for i in range(count)
        ]
        return Separation(panels, [(panel.box, panel.score) for panel in panels])

    def kinds(self, rgb: np.ndarray, boxes: Sequence[Box], *_: object) -> list[tuple[str, float]]:
        return [("radiology", 0.5)] * len(boxes)


class SmallBuild:
    """Runs stages on the small bucket below a temporary folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.spec = root / "manifests" / "small.toml"
        self.spec.parent.mkdir()
        self.spec.write_text(SPEC)
        write_bucket(root / "bucket")

    def run(self, *words: str) -> int:
        """`python -m stages WORDS… SPEC`, in this process."""
        return main([*words, str(self.spec), "--progress", "off"])

    def command(self, name: str, *options: str) -> int:
        """`python -m stages NAME SPEC OPTIONS…`, in this process."""
        return main([name, str(self.spec), *options])

    def open(self) -> Build:
        """The build."""
        return Build.open(self.spec)

    def contents(self, stage: str) -> dict[str, str]:
        """Block -> content hash."""
        return {block: record["content"] for block, record in self.open().state.records(stage).items()}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallBuild:
    monkeypatch.setattr("stages.panels.Detector", StubDetector)
    return SmallBuild(tmp_path)


Make = Callable[[Path], SmallBuild]
