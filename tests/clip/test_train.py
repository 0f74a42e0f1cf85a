"""The training loop: it learns, stops with a sentence, and goes on after any kill as if nothing had happened."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pmcoa_build import schema
from pmcoa_build.clip import report, step
from pmcoa_build.clip.checkpoint import load_exported
from pmcoa_build.clip.journal import METRICS
from pmcoa_build.clip.learner import Learner
from pmcoa_build.clip.model import PMCCLIP
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
    assert {path.name for path in tmp_path.iterdir()} - {"tensorboard"} == {
        "last.pt", "best.pt", "model", "metrics.jsonl", "curves.png",
        "step-00000015.pt", "step-00000018.pt", "step-00000020.pt",
    }
    assert result.losses["contrastive"] == pytest.approx(sum(line["contrastive"] for line in lines[-5:]) / 5)


def test_a_seed_repeats_and_another_does_not(toy: Path, small_keys: TrainKeys, tmp_path: Path) -> None:
    first, second = (run(toy, tmp_path / name, small_keys).weights_sha256 for name in "ab")
    assert first == second
    assert run(toy, tmp_path / "c", dataclasses.replace(small_keys, seed=1)).weights_sha256 != first


VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "workers": {"workers": 2},
    "accumulated": {"batch_size": 10, "accumulate": 2},
    "averaged": {"ema": 0.9, "batch_norm": "frozen"},
}


@pytest.fixture(scope="module")
def uninterrupted(
    toy: Path, small_keys: TrainKeys, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[str, list[dict[str, float]]]]:
    """The weights' checksum and the losses of a whole run of a variant. Dropout is on."""

    @functools.cache
    def whole(variant: str) -> tuple[str, list[dict[str, float]]]:
        out = tmp_path_factory.mktemp("whole")
        return run(toy, out, dataclasses.replace(small_keys, **VARIANTS[variant])).weights_sha256, losses(out)

    return whole


@pytest.mark.parametrize(("variant", "at"), [
    ("plain", 1), ("plain", 5), ("plain", 9), ("workers", 4), ("accumulated", 4), ("averaged", 7),
])
def test_sigterm_checkpoints_first_and_the_rest_is_equal(
    toy: Path, small_keys: TrainKeys, tmp_path: Path, variant: str, at: int,
    uninterrupted: Callable[[str], tuple[str, list[dict[str, float]]]],
) -> None:
    keys = dataclasses.replace(small_keys, **VARIANTS[variant])
    with pytest.raises(Interrupted) as caught:
        run(toy, tmp_path, keys, stop_at=at)
    assert caught.value.exit_code == 143
    assert (tmp_path / "curves.png").exists()
    result = run(toy, tmp_path, keys)
    assert result.resumed_from in (at, at - 1)  # a validation is told as well
    assert (result.weights_sha256, losses(tmp_path)) == uninterrupted(variant)


KILLS = '''
import json, os, signal, sys
from pathlib import Path
from pmcoa_build.clip import learner, report, train as module
from pmcoa_build.clip.text import without_torchvision
from pmcoa_build.spec import TrainKeys
import torch
with without_torchvision():  # once, not in each child
    from transformers import BertModel

dataset, out = map(Path, sys.argv[1:3])
report.draw_curves = lambda lines, path: None
die = lambda *_: os.kill(os.getpid(), signal.SIGKILL)

def dying(function, when, number, about=lambda *a: True):
    """The function, but that the process dies `before`, `in` or `after` its call of that number."""
    calls = iter(range(1, 10**6))
    def patched(*a, **k):
        if not about(*a) or next(calls) != number:
            return function(*a, **k)
        if when == "before":
            die()
        function(*a, **k)
        if when == "in":
            os.truncate(a[1], a[1].stat().st_size // 2)
        die()
    return patched

def onto(name):
    return lambda path, target: target.name.startswith(name)

def scenario(name, number):
    if name == "step":
        learner.Learner.gradients = dying(learner.Learner.gradients, "before", number)
    elif name == "write":
        torch.save = dying(torch.save, "in", number)
    elif name in ("before link", "after link"):
        Path.hardlink_to = dying(Path.hardlink_to, name.split()[0], number)
    else:
        when, name = name.split()
        Path.replace = dying(Path.replace, when, number, onto(name))

torch.set_num_threads(1)
for folder, name, number, keys in json.loads(sys.argv[3]):
    pid = os.fork()
    if not pid:
        scenario(name, number)
        module.train(dataset, out / folder, TrainKeys(**keys), progress=lambda row: None, stop=lambda: False)
        os._exit(0)
    print(os.waitpid(pid, 0)[1], flush=True)
'''

