"""A trained YOLO as a source of scored boxes: .onnx by onnxruntime, .pt by ultralytics."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pmcoa_build.errors import UsageError
from pmcoa_build.figures.boxes import Box, nms

Candidate = tuple[Box, float]
Network = Callable[[np.ndarray], list[Candidate]]

_GREY = 114
"""Ultralytics pads with this grey in training."""
_OVERLAP = 0.6
"""Panels hardly overlap, but L-shapes do."""
_DEFAULT_SIDE = 640


def load_network(weights: str, confidence: float) -> Network:
    """A function from an RGB figure (uint8, H x W x 3) to boxes in its pixels, scores >= `confidence`, best first.

    Raises UsageError for a file that is not there, of another kind, or not a detector.
    """
    path = Path(weights)
    if not path.is_file():
        raise UsageError(f"The detector weights {path} do not exist.")
    if path.suffix == ".onnx":
        return _onnx(path, confidence)
    if path.suffix == ".pt":
        return _ultralytics(path, confidence)
    raise UsageError(f"The detector weights {path} are neither .onnx nor .pt.")


def _onnx(path: Path, confidence: float) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no public base
        raise UsageError(f"The detector weights {path} cannot be read: {str(error)[:200]}") from None
    feed = session.get_inputs()[0]
    if len(feed.shape) != 4 or len(session.get_outputs()[0].shape) != 3:
        raise UsageError(f"The detector weights {path} are not those of a YOLO detector.")
    side = feed.shape[2] if isinstance(feed.shape[2], int) else _DEFAULT_SIDE
    panel = _panel_classes(session.get_modelmeta().custom_metadata_map.get("names", ""))

    def detect(rgb: np.ndarray) -> list[Candidate]:
        tensor, scale, left, top = letterbox(rgb, side)
        rows = session.run(None, {feed.name: tensor})[0][0].T
        return decode_rows(rows, panel, confidence, rgb.shape[:2], (scale, left, top))

    return detect


def _panel_classes(names: str) -> list[int] | None:
    """Class numbers called "panel" in ultralytics' metadata; None (= all) where there is no such class."""
    try:
        table: dict[int, str] = dict(ast.literal_eval(names)) if names else {}
    except (ValueError, SyntaxError, TypeError):
        return None
    return [number for number, name in table.items() if name == "panel"] or None


def letterbox(rgb: np.ndarray, side: int) -> tuple[np.ndarray, float, int, int]:
    """(float32 1 x 3 x side x side in 0 to 1, scale, left pad, top pad): the figure fitted into a grey square."""
    import cv2

    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    square = np.full((side, side, 3), _GREY, np.uint8)
    square[top : top + size[1], left : left + size[0]] = small
    return (square.transpose(2, 0, 1)[None].astype(np.float32) / 255), scale, left, top


def decode_rows(rows: np.ndarray, classes: list[int] | None, confidence: float, shape: tuple[int, ...],
                fit: tuple[float, int, int]) -> list[Candidate]:
    """Boxes of YOLO's output rows (x, y, w, h in the square, then one score a class), after suppression."""
    scores = (rows[:, 4:] if classes is None else rows[:, [4 + c for c in classes]]).max(axis=1)
    keep = np.flatnonzero(scores >= confidence)
    keep = keep[np.argsort(-scores[keep], kind="stable")][:300]
    scale, left, top = fit
    centre = (rows[keep, :2] - (left, top)) / scale
    half = rows[keep, 2:4] / (2 * scale)
    limits = np.array([shape[1], shape[0]])
    low, high = np.clip(centre - half, 0, limits), np.clip(centre + half, 0, limits)
    table = np.concatenate((np.floor(low), np.ceil(high)), axis=1).astype(int)
    solid = (table[:, 2] > table[:, 0]) & (table[:, 3] > table[:, 1])
    boxes = [(int(a), int(b), int(c), int(d)) for a, b, c, d in table[solid]]
    scored = [float(s) for s in scores[keep][solid]]
    return [(boxes[i], scored[i]) for i in nms(boxes, scored, _OVERLAP)]


def _ultralytics(path: Path, confidence: float) -> Network:
    from ultralytics import YOLO

    model: Any = YOLO(path)

    def detect(rgb: np.ndarray) -> list[Candidate]:
        result = model.predict(rgb[..., ::-1], conf=confidence, iou=_OVERLAP, verbose=False)[0]
        corners, scores = result.boxes.xyxy.cpu().numpy(), result.boxes.conf.cpu().numpy()
        return [((int(a), int(b), int(np.ceil(c)), int(np.ceil(d))), float(s))
                for (a, b, c, d), s in zip(corners, scores, strict=True)]

    return detect
