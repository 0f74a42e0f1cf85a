"""Zero-shot scores against vectors that a stub gives to prompts."""

from __future__ import annotations

import numpy as np
import pytest

from pmcoa_build.clip.benchmarks import zero_shot
from pmcoa_build.clip.benchmarks.subject import Subject, encode_texts


def stub(monkeypatch: pytest.MonkeyPatch, vectors: dict[str, list[float]]) -> None:
    """Each prompt has the vector of the longest known phrase in it."""
    def encode(_: Subject, texts: list[str]) -> np.ndarray:
        found = [max((phrase for phrase in vectors if phrase in text), key=len) for text in texts]
        return np.array([vectors[phrase] for phrase in found], np.float32)

    monkeypatch.setattr(zero_shot, "encode_texts", encode)


def test_the_mean_over_a_label_s_names_decides(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    stub(monkeypatch, {"cat": [1, 0], "kitten": [0.6, 0.8], "dog": [0, 1]})
    images = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    found = zero_shot.scores(images, "photograph", [["cat", "kitten"], ["dog"]], "binary-class", subject, 10.0)
    mean = np.array([0.8, 0.4]) / np.hypot(0.8, 0.4)
    logits = 10 * images @ np.stack([mean, [0, 1]], 1)
    assert found == pytest.approx(np.exp(logits) / np.exp(logits).sum(1, keepdims=True), abs=1e-6)
    assert found.sum(1) == pytest.approx(1)


def test_several_labels_are_each_weighed_against_their_absence(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(monkeypatch, {"mass": [1, 0, 0], "no mass": [0, 0, 1], "edema": [0, 1, 0], "no edema": [0, 0, 1]})
    images = np.eye(3, dtype=np.float32)
    found = zero_shot.scores(images, "X-ray", [["mass"], ["edema"]], "multi-label, binary-class", subject, 100.0)
    assert found.round(3).tolist() == [[1, 0.5], [0.5, 1], [0, 0]]


def test_prompts_hold_the_name_and_differ() -> None:
    found = zero_shot.prompts("chest X-ray", "pneumonia")
    assert len(set(found)) == len(zero_shot.TEMPLATES) and all("pneumonia" in text for text in found)


def test_equal_texts_have_equal_vectors(subject: Subject) -> None:
    texts = [f"text {number % 70}" for number in range(140)]
    found = encode_texts(subject, texts)
    assert (found[:70] == found[70:]).all() and np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
