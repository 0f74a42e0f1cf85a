"""Which benchmarks there are."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pmcoa_build.clip.benchmarks.store import Protocol, Say
    from pmcoa_build.clip.benchmarks.subject import Subject

BENCHMARKS = {
    "roco": "ROCO's test split: data/test/radiology of its repository, or a .csv or .jsonl of images and captions",
    "medmnist": "MedMNIST v2's .npz files, any of the twelve 2D sets in any size",
    "vqa-rad": "VQA-RAD as on OSF, or its trainset.json and testset.json, with the images",
    "slake": "SLAKE's train.json, validation.json, test.json and imgs",
    "pmc-vqa": "PMC-VQA's train.csv, test.csv, test_clean.csv, train_2.csv, test_2.csv (any of the tests) and images",
}
"""Name of the option → what its folder holds. `NAME.py` here, with `_` for `-`, is the module."""


def protocols(name: str, folder: Path, subject: Subject, seed: int, say: Say) -> Iterator[Protocol]:
    """What the benchmark has to score in that folder, in order. Its errors are UsageError and RunFailed."""
    module = importlib.import_module(f"pmcoa_build.clip.benchmarks.{name.replace('-', '_')}")
    found: Iterator[Protocol] = module.protocols(folder, subject, seed, say)
    return found
