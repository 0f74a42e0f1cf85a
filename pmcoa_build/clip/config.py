"""Model configurations: JSON files in the shape of the released ones (WeixiongLin/PMC-CLIP, `model_configs`).

The released files name a BERT and leave its shape to Hugging Face; `bert_heads`, `bert_positions`, `bert`, `dropout`
and `mlm_vocab_size` are ours, so that a model can be built before anything is fetched. Keys that the released files
hold without using them are dropped on reading.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pmcoa_build.errors import UsageError

_CONFIGS = Path(__file__).parent / "configs"
FURTHER = ("intermediate_size", "attention_probs_dropout_prob", "hidden_act", "layer_norm_eps", "type_vocab_size")
"""What else of a BERT's configuration changes its outputs (`TextConfig.bert`)."""


@dataclass(frozen=True)
class VisionConfig:
    """The image tower. `backbone`: "ModifiedRN50" (CLIP's ResNet, attention pool) or "RN50" (plain stem, mean pool).

    `layers`: bottlenecks in each of four stages; `width`: channels after the stem; `image_size`: pixels, a multiple
    of 32; `head_width`: channels of one head of the attention pool.
    """

    layers: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    image_size: int = 224
    backbone: str = "ModifiedRN50"
    head_width: int = 64


@dataclass(frozen=True)
class TextConfig:
    """The text tower (a BERT, shape `layers` x `width`) and the fusion module (`fusion_layers`, `heads`).

    `vocab_size`: token ids that the BERT knows; `mlm_vocab_size`: ids that are predicted, 0 = the same; `bert`: further
    values by Hugging Face's names (`FURTHER`), where they are not BERT's usual ones.
    """

    context_length: int = 77
    vocab_size: int = 30522
    width: int = 768
    layers: int = 12
    bert_heads: int = 12
    bert_positions: int = 512
    dropout: float = 0.1
    heads: int = 8
    fusion_layers: int = 4
    mlm_vocab_size: int = 0
    bert: dict[str, Any] = field(default_factory=dict)
    bert_model_name: str = "microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract-fulltext"


@dataclass(frozen=True)
class ClipConfig:
    """A whole PMC-CLIP. `embed_dim` must equal `text_cfg.width`: the fusion module takes both as tokens."""

    embed_dim: int = 768
    vision_cfg: VisionConfig = field(default_factory=VisionConfig)
    text_cfg: TextConfig = field(default_factory=TextConfig)
    name: str = ""

    def with_image_size(self, pixels: int) -> ClipConfig:
        """The same model for square images of `pixels` a side. Raises UsageError where it is no multiple of 32."""
        return _checked(dataclasses.replace(self, vision_cfg=dataclasses.replace(self.vision_cfg, image_size=pixels)))

    def with_text(self, **shape: Any) -> ClipConfig:
        """The same model with other fields of `text_cfg`. Raises UsageError where they do not fit."""
        return _checked(dataclasses.replace(self, text_cfg=dataclasses.replace(self.text_cfg, **shape)))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as written to JSON."""
        return dataclasses.asdict(self)


def load_config(name_or_path: str | Path) -> ClipConfig:
    """The configuration of that name (`RN50_fusion4`, `tiny`, …) or in that JSON file.

    Raises UsageError for an unknown name, bad JSON or sizes that do not fit together.
    """
    path = Path(name_or_path)
    known = sorted(file.stem for file in _CONFIGS.glob("*.json"))
    if str(name_or_path) in known:
        path = _CONFIGS / f"{name_or_path}.json"
    elif path.suffix != ".json" or not path.is_file():
        choice = ", ".join(known)
        raise UsageError(f"There is no model configuration {name_or_path!r} (known: {choice}, or a .json file).")
    try:
        raw = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"The model configuration {path} cannot be read: {error}.") from None
    return from_dict(raw, path.stem)


def from_dict(raw: Any, name: str = "") -> ClipConfig:
    """A configuration from plain values (a released JSON file, or `as_dict`). Raises UsageError if it does not fit."""
    try:
        vision = _known(VisionConfig, raw["vision_cfg"])
        text = _known(TextConfig, raw["text_cfg"])
        vision["layers"] = tuple(vision.get("layers", VisionConfig.layers))
        config = ClipConfig(int(raw["embed_dim"]), VisionConfig(**vision), TextConfig(**text), raw.get("name") or name)
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"The model configuration {name!r} lacks or misuses {error}.") from None
    return _checked(config)


def _known(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    names = {item.name for item in dataclasses.fields(kind)}
    return {key: value for key, value in values.items() if key in names}


def _checked(config: ClipConfig) -> ClipConfig:
    vision, text = config.vision_cfg, config.text_cfg
    _check_numbers(config)
    problems = (
        (config.embed_dim != text.width, "embed_dim must equal text_cfg.width"),
        (vision.image_size % 32 != 0 or vision.image_size < 32, "the image size must be a multiple of 32"),
        (vision.backbone not in ("ModifiedRN50", "RN50"), "the backbone must be ModifiedRN50 or RN50"),
        (len(vision.layers) != 4, "vision_cfg.layers must hold four numbers"),
        (vision.width * 32 % vision.head_width != 0, "width * 32 must be a multiple of head_width"),
        (text.width % text.heads != 0 or text.width % text.bert_heads != 0, "the heads must divide text_cfg.width"),
        (text.context_length > text.bert_positions, "context_length must not exceed bert_positions"),
        (not set(text.bert) <= set(FURTHER), f"text_cfg.bert may hold {', '.join(FURTHER)}"),
        (not 0 <= text.dropout < 1, "the dropout must be at least 0 and less than 1"),
    )
    for wrong, sentence in problems:
        if wrong:
            raise UsageError(f"The model configuration {config.name!r} does not fit together: {sentence}.")
    return config


def _check_numbers(config: ClipConfig) -> None:
    """Raise UsageError where a size is no whole number, or too small."""
    vision, text = config.vision_cfg, config.text_cfg
    sizes: dict[str, Any] = {"embed_dim": config.embed_dim}
    for section, part in (("vision_cfg", vision), ("text_cfg", text)):
        sizes |= {f"{section}.{item.name}": getattr(part, item.name)
                  for item in dataclasses.fields(part) if item.type == "int"}
    sizes |= {f"vision_cfg.layers[{at}]": count for at, count in enumerate(vision.layers)}
    for name, value in sizes.items():
        least = 0 if name in ("text_cfg.fusion_layers", "text_cfg.mlm_vocab_size") else 1
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            sentence = f"{name} must be a whole number of at least {least}, not {value!r}"
            raise UsageError(f"The model configuration {config.name!r} does not fit together: {sentence}.")
