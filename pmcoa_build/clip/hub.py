"""What makes an exported model a folder for hubs: tokenizer, model card, and the contrastive towers as open_clip's.

open_clip (3.3) takes the BERT's shape from a transformers `config.json`, wherever `hf_model_name` says, and hides from
attention what equals that file's `pad_token_id`. PMC-CLIP attends padding, so the exported file names an id that no
token has; the tokenizer pads with [PAD] all the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pmcoa_build.atomic import atomic, write_atomic
from pmcoa_build.clip.config import ClipConfig, from_dict
from pmcoa_build.clip.images import MEAN, STD
from pmcoa_build.clip.text import bert_values, without_torchvision
from pmcoa_build.clip.tokenizer import BUNDLED, VOCABULARY
from pmcoa_build.errors import DiskFull, UsageError

CARD, TOKENIZER = "README.md", "tokenizer.json"
OPEN_CLIP_CONFIG, OPEN_CLIP_WEIGHTS = "open_clip_config.json", "open_clip_model.safetensors"
NO_TOKEN = -1

State = dict[str, Any]


def write_weights(path: Path, state: State) -> None:
    """Write tensors as safetensors, atomically. Raises DiskFull where there is no room."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    with atomic(path) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        try:
            save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, temporary,
                      {"format": "pt"})
        except SafetensorError as error:  # how safetensors reports a full disk
            raise DiskFull(f"{path} cannot be written ({error}).") from None
        temporary.chmod(mode)  # safetensors makes files for their owner alone


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write plain values, atomically, in an order that does not depend on how they were made."""
    write_atomic(path, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())


def write_tokenizer(folder: Path, text_model: str) -> None:
    """The files from which transformers (and open_clip) make the tokenizer of `text_model`.

    Raises UsageError where it cannot be had.
    """
    with without_torchvision():
        from transformers import AutoTokenizer, BertTokenizerFast

    try:
        if text_model == BUNDLED:
            tokenizer = BertTokenizerFast(str(VOCABULARY), do_lower_case=True)
        else:
            tokenizer = AutoTokenizer.from_pretrained(text_model, use_fast=True)
    except (OSError, ValueError) as error:
        sentence = str(error).strip().splitlines()[0]
        raise UsageError(f"The tokenizer of {text_model!r} cannot be loaded: {sentence}") from None
    with TemporaryDirectory() as aside:
        tokenizer.save_pretrained(aside)
        for file in sorted(Path(aside).iterdir()):
            write_atomic(folder / file.name, file.read_bytes())


def portable(about: dict[str, Any]) -> dict[str, Any]:
    """`about` with the name of a text model's folder in place of its path, which means nothing elsewhere."""
    model = about["model"]
    text_model = model["text_cfg"]["bert_model_name"]
    if Path(text_model).is_absolute():
        text_model = Path(text_model).name
    text = {**model["text_cfg"], "bert_model_name": text_model}
    return {**about, "text_model": text_model, "model": {**model, "text_cfg": text}}


def bert_config(config: ClipConfig) -> dict[str, Any]:
    """The text tower as transformers reads it from `config.json`."""
    return {"model_type": "bert", **bert_values(config.text_cfg), "pad_token_id": NO_TOKEN}


def in_open_clip(config: ClipConfig) -> bool:
    """Whether open_clip has these towers; it lacks the plain ResNet."""
    return config.vision_cfg.backbone == "ModifiedRN50"


def write_open_clip(folder: Path, model: Any, name: str) -> None:
    """`open_clip_config.json` and `open_clip_model.safetensors` (contrastive towers), where open_clip has such towers.

    `name`: where open_clip finds the BERT's shape: the folder's absolute path, or its repository on the Hub.
    """
    if not in_open_clip(model.config):
        return
    write_weights(folder / OPEN_CLIP_WEIGHTS, contrastive_state(model.state_dict()))
    write_json(folder / OPEN_CLIP_CONFIG, open_clip_config(model.config, name))


def open_clip_config(config: ClipConfig, name: str) -> dict[str, Any]:
    """`open_clip_config.json`: the towers and the preprocessing; `name`: where the exported folder is found."""
    vision, text = config.vision_cfg, config.text_cfg
    return {
        "model_cfg": {
            "embed_dim": config.embed_dim,
            "vision_cfg": {"image_size": vision.image_size, "layers": list(vision.layers), "width": vision.width,
                           "head_width": vision.head_width},
            "text_cfg": {"context_length": text.context_length, "hf_model_name": name, "hf_tokenizer_name": name,
                         "hf_pooler_type": "cls_last_hidden_state_pooler", "hf_proj_type": "linear"},
        },
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic", "resize_mode": "shortest"},
    }


def contrastive_state(state: State) -> State:
    """The part of a PMC-CLIP state dict that open_clip's `CustomTextCLIP` has, by its names."""
    named: State = {"logit_scale": state["logit_scale"], "text.proj.weight": state["text_projection"].T}
    for name, tensor in state.items():
        if name.startswith("visual."):
            named[name] = tensor
        elif name.startswith("text_encoder.") and not name.startswith("text_encoder.pooler."):
            named["text.transformer." + name.removeprefix("text_encoder.")] = tensor
    return named


def write_card(folder: Path, about: dict[str, Any], scores: Sequence[dict[str, Any]]) -> None:
    """README.md, the model card, of what `config.json` says and rows of `schema.EVALUATE`."""
    import jinja2

    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("pmcoa_build.clip"), undefined=jinja2.StrictUndefined, autoescape=False,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )
    config = from_dict(about["model"])
    text = templates.get_template("card.md").render(
        about=about, scores=scores, config=config, open_clip=in_open_clip(config),
        name=about["model"]["name"] or "PMC-CLIP", bundled=about.get("text_model") == BUNDLED,
    )
    write_atomic(folder / CARD, text.encode())
