"""YOLO weights as a source of boxes: a tiny ONNX network made here, with the output layout of ultralytics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pmcoa_build.errors import UsageError
from pmcoa_build.figures.network import decode_rows, letterbox, load_network

SIDE = 64


def write_network(path: Path, rows: np.ndarray, names: str = "{0: 'panel', 1: 'label'}") -> None:
    """An ONNX file that answers any 1 x 3 x SIDE x SIDE image with `rows` (anchors, 4 + classes), whatever it shows."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    answer = numpy_helper.from_array(rows.T[None].astype(np.float32), "answer")
    nothing = numpy_helper.from_array(np.zeros(1, np.float32), "nothing")
    nodes = [
        helper.make_node("ReduceSum", ["images"], ["total"], keepdims=0),
        helper.make_node("Mul", ["total", "nothing"], ["zero"]),
        helper.make_node("Add", ["answer", "zero"], ["output0"]),
    ]
    graph = helper.make_graph(
        nodes, "tiny", [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, rows.shape[1], rows.shape[0]])],
        [answer, nothing])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"names": names})
    onnx.save(model, str(path))


ROWS = np.array([
    # x, y, w, h in the square; panel; label
    [16, 32, 30, 30, 0.9, 0.0],
    [17, 32, 30, 30, 0.8, 0.0],   # the same again
    [48, 32, 30, 30, 0.7, 0.1],
    [48, 32, 30, 30, 0.0, 0.99],  # a letter, no panel
    [32, 32, 10, 10, 0.1, 0.0],   # too unsure
])


def test_boxes_come_back_in_pixels_of_the_figure(tmp_path: Path) -> None:
    write_network(tmp_path / "tiny.onnx", ROWS)
    found = load_network(str(tmp_path / "tiny.onnx"), 0.25)(np.zeros((100, 200, 3), np.uint8))
    assert [score for _, score in found] == pytest.approx([0.9, 0.7])
    (left, _), (right, _) = found
    assert left == (3, 3, 97, 97)
    assert right == (103, 3, 197, 97)


@pytest.mark.parametrize("names", ["", "{0: 'subfigure'}", "not a dict"])
def test_other_class_names_all_count(tmp_path: Path, names: str) -> None:
    write_network(tmp_path / "tiny.onnx", ROWS, names)
    found = load_network(str(tmp_path / "tiny.onnx"), 0.25)(np.zeros((64, 64, 3), np.uint8))
    assert [round(score, 2) for _, score in found] == [0.99, 0.9]


def test_boxes_beyond_the_edge_are_clipped() -> None:
    rows = np.array([[0, 0, 40, 40, 0.9], [-50, -50, 10, 10, 0.9]])
    assert decode_rows(rows, None, 0.5, (64, 64), (1.0, 0, 0)) == [((0, 0, 20, 20), 0.9)]


def test_letterbox_keeps_the_shape() -> None:
    tensor, scale, left, top = letterbox(np.full((50, 100, 3), 255, np.uint8), SIDE)
    assert (tensor.shape, tensor.dtype) == ((1, 3, SIDE, SIDE), np.float32)
    assert (scale, left, top) == (0.64, 0, 16)
    assert (tensor[0, :, 16:48] == 1).all()
    assert tensor[0, :, :15].max() == pytest.approx(114 / 255)


def test_weights_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"not a network")
    (tmp_path / "model.h5").write_bytes(b"")
    for name in ("bad.onnx", "model.h5", "missing.onnx"):
        with pytest.raises(UsageError):
            load_network(str(tmp_path / name), 0.25)
