"""Does the demo learn? R@1 both ways on 200 seeded test pairs with distinct texts, for three seeds, worst first.

Trains on the dataset that `make demo` has published (about two minutes a seed on two idle cores). One line of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
from pathlib import Path

from pmcoa_build.build import Build
from pmcoa_build.clip.evaluate import evaluate
from pmcoa_build.clip.train import train

SPEC = Path(__file__).parents[1] / "manifests" / "demo.toml"
SEEDS = (0, 1, 2)
CHANCE = 1 / 200


def recall(dataset: Path, build: Build, seed: int) -> dict[str, float]:
    """R@1 both ways of one training, whose pool of test pairs is drawn with the same seed."""
    keys = dataclasses.replace(build.spec.train, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        result = train(dataset, Path(folder), keys, progress=lambda row: None, stop=lambda: False)
        rows = {row["metric"]: row["value"] for row in evaluate(dataset, result.model, n=200, seed=seed)}
    return {name: rows[name] for name in ("image_to_text_R@1", "text_to_image_R@1", "pool_articles")}


def main() -> None:
    """Train and score."""
    build = Build.open(SPEC)
    dataset = (build.state.out / "dataset").resolve()
    if not dataset.exists():
        print(json.dumps({"bench": "learns", "skipped": "run `make demo` first: there is no dataset yet"}))
        return
    found = [recall(dataset, build, seed) for seed in SEEDS]
    worst = min(min(row["image_to_text_R@1"], row["text_to_image_R@1"]) for row in found)
    print(json.dumps({"bench": "learns", "worst_R@1": worst, "chance": CHANCE, "seeds": found}))


if __name__ == "__main__":
    main()
