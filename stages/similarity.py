"""How well clauses suit panels, by the CLIP model of `[align] clip`: heard where letters cannot tell panels apart."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pmcoa_build.captions.align import Looks
from pmcoa_build.figures.decode import decode_image
from pmcoa_build.figures.zero_shot import load_open_clip, seal_of
from pmcoa_build.spec import Spec

Similarity = Callable[[Sequence[np.ndarray], Sequence[str]], list[list[float]]]
"""(N crops, uint8, H x W x 3; M texts) -> N rows of M shares, each row's sum 1."""

Encode = Callable[[Sequence[Any], Sequence[str]], tuple[Any, Any, Any]]
"""(pictures, texts) -> unit vectors of both, as torch tensors, and the scale of their products."""


def load_similarity(name: str) -> Similarity:
    """`name`: a folder that `train` exported, else a model as open_clip names it. Raises UsageError for neither."""
    from pmcoa_build.clip.checkpoint import is_exported

    encode = _exported(Path(name)) if is_exported(Path(name)) else _open_clip(name)

    def shares(crops: Sequence[np.ndarray], texts: Sequence[str]) -> list[list[float]]:
        import torch
        from PIL import Image

        with torch.inference_mode():
            seen, said, scale = encode([Image.fromarray(np.ascontiguousarray(rgb)) for rgb in crops], texts)
            return (scale * seen @ said.T).float().softmax(1).cpu().tolist()  # type: ignore[no-any-return]

    return shares


def looks_of(similarity: Similarity, image: bytes, boxes: Sequence[Sequence[int]]) -> Looks:
    """What the panels of an encoded image look like; boxes in pixels, x0, y0, x1, y1."""
    rgb = decode_image(image).rgb
    return partial(similarity, [rgb[y0:y1, x0:x1] for x0, y0, x1, y1 in boxes])


def seal(spec: Spec) -> str:
    """What identifies the model, for fingerprints."""
    return seal_of(spec.align.clip).hex() if spec.align.clip else ""


def _exported(folder: Path) -> Encode:
    """A model of this pipeline, which sees panels and reads texts as it was trained to."""
    import torch

    from pmcoa_build.clip.checkpoint import load_exported
    from pmcoa_build.clip.images import crop, normalise
    from pmcoa_build.clip.tokenizer import load_tokenizer

    model, about = load_exported(folder)
    tokenizer = load_tokenizer(about["text_model"], about["model"]["text_cfg"]["context_length"])
    device = next(model.parameters()).device

    def encode(pictures: Sequence[Any], texts: Sequence[str]) -> tuple[Any, Any, Any]:
        pixels = np.stack([crop(_png(picture), about["image_size"], None) for picture in pictures])
        ids = torch.tensor([tokenizer.encode(text) for text in texts])
        seen = model.encode_image(normalise(torch.from_numpy(pixels).to(device)))
        return seen, model.encode_text(ids.to(device)), model.logit_scale.exp()

    return encode


def _open_clip(name: str) -> Encode:
    import torch

    model, preprocess, tokenizer = load_open_clip(name, "[align] clip")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.to(device).eval()

    def encode(pictures: Sequence[Any], texts: Sequence[str]) -> tuple[Any, Any, Any]:
        pixels = torch.stack([preprocess(picture) for picture in pictures]).to(device)
        seen = model.encode_image(pixels, normalize=True)
        return seen, model.encode_text(tokenizer(list(texts)).to(device), normalize=True), model.logit_scale.exp()

    return encode


def _png(picture: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=0)
    return out.getvalue()
