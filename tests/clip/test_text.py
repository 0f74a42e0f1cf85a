"""The text tower's own pass over BERT's layers against transformers' `BertModel`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pmcoa_build.clip.config import TextConfig
from pmcoa_build.clip.text import bert_shape, build_bert, hidden_states, pretrained_bert
from pmcoa_build.errors import UsageError


@pytest.fixture
def ids() -> Tensor:
    torch.manual_seed(1)
    ids = torch.randint(5, 60, (3, 12))
    ids[:, 9:] = 0  # padding, which is attended
    return ids


def bert(layers: int = 3, dropout: float = 0.0) -> torch.nn.Module:
    torch.manual_seed(0)
    shape = TextConfig(context_length=12, vocab_size=60, width=32, layers=layers, bert_heads=4, bert_positions=16)
    model: torch.nn.Module = build_bert(TextConfig(**{**vars(shape), "dropout": dropout}))
    return model


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("places", [None, 1])
def test_hidden_states_and_gradients_are_those_of_transformers(layers: int, places: int | None, ids: Tensor) -> None:
    model = bert(layers)
    ours = hidden_states(model, ids, places)
    theirs = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[:, :places]
    assert ours.shape == (3, places or 12, 32)
    assert torch.allclose(ours, theirs, atol=1e-6)
    toward = torch.randn_like(ours)
    wanted = [parameter for name, parameter in model.named_parameters() if "pooler" not in name]
    for mine, plain in zip(torch.autograd.grad(ours, wanted, toward), torch.autograd.grad(theirs, wanted, toward),
                           strict=True):
        assert torch.allclose(mine, plain, atol=1e-5 * max(1.0, float(plain.abs().max())))


def test_dropout_acts_in_training_only(ids: Tensor) -> None:
    model = bert(dropout=0.3)
    assert not torch.equal(hidden_states(model.train(), ids), hidden_states(model, ids))
    assert torch.equal(hidden_states(model.eval(), ids), hidden_states(model, ids))


def test_attention_is_dropped_out_too(ids: Tensor) -> None:
    model = bert(layers=1, dropout=0.0).train()
    layer = model.encoder.layer[0]
    layer.attention.self.dropout.p = 0.5
    assert not torch.equal(hidden_states(model, ids), hidden_states(model, ids))


def test_a_folder_says_its_berts_shape(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({
        "model_type": "bert", "vocab_size": 9, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 4,
        "intermediate_size": 64, "layer_norm_eps": 1e-5, "hidden_dropout_prob": 0.3}))
    shape = bert_shape(str(tmp_path))
    assert shape["bert"] == {"intermediate_size": 64, "layer_norm_eps": 1e-5, "attention_probs_dropout_prob": 0.1}
    built = build_bert(TextConfig(**shape)).config
    assert (built.layer_norm_eps, built.intermediate_size, built.num_attention_heads) == (1e-5, 64, 4)
    assert (built.hidden_dropout_prob, built.attention_probs_dropout_prob, built.vocab_size) == (0.3, 0.1, 9)
    with pytest.raises(UsageError, match=r"is no folder with a BERT's config\.json and weights"):
        pretrained_bert(str(tmp_path))
    with pytest.raises(UsageError, match="is no folder"):
        bert_shape(str(tmp_path / "nothing"))
