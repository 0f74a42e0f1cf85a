"""Figures labelled by hand and their scorer, as the benches of panels, kinds and pairs use them."""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import tempfile
from pathlib import Path
from typing import Any

Figure = dict[str, Any]


def read_queue(shared: Path) -> list[Figure]:
    """Figures of `shared`/groundtruth/panels with their bytes, captions and truth; those marked `skip` are left out."""
    folder = shared / "groundtruth" / "panels"
    figures = []
    for line in (folder / "queue.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        truth = json.loads((folder / "gt" / f"{row['id']}.json").read_text("utf-8"))
        if not truth.get("skip"):
            figures.append({"id": row["id"], "data": (folder / row["image"]).read_bytes(), "truth": truth,
                            "caption": row["caption"]})
    return figures


def options(bench: str, doc: str | None, extra: str) -> argparse.Namespace | None:
    """--shared DIR (else PMCOA_SHARED), and the option `extra`; without DIR a line that says so, and None."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=os.environ.get("PMCOA_SHARED"))
    parser.add_argument(extra, default="")
    chosen = parser.parse_args()
    if chosen.shared is None:
        print(json.dumps({"bench": bench, "skipped": "no figures: give --shared DIR or set PMCOA_SHARED"}))
        return None
    return chosen


def scorer(shared: Path) -> Any:
    """The scorer as a module."""
    spec = importlib.util.spec_from_file_location("score", shared / "score" / "score.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scores(module: Any, answers: list[Figure], figures: list[Figure]) -> dict[str, float]:
    """The scorer's numbers for some figures."""
    with tempfile.TemporaryDirectory() as folder:
        predicted, truth = Path(folder) / "pred.jsonl", Path(folder) / "gt.jsonl"
        predicted.write_text("\n".join(json.dumps(row) for row in answers), "utf-8")
        truth.write_text("\n".join(json.dumps(figure["truth"]) for figure in figures), "utf-8")
        found = module.panels(str(predicted), str(truth), False)
    wanted = ("mAP50", "mAP50:95", "F1@50", "F1@75", "ImageCLEF", "exact", "label", "text-F1", "pair", "kind")
    return {name: round(found[name], 3) for name in wanted}