KILLED: tuple[tuple[str, str, int, int], ...] = (
    ("plain", "step", 5, 3), ("plain", "write", 1, 0), ("plain", "write", 3, 3), ("plain", "before step-", 2, 3),
    ("plain", "after step-", 2, 3), ("plain", "before link", 2, 3), ("plain", "after link", 2, 3),
    ("plain", "before last.pt", 2, 3), ("plain", "after last.pt", 2, 6), ("plain", "before best.pt", 1, 3),
    ("plain", "before model.safetensors", 1, 10), ("plain", "before config.json", 1, 10),
    ("workers", "step", 8, 6), ("accumulated", "step", 9, 6), ("averaged", "write", 4, 6),
)
"""Variant, where the process dies, at which call, and the step that it must go on from."""


def test_a_run_killed_anywhere_goes_on_with_the_losses_of_an_uninterrupted_one(
    toy: Path, small_keys: TrainKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    uninterrupted: Callable[[str], tuple[str, list[dict[str, float]]]],
) -> None:
    keys = [dataclasses.replace(small_keys, **VARIANTS[variant]) for variant, *_ in KILLED]
    jobs = [[str(number), where, call, dataclasses.asdict(keys[number])]
            for number, (_, where, call, _) in enumerate(KILLED)]
    killed = subprocess.run([sys.executable, "-c", KILLS, str(toy), str(tmp_path), json.dumps(jobs)],
                            capture_output=True, text=True, timeout=900, check=True)
    assert killed.stdout.split() == [str(signal.SIGKILL.value)] * len(KILLED), killed.stderr
    monkeypatch.setattr(report, "draw_curves", lambda lines, path: None)
    for number, (variant, where, call, step_before) in enumerate(KILLED):
        out = tmp_path / str(number)
        result = run(toy, out, keys[number])
        assert result.resumed_from == step_before, (where, call)
        assert (result.weights_sha256, losses(out)) == uninterrupted(variant), (where, call)
        assert not list(out.rglob("*.tmp~"))


def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    toy: Path, small_keys: TrainKeys, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    uninterrupted: Callable[[str], tuple[str, list[dict[str, float]]]],
) -> None:
    with pytest.raises(Interrupted):
        run(toy, tmp_path, small_keys, stop_at=8)
    os.truncate(tmp_path / "last.pt", 1000)  # and with it the newest step file, which is the same
    result = run(toy, tmp_path, small_keys)
    assert "last.pt is damaged" in caplog.text
    assert "goes on from step-00000006.pt" in caplog.text
    assert result.resumed_from == 6
    assert (result.weights_sha256, losses(tmp_path)) == uninterrupted("plain")


