"""Benchmark of caption splitting; prints one line of JSON.

    python bench/captions.py [--shared DIR]

captions/s of `split_caption` on one core (CPU time; captions made up here, of the lengths that real ones have). Where
DIR, or the environment variable PMCOA_SHARED, names the folder of ground truth, also captions/s on its captions, seen
for the first time (`_first`: with all caches empty) and again (`_real`), and their scores.
"""

from __future__ import annotations

import argparse
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


def rate(split: Callable[[str], object], captions: list[str], repeats: int, runs: int = 3) -> float:
    """Captions a second of CPU time: the best of some runs."""
    best = 0.0
    for _ in range(runs):
        start = time.process_time()
        for _ in range(repeats):
            for caption in captions:
                split(caption)
        best = max(best, repeats * len(captions) / (time.process_time() - start))
    return round(best)


def real(shared: Path) -> dict[str, float]:
    """captions/s on the captions with known truth, and what the scorer says of them."""
    truth = shared / "groundtruth" / "captions.jsonl"
    rows = [json.loads(line) for line in truth.read_text("utf-8").splitlines()]
    captions = [row["caption"] for row in rows]
    first = rate(split_caption, captions, repeats=1, runs=1)
    again = rate(split_caption, captions, repeats=3)
    speed = {"captions": len(rows), "captions_per_s_first": first, "captions_per_s_real": again}
    return speed | scores(shared, truth, rows)


def scores(shared: Path, truth: Path, rows: list[dict[str, str]]) -> dict[str, float]:
    """What the scorer says of the rows of the file `truth`."""
    with tempfile.TemporaryDirectory() as folder:
        answers = Path(folder) / "answers.jsonl"
        records = (to_split_record(row["id"], row["caption"]) for row in rows)
        answers.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
        command = [sys.executable, str(shared / "score" / "score.py"), "captions", str(answers), str(truth)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {name: round(float(value), 4) for name, value in zip(said[::2], said[1::2], strict=True)}


def main() -> None:
    """Print the line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=os.environ.get("PMCOA_SHARED"))
    shared = parser.parse_args().shared
    found = real(shared) if shared else {}  # first: caches are empty still
    line: dict[str, object] = {"bench": "captions", "captions_per_s": rate(split_caption, DRAWN, 200)}
    line |= found
    print(json.dumps(line))


if __name__ == "__main__":
    main()
