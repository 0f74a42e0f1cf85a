"""Read the checkpoints that the authors released: their shapes say which configuration they belong to."""

from __future__ import annotations

import math
import pickle
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmcoa_build.clip.config import ClipConfig, TextConfig, VisionConfig
from pmcoa_build.clip.text import bert_shape
from pmcoa_build.errors import UsageError

if TYPE_CHECKING:
    from pmcoa_build.clip.model import PMCCLIP

State = dict[str, Any]
_PARTS = {"image_encoder": "visual.", "text_encoder": "text_encoder.", "text_projection": "text_projection"}
_OPTIONAL = ("mlm_projection",)
"""What a model trained without `--mlm` does not have."""


def read(path: Path, text_model: str | None) -> tuple[State, ClipConfig]:
    """State dict without the DDP prefix, and its configuration.

    `path`: a training checkpoint `{"state_dict": …}` (or a bare state dict), or a folder with the separate files
    `image_encoder*.pth`, `text_encoder*.pth`, `text_projection*.pth`. `text_model`: a BERT folder (its configuration
    is enough) or Hub name that says what shapes cannot: attention heads, activation, dropout. Without it they are
    PubMedBERT's: one head per 64 channels. The attention pool has a head per 64 channels too, as the training code
    gives it. Raises UsageError for a file that is not such a checkpoint, and a text model that does not fit it.
    """
    state = _parts(path) if path.is_dir() else _flat(_torch_load(path), path)
    # buffers that older versions of transformers stored
    state = {key: value for key, value in state.items() if not key.endswith(("position_ids", "token_type_ids"))}
    try:
        return state, _infer(state, text_model)
    except (KeyError, IndexError) as error:
        raise UsageError(f"{path} is not a PMC-CLIP checkpoint: {error} is missing in it.") from None


def load_into(model: PMCCLIP, state: State) -> PMCCLIP:
    """Load and switch to evaluation mode. What the separate files do not hold (fusion, MLM) stays untrained."""
    try:
        missing, unexpected = model.load_state_dict(state, strict=False)
    except RuntimeError as error:  # shapes: torch lists them, a line each
        raise UsageError(f"The checkpoint does not fit PMC-CLIP: {str(error).splitlines()[-1].strip()}") from None
    whole = "logit_scale" in state
    needed = [key for key in missing if key not in _OPTIONAL and (whole or key.startswith(("visual.", "text_")))]
    if wrong := [*unexpected, *needed]:
        raise UsageError(f"The checkpoint does not fit PMC-CLIP: {wrong[0]} and {len(wrong) - 1} more keys differ.")
    return model.eval()


def _torch_load(path: Path) -> Any:
    """What torch finds in the file: tensors and plain values, numpy's numbers among them; the tensors stay on disk."""
    import torch

    if not path.is_file():
        raise UsageError(f"There is no checkpoint {path}.")
    try:
        with torch.serialization.safe_globals(_numbers()):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        if not (found := re.search(r"GLOBAL ([\w.]+)", str(error))):
            raise UsageError(f"{path} is no file of weights.") from None
        raise UsageError(f"{path} holds an object ({found[1]}), not weights alone; only tensors and plain values are "
                         "loaded, because objects run code: save the model's state_dict().") from None
    except Exception as error:  # torch raises many kinds for a file that is not its own, or was cut short
        sentence = re.split(r"[.\n]", str(error))[0]
        raise UsageError(f"{path} cannot be read as weights: {sentence}.") from None


def _numbers() -> list[Any]:
    """Numpy's numbers under their old and new names: the cosine schedule left one in the optimiser's learning rate."""
    import numpy as np
    from numpy._core.multiarray import scalar

    kinds = [type(np.dtype(kind)) for kind in (np.float64, np.float32, np.int64)]
    return [(scalar, "numpy.core.multiarray.scalar"), (scalar, "numpy._core.multiarray.scalar"), np.dtype, *kinds]


