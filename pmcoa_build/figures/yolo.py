"""Ultralytics brought in quietly: offline, its settings in a folder of the process, beside any torchvision."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any

_kept: list[Any] = []
"""What lasts as long as the process: the settings' folder and declared operators."""


def prepare_ultralytics() -> None:
    """Set what ultralytics reads at its import. Call before each import of it; does nothing the second time.

    Its import puts a function of its own in place of Pillow's `Image.open`, which would fail on bad files with errors
    that Pillow does not have; that is undone.
    """
    if "ultralytics" in sys.modules:
        return
    if "YOLO_CONFIG_DIR" not in os.environ:
        _settle()
    from PIL import Image

    pillows = Image.open
    import ultralytics.utils.patches  # noqa: F401

    Image.open = pillows


def _settle() -> None:
    """Its settings in a folder of the process; offline and quiet."""
    _kept.append(tempfile.TemporaryDirectory(prefix="ultralytics-", ignore_cleanup_errors=True))
    for name, value in {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_VERBOSE": "false",
                        "YOLO_CONFIG_DIR": _kept[0].name}.items():
        os.environ.setdefault(name, value)


def mend_torchvision() -> bool:
    """Let torchvision be imported where its compiled operators are missing; True if that was so.

    PyPI's torchvision beside a CPU build of torch says so at its import. The two operators that matter are declared
    without a body, and suppression is done by ultralytics' own. Where torchvision is sound nothing is touched.
    """
    import torch

    prepare_ultralytics()
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
    else:
        return False
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    _kept.append(library)
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    import torchvision.ops
    from ultralytics.utils.nms import TorchNMS

    torchvision.ops.nms = torchvision.ops.boxes.nms = TorchNMS.nms
    return True
