"""Figures labelled by hand, as the benches of panels and kinds read them."""

from __future__ import annotations

import json
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
