"""What a run shows on a terminal, in a log file, and to programs."""

from __future__ import annotations

import functools
import json

import pytest
import tqdm

from pmcoa_build.engine import progress
from pmcoa_build.engine.progress import Progress, Style, open_progress


def _work(shown: Progress) -> None:
    for _ in range(2):
        for _ in range(3):
            shown.units(2)
        shown.block()
    shown.close()


def _said(style: Style, capsys: pytest.CaptureFixture[str]) -> str:
    _work(open_progress(style, "media", "image", 2))
    out, err = capsys.readouterr()
    assert out == "", "results go to stdout, progress does not"
    return err


def _on_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a terminal, with a bar that is drawn at each call."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("tqdm.tqdm", functools.partial(tqdm.tqdm, mininterval=0))


def test_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _on_terminal(monkeypatch)
    said = _said("auto", capsys)
    assert "media" in said and "1/2" in said and "2/2" in said and "8 images" in said


def test_nothing_when_off(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _on_terminal(monkeypatch)
    assert _said("off", capsys) == ""


@pytest.mark.parametrize("style", ["auto", "plain"])
def test_a_line_an_interval_in_a_log(
    style: Style, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    shown = open_progress(style, "media", "image", 2)
    for _ in range(30):
        now += 1.0
        shown.units(1000)
    shown.close()
    assert capsys.readouterr().err.splitlines() == [
        "media: 0/2 blocks, 10,000 images", "media: 0/2 blocks, 20,000 images", "media: 0/2 blocks, 30,000 images",
    ]


def test_lines_of_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.loads(line) for line in _said("json", capsys).splitlines()]
    assert lines[-1] == {"stage": "media", "blocks": 2, "of": 2, "units": 12}
    assert [line["blocks"] for line in lines] == [1, 2, 2]


@pytest.mark.parametrize(("style", "says"), [
    ("plain", "train: step 7/200, loss 2.104\n"),
    ("json", '{"stage": "train", "step": 7, "steps": 200, "loss": 2.104}\n'),
    ("off", ""),
])
def test_steps_of_a_task(
    style: Style, says: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    open_progress(style, "train", "step", 1).show({"step": 7, "steps": 200, "loss": 2.104})
    assert capsys.readouterr().err == says


def test_steps_are_told_by_interval_but_news_and_the_end_at_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.monotonic", lambda: 0.0)
    shown = open_progress("plain", "train", "step", 1)
    for step in range(1, 7):
        shown.show({"step": step, "steps": 6, "loss": 2.0, "pairs_per_s": 54.71, "memory_gb": 0.55, "eta_s": 69})
        if step == 3:
            shown.show({"step": step, "steps": 6, "validation_recall": 0.25})
    rest = "loss 2, 54.71 pairs/s, memory 0.55 GB, 0:01:09 left"
    assert capsys.readouterr().err.splitlines() == [
        f"train: step 1/6, {rest}", "train: step 3/6, validation_recall 0.25", f"train: step 4/6, {rest}",
        f"train: step 6/6, {rest}",
    ]


def test_steps_of_a_task_on_a_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _on_terminal(monkeypatch)
    shown = open_progress("auto", "train", "step", 1)
    shown.show({"step": 6, "steps": 200, "validation_recall": 0.25})
    shown.show({"step": 7, "steps": 200, "loss": 2.104, "eta_s": 69})
    shown.close()
    last = capsys.readouterr().err.split("\r")[-3]
    assert all(part in last for part in ("7/200", "validation_recall 0.25", "loss 2.104", "0:01:09 left"))
