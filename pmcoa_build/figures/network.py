"""A trained YOLO as a source of scored boxes: .onnx by onnxruntime, .pt by torch, on a GPU where torch sees one."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pmcoa_build.errors import UsageError
from pmcoa_build.figures.boxes import Box, nms
from pmcoa_build.figures.onnx_session import open_session
from pmcoa_build.figures.yolo import prepare_ultralytics

Candidate = tuple[Box, float]
Network = Callable[[np.ndarray], list[Candidate]]

_GREY = 114
"""Ultralytics pads with this grey in training."""
_OVERLAP = 0.6
"""Panels hardly overlap, but L-shapes do."""
_DEFAULT_SIDE, _DEFAULT_STRIDE = 640, 32


@dataclass(frozen=True)
class _Yolo:
    """Weights ready to run. `run`: float32 1 x 3 x H x W in 0 to 1 -> 1 x (4 + classes) x anchors, boxes in pixels.

    `side`: the longest side that figures are fitted to; `stride`: what H and W are multiples of, or 0 where both are
    `side`; `names`: of the classes, empty if not known.
    """

    run: Callable[[np.ndarray], np.ndarray]
    side: int
    stride: int
    names: dict[int, str]


def load_network(weights: str, confidence: float) -> Network:
    """A function from an RGB figure (uint8, H x W x 3) to boxes in its pixels, scores >= `confidence`, best first.

    Raises UsageError for a file that is not there, of another kind, damaged, or not a detector. No file can run code:
    of a .pt only the classes that ultralytics allows are read.
    """
    path = Path(weights)
    if not path.is_file():
        raise UsageError(f"The detector weights {path} do not exist.")
    if path.suffix not in (".onnx", ".pt"):
        raise UsageError(f"The detector weights {path} are neither .onnx nor .pt.")
    try:
        yolo = _onnx(path) if path.suffix == ".onnx" else _checkpoint(path)
        answer = yolo.run(letterbox(np.zeros((yolo.side, yolo.side, 3), np.uint8), yolo.side, yolo.stride)[0])
    except UsageError:
        raise
    except Exception as error:  # onnxruntime's, torch's and ultralytics' errors share no public base
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"The detector weights {path} cannot be read: {reason}") from None
    if answer.ndim != 3 or answer.shape[1] < 5 or (yolo.names and answer.shape[1] != 4 + len(yolo.names)):
        raise UsageError(f"The detector weights {path} are not those of a YOLO detector without built-in suppression.")
    panel = [number for number, name in yolo.names.items() if name == "panel"] or None

    def detect(rgb: np.ndarray) -> list[Candidate]:
        tensor, scale, left, top = letterbox(rgb, yolo.side, yolo.stride)
        return decode_rows(yolo.run(tensor)[0].T, panel, confidence, rgb.shape[:2], (scale, left, top))

    return detect


def _onnx(path: Path) -> _Yolo:
    session = open_session(path)
    feed, facts = session.get_inputs()[0], session.get_modelmeta().custom_metadata_map
    if len(feed.shape) != 4 or len(session.get_outputs()[0].shape) != 3:
        raise UsageError(f"The detector weights {path} are not those of a YOLO detector.")
    height, width = feed.shape[2:]
    fixed = isinstance(height, int) and height == width
    side = height if fixed else _side(_literal(facts.get("imgsz", "")))
    stride = 0 if fixed else _literal(facts.get("stride", "")) or _DEFAULT_STRIDE
    return _Yolo(lambda tensor: np.asarray(session.run(None, {feed.name: tensor})[0]), side, int(stride),
                 _names(_literal(facts.get("names", ""))))


def _checkpoint(path: Path) -> _Yolo:
    import torch

    prepare_ultralytics()
    from ultralytics.nn.tasks import torch_safe_load

    checkpoint = torch_safe_load(path, safe_only=True)[0]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = (checkpoint.get("ema") or checkpoint["model"]).float().eval().to(device, memory_format=torch.channels_last)

    def run(tensor: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            images = torch.from_numpy(tensor).to(device, memory_format=torch.channels_last)
            answer = model(images)
            rows: np.ndarray = (answer[0] if isinstance(answer, tuple) else answer).cpu().numpy()
        return rows

    return _Yolo(run, _side((checkpoint.get("train_args") or {}).get("imgsz")),
                 max(int(max(model.stride)), _DEFAULT_STRIDE), _names(model.names))


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def _side(value: Any) -> int:
    """The side trained at, from ultralytics' `imgsz`: a number or [height, width]."""
    sizes = value if isinstance(value, (list, tuple)) and value else [value]
    return max(sizes) if all(isinstance(size, int) and size > 0 for size in sizes) else _DEFAULT_SIDE


def _names(value: Any) -> dict[int, str]:
    """Names by class number; empty where ultralytics' `names` are none."""
    return value if isinstance(value, dict) else {}


def fitted(rgb: np.ndarray, side: int) -> np.ndarray:
    """The figure (uint8, H x W x 3) at the size at which its longest side is `side` pixels."""
    import cv2

    height, width = rgb.shape[:2]
    scale = side / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small: np.ndarray = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return small


def letterbox(rgb: np.ndarray, side: int, stride: int = 0) -> tuple[np.ndarray, float, int, int]:
    """(float32 1 x 3 x H x W in 0 to 1, scale, left pad, top pad): the figure fitted into a grey square of `side`.

    With a `stride`, into the smallest rectangle whose sides are multiples of it.
    """
    small = fitted(rgb, side)
    height, width = small.shape[:2]
    tall, wide = (-(-height // stride) * stride, -(-width // stride) * stride) if stride else (side, side)
    tensor, left, top = padded(small, tall, wide)
    return tensor, side / max(rgb.shape[:2]), left, top


def padded(small: np.ndarray, height: int, width: int) -> tuple[np.ndarray, int, int]:
    """(float32 1 x 3 x height x width in 0 to 1, left pad, top pad): an RGB image in the middle of a grey page."""
    left, top = (width - small.shape[1]) // 2, (height - small.shape[0]) // 2
    page = np.full((height, width, 3), _GREY, np.uint8)
    page[top : top + small.shape[0], left : left + small.shape[1]] = small
    return page.transpose(2, 0, 1)[None].astype(np.float32) / 255, left, top


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
