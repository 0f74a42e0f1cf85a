"""The model that is scored: opened from any of its forms, and the features it gives."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pmcoa_build.clip import checkpoint
from pmcoa_build.clip.images import normalise
from pmcoa_build.clip.retrieval import Features
from pmcoa_build.clip.tokenizer import Tokenizer, load_tokenizer
from pmcoa_build.errors import RunFailed, UsageError

if TYPE_CHECKING:
    from pmcoa_build.clip.model import PMCCLIP

BATCH = 64
"""Samples that go through a tower together where nothing is trained."""


@dataclass(frozen=True)
class Subject:
    """A model in evaluation mode on its device (the GPU if there is one), its tokenizer, and who it is.

    Nobody changes `net`: what is trained on, is trained as a copy.
    """

    net: PMCCLIP
    tokenizer: Tokenizer
    name: str
    weights_sha256: str

    @property
    def image_size(self) -> int:
        """Side of the square images that the model takes, in pixels."""
        return self.net.config.vision_cfg.image_size

    @property
    def device(self) -> Any:
        """Where the model lies."""
        return self.net.logit_scale.device


def open_subject(path: Path, text_model: str | None = None) -> Subject:
    """Open an exported folder of `train`, or a released checkpoint: one file, or a folder of its three parts.

    `text_model`: the BERT (Hub name or folder) whose tokenizer a released checkpoint goes with, PubMedBERT if None.
    Raises UsageError where there is no such model.
    """
    if not path.exists():
        raise UsageError(f"There is no model {path}.")
    if (path / checkpoint.CONFIG).exists():
        if text_model:
            raise UsageError(f"{path} names its own text model; --text-model is for released checkpoints.")
        net, about = checkpoint.load_exported(path)
        name, digest = about["model"]["name"] or "PMC-CLIP", about["weights_sha256"]
        return Subject(net, _tokenizer(net, about["text_model"]), name, digest)
    return _released(path, text_model)


def _released(path: Path, text_model: str | None) -> Subject:
    import torch

    from pmcoa_build.clip.model import PMCCLIP

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the three parts hold no fusion module: each time it begins as the same random one
        net = PMCCLIP.from_released(path, text_model=text_model)
    text = text_model or net.config.text_cfg.bert_model_name
    tokenizer = _tokenizer(net, text)
    net = net.to("cuda" if torch.cuda.is_available() else "cpu")
    return Subject(net, tokenizer, f"released, text {text}", _digest(path))


def _tokenizer(net: PMCCLIP, text_model: str) -> Tokenizer:
    text = net.config.text_cfg
    tokenizer = load_tokenizer(text_model, text.context_length)
    if tokenizer.size > text.vocab_size:
        raise UsageError(f"The tokenizer of {text_model!r} has {tokenizer.size} tokens, the model {text.vocab_size}.")
    return tokenizer


def _digest(path: Path) -> str:
    """sha256 of a file, or of the names and digests of a folder's weights."""
    if path.is_dir():
        lines = [f"{file.name} {_digest(file)}\n" for file in sorted(path.glob("*.pth"))]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def encode_images(subject: Subject, batches: Iterable[Any]) -> Features:
    """Unit vectors (N, D), float32, of batches of RGB squares (B, S, S, 3), 0 to 255, of the model's size.

    Raises RunFailed where they are not numbers.
    """
    import torch

    parts = []
    with torch.inference_mode():
        for pixels in batches:
            images = normalise(torch.as_tensor(pixels).to(subject.device))
            parts.append(subject.net.encode_image(images).float().cpu().numpy())
    return _numbers(np.concatenate(parts))


def encode_texts(subject: Subject, texts: Sequence[str]) -> Features:
    """Unit vectors (N, D), float32; equal texts have equal ones, to the last bit.

    Raises RunFailed where they are not numbers.
    """
    import torch

    distinct = list(dict.fromkeys(texts))
    parts = []
    with torch.inference_mode():
        for at in range(0, len(distinct), BATCH):
            ids = torch.tensor([subject.tokenizer.encode(text) for text in distinct[at : at + BATCH]])
            parts.append(subject.net.encode_text(ids.to(subject.device)).float().cpu().numpy())
    place = {text: at for at, text in enumerate(distinct)}
    return _numbers(np.concatenate(parts))[[place[text] for text in texts]]


def _numbers(features: Features) -> Features:
    if not np.isfinite(features).all():
        raise RunFailed("The model gives features that are not numbers: it cannot be scored.")
    return features
