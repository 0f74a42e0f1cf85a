"""Drawn compound figures with known boxes: grids with letters, dark pages, no letters, nothing to find."""

from __future__ import annotations

import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from pmcoa_build.errors import UsageError
from pmcoa_build.figures.boxes import iou
from pmcoa_build.figures.detector import WORKING_SIDE, Detector, Panel, fingerprint
from pmcoa_build.figures.overlay import draw_separation

Box = tuple[int, int, int, int]
DETECTOR = Detector()


def letter_font(size: int) -> ImageFont.FreeTypeFont:
    """A bold sans, as journals print panel letters in."""
    import matplotlib

    return ImageFont.truetype(Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans-Bold.ttf", size)


def texture(rng: np.random.Generator, width: int, height: int, low: int, high: int) -> Image.Image:
    coarse = rng.integers(low, high, (height // 6 + 1, width // 6 + 1)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).convert("RGB")


def plot(draw: ImageDraw.ImageDraw, box: Box, rng: np.random.Generator) -> None:
    """Axes, ticks and a curve that fill the box."""
    x0, y0, x1, y1 = box
    draw.line((x0 + 12, y0, x0 + 12, y1 - 13, x1 - 1, y1 - 13), fill="black", width=2)
    for tick in range(5):
        y = y0 + (y1 - 15 - y0) * tick // 5
        draw.line((x0, y, x0 + 12, y), fill="black")
        x = x0 + 14 + (x1 - x0 - 20) * tick // 5
        draw.line((x, y1 - 13, x, y1 - 1), fill="black")
    heights = rng.uniform(y0 + 5, y1 - 25, 9)
    draw.line([(x0 + 14 + (x1 - x0 - 16) * k // 8, float(y)) for k, y in enumerate(heights)], fill="blue", width=2)


def grid(rows: int, columns: int, *, kind: str, labels: Sequence[str], where: str, gutter: int = 26,
         paper: int = 255, seed: int = 0) -> tuple[np.ndarray, list[Box]]:
    """A figure of rows x columns panels, each 200 x 150, and its boxes with their letters, in reading order."""
    rng = np.random.default_rng(seed)
    page = Image.new("RGB", (columns * (200 + gutter) + gutter, rows * (180 + gutter) + gutter), (paper,) * 3)
    draw, boxes = ImageDraw.Draw(page), []
    font = letter_font(22)
    for index in range(rows * columns):
        x, y = gutter + (index % columns) * (200 + gutter), gutter + (index // columns) * (180 + gutter)
        top = y + 30 if where == "above" else y
        box = (x, top, x + 200, y + 180)
        if kind == "plot":
            plot(draw, box, rng)
        else:
            page.paste(texture(rng, 200, y + 180 - top, 40, 130), (x, top))
        if labels:
            at = (x + 8, y + 6) if where == "inside" else (x, y)
            draw.text(at, labels[index], font=font, fill="white" if where == "inside" else "black")
        boxes.append((x, y if where == "above" and labels else top, x + 200, y + 180))
    return np.asarray(page), boxes


def check(panels: Sequence[Panel], boxes: Sequence[Box], labels: Sequence[str | None], least: float = 0.75) -> None:
    assert [p.label for p in panels] == list(labels)
    assert [round(iou(p.box, box), 2) for p, box in zip(panels, boxes, strict=True) if iou(p.box, box) < least] == []


def test_the_kinds_of_given_boxes_are_those_of_the_answer() -> None:
    rgb, _ = grid(1, 2, kind="plot", labels="AB", where="above")
    panels = DETECTOR.detect(rgb, labels="AB").panels
    told = DETECTOR.kinds(rgb, [panel.box for panel in panels], [panel.label for panel in panels])
    assert told == [(panel.kind, panel.kind_score) for panel in panels]
    assert DETECTOR.kinds(rgb, [], []) == []


@pytest.mark.parametrize("alphabet", [string.ascii_uppercase, string.ascii_lowercase])
@pytest.mark.parametrize(("rows", "columns"), [(1, 2), (2, 2), (2, 3), (3, 3)])
@pytest.mark.parametrize(("kind", "where"), [("plot", "above"), ("picture", "above"), ("picture", "inside")])
def test_grids_with_letters(rows: int, columns: int, kind: str, where: str, alphabet: str) -> None:
    labels = list(alphabet[: rows * columns])
    rgb, boxes = grid(rows, columns, kind=kind, labels=labels, where=where)
    found = DETECTOR.detect(rgb, labels=labels)
    check(found.panels, boxes, labels)
    assert np.mean([p.label_score or 0 for p in found.panels]) > 0.6
    assert [c[0] for c in found.candidates[: len(boxes)]] == [p.box for p in found.panels]


def test_letters_are_found_without_a_caption() -> None:
    rgb, boxes = grid(2, 2, kind="picture", labels="ABCD", where="above")
    check(DETECTOR.detect(rgb).panels, boxes, "ABCD")


def test_each_panel_hears_the_words_of_its_own_label() -> None:
    rgb, _ = grid(1, 3, kind="plot", labels="ABC", where="above")
    cues = {"A": {"diagram": 20.0}, "B": {"table": 20.0}, "": {"render": 20.0}}
    found = DETECTOR.detect(rgb, labels=list("ABC"), cues=cues).panels
    assert [p.kind for p in found] == ["diagram", "table", "render"]


def test_labels_come_back_as_the_caption_writes_them() -> None:
    rgb, _ = grid(1, 3, kind="plot", labels="abc", where="above")
    assert [p.label for p in DETECTOR.detect(rgb, labels=["A", "B", "C"]).panels] == ["A", "B", "C"]


def test_a_letter_that_the_caption_forgot() -> None:
    rgb, boxes = grid(2, 2, kind="plot", labels="ABCD", where="above")
    check(DETECTOR.detect(rgb, labels=["A", "B", "C"]).panels, boxes, "ABCD")


def test_a_missing_letter_is_guessed_from_the_grid() -> None:
    rgb, boxes = grid(2, 3, kind="plot", labels=["A", "B", "C", "D", " ", "F"], where="above")
    panels = DETECTOR.detect(rgb, labels=list("ABCDEF")).panels
    check(panels, boxes, "ABCDEF", 0.6)
    assert [p.label_score for p in panels][4] == 0


@pytest.mark.parametrize("style", ["({})", "{})", "{}."])
def test_brackets_and_stops_around_letters(style: str) -> None:
    rgb, boxes = grid(2, 2, kind="plot", labels=[style.format(c) for c in "abcd"], where="above")
    check(DETECTOR.detect(rgb, labels=list("abcd")).panels, boxes, "abcd")


def test_dark_pages() -> None:
    rgb, boxes = grid(2, 2, kind="picture", labels="ABCD", where="inside", paper=0, gutter=8)
    check(DETECTOR.detect(rgb, labels=list("ABCD")).panels, boxes, "ABCD")


def test_the_empty_end_of_a_dark_page_is_no_panel() -> None:
    rgb, boxes = grid(2, 3, kind="picture", labels="ABCDE ", where="inside", paper=0, gutter=8)
    unfinished = rgb.copy()
    x0, y0, x1, y1 = boxes[5]
    unfinished[y0:y1, x0:x1] = 0
    check(DETECTOR.detect(unfinished, labels=list("ABCDE")).panels, boxes[:5], "ABCDE")


@pytest.mark.parametrize("gutter", [3, 26])
def test_letters_below_their_panels(gutter: int) -> None:
    rng = np.random.default_rng(4)
    page = Image.new("RGB", (3 * (200 + gutter), 2 * (190 + gutter)), "white")
    draw, boxes = ImageDraw.Draw(page), []
    for index, label in enumerate("abcdef"):
        x, y = (index % 3) * (200 + gutter), (index // 3) * (190 + gutter)
        page.paste(texture(rng, 200, 155, 40, 160), (x, y))
        draw.text((x, y + 158), f"{label})", font=letter_font(22), fill="black")
        boxes.append((x, y, x + 200, y + 184))
    check(DETECTOR.detect(np.asarray(page), labels=list("abcdef")).panels, boxes, "abcdef", 0.9)


def test_abutting_pictures_without_letters_are_cut_along_their_seams() -> None:
    rng = np.random.default_rng(8)
    page = Image.new("RGB", (400, 300))
    boxes = [(0, 0, 200, 150), (200, 0, 400, 150), (0, 150, 200, 300), (200, 150, 400, 300)]
    for (x0, y0, _, _), low in zip(boxes, (20, 150, 140, 30), strict=True):
        page.paste(texture(rng, 200, 150, low, low + 60), (x0, y0))
    check(DETECTOR.detect(np.asarray(page), labels=list("abcd")).panels, boxes, [None] * 4, 0.9)


def test_stray_letters_of_a_flow_chart_are_no_panels() -> None:
    page = Image.new("RGB", (600, 400), "white")
    draw = ImageDraw.Draw(page)
    for label, (x, y) in zip("ABC", ((60, 60), (380, 60), (220, 260)), strict=True):
        draw.rectangle((x, y, x + 160, y + 80), outline="black", width=3)
        draw.text((x + 70, y + 26), label, font=letter_font(22), fill="black")
        draw.line((x + 80, y + 80, 300, 200), fill="black", width=3)
    draw.line((220, 100, 380, 100), fill="black", width=3)
    assert len(DETECTOR.detect(np.asarray(page)).panels) == 1


def test_thin_gutters_between_pictures() -> None:
    rgb, boxes = grid(2, 3, kind="picture", labels="abcdef", where="inside", gutter=3)
    check(DETECTOR.detect(rgb, labels=list("abcdef")).panels, boxes, "abcdef", 0.9)


@pytest.mark.parametrize("kind", ["plot", "picture"])
@pytest.mark.parametrize("named", [0, 6])
def test_no_letters(kind: str, named: int) -> None:
    rgb, boxes = grid(2, 3, kind=kind, labels="", where="inside")
    check(DETECTOR.detect(rgb, labels=list("ABCDEF")[:named]).panels, boxes, [None] * 6)


def test_a_panel_that_spans_two_rows() -> None:
    rgb = np.full((420, 620, 3), 255, np.uint8)
    rng = np.random.default_rng(1)
    page = Image.fromarray(rgb)
    draw, font = ImageDraw.Draw(page), letter_font(24)
    boxes = [(10, 10, 300, 400), (330, 10, 600, 190), (330, 220, 600, 400)]
    for (x0, y0, x1, y1), label in zip(boxes, "ABC", strict=True):
        draw.text((x0, y0), label, font=font, fill="black")
        page.paste(texture(rng, x1 - x0 - 5, y1 - y0 - 40, 60, 200), (x0 + 5, y0 + 40))
    check(DETECTOR.detect(np.asarray(page), labels=list("ABC")).panels, boxes, "ABC", 0.85)


@pytest.mark.parametrize("size", [(1, 1), (20, 20), (3, 400), (400, 2), (200, 300)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_where_nothing_is_found_the_figure_is_one_panel(size: tuple[int, int], level: int) -> None:
    found = DETECTOR.detect(np.full((*size, 3), level, np.uint8), labels=["A", "B"])
    assert [p.box for p in found.panels] == [(0, 0, size[1], size[0])]
    assert found.panels[0].score <= 0.5
    assert (found.panels[0].label, found.panels[0].source) == (None, "whole")


def test_large_figures_are_separated_small_and_cut_large() -> None:
    rgb, boxes = grid(2, 2, kind="picture", labels="ABCD", where="above")
    factor = 2 * WORKING_SIDE // max(rgb.shape)
    large = np.repeat(np.repeat(rgb, factor, axis=0), factor, axis=1)
    panels = DETECTOR.detect(large, labels=list("ABCD")).panels
    check(panels, [tuple(v * factor for v in box) for box in boxes], "ABCD")  # type: ignore[misc]


def test_the_same_figure_gives_the_same_answer() -> None:
    rgb, _ = grid(2, 2, kind="plot", labels="ABCD", where="above")
    one, other = DETECTOR.detect(rgb, labels=list("ABCD")), Detector().detect(rgb.copy(), labels=list("ABCD"))
    assert one == other
    assert Detector().fingerprint == DETECTOR.fingerprint


def test_a_network_is_the_source_where_letters_are_silent(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    rows = np.array([[18, 32, 24, 52, 0.9], [46, 32, 24, 52, 0.7]], np.float32)
    zero = numpy_helper.from_array(np.zeros(1, np.float32), "zero")
    answer = numpy_helper.from_array(rows.T[None], "answer")
    nodes = [helper.make_node("ReduceSum", ["images"], ["sum"], keepdims=0),
             helper.make_node("Mul", ["sum", "zero"], ["none"]), helper.make_node("Add", ["answer", "none"], ["out"])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            for name, shape in (("images", [1, 3, 64, 64]), ("out", [1, 5, 2]))]
    graph = helper.make_graph(nodes, "two", ends[:1], ends[1:], [zero, answer])
    path = tmp_path / "two.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))
    seamless = np.asarray(texture(np.random.default_rng(3), 640, 640, 60, 200))
    detector = Detector(str(path))
    found = detector.detect(seamless)
    assert [p.box for p in found.panels] == [(60, 60, 300, 580), (340, 60, 580, 580)]
    assert {p.source for p in found.panels} == {"network"}
    assert [p.score for p in found.panels] == pytest.approx([0.9, 0.7])
    assert detector.name.startswith("two+")
    assert detector.fingerprint != DETECTOR.fingerprint
    lettered, boxes = grid(1, 2, kind="picture", labels="AB", where="above")
    check(detector.detect(lettered, labels=["A", "B"]).panels, boxes, "AB")


def test_weights_that_are_not_there() -> None:
    with pytest.raises(UsageError):
        Detector("nowhere.onnx")


def test_the_fingerprint_names_the_model_of_kinds_without_loading_it() -> None:
    assert fingerprint("", DETECTOR.confidence, "") == DETECTOR.fingerprint
    assert len({fingerprint("", 0.25, name) for name in ("", "ViT-B-32/openai", "hf-hub:nobody/nothing")}) == 3


def test_overlay_draws_on_a_copy() -> None:
    rgb, _ = grid(1, 2, kind="plot", labels="AB", where="above")
    before = rgb.copy()
    drawn = draw_separation(rgb, DETECTOR.detect(rgb, labels=["A", "B"]).panels)
    assert (rgb == before).all()
    assert drawn.shape == rgb.shape
    assert (drawn != rgb).any()
