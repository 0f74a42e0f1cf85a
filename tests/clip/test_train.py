"""The training loop: it learns, stops with a sentence, and goes on after any kill as if nothing had happened."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from pmcoa_build.clip import optim, step
from pmcoa_build.clip.checkpoint import load_exported
from pmcoa_build.clip.data import Batch, Layout, batches
from pmcoa_build.clip.journal import METRICS
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.clip.shards import Sampling, row_groups
from pmcoa_build.clip.tokenizer import VOCABULARY
from pmcoa_build.clip.train import TrainResult, model_config, train
from pmcoa_build.errors import Interrupted, RunFailed, UsageError
from pmcoa_build.spec import TrainKeys


def run(dataset: Path, out: Path, keys: TrainKeys, stop_at: int = 0) -> TrainResult:
    told: list[dict[str, Any]] = []
    return train(dataset, out, keys, progress=told.append, stop=lambda: bool(stop_at) and len(told) >= stop_at)


def losses(out: Path) -> list[dict[str, float]]:
    """The lines of the metrics file, but for how fast and how large it was."""
    lines = [json.loads(line) for line in (out / METRICS).read_text().splitlines()]
    return [{name: line[name] for name in line.keys() - {"pairs_per_s", "memory_gb"}} for line in lines]


def test_the_loss_falls_and_the_result_says_what_was_made(toy: Path, small_keys: TrainKeys, tmp_path: Path) -> None:
    result = run(toy, tmp_path, dataclasses.replace(small_keys, epochs=4))
    lines = [line for line in losses(tmp_path) if "loss" in line]
    assert [line["step"] for line in lines] == list(range(1, 21))
    assert lines[-1]["loss"] < 0.8 * lines[0]["loss"]
    assert result.steps == 20
    assert result.dataset_id == "toy-0"
    assert len(result.weights_sha256) == 64
    assert {path.name for path in tmp_path.iterdir()} == {
        "last.pt", "best.pt", "model", "metrics.jsonl", "curves.png",
        "step-00000015.pt", "step-00000018.pt", "step-00000020.pt",
    }
    assert result.losses["contrastive"] == pytest.approx(sum(line["contrastive"] for line in lines[-5:]) / 5)


def test_a_seed_repeats_and_another_does_not(toy: Path, small_keys: TrainKeys, tmp_path: Path) -> None:
    first, second = (run(toy, tmp_path / name, small_keys).weights_sha256 for name in "ab")
    assert first == second
    assert run(toy, tmp_path / "c", dataclasses.replace(small_keys, seed=1)).weights_sha256 != first


@pytest.mark.parametrize("at", [1, 4, 5, 9])
def test_sigterm_checkpoints_first_and_the_rest_is_equal(
    toy: Path, small_keys: TrainKeys, tmp_path: Path, at: int, uninterrupted: tuple[str, list[dict[str, float]]]
) -> None:
    with pytest.raises(Interrupted) as caught:
        run(toy, tmp_path, small_keys, stop_at=at)
    assert caught.value.exit_code == 143
    result = run(toy, tmp_path, small_keys)
    assert result.resumed_from in (at, at - 1)  # a validation is told as well
    assert (result.weights_sha256, losses(tmp_path)) == uninterrupted


@pytest.fixture(scope="module")
def uninterrupted(
    toy: Path, small_keys: TrainKeys, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, list[dict[str, float]]]:
    out = tmp_path_factory.mktemp("whole")
    return run(toy, out, small_keys).weights_sha256, losses(out)


KILLS = '''
import dataclasses, os, signal, sys
from pathlib import Path
from pmcoa_build.clip import checkpoint, train as module
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.clip.text import without_torchvision
from pmcoa_build.spec import TrainKeys
import torch
import matplotlib.figure
with without_torchvision():  # once, not in each child
    from transformers import BertModel

dataset, out, config = map(Path, sys.argv[1:4])
keys = TrainKeys(model=str(config), text_model="bundled", image_size=32, epochs=2, batch_size=20, lr=1e-3, warmup=2,
                 workers=0, checkpoint_steps=3)
die = lambda: os.kill(os.getpid(), signal.SIGKILL)

def before(function, call):
    """Die just before that call of the function."""
    seen = []
    def patched(*a, **k):
        seen.append(1)
        if len(seen) == call:
            die()
        return function(*a, **k)
    return patched

def after(function, call):
    seen = []
    def patched(*a, **k):
        result = function(*a, **k)
        seen.append(1)
        if len(seen) == call:
            die()
        return result
    return patched

def half(function):
    """Die when half of the second checkpoint is in its temporary file."""
    seen = []
    def patched(content, path):
        function(content, path)
        seen.append(1)
        if len(seen) == 2:
            os.truncate(path, path.stat().st_size // 2)
            die()
    return patched

def scenario(name):
    if name == "between":
        return lambda told: die() if told["step"] == 5 else None
    if name == "half":
        torch.save = half(torch.save)
    if name == "replace":
        Path.replace = before(Path.replace, 3)
    if name == "replaced":
        Path.replace = after(Path.replace, 3)
    if name == "export":
        Path.replace = before(Path.replace, 7)
    return lambda told: None

torch.set_num_threads(1)
for name in sys.argv[4:]:
    pid = os.fork()
    if not pid:
        module.train(dataset, out / name, keys, progress=scenario(name), stop=lambda: False)
        os._exit(0)
    print(name, os.waitpid(pid, 0)[1], flush=True)
'''


def test_a_run_killed_anywhere_goes_on_with_the_losses_of_an_uninterrupted_one(
    toy: Path, small_keys: TrainKeys, small_config: Path, tmp_path: Path,
    uninterrupted: tuple[str, list[dict[str, float]]],
) -> None:
    names = ["between", "half", "replace", "replaced", "export"]
    killed = subprocess.run([sys.executable, "-c", KILLS, str(toy), str(tmp_path), str(small_config), *names],
                            capture_output=True, text=True, timeout=120, check=True)
    expected = [word for name in names for word in (name, str(signal.SIGKILL.value))]
    assert killed.stdout.split() == expected, killed.stderr
    resumed = {}
    for name in names:
        result = run(toy, tmp_path / name, small_keys)
        resumed[name] = result.resumed_from
        assert (result.weights_sha256, losses(tmp_path / name)) == uninterrupted, name
        assert not list((tmp_path / name).rglob("*.tmp~"))
    assert resumed["between"] == 3
    assert set(resumed.values()) - {0}


def test_nan_stops_with_a_sentence_and_keeps_the_checkpoint(
    toy: Path, small_keys: TrainKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = step.backward, []

    def backward(model: PMCCLIP, *rest: Any) -> dict[str, torch.Tensor]:
        seen.append(1)
        told = real(model, *rest)
        return told if len(seen) != 5 else {**told, "contrastive": torch.tensor(math.nan)}

    monkeypatch.setattr(step, "backward", backward)
    with pytest.raises(RunFailed, match="not finite at step 5"):
        run(toy, tmp_path, small_keys)
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    assert saved["step"] == 3
    assert all(bool(torch.isfinite(value).all()) for value in saved["learner"]["model"].values())


@pytest.mark.parametrize(("error", "word"), [
    (torch.OutOfMemoryError("CUDA out of memory"), "batch_size = 20"),
    (MemoryError(), "batch_size = 20"),
    (RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate"), "batch_size = 20"),
    (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), "workers"),
])
def test_out_of_memory_is_a_sentence(
    toy: Path, small_keys: TrainKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, word: str
) -> None:
    def backward(*_: Any) -> None:
        raise error

    monkeypatch.setattr(step, "backward", backward)
    with pytest.raises(RunFailed, match=word):
        run(toy, tmp_path, small_keys)


@pytest.mark.parametrize(("change", "kind", "word"), [
    ({"kinds": ("blot",)}, RunFailed, "no pairs"),
    ({"batch_size": 101}, RunFailed, "larger than the 100"),
    ({"image_size": 50}, UsageError, "multiple of 32"),
    ({"model": "RN49"}, UsageError, "RN49"),
    ({"precision": "fp16"}, UsageError, "GPU"),
])
def test_unusable_keys_and_data(
    toy: Path, small_keys: TrainKeys, tmp_path: Path, change: dict[str, Any], kind: type[Exception], word: str
) -> None:
    with pytest.raises(kind, match=word):
        run(toy, tmp_path, dataclasses.replace(small_keys, **change))


def test_a_run_finishes_on_the_dataset_it_began_on(
    make_dataset: Callable[..., Path], small_keys: TrainKeys, tmp_path: Path
) -> None:
    old, new = make_dataset(train=60, name="old"), make_dataset(train=60, seed=9, name="new")
    with pytest.raises(Interrupted):
        run(old, tmp_path, small_keys, stop_at=2)
    assert run(new, tmp_path, small_keys).dataset_id == "old-0"
    assert run(new, tmp_path, small_keys).dataset_id == "new-9"  # finished: the next run takes the newer one


def test_a_pinned_dataset_that_is_gone_is_trained_anew_and_the_checkpoint_set_aside(
    make_dataset: Callable[..., Path], small_keys: TrainKeys, tmp_path: Path
) -> None:
    old, new = make_dataset(train=60, name="old"), make_dataset(train=60, seed=9, name="new")
    with pytest.raises(Interrupted):
        run(old, tmp_path, small_keys, stop_at=2)
    shutil.rmtree(old)
    result = run(new, tmp_path, small_keys)
    assert (result.dataset_id, result.resumed_from) == ("new-9", 0)
    assert (tmp_path / "abandoned.pt").exists()


def test_a_finished_run_is_not_repeated_and_other_keys_begin_anew(
    toy: Path, small_keys: TrainKeys, tmp_path: Path
) -> None:
    first = run(toy, tmp_path, small_keys)
    told: list[dict[str, Any]] = []
    again = train(toy, tmp_path, small_keys, progress=told.append, stop=lambda: False)
    assert told == []
    assert again == dataclasses.replace(first, resumed_from=first.steps)
    assert run(toy, tmp_path, dataclasses.replace(small_keys, lr=2e-3)).resumed_from == 0


def test_a_bert_folder_gives_the_text_tower_its_shape_and_weights(
    toy: Path, small_keys: TrainKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "bert"
    source = PMCCLIP(model_config(small_keys)).text_encoder
    source.save_pretrained(folder)
    shutil.copy(VOCABULARY, folder / "vocab.txt")
    keys = dataclasses.replace(small_keys, text_model=str(folder), epochs=1, lr=0.0)
    assert model_config(keys).text_cfg.bert_heads == 2
    trained, about = load_exported(run(toy, tmp_path / "out", keys).model)
    assert about["text_model"] == str(tmp_path / "out" / "model")  # where the tokenizer is now
    ours = trained.text_encoder.state_dict()
    assert all(torch.equal(ours[name], value) for name, value in source.state_dict().items())


def test_the_schedule_and_decay_groups_are_the_released_ones() -> None:
    rates = [optim.learning_rate(at, 100, 2.0, 10) for at in range(100)]
    assert rates[:3] == pytest.approx([0.2, 0.4, 0.6])
    assert max(rates) == rates[9] == rates[10] == 2.0
    assert rates[55] == pytest.approx(1.0)
    assert rates[99] < 0.001
    assert not any(optim.decays(name, 2) for name in ("visual.bn1.weight", "ln_final.weight", "a.bias", "logit_scale"))
    assert not optim.decays("text_encoder.embeddings.LayerNorm.weight", 1)
    assert optim.decays("text_projection", 2)


def quiet_model(keys: TrainKeys) -> PMCCLIP:
    """Batch-norm statistics frozen, no dropout: what is left may not depend on how a batch is cut."""
    torch.manual_seed(0)
    return PMCCLIP(model_config(keys)).eval()


def gradients(model: PMCCLIP, micros: list[Batch]) -> tuple[dict[str, float], torch.Tensor]:
    told = step.backward(model, micros, torch.device("cpu"), torch.float32, lambda loss: loss)
    flat = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return {name: float(value) for name, value in told.items()}, flat


def test_accumulation_gives_the_losses_and_gradients_of_one_batch(toy: Path, small_keys: TrainKeys) -> None:
    groups = row_groups(toy, "train")
    sampling = Sampling("subcaption", "bundled", 16, 32, 0, True)
    micros = list(batches(groups, sampling, Layout(0, 8, 4), range(1), 0, 0))[:4]
    parts = zip(*((m.pixels, m.ids, m.labels) for m in micros), strict=True)
    whole = Batch(*(torch.cat(part) for part in parts))
    one, many = gradients(quiet_model(small_keys), [whole]), gradients(quiet_model(small_keys), micros)
    assert many[0] == pytest.approx(one[0], rel=1e-5)
    assert torch.allclose(many[1], one[1], atol=1e-6)

