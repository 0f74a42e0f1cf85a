"""Trained weights as the project ships them: half-precision .onnx and .pt, without dates, paths or optimizer."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pmcoa_build.figures.training.settle import settle
from pmcoa_build.figures.yolo import mend_torchvision

LICENCE = "AGPL-3.0-or-later"


def export(trained: Path, folder: Path, images: Sequence[Path], side: int) -> tuple[Path, Path]:
    """Write `folder`/panels.onnx and panels.pt from an ultralytics checkpoint; both paths.

    `images`: some figures that it was trained on, to settle the statistics of batch normalisation.

    The .onnx takes 1 x 3 x H x W, float32 in 0 to 1, H and W multiples of 32 that need not be `side`, the longest side
    trained at (its metadata say so). It stores half-precision weights and computes in single precision.
    """
    import torch

    mend_torchvision()
    from ultralytics.nn.tasks import load_checkpoint

    model = load_checkpoint(trained)[0]
    settle(model, images, side)
    model.args, model.pt_path, model.criterion = {}, "", None
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "panels.pt"
    arguments = {"task": "detect", "imgsz": side, "single_cls": False}
    torch.save({"model": model.half(), "epoch": -1, "train_args": arguments, "license": LICENCE}, target)
    return _to_onnx(model.float(), folder / "panels.onnx", side), target


def _to_onnx(model: Any, path: Path, side: int) -> Path:
    import onnx
    import torch

    head = model.model[-1]
    head.export, head.dynamic, head.format = True, True, "onnx"
    shape = {2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the newer exporter fixes sizes that this one leaves open
        torch.onnx.export(model.fuse(verbose=False).eval(), (torch.zeros(1, 3, side, side),), str(path),
                          opset_version=17, input_names=["images"], output_names=["output0"], dynamo=False,
                          dynamic_axes={"images": shape, "output0": {2: "anchors"}})
    graph = onnx.load(str(path))
    halve_weights(graph)
    facts = {"names": str(model.names), "imgsz": str([side, side]), "stride": "32", "task": "detect",
             "license": LICENCE}
    onnx.helper.set_model_props(graph, facts)
    onnx.save(graph, str(path))
    return path


def halve_weights(model: Any) -> None:
    """Store the large float32 weights of an ONNX model as float16, cast back as it is loaded; in place."""
    from onnx import TensorProto, helper, numpy_helper

    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or numpy_helper.to_array(weight).size < 64:
            continue
        half = numpy_helper.from_array(numpy_helper.to_array(weight).astype("float16"), f"{weight.name}_half")
        casts.append(helper.make_node("Cast", [half.name], [weight.name], to=TensorProto.FLOAT))
        weight.CopyFrom(half)
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
