"""What a person says of pairs: it wins, costs only what it touches, and outlives the detector that it was said of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pmcoa_build.engine.read import read_file
from pmcoa_build.figures.detector import Separation
from stages import panels
from tests.browser import CHROMIUM, browser
from tests.stages.conftest import SmallBuild, StubDetector
from tests.stages.test_updates import TO_DATASET

IMAGE = "PMC2000001.1/g1.png"
LEFT, RIGHT = [0, 0, 270, 140], [270, 0, 540, 140]


def say(small: SmallBuild, *lines: dict[str, Any]) -> None:
    """Write the corrections file and name it in the spec."""
    path = small.spec.parent / "corrections.jsonl"
    path.write_text("".join(json.dumps({"image_id": IMAGE, **line}) + "\n" for line in lines))
    if "[align]" not in small.spec.read_text():
        small.spec.write_text(small.spec.read_text() + '[align]\ncorrections = "corrections.jsonl"\n')


def published(small: SmallBuild) -> dict[str, dict[str, Any]]:
    """Rows of the image in the dataset, by panel."""
    records = small.open().state.records("shards").values()
    rows = [row for r in records for row in read_file(small.open().state.path(r["output"]["path"])).to_pylist()]
    return {row["panel_id"]: row for row in rows if row["panel_id"].startswith(IMAGE)}


def computed(small: SmallBuild, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Stage -> how many units the run computed."""
    capsys.readouterr()
    assert small.run(*TO_DATASET) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.endswith(" computed")]
    return {line.split()[0]: line.split("; ")[-1].removesuffix(" computed") for line in lines}


def test_a_persons_word_reaches_the_dataset(small: SmallBuild) -> None:
    say(small, {"box": LEFT, "verdict": "wrong", "label": "B", "subcaption": "By hand.", "new_box": [0, 0, 250, 140]},
        {"box": RIGHT, "drop": True})
    assert small.run(*TO_DATASET) == 0
    (row,) = published(small).values()
    assert (row["panel_id"], row["bbox"]) == (f"{IMAGE}#xywh=0,0,250,140", [0, 0, 250, 140])
    assert (row["label"], row["subcaption"], row["method"], row["confidence"]) == ("B", "By hand.", "corrected", 1.0)
    assert "corrected" in row["flags"] and row["width"] == 250
    assert small.open().lost("align")["reason"].to_pylist() == ["correction"]
    gallery = (small.root / "builds" / "small" / "dataset" / "gallery.html").read_text()
    assert "left out: correction<" in gallery and "left out: no-subcaption<" not in gallery
    found = small.open().table("panels", ["panel_id", "detector"]).to_pylist()
    assert [p["detector"] for p in found if p["panel_id"] == row["panel_id"]] == ["stub/person"]


def test_only_what_a_person_spoke_of_is_computed_again(small: SmallBuild, capsys: pytest.CaptureFixture[str]) -> None:
    assert small.run(*TO_DATASET) == 0
    say(small, {"box": LEFT, "label": "B"})
    assert computed(small, capsys) == {"panels": "0", "align": "2", "shards": "1"}
    say(small, {"box": LEFT, "label": "B"}, {"box": RIGHT, "new_box": [280, 0, 540, 140]})
    done = computed(small, capsys)
    assert done["panels"] == "1" and done["align"] == "2"
    assert computed(small, capsys) == {}


def test_it_outlives_the_detector(small: SmallBuild, monkeypatch: pytest.MonkeyPatch) -> None:
    say(small, {"box": LEFT, "label": "A", "subcaption": "Left by hand."},
        {"box": RIGHT, "label": "B", "subcaption": "Right by hand.", "new_box": [290, 0, 540, 140]})
    assert small.run(*TO_DATASET) == 0

    class Other(StubDetector):
        """Finds the left panel a little narrower, and the right one in three pieces."""

        def detect(self, rgb: np.ndarray, *, labels: Sequence[str] = (), cues: object = None) -> Separation:
            panel = super().detect(rgb, labels=labels).panels[0]
            boxes = [(0, 0, 240, 140), (300, 0, 380, 140), (380, 0, 460, 140), (460, 0, 540, 140)]
            return Separation([replace(panel, box=box) for box in boxes] if len(labels) == 2 else [panel], [])

    monkeypatch.setattr("stages.panels.Detector", Other)
    monkeypatch.setattr("stages.panels.STEP", replace(panels.STEP, extra=lambda _: "other"))
    assert small.run(*TO_DATASET) == 0
    rows = {tuple(row["bbox"]): (row["subcaption"], row["method"]) for row in published(small).values()}
    assert rows == {(0, 0, 240, 140): ("Left by hand.", "corrected"),
                    (290, 0, 540, 140): ("Right by hand.", "corrected")}


def test_what_holds_for_no_panel_is_counted(small: SmallBuild) -> None:
    say(small, {"box": [0, 0, 5, 5], "label": "B"})
    assert small.run(*TO_DATASET) == 0
    records = small.open().state.records("align").values()
    assert sum(record["dropped"].get("correction-unmatched", 0) for record in records) == 1


def test_a_bad_line_stops_the_run_with_one_sentence(small: SmallBuild, capsys: pytest.CaptureFixture[str]) -> None:
    say(small, {"box": LEFT, "label": "A"}, {"box": LEFT, "lable": "A"})
    assert small.run(*TO_DATASET) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("pmcoa:")]
    assert len(said) == 1
    assert "Line 2 of the corrections file" in said[0] and said[0].endswith("unknown key 'lable'.")



@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_from_the_gallery_to_the_dataset_and_back(small: SmallBuild) -> None:
    assert small.run(*TO_DATASET) == 0
    gallery = small.root / "builds" / "small" / "dataset" / "gallery.html"
    with browser() as tab:
        tab.size(1280, 900)
        tab.open(gallery.as_uri())
        tab.js(f"reviewing.click(); pairsOf.get(one('[data-image=\"{IMAGE}\"]'))[0].focus()")
        tab.settle()
        tab.key("e")
        tab.js("one('.editor textarea').focus()")
        tab.type("What a person wrote.")
        tab.drag('.handle[data-sides="0,1"]', 20, 10)
        tab.key("Escape", "ArrowDown", "r")
        saved = tab.download("#save", small.spec.parent)
    assert saved.name == "corrections.jsonl"
    small.spec.write_text(small.spec.read_text() + '[align]\ncorrections = "corrections.jsonl"\n')
    assert small.run(*TO_DATASET) == 0
    rows = sorted(published(small).values(), key=lambda row: row["label"])
    assert [(row["label"], row["method"], row["confidence"]) for row in rows] == [
        ("A", "corrected", 1.0), ("B", "label", 1.0)]
    assert rows[0]["subcaption"] == "What a person wrote."
    assert rows[0]["bbox"][0] > 0 and rows[0]["bbox"][1] > 0 and rows[0]["bbox"][2:] == LEFT[2:]
    assert "What a person wrote." in gallery.read_text() and "How often people agreed" in gallery.read_text()
