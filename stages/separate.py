"""`separate`: one figure at a time, without a build: panels, labels, kinds, and each panel's part of the caption."""

from __future__ import annotations

import contextlib
import itertools
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pmcoa_build.captions.align import pair
from pmcoa_build.captions.cues import kind_cues
from pmcoa_build.captions.matching import PanelView
from pmcoa_build.captions.split import SplitCaption, split_caption
from pmcoa_build.engine.compute import Compute, compute_here, in_order, lost
from pmcoa_build.engine.isolated import Limits, several_isolated
from pmcoa_build.engine.stage import Result, Stage, Unit
from pmcoa_build.errors import UnitLost, UsageError
from pmcoa_build.figures.decode import decode_image
from pmcoa_build.figures.detector import Detector, Separation
from pmcoa_build.spec import Spec

Row = dict[str, Any]


Spent = dict[str, float]

_FEW = 3
"""So many figures are separated sooner here than processes for them start."""


def separate_all(lines: Iterator[Row], base: Path, spent: Spent) -> Generator[Row]:
    """The output line of each input line, in order; image paths are relative to `base`.

    A figure that fails becomes {"id", "error"}, whatever the reason, the death of its process included: the others have
    to come through. All cores share the figures, unless they are few. Adds seconds by part to `spent`.
    """
    first = list(itertools.islice(lines, _FEW + 1))
    units = (Unit(line["id"], {**line, "base": str(base)}) for line in itertools.chain(first, lines))
    with _computing(alone=len(first) <= _FEW) as (compute, at_once):
        for unit_id, result in in_order(lambda unit: (unit.id, _outcome(compute, unit)), units, at_once):
            for row in result.rows:
                for part, seconds in row["spent"].items():
                    spent[part] = spent.get(part, 0.0) + seconds
                yield row["answer"]
            for loss in result.lost.values():
                yield {"id": unit_id, "error": f"{loss.reason}: {loss.detail}" if loss.detail else loss.reason}


@contextlib.contextmanager
def _computing(*, alone: bool) -> Iterator[tuple[Compute, int]]:
    """(how figures are computed, how many at once): one after the other here, or in a process a core."""
    spec = Spec(Path())
    if alone:
        with _detector(spec) as detector:
            yield compute_here(_STAGE, detector), 1
        return
    import psutil
    from dask.system import CPU_COUNT

    limits = Limits(psutil.virtual_memory().total / CPU_COUNT, spec.run.unit_seconds)
    with several_isolated(_STAGE, spec, limits, CPU_COUNT) as compute:
        yield compute, CPU_COUNT


def _outcome(compute: Compute, unit: Unit) -> Result:
    try:
        return compute(unit, {})
    except MemoryError:
        return lost(unit, "out-of-memory", "memory could not be had")


def _process(unit: Unit, content: Mapping[str, Row], detector: Detector) -> Result:
    """One figure, read from its file: {"answer": its output line, "spent": seconds by part}."""
    line, start = unit.facts, time.perf_counter()
    try:
        data = (Path(line["base"]) / line["image"]).read_bytes()
    except OSError as error:
        return Result([{"answer": {"id": unit.id, "error": f"{line['image']}: {error.strerror}"}, "spent": {}}])
    rgb = decode_image(data).rgb
    spent = {"decode": time.perf_counter() - start}
    return Result([{"answer": answer(unit.id, rgb, line.get("caption") or "", detector, spent), "spent": spent}])


@contextlib.contextmanager
def _detector(spec: Spec) -> Iterator[Detector]:
    yield Detector(spec.panels.weights, spec.panels.confidence, spec.panels.kind_model)


_STAGE = Stage("separate", 1, "figure", pa.schema([]), "id", (), (), lambda tables, spec, block: [], _process,
               setup=_detector)
"""As the engine computes units in processes; no build runs it."""


def answer(name: str, rgb: np.ndarray, caption: str, detector: Detector, spent: Spent) -> Row:
    """The output line of one figure (uint8, H x W x 3)."""
    split = split_caption(caption)
    found = detector.detect(rgb, labels=split.labels, cues=kind_cues(split, caption))
    for part, seconds in found.seconds.items():
        spent[part] = spent.get(part, 0.0) + seconds
    return output_line(name, rgb.shape, caption, split, found)


def output_line(name: str, shape: tuple[int, ...], caption: str, split: SplitCaption, found: Separation) -> Row:
    """What was found in a figure of `shape` (height, width, …), with the parts of its caption."""
    height, width = shape[:2]
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
    detector = Detector()
    for path in images:
        try:
            rgb = decode_image(path.read_bytes()).rgb
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
        except UnitLost as error:
            sys.stderr.write(f"{path}: {error}\n")
            continue
        target = folder / f"{path.stem}.png"
        Image.fromarray(draw_separation(rgb, detector.detect(rgb).panels)).save(target)
        print(target)
    return 0
