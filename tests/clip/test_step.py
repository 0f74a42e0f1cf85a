"""One step's gradients do not depend on how its batch is cut."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from pmcoa_build.clip import parallel, step
from pmcoa_build.clip.data import Batch, Layout, batches
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.clip.shards import Sampling, row_groups
from pmcoa_build.clip.train import model_config
from pmcoa_build.spec import TrainKeys


@pytest.fixture(scope="module")
def micros(toy: Path) -> list[Batch]:
    sampling = Sampling("subcaption", "bundled", 16, 32, 0, True)
    return list(batches(row_groups(toy, "train"), sampling, Layout(0, 8, 4), range(1), 0, 0))[:4]


@pytest.fixture(scope="module")
def whole(micros: list[Batch]) -> Batch:
    names = [field.name for field in dataclasses.fields(Batch)]
    return Batch(*(torch.cat([getattr(micro, name) for micro in micros]) for name in names))


def gradients(
    model: PMCCLIP, micros: list[Batch], precision: torch.dtype = torch.float32, scale: float = 1.0
) -> tuple[dict[str, float], dict[str, torch.Tensor]]:
    model.zero_grad()
    told = step.backward(model, micros, torch.device("cpu"), precision, lambda loss: loss * scale)
    found = {name: p.grad / scale for name, p in model.named_parameters() if p.grad is not None}
    return {name: float(value) for name, value in told.items()}, found


def seeded(keys: TrainKeys) -> PMCCLIP:
    torch.manual_seed(0)
    return PMCCLIP(model_config(keys))


@pytest.mark.parametrize("scale", [1.0, 1024.0])
def test_accumulation_gives_the_losses_and_gradients_of_one_batch(
    small_keys: TrainKeys, micros: list[Batch], whole: Batch, scale: float
) -> None:
    model = seeded(small_keys).eval()  # batch-norm statistics frozen, no dropout
    one, many = gradients(model, [whole]), gradients(model, micros, scale=scale)
    assert many[0] == pytest.approx(one[0], rel=1e-5)
    assert many[1].keys() == one[1].keys()
    assert all(torch.allclose(many[1][name], value, atol=1e-6) for name, value in one[1].items())
    assert many[1]["logit_scale"].item() == pytest.approx(one[1]["logit_scale"].item(), rel=0.02)


def test_the_losses_of_a_step_are_those_of_the_model(small_keys: TrainKeys, whole: Batch) -> None:
    model = seeded(small_keys).eval()
    told, _ = gradients(model, [whole])
    expected = model.losses(step.normalise(whole.pixels), whole.ids, whole.labels)
    assert told == pytest.approx({name: value.item() for name, value in expected.items()}, rel=1e-6)


def test_both_passes_of_accumulation_drop_the_same_and_count_once_for_batch_norm(
    small_keys: TrainKeys, micros: list[Batch]
) -> None:
    model = seeded(small_keys).train()
    before = torch.get_rng_state()
    first = gradients(model, micros)[1]
    statistics = {name: value.clone() for name, value in model.state_dict().items() if "running" in name}
    assert all(int(norm.num_batches_tracked) == len(micros) for norm in parallel.batch_norms(model))  # type: ignore[arg-type]
    # by hand: each micro-batch passes once, in training mode, with the same random numbers
    again = seeded(small_keys).train()
    torch.set_rng_state(before)
    parts = [again(step.normalise(micro.pixels), micro.ids) for micro in micros]
    image, text = (torch.cat([part[at] for part in parts]) for at in (0, 1))
    count = sum((micro.labels != 0).sum() for micro in micros)
    nll = sum(step.loss.masked_nll_sum(part[2], again.mlm_projection, micro.labels)
              for part, micro in zip(parts, micros, strict=True))
    torch.autograd.backward(0.5 * step.loss.contrastive(image, text, again.logit_scale.exp()) + 0.5 * nll / count)
    expected = {name: p.grad for name, p in again.named_parameters() if p.grad is not None}
    assert all(torch.allclose(first[name], value, atol=1e-6) for name, value in expected.items())
    assert all(torch.allclose(statistics[name], again.state_dict()[name]) for name in statistics)


def test_bfloat16_is_near_and_keeps_weights_and_losses_in_float32(small_keys: TrainKeys, whole: Batch) -> None:
    model = seeded(small_keys).eval()
    plain, near = gradients(model, [whole]), gradients(model, [whole], torch.bfloat16)
    assert near[0] == pytest.approx(plain[0], rel=0.02)
    assert all(value.dtype == torch.float32 for value in near[1].values())
    assert near[0] != plain[0]
