"""The text tower: Hugging Face's BERT (with pooler), built from a shape or loaded with its weights."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pmcoa_build.clip.config import FURTHER, TextConfig
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


def bert_values(config: TextConfig) -> dict[str, Any]:
    """The configuration's BERT as keyword arguments of Hugging Face's `BertConfig`."""
    return {
        "intermediate_size": config.width * 4,
        "attention_probs_dropout_prob": config.dropout,
        **config.bert,
        "vocab_size": config.vocab_size,
        "hidden_size": config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.bert_heads,
        "max_position_embeddings": config.bert_positions,
        "hidden_dropout_prob": config.dropout,
    }


def build_bert(config: TextConfig) -> Any:
    """An untrained `BertModel` of the configuration's shape, without fetching anything."""
    with without_torchvision():
        from transformers import BertConfig, BertModel

    return BertModel(BertConfig(**bert_values(config), attn_implementation="sdpa"))


def pretrained_bert(text_model: str) -> dict[str, Any]:
    """The weights (state dict) of a BERT from the Hub or a local folder. Raises UsageError where it cannot be had."""
    with without_torchvision():
        from transformers import BertModel

    try:
        model = BertModel.from_pretrained(text_model)
    except (OSError, ValueError) as error:
        raise _not_loaded(text_model, error) from None
    state: dict[str, Any] = model.state_dict()
    return state


def bert_shape(text_model: str) -> dict[str, Any]:
    """The fields of `TextConfig` that a BERT from the Hub or a folder settles; its weights need not be there.

    Raises UsageError if there is no such model, or if it is not a BERT.
    """
    try:
        with without_torchvision():
            from transformers import BertConfig

            raw, _ = BertConfig.get_config_dict(text_model)
            bert = BertConfig.from_dict(raw)
    except (OSError, ValueError) as error:
        raise _not_loaded(text_model, error) from None
    if raw.get("model_type", "bert") != "bert":
        raise UsageError(f"The text model {text_model!r} is a {raw['model_type']}, not a BERT.")
    usual = {"intermediate_size": bert.hidden_size * 4, "attention_probs_dropout_prob": bert.hidden_dropout_prob,
             **{name: getattr(BertConfig(), name) for name in FURTHER[2:]}}
    return {
        "vocab_size": bert.vocab_size, "width": bert.hidden_size, "layers": bert.num_hidden_layers,
        "bert_heads": bert.num_attention_heads, "bert_positions": bert.max_position_embeddings,
        "dropout": bert.hidden_dropout_prob, "bert_model_name": text_model,
        "bert": {name: getattr(bert, name) for name in FURTHER if getattr(bert, name) != usual[name]},
    }


def _not_loaded(text_model: str, error: Exception) -> UsageError:
    if text_model.startswith(("/", ".", "~")):  # no name on the Hub, whatever its client says
        return UsageError(f"The text model {text_model!r} is no folder with a BERT's config.json and weights.")
    sentence = str(error).strip().splitlines()[0]
    return UsageError(f"The text model {text_model!r} cannot be loaded: {sentence}")


def hidden_states(bert: Any, ids: Any, places: int | None = None) -> Any:
    """Last hidden states (B, places, W) of the first `places` tokens (all if None) of `ids` (B, T), each attended.

    What `BertModel.forward` computes without its pooler and masks; where the first place is all that is wanted, the
    last layer is made for that place alone.
    """
    x = bert.embeddings(input_ids=ids)
    *lower, last = bert.encoder.layer
    for layer in lower:
        x = _bert_layer(layer, x, x)
    return _bert_layer(last, x[:, :places], x)


def _bert_layer(layer: Any, x: Any, context: Any) -> Any:
    """One layer of BERT for the places `x` (B, P, W), which see all of `context` (B, T, W)."""
    from torch.nn.functional import scaled_dot_product_attention

    parts = layer.attention.self
    query, key, value = (
        made.unflatten(-1, (parts.num_attention_heads, -1)).transpose(1, 2)
        for made in (parts.query(x), parts.key(context), parts.value(context))
    )
    seen = scaled_dot_product_attention(query, key, value, dropout_p=parts.dropout.p if layer.training else 0.0)
    x = layer.attention.output(seen.transpose(1, 2).flatten(2), x)
    return layer.output(layer.intermediate(x), x)