def _flat(loaded: Any, path: Path) -> State:
    """The tensors by name, without DDP's prefix."""
    import torch

    if isinstance(loaded, dict) and "state_dict" in loaded:
        loaded = loaded["state_dict"]
    if not isinstance(loaded, dict):
        raise UsageError(f"{path} holds no state dict.")
    named = {str(key).removeprefix("module."): value for key, value in loaded.items()}
    return {key: value for key, value in named.items() if isinstance(value, torch.Tensor)}


def _parts(folder: Path) -> State:
    state: State = {}
    for stem, prefix in _PARTS.items():
        files = sorted(folder.glob(f"{stem}*.pt*"))
        if len(files) != 1:
            raise UsageError(f"{folder} must hold one file {stem}*.pth; it holds {len(files)}.")
        loaded = _torch_load(files[0])
        if stem != "text_projection":
            state |= {prefix + key.removeprefix(prefix): value for key, value in _flat(loaded, files[0]).items()}
        else:
            state[prefix] = _projection(loaded, files[0])
    return state


def _projection(loaded: Any, path: Path) -> Any:
    """The matrix (W, D) of the text projection: bare, or the only tensor of a state dict."""
    tensors = list(_flat(loaded, path).values()) if isinstance(loaded, dict) else [loaded]
    if len(tensors) != 1 or getattr(tensors[0], "ndim", 0) != 2:
        raise UsageError(f"{path} must hold one matrix.")
    return tensors[0]


def _count(state: State, pattern: str) -> int:
    return len({match[1] for key in state if (match := re.match(pattern, key))})


def _infer(state: State, text_model: str | None) -> ClipConfig:
    return ClipConfig(state["text_projection"].shape[1], _vision(state), _text(state, text_model), "released")


def _vision(state: State) -> VisionConfig:
    modified = "visual.attnpool.positional_embedding" in state
    places = state["visual.attnpool.positional_embedding"].shape[0] - 1 if modified else 49
    return VisionConfig(
        layers=tuple(_count(state, rf"visual\.layer{stage}\.(\d+)\.") for stage in range(1, 5)),
        width=state["visual.layer1.0.conv1.weight"].shape[0],
        image_size=32 * math.isqrt(places),
        backbone="ModifiedRN50" if modified else "RN50",
    )


def _text(state: State, text_model: str | None) -> TextConfig:
    words, width = state["text_encoder.embeddings.word_embeddings.weight"].shape
    whole = "positional_embedding" in state
    middle = state["text_encoder.encoder.layer.0.intermediate.dense.weight"].shape[0]
    types = state["text_encoder.embeddings.token_type_embeddings.weight"].shape[0]
    shape: dict[str, Any] = {
        "vocab_size": words, "width": width, "layers": _count(state, r"text_encoder\.encoder\.layer\.(\d+)\."),
        "bert_positions": state["text_encoder.embeddings.position_embeddings.weight"].shape[0],
    }
    further: dict[str, Any] = {"intermediate_size": middle, "type_vocab_size": types}
    told: dict[str, Any] = {"bert_heads": max(1, width // 64)}
    if text_model:
        told = bert_shape(text_model)
        _same(told, shape, text_model)
        further = told["bert"] | further
    context = state["positional_embedding"].shape[0] if whole else TextConfig.context_length
    predicted = state["mlm_projection"].shape[1] if "mlm_projection" in state else words
    return TextConfig(**{
        **told, **shape, "bert": further, "context_length": context,
        "mlm_vocab_size": 0 if predicted == words else predicted,
        "fusion_layers": _count(state, r"fusion_module\.resblocks\.(\d+)\.") if whole else TextConfig.fusion_layers,
    })


def _same(told: dict[str, Any], shape: dict[str, Any], text_model: str) -> None:
    """Raise UsageError where the text model is not the one that the checkpoint was trained with."""
    for name, found in shape.items():
        if told[name] != found and not (name == "vocab_size" and told[name] < found):  # a vocabulary may be padded
            raise UsageError(f"The text model {text_model!r} does not fit the checkpoint: {name} is {told[name]} there "
                             f"and {found} in the checkpoint.")
