"""Several processes: the numbers of one, and none is left behind when another fails, is killed or is asked to stop."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from pmcoa_build.clip import parallel
from pmcoa_build.clip.journal import METRICS
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.clip.runtime import Place
from pmcoa_build.clip.train import model_config
from pmcoa_build.spec import TrainKeys
from tests.clip.together import train_together


@pytest.fixture(scope="module")
def quiet_keys(small_keys: TrainKeys, small_config: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The small model without dropout."""
    config = json.loads(small_config.read_text())
    config["text_cfg"]["dropout"] = 0.0
    path = tmp_path_factory.mktemp("quiet") / "quiet.json"
    path.write_text(json.dumps(config))
    return {**dataclasses.asdict(small_keys), "model": str(path)}


def curve(out: Path) -> torch.Tensor:
    """(steps, 4): what a training told of each step."""
    lines = [json.loads(line) for line in (out / METRICS).read_text().splitlines()]
    names = ("contrastive", "mlm", "temperature", "lr")
    return torch.tensor([[line[name] for name in names] for line in lines if "loss" in line], dtype=torch.float64)


def weights(out: Path) -> dict[str, torch.Tensor]:
    found = load_file(out / "model" / "model.safetensors")
    return {name: value for name, value in found.items() if "num_batches" not in name}


@pytest.mark.parametrize(("batch_norm", "tolerance", "shapes"), [
    ("frozen", 2e-5, {"two": (2, 1), "two in two": (2, 2), "one in four": (1, 4)}),
    ("sync", 2e-4, {"two": (2, 1)}),  # statistics of 20 numbers: they make more of rounding
])
def test_a_global_batch_gives_the_same_losses_and_weights_however_it_is_shared_out(
    toy: Path, quiet_keys: dict[str, Any], tmp_path: Path, batch_norm: str, tolerance: float,
    shapes: dict[str, tuple[int, int]],
) -> None:
    runs = [
        {"name": name, "world": world,
         "keys": {**quiet_keys, "lr": 2e-4, "batch_norm": batch_norm, "batch_size": 20 // world // cuts,
                  "accumulate": cuts}}
        for name, (world, cuts) in {"one": (1, 1), **shapes}.items()
    ]
    codes, told = train_together(toy, tmp_path, runs)
    assert not any(code for run in codes for code in run), told
    one, expected = curve(tmp_path / "one"), weights(tmp_path / "one")
    assert one.shape == (10, 4)
    for name in shapes:
        assert torch.allclose(curve(tmp_path / name), one, rtol=tolerance), name
        # Adam steps by the sign of gradients that are nothing but rounding: 10 steps of up to 2e-4
        found = weights(tmp_path / name)
        assert all(torch.allclose(found[key], value, atol=1e-3, rtol=0) for key, value in expected.items()), name
        difference = torch.cat([(found[key] - value).abs().flatten() for key, value in expected.items()])
        assert difference.mean() < 2e-6, name


def test_two_processes_go_on_after_anything_with_the_losses_of_an_uninterrupted_run(
    toy: Path, small_keys: TrainKeys, tmp_path: Path
) -> None:
    # dropout is on: each process goes on with its own random numbers
    keys = {**dataclasses.asdict(small_keys), "batch_size": 5, "accumulate": 2, "ema": 0.9}
    run = {"world": 2, "keys": keys}
    codes, told = train_together(toy, tmp_path, [
        {"name": "whole", **run},
        {"name": "killed", **run, "fault": "kill", "rank": 1, "at": 5}, {"name": "killed", **run},
        {"name": "stopped", **run, "fault": "stop", "rank": 1, "at": 4}, {"name": "stopped", **run},
        {"name": "failed", **run, "fault": "fail", "rank": 1}, {"name": "failed", **run},
        {"name": "stopped", **run, "world": 1},
    ])
    assert codes == [[0, 0], [4, -9], [0, 0], [143, 143], [0, 0], [4, 4], [0, 0], [2]], told
    assert "killed 0: Another process of this training is gone" in told
    assert "failed 0: Process 1 of this training failed: Memory ran out" in told
    assert "began on 2 process(es), not 1: go on with `torchrun --nproc-per-node 2`" in told
    assert "Traceback" not in told
    whole, expected = curve(tmp_path / "whole"), weights(tmp_path / "whole")
    for name in ("killed", "stopped", "failed"):
        assert torch.equal(curve(tmp_path / name), whole), name
        found = weights(tmp_path / name)
        assert all(torch.equal(found[key], value) for key, value in expected.items()), name


def test_every_parameter_that_is_trained_is_reached_by_the_losses(small_keys: TrainKeys) -> None:
    model = PMCCLIP(model_config(small_keys))
    ids = torch.randint(5, 20, (2, 16))
    told = model.losses(torch.randn(2, 3, 32, 32), ids, ids)
    torch.autograd.backward([told["contrastive"], told["mlm"]])
    unreached = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert unreached == {name for name, _ in model.named_parameters() if name.startswith(parallel.UNREACHED)}


def test_sharing_batch_norm_keeps_names_values_and_evaluation(small_keys: TrainKeys) -> None:
    model = PMCCLIP(model_config(small_keys)).eval()
    image = torch.randn(2, 3, 32, 32)
    before, state = model.encode_image(image), model.state_dict()
    parallel.share_batch_norm(model, Place(0, 2, torch.device("cpu")))
    assert all(type(norm) is parallel.SharedBatchNorm2d for norm in parallel.batch_norms(model))
    assert list(model.state_dict()) == list(state)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in state.items())
    assert torch.equal(model.encode_image(image), before)


def test_frozen_batch_norm_alone_stays_in_evaluation_mode(small_keys: TrainKeys) -> None:
    model = PMCCLIP(model_config(small_keys))
    parallel.training_mode(model, frozen=True)
    norms = parallel.batch_norms(model)
    assert norms
    assert not any(norm.training for norm in norms)
    assert all(part.training for part in (model, model.text_encoder, model.fusion_module))
    parallel.training_mode(model, frozen=False)
    assert all(norm.training for norm in norms)
