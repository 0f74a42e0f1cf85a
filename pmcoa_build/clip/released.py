"""Read the checkpoints that the authors released: their shapes say which configuration they belong to."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmcoa_build.clip.config import ClipConfig, TextConfig, VisionConfig
from pmcoa_build.clip.text import bert_shape
from pmcoa_build.errors import UsageError

if TYPE_CHECKING:
    from pmcoa_build.clip.model import PMCCLIP

State = dict[str, Any]
_PARTS = {"image_encoder": "visual.", "text_encoder": "text_encoder.", "text_projection": "text_projection"}


def read(path: Path, text_model: str | None) -> tuple[State, ClipConfig]:
    """State dict without the DDP prefix, and its configuration.

    `path`: a training checkpoint `{"state_dict": …}` (or a bare state dict), or a folder with the separate files
    `image_encoder*.pth`, `text_encoder*.pth`, `text_projection*.pth`. `text_model`: a BERT folder or Hub name that
    says how many attention heads the text tower has; without it one head per 64 channels, as in PubMedBERT.
    Raises UsageError for a file that is not such a checkpoint.
    """
    state = _parts(path) if path.is_dir() else _flat(_torch_load(path))
    state = {key.removeprefix("module."): value for key, value in state.items()}
    # buffers that older versions of transformers stored
    state = {key: value for key, value in state.items() if not key.endswith(("position_ids", "token_type_ids"))}
    try:
        return state, _infer(state, text_model)
    except (KeyError, IndexError, AttributeError) as error:
        raise UsageError(f"{path} is not a PMC-CLIP checkpoint: {error} is missing in it.") from None


def load_into(model: PMCCLIP, state: State) -> PMCCLIP:
    """Load and switch to evaluation mode. What the separate files do not hold (fusion, MLM) stays untrained."""
    missing, unexpected = model.load_state_dict(state, strict=False)
    whole = "logit_scale" in state
    wrong = [*unexpected, *(missing if whole else [key for key in missing if key.startswith(("visual.", "text_"))])]
    if wrong:
        raise UsageError(f"The checkpoint does not fit PMC-CLIP: {wrong[0]} and {len(wrong) - 1} more keys differ.")
    return model.eval()


def _torch_load(path: Path) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a file that is not its own
        raise UsageError(f"{path} cannot be read as weights: {str(error).splitlines()[0]}") from None


def _flat(loaded: Any) -> State:
    if isinstance(loaded, dict) and "state_dict" in loaded:
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict):
        raise UsageError("The checkpoint holds no state dict.")
    return dict(loaded)


def _parts(folder: Path) -> State:
    state: State = {}
    for stem, prefix in _PARTS.items():
        files = sorted(folder.glob(f"{stem}*.pth"))
        if len(files) != 1:
            raise UsageError(f"{folder} must hold one file {stem}*.pth; it holds {len(files)}.")
        loaded = _torch_load(files[0])
        if stem != "text_projection":
            state |= {prefix + key.removeprefix("module."): value for key, value in _flat(loaded).items()}
        else:
            state[prefix] = next(iter(loaded.values())) if isinstance(loaded, dict) else loaded
    return state


def _count(state: State, pattern: str) -> int:
    return len({match[1] for key in state if (match := re.match(pattern, key))})


def _infer(state: State, text_model: str | None) -> ClipConfig:
    modified = "visual.attnpool.positional_embedding" in state
    width = state["visual.layer1.0.conv1.weight"].shape[0]
    places = state["visual.attnpool.positional_embedding"].shape[0] - 1 if modified else 49
    words = state["text_encoder.embeddings.word_embeddings.weight"]
    whole = "positional_embedding" in state
    text_width = words.shape[1]
    text = TextConfig(
        context_length=state["positional_embedding"].shape[0] if whole else TextConfig.context_length,
        vocab_size=words.shape[0],
        width=text_width,
        layers=_count(state, r"text_encoder\.encoder\.layer\.(\d+)\."),
        bert_heads=bert_shape(text_model)["bert_heads"] if text_model else max(1, text_width // 64),
        bert_positions=state["text_encoder.embeddings.position_embeddings.weight"].shape[0],
        fusion_layers=_count(state, r"fusion_module\.resblocks\.(\d+)\.") if whole else TextConfig.fusion_layers,
        bert_model_name=text_model or TextConfig.bert_model_name,
    )
    vision = VisionConfig(
        layers=tuple(_count(state, rf"visual\.layer{stage}\.(\d+)\.") for stage in range(1, 5)),
        width=width,
        image_size=32 * math.isqrt(places),
        backbone="ModifiedRN50" if modified else "RN50",
    )
    return ClipConfig(state["text_projection"].shape[1], vision, text, "released")
