"""Fine-tuning of a tiny tower: by the seed alone, the best epoch, and what training sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pmcoa_build.clip.benchmarks import finetune
from pmcoa_build.clip.benchmarks.squares import squares
from pmcoa_build.clip.benchmarks.subject import Subject


def drawn(n: int, seed: int) -> finetune.Split:
    """Grey pictures, the left or the right half bright."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % 2)
    images = rng.integers(0, 80, (n, 28, 28), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[:, label * 14 : label * 14 + 14] += 100
    return images, labels


def test_the_seed_alone_decides(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetune, "EPOCHS", 2)
    train, val, test = drawn(24, 0), drawn(8, 1), drawn(8, 2)[0]
    found = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(found))  # nothing comes from the global generator
        found.append(finetune.fine_tune(subject.net, train, val, 2, "binary-class", seed=seed, say=len)(test))
    assert (found[0] == found[1]).all() and (found[0] != found[2]).any()
    assert found[0].shape == (8, 2) and found[0].sum(1) == pytest.approx(1)


@pytest.mark.parametrize(("aucs", "best"), [
    ([0.6, 0.9, 0.7], 2), ([0.9, 0.9, 0.8], 1), ([float("nan")] * 3, 1), ([0.5, float("nan"), 0.6], 3),
])
def test_the_best_epoch_is_kept(
    aucs: list[float], best: int, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, scored = iter(aucs), list[np.ndarray]()

    def measure(labels: np.ndarray, scores: np.ndarray, task: str) -> tuple[float, float]:
        scored.append(scores)
        return next(told), 0.5

    monkeypatch.setattr(finetune, "EPOCHS", 3)
    monkeypatch.setattr(finetune, "auc_and_accuracy", measure)
    val = drawn(8, 1)
    predict = finetune.fine_tune(subject.net, drawn(24, 0), val, 2, "binary-class", seed=0, say=len)
    assert (predict(val[0]) == scored[best - 1]).all()
    assert not any((scored[best - 1] == other).all() for at, other in enumerate(scored) if at != best - 1)


@pytest.mark.parametrize(("images", "epochs"), [(546, 100), (89_996, 11), (165_466, 10)])
def test_large_sets_take_fewer_epochs(
    images: int, epochs: int, subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = list[int]()
    monkeypatch.setattr(finetune, "_epoch", lambda *_, epoch, epochs, **__: passes.append(epochs))
    monkeypatch.setattr(finetune, "_predict", lambda *_: np.zeros((8, 2)))
    train = np.zeros((images, 1, 1), np.uint8), np.zeros(images, np.int64)
    finetune.fine_tune(subject.net, train, drawn(8, 1), 2, "binary-class", seed=0, say=len)
    assert passes == [epochs] * epochs


def test_crops_are_parts_of_the_picture() -> None:
    ramp = np.linspace(0, 255, 32).astype(np.uint8)
    pixels = squares(np.broadcast_to(ramp, (200, 32, 32)), 32, torch.device("cpu"))
    found = finetune._crops(pixels, torch.Generator().manual_seed(0))
    widths = (found[:, 16, -1, 0] - found[:, 16, 0, 0]) / 255
    assert found.shape == (200, 32, 32, 3) and found.min() >= 0 and found.max() <= 255
    assert 0.7 < widths.min() < 0.8 < 0.95 < widths.max() <= 1  # sides of 0.6 ** 0.5 to 1; never mirrored
