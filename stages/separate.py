"""`separate`: one figure at a time, without a build: panels, labels, kinds, and each panel's part of the caption."""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pmcoa_build.captions.align import PanelView, pair
from pmcoa_build.captions.cues import kind_cues
from pmcoa_build.captions.split import SplitCaption, split_caption
from pmcoa_build.errors import PmcoaError, UnitLost, UsageError
from pmcoa_build.figures.decode import decode_image
from pmcoa_build.figures.detector import Detector, Separation

log = logging.getLogger(__name__)

Row = dict[str, Any]


@functools.lru_cache(maxsize=1)
def _detector() -> Detector:
    return Detector()


def separate_figure(line: Row, base: Path, spent: dict[str, float]) -> Row:
    """The output line of one input line; its image path is relative to `base`. Adds seconds by part to `spent`.

    A figure that fails becomes {"id", "error"}, whatever the reason: the others have to come through.
    """
    start = time.perf_counter()
    try:
        data = (base / line["image"]).read_bytes()
    except OSError as error:
        return {"id": line["id"], "error": f"{line['image']}: {error.strerror}"}
    try:
        rgb = decode_image(data).rgb
    except UnitLost as error:
        return {"id": line["id"], "error": str(error)}
    spent["decode"] = spent.get("decode", 0.0) + time.perf_counter() - start
    try:
        return answer(line["id"], rgb, line.get("caption") or "", _detector(), spent)
    except PmcoaError:
        raise
    except Exception as error:
        log.exception("unexpected error on %s", line["id"])
        return {"id": line["id"], "error": f"unexpected-error: {type(error).__name__}: {error}"}


def answer(name: str, rgb: np.ndarray, caption: str, detector: Detector, spent: dict[str, float]) -> Row:
    """The output line of one figure (uint8, H x W x 3)."""
    split = split_caption(caption)
    found = detector.detect(rgb, labels=split.labels, cues=kind_cues(split, caption))
    for part, seconds in found.seconds.items():
        spent[part] = spent.get(part, 0.0) + seconds
    height, width = rgb.shape[:2]
    return {
        "id": name, "width": width, "height": height, "panels": _panels(found, split, caption, width, height),
        "candidates": [{"box": list(box), "score": round(score, 4)} for box, score in found.candidates],
        "preamble": split.preamble, "tail": split.tail,
    }


def _panels(found: Separation, split: SplitCaption, caption: str, width: int, height: int) -> list[Row]:
    views = [PanelView(panel.box, panel.label, panel.label_score) for panel in found.panels]
    paired = pair(views, split, caption, width=width, height=height)
    return [
        {
            "box": list(panel.box), "score": round(panel.score, 4), "label": made.label or panel.label,
            "label_score": panel.label_score, "kind": panel.kind, "source": panel.source,
            "subcaption": made.subcaption, "method": made.method, "confidence": round(made.confidence, 4),
        }
        for panel, made in zip(found.panels, paired, strict=True)
    ]


def show(images: Sequence[Path], folder: Path) -> int:
    """Draw the panels of each image into `folder`, as PNG."""
    from PIL import Image

    from pmcoa_build.figures.overlay import draw_separation

    folder.mkdir(parents=True, exist_ok=True)
    for path in images:
        try:
            rgb = decode_image(path.read_bytes()).rgb
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
        except UnitLost as error:
            sys.stderr.write(f"{path}: {error}\n")
            continue
        target = folder / f"{path.stem}.png"
        Image.fromarray(draw_separation(rgb, _detector().detect(rgb).panels)).save(target)
        print(target)
    return 0
