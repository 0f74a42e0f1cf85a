"""The text tower: Hugging Face's BERT (with pooler), built from a shape or loaded with its weights."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pmcoa_build.clip.config import TextConfig
from pmcoa_build.errors import UsageError


@contextmanager
def without_torchvision() -> Iterator[None]:
    """Import transformers' models without torchvision.

    They ask for it only for image models, and next to a torch from another index its import fails with
    "operator torchvision::nms does not exist". `None` in `sys.modules` is Python's way to say "not installed".
    """
    if "torchvision" in sys.modules:
        yield
        return
    sys.modules["torchvision"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["torchvision"]


def build_bert(config: TextConfig) -> Any:
    """An untrained `BertModel` of the configuration's shape, without fetching anything."""
    with without_torchvision():
        from transformers import BertConfig, BertModel

    return BertModel(BertConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.width,
        num_hidden_layers=config.layers,
        num_attention_heads=config.bert_heads,
        intermediate_size=config.width * 4,
        max_position_embeddings=config.bert_positions,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.dropout,
        attn_implementation="sdpa",
    ))


def pretrained_bert(text_model: str) -> dict[str, Any]:
    """The weights (state dict) of a BERT from the Hub or a local folder. Raises UsageError where it cannot be had."""
    with without_torchvision():
        from transformers import BertModel

    try:
        model = BertModel.from_pretrained(text_model)
    except (OSError, ValueError) as error:
        sentence = str(error).strip().splitlines()[0]
        raise UsageError(f"The text model {text_model!r} cannot be loaded: {sentence}") from None
    state: dict[str, Any] = model.state_dict()
    return state


def bert_shape(text_model: str) -> dict[str, Any]:
    """The fields of `TextConfig` that a BERT from the Hub or a folder settles. Raises UsageError if it is not there."""
    from transformers import BertConfig

    try:
        bert = BertConfig.from_pretrained(text_model)
    except (OSError, ValueError) as error:
        sentence = str(error).strip().splitlines()[0]
        raise UsageError(f"The text model {text_model!r} cannot be loaded: {sentence}") from None
    return {
        "vocab_size": bert.vocab_size, "width": bert.hidden_size, "layers": bert.num_hidden_layers,
        "bert_heads": bert.num_attention_heads, "bert_positions": bert.max_position_embeddings,
        "dropout": bert.hidden_dropout_prob, "bert_model_name": text_model,
    }
