"""Stage 12, train: PMC-CLIP on the published dataset.

A training is pinned to the dataset that it began with and finishes on it, also after a kill and a newer publication.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from pmcoa_build.atomic import write_atomic
from pmcoa_build.engine.care import UNFINISHED
from pmcoa_build.engine.stage import Input, Row, Task, TaskContext, TaskOutput
from pmcoa_build.spec import FREE_TRAIN_KEYS, TrainKeys
from stages import ranks


def run(context: TaskContext) -> TaskOutput:
    """Train, or go on training."""
    from pmcoa_build.clip.train import model_config, run_id, train

    keys, published = context.spec.train, context.upstream["publish"]["all"]["facts"]
    settings = run_id(keys, model_config(keys))[:12]
    folder, dataset_id = _begun(context.out, settings) or (None, published["dataset_id"])
    if folder is None:
        folder = context.out / "train" / f"{settings}-{dataset_id[:12]}"
        write_atomic(folder / UNFINISHED, json.dumps({"settings": settings, "dataset_id": dataset_id}).encode())
    dataset = context.out / f"dataset-{dataset_id}"
    ranks.call(ranks.Job(str(dataset), str(folder), dataclasses.asdict(keys)))
    result = train(dataset, folder, keys, progress=context.show, stop=context.stop)
    (folder / UNFINISHED).unlink()
    relative = str(folder.relative_to(context.out))
    facts = {
        "dataset_id": result.dataset_id, "weights_sha256": result.weights_sha256, "steps": result.steps,
        "losses": {name: round(value, 6) for name, value in result.losses.items()}, "keep": [relative],
        "model": str(result.model.relative_to(context.out)),
    }
    return TaskOutput(sorted(path for path in result.model.rglob("*") if path.is_file()), facts)


def _begun(out: Path, settings: str) -> tuple[Path, str] | None:
    """The folder and dataset of an unfinished training with these settings, if its dataset is still there."""
    for marker in sorted((out / "train").glob(f"*/{UNFINISHED}")):
        begun: Row = json.loads(marker.read_text())
        if begun["settings"] == settings and (out / f"dataset-{begun['dataset_id']}").is_dir():
            return marker.parent, begun["dataset_id"]
    return None


STEP = Task(
    name="train",
    version=2,
    inputs=(Input("publish", ("facts",)),),
    spec_keys=tuple(f"train.{key.name}" for key in dataclasses.fields(TrainKeys) if key.name not in FREE_TRAIN_KEYS),
    run=run,
)
