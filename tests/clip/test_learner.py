"""The learner's choices: what is compiled, what batch-norm does, what is scored, what a checkpoint holds."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from pmcoa_build.clip.data import Batch
from pmcoa_build.clip.learner import Learner
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.clip.runtime import Place
from pmcoa_build.clip.train import model_config
from pmcoa_build.spec import TrainKeys


def make(keys: TrainKeys, **changes: Any) -> Learner:
    changed = dataclasses.replace(keys, **changes)
    return Learner(model_config(changed), changed, Place(0, 1, torch.device("cpu")), None)


def teach(learner: Learner, steps: int) -> list[float]:
    """The contrastive loss of each step on made-up batches."""
    draw = torch.Generator().manual_seed(0)
    told = []
    for _ in range(steps):
        ids = torch.randint(5, 50, (6, 16), generator=draw)
        pixels = torch.randint(0, 256, (6, 32, 32, 3), dtype=torch.uint8, generator=draw)
        told.append(float(learner.gradients([Batch(pixels, ids, ids)])["contrastive"]))
        learner.update(1e-3)
    return told


def test_compiling_keeps_names_and_losses(small_keys: TrainKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled, real = [], PMCCLIP.compile

    def compile(self: PMCCLIP) -> None:
        compiled.append(self)
        real(self, backend="eager")

    monkeypatch.setattr(PMCCLIP, "compile", compile)
    plain = make(small_keys)
    expected = teach(plain, 2)
    fast = make(small_keys, compile=True)
    assert compiled == [fast.model]
    assert teach(fast, 2) == expected
    assert list(fast.model.state_dict()) == list(plain.model.state_dict())
    with fast.scoring() as model:
        assert model.eval().encode_image(torch.randn(3, 3, 32, 32)).shape == (3, 32)
    assert fast.model.training


def test_channels_last_and_only_what_is_reached_is_trained(small_keys: TrainKeys) -> None:
    learner = make(small_keys)
    assert learner.model.visual.layer1[0].conv2.weight.is_contiguous(memory_format=torch.channels_last)
    trained = {id(p) for group in learner.optimiser.param_groups for p in group["params"]}
    left = {name for name, p in learner.model.named_parameters() if id(p) not in trained}
    assert left == {"positional_embedding", "ln_final.weight", "ln_final.bias", "text_encoder.pooler.dense.weight",
                    "text_encoder.pooler.dense.bias"}


def test_frozen_batch_norm_keeps_its_statistics_also_after_scoring(small_keys: TrainKeys) -> None:
    learner = make(small_keys, batch_norm="frozen")
    before = {name: value.clone() for name, value in learner.model.state_dict().items() if "running" in name}
    with learner.scoring() as model:
        model.eval()
        model.train()
    teach(learner, 2)
    assert all(torch.equal(learner.model.state_dict()[name], value) for name, value in before.items())
    assert learner.model.text_encoder.training


def test_a_learner_goes_on_from_its_state_as_if_nothing_had_been(small_keys: TrainKeys) -> None:
    first = make(small_keys, ema=0.9)
    teach(first, 2)
    copied = torch.load(_saved(first.state()), weights_only=True)
    expected = teach(first, 2)
    second = make(small_keys, ema=0.9, seed=5)
    second.restore(copied)
    assert teach(second, 2) == expected
    ours, theirs = second.result.state_dict(), first.result.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not torch.equal(second.model.text_projection, second.result.text_projection)


def _saved(state: dict[str, Any]) -> Any:
    import io

    stream = io.BytesIO()
    torch.save(state, stream)
    stream.seek(0)
    return stream
