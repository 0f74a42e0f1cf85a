"""The paper's point on the sample: do subfigures with subcaptions teach more than figures with whole captions?

    python bench/ablation.py [--seeds 3] [--epochs 20]

Two builds of the demo, `[shards] level` "panel" with `[train] text` "subcaption", and "figure" with "caption": the
same articles and splits, the same number of steps, batch size and seeds. Both are scored on one test set of panels
with distinct subcaptions. It needs a finished `make demo`, of which the second build is made in a folder that is
deleted afterwards. About two minutes a training on two idle cores. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from pmcoa_build.build import Build
from pmcoa_build.clip import checkpoint
from pmcoa_build.clip.data import Layout, steps_per_epoch
from pmcoa_build.clip.evaluate import draw_pool, embed, sampling_of
from pmcoa_build.clip.retrieval import retrieval
from pmcoa_build.clip.shards import row_groups
from pmcoa_build.clip.train import train
from pmcoa_build.spec import TrainKeys
from stages.__main__ import main as pmcoa

SPEC = Path(__file__).parents[1] / "manifests" / "demo.toml"
PAIRS = 200
WAYS = ("image_to_text_R@1", "text_to_image_R@1")
TEXTS = {"panel": "subcaption", "figure": "caption"}


def figure_dataset(build: Build, folder: Path) -> Path | None:
    """The demo's dataset of whole figures, made in `folder` from the demo's own tables; None where those are stale."""
    out, state = folder / "out", folder / "state"
    skipped = shutil.ignore_patterns("train", "evaluate", "sample", "dataset", "dataset-*")
    shutil.copytree(build.state.out, out, copy_function=_link, ignore=skipped)
    shutil.copytree(build.state.folder, state)
    words = ["shards", "publish", str(SPEC), "--progress", "off"]
    for pair in (f"build.out={out}", f"build.state={state}", "shards.level=figure"):
        words += ["--set", pair]
    with contextlib.redirect_stdout(sys.stderr):
        return (out / "dataset").resolve() if pmcoa(words) == 0 else None


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # no hard links here
        shutil.copyfile(source, target)


def equal_epochs(datasets: dict[str, Path], keys: TrainKeys) -> dict[str, int]:
    """Epochs for each level so that all make the same number of steps, as near to `keys.epochs` of panels as may be."""
    steps = {level: steps_per_epoch(row_groups(path, "train", keys.kinds), Layout(keys.seed, keys.batch_size))
             for level, path in datasets.items()}
    common = math.lcm(*steps.values())
    total = common * max(1, round(keys.epochs * steps["panel"] / common))
    return {level: total // steps[level] for level in datasets}


def recall(dataset: Path, keys: TrainKeys, test: Path) -> dict[str, float]:
    """R@1 both ways of one training, on the same test panels and subcaptions whatever it was trained on."""
    with tempfile.TemporaryDirectory() as folder:
        result = train(dataset, Path(folder), keys, progress=lambda row: None, stop=lambda: False)
        net, about = checkpoint.load_exported(result.model)
    about = {**about, "text": TEXTS["panel"]}
    pool = draw_pool(test, "test", about, PAIRS, 0, "clean")
    scores = retrieval(*embed(net, pool, sampling_of(about)))
    found = {way: round(scores[way], 4) for way in WAYS}
    return {**found, "steps": result.steps, "pairs": len(pool.rows),
            "articles": len({pool.articles[row] for row in pool.rows})}


def summary(found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """For each way: means of both, and panel minus figure of each seed with its mean and standard deviation."""
    told: dict[str, Any] = {}
    for way in WAYS:
        both = {level: [row[way] for row in rows] for level, rows in found.items()}
        gains = [panel - figure for panel, figure in zip(both["panel"], both["figure"], strict=True)]
        told[way] = {
            **{level: round(statistics.mean(values), 4) for level, values in both.items()},
            "gains": [round(gain, 4) for gain in gains], "gain": round(statistics.mean(gains), 4),
            "sd": round(statistics.stdev(gains), 4) if len(gains) > 1 else None,
        }
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=0, help="passes over the panels (0 = as in the spec)")
    options = parser.parse_args()

    build = Build.open(SPEC)
    panels = (build.state.out / "dataset").resolve()
    if not panels.exists():
        print(json.dumps({"bench": "ablation", "skipped": "run `make demo` first: there is no dataset yet"}))
        return
    keys = dataclasses.replace(build.spec.train, epochs=options.epochs or build.spec.train.epochs)
    # beside the build, for its files are linked and not copied
    with tempfile.TemporaryDirectory(dir=build.state.out.parent, prefix=".ablation-") as folder:
        figures = figure_dataset(build, Path(folder))
        if figures is None:
            print(json.dumps({"bench": "ablation", "skipped": "run `make demo` first: the build is not up to date"}))
            return
        datasets = {"panel": panels, "figure": figures}
        epochs = equal_epochs(datasets, keys)
        found: dict[str, list[dict[str, float]]] = {level: [] for level in datasets}
        for seed in range(options.seeds):
            for level, dataset in datasets.items():
                own = dataclasses.replace(keys, seed=seed, text=TEXTS[level], epochs=epochs[level])
                found[level].append(recall(dataset, own, panels))
                print(json.dumps({"level": level, "seed": seed, **found[level][-1]}), file=sys.stderr)
    print(json.dumps({"bench": "ablation", "epochs": epochs, **summary(found), "runs": found}))


if __name__ == "__main__":
    main()
