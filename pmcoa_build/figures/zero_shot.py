"""Kinds of panels by an open_clip model of the user's choice, asked with a few sentences a kind; nothing is trained.

open_clip is not among the dependencies: `pip install open_clip_torch`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pmcoa_build.errors import UsageError
from pmcoa_build.figures.kinds import KINDS, Classifier
from pmcoa_build.figures.yolo import mend_torchvision

PROMPTS: dict[str, tuple[str, ...]] = {
    "photo": ("a clinical photograph of a patient", "a photograph of a surgical specimen", "a photograph of an animal",
              "a photograph of a plant", "a photograph of an agar plate", "an endoscopic image",
              "a fundus photograph"),
    "microscopy": ("a light micrograph of cells", "a histopathology section stained with haematoxylin and eosin",
                   "an immunofluorescence micrograph", "an immunohistochemistry image", "an electron micrograph"),
    "radiology": ("a chest radiograph", "a computed tomography scan", "a magnetic resonance image",
                  "an ultrasound image", "an angiogram", "a positron emission tomography scan"),
    "blot": ("a western blot", "a gel electrophoresis image", "an immunoblot with labelled bands"),
    "render": ("a rendering of a protein structure", "a three-dimensional surface rendering of a brain",
               "a three-dimensional reconstruction"),
    "plot": ("a bar chart", "a line graph", "a scatter plot", "a box plot", "a heat map", "a survival curve"),
    "diagram": ("a flow chart", "a schematic diagram", "a signalling pathway diagram", "a chemical structure",
                "a phylogenetic tree", "a Venn diagram"),
    "table": ("a table of numbers", "a table with rows and columns of text"),
}
"""What each kind is asked by; a kind's text is the mean of its sentences."""

_BATCH = 32


def seal_of(name: str) -> bytes:
    """What identifies a model without loading it: its name, or the bytes of a folder's files."""
    seal = hashlib.sha256(repr(PROMPTS).encode())
    if not Path(name).is_dir():
        seal.update(name.encode())
        return seal.digest()
    for path in sorted(p for p in Path(name).rglob("*") if p.is_file()):
        seal.update(path.name.encode())
        with path.open("rb") as file:
            seal.update(hashlib.file_digest(file, "sha256").digest())
    return seal.digest()


def load_zero_shot(name: str) -> Classifier:
    """A function from crops (uint8, H x W x 3) to the probability of each of KINDS.

    `name`: a folder with an open_clip model, `hf-hub:OWNER/NAME`, or `ARCHITECTURE/PRETRAINED` as open_clip lists
    them. Raises UsageError without open_clip, or where the model cannot be had.
    """
    return _classifier(*load_open_clip(name, "[panels] kind_model"))


def load_open_clip(name: str, key: str) -> tuple[Any, Any, Any]:
    """(model, preprocess, tokenizer) of open_clip. Raises UsageError, which names the spec's `key`, as above."""
    try:
        mend_torchvision()
        import open_clip
    except (ImportError, RuntimeError) as error:  # a torchvision that fits nothing raises RuntimeError
        raise UsageError(f"{key} needs open_clip (pip install open_clip_torch): {error}") from None
    architecture, pretrained = _parts(name)
    try:
        model, preprocess = open_clip.create_model_from_pretrained(architecture, pretrained=pretrained)
        return model, preprocess, open_clip.get_tokenizer(architecture)
    except Exception as error:  # open_clip, its hub client and torch share no base
        raise UsageError(f"{key} {name!r} cannot be loaded: {str(error)[:200]}") from None


def _parts(name: str) -> tuple[str, str | None]:
    """open_clip's (model name, pretrained tag)."""
    if Path(name).is_dir():
        return f"local-dir:{name}", None
    if ":" in name:
        return name, None
    architecture, _, pretrained = name.partition("/")
    return architecture, pretrained or None


def _classifier(model: Any, preprocess: Any, tokenizer: Any) -> Classifier:
    import torch
    from PIL import Image

    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device).eval()
    with torch.no_grad():
        texts = [model.encode_text(tokenizer(list(PROMPTS[kind])).to(device), normalize=True).mean(0) for kind in KINDS]
        wanted = torch.nn.functional.normalize(torch.stack(texts), dim=1)
        scale = model.logit_scale.exp()

    def classify(crops: Sequence[np.ndarray]) -> np.ndarray:
        out = [np.zeros((0, len(KINDS)), np.float32)]
        for start in range(0, len(crops), _BATCH):
            pixels = torch.stack([preprocess(Image.fromarray(rgb)) for rgb in crops[start : start + _BATCH]])
            with torch.no_grad():
                seen = model.encode_image(pixels.to(device), normalize=True)
                out.append((scale * seen @ wanted.T).softmax(1).cpu().numpy())
        return np.concatenate(out)

    return classify
