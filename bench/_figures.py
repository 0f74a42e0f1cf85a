"""Figures labelled by hand, as the benches of panels and kinds read them."""

from __future__ import annotations

import argparse
import json
import os
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
