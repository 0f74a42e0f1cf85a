"""Benchmark of caption splitting; prints one line of JSON.

    python bench/captions.py

captions/s of `split_caption` on one core (CPU time; captions made up here, of the lengths that real ones have). Where
the environment variable PMCOA_SHARED names the folder of ground truth, its scores too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pmcoa_build.captions.split import split_caption, to_split_record

DRAWN = [
    "Kidney sections of treated mice. (A) Overview, stained with H&E. Arrows point to casts (n = 5). "
    "(B) Detail of (A). (C, D) Immunofluorescence for nephrin in control (C) and treated (D) "
    "animals. Scale bars: A, 50 µm; B-D, 20 µm. "
    "Data are mean ± SD of three experiments; *p < 0.05, Student's t-test.",
    "Chest CT of a 54-year-old man. Axial (a) and coronal (b) images show a nodule in the right upper lobe (arrow).",
    "A, Western blot of p53 in HeLa cells. B, Quantification of the bands in panel A. C, Growth curves over 72 h, "
    "measured every six hours in three wells with medium that was changed daily. Error bars, SEM.",
    "Skull in left lateral (A), dorsal (B), ventral (C) and caudal (D) views. Abbreviations: na, nasal; pa, parietal.",
    "Workflow of the study. Patients were enrolled between March 2014 and June 2018 at four sites; those with less "
    "than two follow-up visits were excluded from the analysis of survival, but not from the account of the cohort.",
]


def rate(split: Callable[[str], object], captions: list[str], repeats: int) -> float:
    """Captions a second of CPU time: the best of three runs."""
    best = 0.0
    for _ in range(3):
        start = time.process_time()
        for _ in range(repeats):
            for caption in captions:
                split(caption)
        best = max(best, repeats * len(captions) / (time.process_time() - start))
    return round(best)


def scores(shared: Path) -> dict[str, float]:
    """What the scorer says of all captions with known truth."""
    truth = shared / "groundtruth" / "captions.jsonl"
    rows = [json.loads(line) for line in truth.read_text("utf-8").splitlines()]
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / "answers.jsonl"
        records = (to_split_record(row["id"], row["caption"]) for row in rows)
        answers.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        command = [sys.executable, str(shared / "score" / "score.py"), "captions", str(answers), str(truth)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    found = {name: round(float(value), 4) for name, value in zip(said[::2], said[1::2], strict=True)}
    found["captions_per_s_real"] = rate(split_caption, [row["caption"] for row in rows], 3)
    return found


def main() -> None:
    """Print the line."""
    line: dict[str, object] = {"bench": "captions", "captions_per_s": rate(split_caption, DRAWN, 200)}
    if shared := os.environ.get("PMCOA_SHARED"):
        line |= scores(Path(shared))
    print(json.dumps(line))


if __name__ == "__main__":
    main()
