"""Zero-shot classification: images against prompts (arXiv 2103.00020, section 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmcoa_build.clip.benchmarks.measures import Task
from pmcoa_build.clip.benchmarks.subject import Subject, encode_texts

TEMPLATES = ("{name}.", "{image} showing {name}.", "{image} of {name}.", "{name} on {image}.", "{image}: {name}.")
"""In the words of captions."""


def scores(features: NDArray[Any], image: str, names: Sequence[Sequence[str]], task: Task, subject: Subject,
           scale: float) -> NDArray[np.floating]:
    """Probabilities (N, C) of C labels for unit image features (N, D).

    A label's vector is the mean over its names and all templates. `scale`: the model's inverse temperature. Where an
    image may have several labels, each is weighed alone against its absence ("no pneumonia").
    """
    present = _vectors(image, names, subject)
    logits = scale * features @ present.T
    if task == "multi-label, binary-class":
        absent = _vectors(image, [[f"no {name}" for name in own] for own in names], subject)
        difference = logits - scale * features @ absent.T
        return np.asarray(np.exp(-np.logaddexp(0, -difference)))
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


def prompts(image: str, name: str) -> list[str]:
    """All sentences that say that an image shows something."""
    return [template.format(image=image, name=name) for template in TEMPLATES]


def _vectors(image: str, names: Sequence[Sequence[str]], subject: Subject) -> NDArray[Any]:
    means = [encode_texts(subject, [text for name in own for text in prompts(image, name)]).mean(0) for own in names]
    return np.stack([mean / np.linalg.norm(mean) for mean in means])
