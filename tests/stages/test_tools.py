"""The commands that need no build: bad input costs one sentence or one line, never the whole file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from pmcoa_build.figures.detector import Detector
from stages.__main__ import main
from tests.stages.bucket import image


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _jsonl(path: Path, *rows: object) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_parse_gives_one_line_a_file_errors_included(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<article><front/><body><fig id='F'><graphic href='g'/></fig></body></article>")
    (tmp_path / "b.xml").write_text("<article>")
    assert main(["parse", str(tmp_path), "--out", str(tmp_path / "out.jsonl")]) == 0
    good, bad = _lines(tmp_path / "out.jsonl")
    assert [figure["graphics"] for figure in good["figures"]] == [["g"]]
    assert bad["file"].endswith("b.xml") and "xml-malformed" in bad["error"]


def test_split_captions_writes_the_format_that_others_read(tmp_path: Path) -> None:
    source = _jsonl(tmp_path / "in.jsonl", {"id": "x", "caption": "Scans. (A) Before. (B) After. CT, tomography."})
    assert main(["split-captions", source, "--out", str(tmp_path / "out.jsonl")]) == 0
    [line] = _lines(tmp_path / "out.jsonl")
    assert set(line) == {"id", "preamble", "tail", "parts"}
    assert [part["labels"] for part in line["parts"]] == [["A"], ["B"]]


def test_separate_goes_on_after_images_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(image(1, panels=2))
    (tmp_path / "bad.jpg").write_bytes(b"<html>not found</html>")
    names = ("none", "bad.jpg", "good.png")
    rows = [{"id": name, "image": name, "caption": "(A) Left. (B) Right."} for name in names]
    assert main(["separate", _jsonl(tmp_path / "in.jsonl", *rows), "--out", str(tmp_path / "out.jsonl")]) == 0
    none, bad, good = _lines(tmp_path / "out.jsonl")
    assert "error" in none and "image-not-image" in bad["error"]
    assert [panel["subcaption"] for panel in good["panels"]] == ["Left.", "Right."]
    keys = {"box", "score", "label", "label_score", "kind", "source", "subcaption", "method", "confidence"}
    assert set(good["panels"][0]) == keys
    for panel in good["panels"]:
        x0, y0, x1, y1 = panel["box"]
        assert 0 <= x0 < x1 <= good["width"] and 0 <= y0 < y1 <= good["height"]


def test_separate_goes_on_after_a_figure_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def detect(self: Detector, rgb: np.ndarray, **options: object) -> NoReturn:
        raise ZeroDivisionError("division by zero")

    (tmp_path / "figure.png").write_bytes(image(1, panels=2))
    monkeypatch.setattr(Detector, "detect", detect)
    source = _jsonl(tmp_path / "in.jsonl", {"id": "x", "image": "figure.png"})
    assert main(["separate", source, "--out", str(tmp_path / "out.jsonl")]) == 0
    assert _lines(tmp_path / "out.jsonl") == [
        {"id": "x", "error": "unexpected-error: ZeroDivisionError: division by zero"}]


def test_separate_shares_many_figures_among_processes_and_answers_as_for_few(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(image(1, panels=2))
    (tmp_path / "bad.jpg").write_bytes(b"<html>not found</html>")
    rows = [{"id": str(n), "image": name} for n, name in enumerate(("good.png", "none", "good.png", "bad.jpg", "none"))]
    parts = [_jsonl(tmp_path / f"{n}.jsonl", *part) for n, part in enumerate((rows, rows[:3], rows[3:]))]
    for part in parts:
        assert main(["separate", part, "--out", f"{part}.out"]) == 0
    together, first, second = (_lines(Path(f"{part}.out")) for part in parts)
    assert together == first + second and [line["id"] for line in together] == list("01234")


def test_separate_draws_for_a_person(tmp_path: Path) -> None:
    (tmp_path / "figure.png").write_bytes(image(1, panels=2))
    assert main(["separate", str(tmp_path / "figure.png"), "--show", str(tmp_path / "shown")]) == 0
    assert [path.name for path in (tmp_path / "shown").iterdir()] == ["figure.png"]


@pytest.mark.parametrize(("content", "says"), [
    ("{", "line 1: not JSON"), ('{"id": "x"}\n', "needs the strings id, caption"), ("[1]\n", "needs the strings"),
])
def test_a_line_that_is_no_input_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, says: str
) -> None:
    (tmp_path / "in.jsonl").write_text(content)
    assert main(["split-captions", str(tmp_path / "in.jsonl"), "--out", str(tmp_path / "out.jsonl")]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()
