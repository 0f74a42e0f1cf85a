"""How the project's own ONNX files are run: on the CPU, on one thread, since workers share the cores already."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def open_session(path: Path) -> Any:
    """An onnxruntime session on one CPU thread. Raises onnxruntime's errors, which share no public base."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
