"""Ultralytics and torchvision: left alone where they are sound, nothing written into the home."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pmcoa_build.figures.yolo import mend_torchvision, prepare_ultralytics


def test_a_sound_torchvision_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = ModuleType("torchvision")
    monkeypatch.setitem(sys.modules, "torchvision", sound)
    assert mend_torchvision() is False
    assert sys.modules["torchvision"] is sound


def test_torchvision_can_be_imported_afterwards() -> None:
    mend_torchvision()
    import torchvision

    assert callable(torchvision.ops.nms)
    assert mend_torchvision() is False


def test_settings_lie_in_a_folder_of_the_process() -> None:
    prepare_ultralytics()
    assert os.environ["YOLO_OFFLINE"] == "1"
    assert Path.home() not in Path(os.environ["YOLO_CONFIG_DIR"]).resolve().parents


def test_a_folder_that_the_user_chose_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    prepare_ultralytics()
    assert os.environ["YOLO_CONFIG_DIR"] == str(tmp_path)
