"""Stage 6, panels: find the panels of every image, read their labels, cut them out.

The caption is read first: which labels it names tells the detector what to look for, and its words what is shown.
Boxes that a person has drawn (`new_box` of a correction) take the place of the detector's.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import numpy as np

from pmcoa_build import ids, schema
from pmcoa_build.captions.corrections import Correction, load_corrections, move_boxes
from pmcoa_build.captions.cues import kind_cues
from pmcoa_build.captions.split import split_caption
from pmcoa_build.engine.stage import Input, Result, Row, Stage, Tables, Unit
from pmcoa_build.errors import UnitLost
from pmcoa_build.figures.crops import encode_crop
from pmcoa_build.figures.decode import decode_image
from pmcoa_build.figures.detector import Detector, Panel, fingerprint
from pmcoa_build.figures.duplicates import phash
from pmcoa_build.spec import Spec


def units(tables: Tables, spec: Spec, block: str) -> list[Unit]:
    """One unit an image; of the caption only labels and cues count, so that other edits to it cost nothing."""
    media = tables["media"].to_pylist()
    fetched = {row["figure_id"] for row in media}
    heard = {row["figure_id"]: _heard(row["caption"]) for row in tables["figures"].to_pylist()
             if row["figure_id"] in fetched}
    corrections = load_corrections(spec.align.corrections) if spec.align.corrections else {}
    shared = {"min_side": spec.panels.min_side, "kinds": spec.panels.kinds, "max_side": spec.panels.max_side,
              "quality": spec.panels.quality}
    return [
        Unit(
            row["image_id"],
            {"figure_id": row["figure_id"], "md5": row["md5"], **heard[row["figure_id"]], **shared,
             **_moves(corrections.get(row["image_id"], []))},
            content={"media": row["image_id"]},
        )
        for row in media
    ]


def _heard(caption: str) -> Row:
    """What the detector hears of a caption."""
    split = split_caption(caption)
    return {"labels": list(split.labels), "cues": kind_cues(split, caption)}


def _moves(corrections: list[Correction]) -> Row:
    """The boxes that a person has drawn anew, as facts; none where there are none, so that other images stay."""
    moves = [[list(said.box), list(said.new_box)] for said in corrections if said.new_box]
    return {"moves": moves} if moves else {}


def process(unit: Unit, content: Mapping[str, Row], detector: Detector) -> Result:
    """The panels of one image, in reading order."""
    rgb = decode_image(content["media"]["image"]["bytes"]).rgb
    found = detector.detect(rgb, labels=unit.facts["labels"], cues=unit.facts["cues"]).panels
    if "moves" in unit.facts:
        found = _moved(found, unit.facts, rgb, detector)
    rows: list[Row] = []
    dropped, whole = Counter[str](), f"{phash(rgb):016x}"
    for panel in found:
        reason = _unwanted(panel, unit.facts)
        if reason:
            dropped[reason] += 1
            continue
        data, width, height = encode_crop(
            rgb, panel.box, max_side=unit.facts["max_side"], quality=unit.facts["quality"]
        )
        rows.append({
            "panel_id": ids.panel_id(unit.id, panel.box), "image_id": unit.id, "figure_id": unit.facts["figure_id"],
            "index": len(rows), "bbox": list(panel.box), "score": panel.score,
            "detector": f"{detector.name}/{panel.source}",
            "printed_label": panel.label, "label_score": panel.label_score, "kind": panel.kind,
            "kind_score": panel.kind_score, "width": width, "height": height, "image_phash": whole,
            "image": {"bytes": data, "path": f"{PurePosixPath(unit.id).stem}_{len(rows)}.jpg"},
        })
    if found and not rows:
        raise UnitLost(dropped.most_common(1)[0][0], "all panels of the image")
    return Result(rows, dropped=dropped)


def _moved(found: list[Panel], facts: Row, rgb: np.ndarray, detector: Detector) -> list[Panel]:
    """The panels with a person's boxes; what those show is told anew."""
    height, width = rgb.shape[:2]
    placed = move_boxes([panel.box for panel in found], facts["moves"], width, height)
    read = [(None, None) if at is None else (found[at].label, found[at].label_score) for _, at in placed]
    kinds = detector.kinds(rgb, [box for box, _ in placed], [label for label, _ in read], facts["cues"])
    return [
        found[at] if at is not None and found[at].box == box else Panel(box, 1.0, *label, *kind, "person")
        for (box, at), label, kind in zip(placed, read, kinds, strict=True)
    ]


def _unwanted(panel: Panel, facts: Row) -> str:
    x0, y0, x1, y1 = panel.box
    if panel.source != "person" and min(x1 - x0, y1 - y0) < facts["min_side"]:
        return "panel-too-small"
    return "kind-not-wanted" if facts["kinds"] and panel.kind not in facts["kinds"] else ""


@contextlib.contextmanager
def _detector(spec: Spec) -> Iterator[Detector]:
    yield Detector(spec.panels.weights, spec.panels.confidence, spec.panels.kind_model)


STEP = Stage(
    name="panels",
    version=4,
    scope="image",
    schema=schema.PANELS,
    key="panel_id",
    inputs=(
        Input("media", ("image_id", "figure_id", "md5"), content=("image",)),
        Input("figures", ("figure_id", "caption")),
    ),
    spec_keys=(
        "panels.weights", "panels.confidence", "panels.min_side", "panels.kinds", "panels.kind_model",
        "panels.max_side", "panels.quality",
    ),
    units=units,
    process=process,
    setup=_detector,
    fact_keys=("align.corrections",),
    extra=lambda spec: fingerprint(spec.panels.weights, spec.panels.confidence, spec.panels.kind_model),
)
