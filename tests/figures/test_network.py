"""YOLO weights as a source of boxes: a tiny ONNX network made here, with the output layout of ultralytics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pmcoa_build.errors import UsageError
from pmcoa_build.figures.network import decode_rows, letterbox, load_network
from pmcoa_build.figures.yolo import prepare_ultralytics

SIDE = 64


def write_network(path: Path, rows: np.ndarray, names: str = "{0: 'panel', 1: 'label'}",
                  shape: tuple[int | str, int | str] = (SIDE, SIDE)) -> None:
    """An ONNX file that answers any image of `shape` with `rows` (anchors, 4 + classes), whatever it shows."""
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
        nodes, "tiny", [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, *shape])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, rows.shape[1], rows.shape[0]])],
        [answer, nothing])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"names": names, "imgsz": f"[{SIDE}, {SIDE}]", "stride": "32"})
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


@pytest.mark.parametrize("names", ["", "{0: 'subfigure', 1: 'letter'}", "not a dict"])
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


@pytest.mark.parametrize(("height", "width", "shape", "pads"), [
    (50, 100, (32, 64), (0, 0)), (51, 100, (64, 64), (0, 15)), (100, 10, (64, 32), (13, 0)),
    (1, 9000, (32, 64), (0, 15)),
])
def test_letterbox_in_the_smallest_rectangle(height: int, width: int, shape: tuple[int, int],
                                             pads: tuple[int, int]) -> None:
    tensor, scale, left, top = letterbox(np.zeros((height, width, 3), np.uint8), SIDE, 32)
    assert (tensor.shape[2:], (left, top)) == (shape, pads)
    assert scale == SIDE / max(height, width)


def test_weights_of_any_size_get_rectangles(tmp_path: Path) -> None:
    write_network(tmp_path / "tiny.onnx", np.array([[16, 16, 32, 32, 0.9, 0]]), shape=("height", "width"))
    found = load_network(str(tmp_path / "tiny.onnx"), 0.25)(np.zeros((100, 200, 3), np.uint8))
    assert found == [((0, 0, 100, 100), pytest.approx(0.9))]  # no rows of padding above a figure half as high as wide


def write_checkpoint(path: Path, **more: object) -> None:
    """Ultralytics' kind of file: a whole network, here with random weights."""
    import torch

    prepare_ultralytics()
    from ultralytics.nn.tasks import DetectionModel

    model = DetectionModel("yolo11n.yaml", nc=1, verbose=False)
    model.names = {0: "panel"}
    torch.save({"model": model.half(), "train_args": {"imgsz": SIDE}, **more}, path)


def test_ultralytics_weights(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "random.pt")
    found = load_network(str(tmp_path / "random.pt"), 0.0)(np.zeros((40, 80, 3), np.uint8))
    assert found
    assert all(0 <= x0 < x1 <= 80 and 0 <= y0 < y1 <= 40 and 0 <= score <= 1 for (x0, y0, x1, y1), score in found)


class Trap:
    """What a pickle can do as it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_weights_run_no_code(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "trap.pt", trap=Trap(tmp_path / "sprung"))
    with pytest.raises(UsageError, match=r"trap\.pt cannot be read"):
        load_network(str(tmp_path / "trap.pt"), 0.25)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(("name", "content"), [
    ("bad.onnx", b"not a network"), ("bad.pt", b"not a network"), ("empty.pt", b""), ("model.h5", b""),
    ("missing.onnx", None),
])
def test_weights_that_are_none(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=name):
        load_network(str(tmp_path / name), 0.25)


def test_boxes_that_come_suppressed_are_refused(tmp_path: Path) -> None:
    write_network(tmp_path / "end.onnx", np.zeros((6, 300)), "{0: 'panel'}")  # 1 x 300 x 6, as end-to-end exports are
    with pytest.raises(UsageError, match="built-in suppression"):
        load_network(str(tmp_path / "end.onnx"), 0.25)
