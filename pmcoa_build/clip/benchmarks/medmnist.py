"""MedMNIST v2 (Yang et al. 2023, doi 10.1038/s41597-022-01721-8), 2D: zero-shot, linear probe, fine-tuning.

Format: the .npz files as published, `FLAG.npz` (28 px) and `FLAG_64.npz`, `_128`, `_224`, each with `train_images`,
`train_labels` and so on for `val` and `test`: uint8 images (N, S, S), or (N, S, S, 3), and labels (N, 1), or (N, L)
for ChestMNIST. Tasks and label names in medmnist.json are those of the package medmnist 3.0 (`INFO`); what `names` and
`image` say in prompts is ours.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pmcoa_build.clip.benchmarks import finetune, probe, zero_shot
from pmcoa_build.clip.benchmarks.measures import Task, auc_and_accuracy
from pmcoa_build.clip.benchmarks.store import Protocol, Say, Score, identity
from pmcoa_build.clip.benchmarks.subject import Subject, encode_images
from pmcoa_build.errors import RunFailed, UsageError

_NAME = re.compile(r"([a-z0-9]+)(?:_(64|128|224))?\.npz")
_INFO: dict[str, Any] = json.loads(Path(__file__).with_name("medmnist.json").read_text("utf-8"))
_BATCH = 64


@dataclass(frozen=True)
class MedSet:
    """One published file: `name` is its stem, `image` what its pictures are, `names` phrases for each label."""

    path: Path
    task: Task
    classes: int
    image: str
    names: list[list[str]]

    def split(self, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Images uint8 (N, S, S) or (N, S, S, 3), and labels (N,), or (N, classes) where there are several each.

        Raises RunFailed for a file in another format.
        """
        try:
            with self.path.open("rb") as stream, np.load(stream) as file:
                images, labels = file[f"{split}_images"], file[f"{split}_labels"]
        except (OSError, ValueError, TypeError, KeyError, EOFError, BadZipFile, zlib.error) as error:
            raise RunFailed(f"{self.path} is no file of MedMNIST: {error}.") from None
        labels = (labels if labels.ndim == 2 else labels.reshape(-1, 1)).astype(np.int64)
        width, top = (self.classes, 1) if self.task == "multi-label, binary-class" else (1, self.classes - 1)
        square = images.ndim in (3, 4) and images.shape[1] == images.shape[2] and images.shape[3:] in ((), (3,))
        if not (square and images.dtype == np.uint8 and len(images) == len(labels) > 1 and labels.shape[1] == width
                and labels.min() >= 0 and labels.max() <= top):
            raise RunFailed(f"{self.path} is no file of {self.path.stem}: {split} holds images {images.shape} of "
                            f"{images.dtype} and labels {labels.shape} up to {labels.max(initial=-1)}.")
        return images, labels if width > 1 else labels[:, 0]


Compute = Callable[[MedSet, Subject, int, Say], tuple[NDArray[Any], NDArray[np.floating]]]


def protocols(folder: Path, subject: Subject, seed: int, say: Say) -> Iterator[Protocol]:
    """AUC and accuracy on the test split of every set in the folder: first the quick protocols of all sets.

    Raises UsageError where it holds none of the twelve sets, RunFailed for a file in another format.
    """
    sets = find_sets(folder, say)
    ids = {found.path: identity(found.path.stem, [(found.path.name, found.path)]) for found in sets}
    ways: dict[str, Compute] = {"zero-shot": _zero_shot, "linear-probe": _linear_probe, "fine-tune": _fine_tune}
    for name, way in ways.items():
        for found in sets:
            yield Protocol(ids[found.path], name, partial(_scores, way, found, subject, seed, say))


def find_sets(folder: Path, say: Say) -> list[MedSet]:
    """The 2D sets among the .npz files of a folder (or the one file), in the order of their names."""
    sets = []
    for path in [folder] if folder.is_file() else sorted(folder.glob("*.npz")):
        match = _NAME.fullmatch(path.name)
        info = _INFO.get(match[1]) if match else None
        if info:
            sets.append(MedSet(path, info["task"], len(info["labels"]), info["image"], info["names"]))
        else:
            say(f"medmnist: {path.name} is none of the 2D sets and is left out")
    if not sets:
        raise UsageError(f"{folder} holds no .npz file of MedMNIST's 2D sets, such as {next(iter(_INFO))}_64.npz.")
    return sets


def _scores(way: Compute, found: MedSet, subject: Subject, seed: int, say: Say) -> list[Score]:
    labels, scores = way(found, subject, seed, say)
    auc, accuracy = auc_and_accuracy(labels, scores, found.task)
    return [Score("AUC", auc, len(labels)), Score("ACC", accuracy, len(labels))]


def _zero_shot(found: MedSet, subject: Subject, _seed: int, _say: Say) -> tuple[NDArray[Any], NDArray[np.floating]]:
    images, labels = found.split("test")
    scale = subject.net.logit_scale.exp().item()
    return labels, zero_shot.scores(_features(images, subject), found.image, found.names, found.task, subject, scale)


def _linear_probe(found: MedSet, subject: Subject, _seed: int, say: Say) -> tuple[NDArray[Any], NDArray[np.floating]]:
    splits = {}
    for name in ("train", "val", "test"):
        images, labels = found.split(name)
        splits[name] = (_features(images, subject), labels)
    features, labels = splits["test"]
    fitted = probe.fit(splits["train"], splits["val"], found.classes, found.task, subject.device)
    say(f"{found.path.stem} linear-probe: decay {fitted.decay:g} by validation loss")
    return labels, fitted.scores(features)


def _fine_tune(found: MedSet, subject: Subject, seed: int, say: Say) -> tuple[NDArray[Any], NDArray[np.floating]]:
    def tell(line: str) -> None:
        say(f"{found.path.stem} fine-tune: {line}")

    tuned = finetune.fine_tune(subject.net, found.split("train"), found.split("val"), found.classes, found.task,
                               seed=seed, say=tell)
    images, labels = found.split("test")
    return labels, tuned(images)


def _features(images: NDArray[np.uint8], subject: Subject) -> NDArray[Any]:
    from pmcoa_build.clip.benchmarks.squares import squares

    parts = (images[at : at + _BATCH] for at in range(0, len(images), _BATCH))
    return encode_images(subject, (squares(part, subject.image_size, subject.device) for part in parts))