def test_no_whole_checkpoint_left_is_a_sentence(toy: Path, small_keys: TrainKeys, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        run(toy, tmp_path, small_keys, stop_at=2)
    os.truncate(tmp_path / "last.pt", 1000)
    with pytest.raises(RunFailed, match=r"last\.pt is damaged.*remove"):
        run(toy, tmp_path, small_keys)


def test_a_run_can_be_resumed_with_other_keys_that_change_only_its_pace(
    toy: Path, small_keys: TrainKeys, tmp_path: Path,
    uninterrupted: Callable[[str], tuple[str, list[dict[str, float]]]],
) -> None:
    with pytest.raises(Interrupted):
        run(toy, tmp_path, small_keys, stop_at=4)
    result = run(toy, tmp_path, dataclasses.replace(small_keys, workers=1, checkpoint_steps=7))
    assert result.resumed_from == 4
    assert (result.weights_sha256, losses(tmp_path)) == uninterrupted("plain")


def test_the_exported_model_says_what_it_learnt_from(toy: Path, small_keys: TrainKeys, tmp_path: Path) -> None:
    result = run(toy, tmp_path, small_keys)
    about = load_exported(result.model)[1]
    assert (about["pairs"], about["licences"], about["losses"]) == (100, {"CC BY": 100}, result.losses)
    recalls = [line["validation_recall"] for line in losses(tmp_path) if "validation_recall" in line]
    assert about["validation_recall"] == recalls[-1]


def test_the_moving_average_is_what_is_exported(toy: Path, small_keys: TrainKeys, tmp_path: Path) -> None:
    keys = dataclasses.replace(small_keys, ema=0.9)
    exported = load_exported(run(toy, tmp_path, keys).model)[0].state_dict()
    saved = torch.load(tmp_path / "last.pt", weights_only=True)["learner"]
    name = "text_projection"
    assert torch.equal(exported[name], saved["average"][f"module.{name}"])
    assert not torch.equal(exported[name], saved["model"][name])


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


def test_a_decoding_process_that_is_killed_is_a_sentence(toy: Path, small_keys: TrainKeys, tmp_path: Path) -> None:
    def progress(row: dict[str, Any]) -> None:
        if row["step"] == 4:
            for child in psutil.Process().children():
                child.kill()

    keys = dataclasses.replace(small_keys, workers=2, epochs=20)
    with pytest.raises(RunFailed, match=r"decodes images was killed.*lower \[train\] workers \(now 2\)"):
        train(toy, tmp_path, keys, progress=progress, stop=lambda: False)
    assert torch.load(tmp_path / "last.pt", weights_only=True)["step"] >= 3


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_a_sentence(
    make_dataset: Callable[..., Path], small_keys: TrainKeys, tmp_path: Path, workers: int
) -> None:
    dataset = make_dataset(train=60, name="damaged")
    path = dataset / "data" / "train-00000.parquet"
    rows = pq.read_table(path).to_pylist()
    rows[7]["image"]["bytes"] = rows[7]["image"]["bytes"][:200]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema.SHARDS), path)
    with pytest.raises(RunFailed, match=r"The image of PMC1001\.1/g3.*cannot be decoded"):
        run(dataset, tmp_path, dataclasses.replace(small_keys, workers=workers))


def test_weights_that_are_not_finite_are_never_saved(
    toy: Path, small_keys: TrainKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Learner.update

    def update(self: Learner, rate: float) -> None:
        real(self, rate)
        if rate < 5e-4:  # the eighth step of ten
            self.model.text_projection.data[0, 0] = math.inf

    monkeypatch.setattr(Learner, "update", update)
    with pytest.raises(RunFailed, match="not finite"):
        run(toy, tmp_path, dataclasses.replace(small_keys, checkpoint_steps=1, warmup=0))
    saved = torch.load(tmp_path / "last.pt", weights_only=True)
    assert all(bool(value.isfinite().all()) for value in saved["learner"]["model"].values())


@pytest.mark.parametrize(("change", "kind", "word"), [
    ({"kinds": ("blot",)}, RunFailed, "no pairs"),
    ({"batch_size": 101}, RunFailed, "larger than the 100"),
    ({"image_size": 50}, UsageError, "multiple of 32"),
    ({"batch_size": 0}, UsageError, "batch_size must be at least 1, not 0"),
    ({"checkpoint_steps": 0}, UsageError, "checkpoint_steps must be at least 1"),
    ({"lr": math.nan}, UsageError, "lr must be at least 0, not nan"),
    ({"ema": 1.0}, UsageError, "ema must be at least 0 and below 1"),
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


