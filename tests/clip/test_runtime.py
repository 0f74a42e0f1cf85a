"""What the machine's failures are called."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from pmcoa_build.clip import runtime
from pmcoa_build.clip.runtime import one_sentence, precision, processes
from pmcoa_build.errors import Interrupted, RunFailed, UsageError
from pmcoa_build.spec import TrainKeys

CPU = torch.device("cpu")
KEYS = TrainKeys(batch_size=20, workers=3)


def stop() -> bool:
    return False


def test_memory_that_is_really_not_there_is_a_sentence() -> None:
    for ask in (lambda: torch.empty(10**15), lambda: np.empty(10**15)):
        with pytest.raises(RunFailed, match=r"Memory ran out at \[train\] batch_size = 20;.*last checkpoint is kept"), \
                one_sentence(KEYS, stop):
            ask()


@pytest.mark.parametrize(("error", "word"), [
    (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), "batch_size = 20"),
    (RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory: you tried"), "batch_size"),
    (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "batch_size = 20"),
    (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), r"workers \(now 3\)"),
    (RuntimeError("DataLoader worker (pid(s) 7) exited unexpectedly"), r"workers \(now 3\)"),
])
def test_failures_of_the_machine_are_sentences(error: Exception, word: str) -> None:
    with pytest.raises(RunFailed, match=word), one_sentence(KEYS, stop):
        raise error


def test_a_decoding_process_that_ends_with_the_training_is_no_failure() -> None:
    with pytest.raises(Interrupted, match="go on from the last checkpoint") as caught, one_sentence(KEYS, lambda: True):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Terminated.")
    assert caught.value.exit_code == 143


def test_a_bug_stays_a_bug() -> None:
    with pytest.raises(RuntimeError, match="a bug"), one_sentence(KEYS, stop):
        raise RuntimeError("a bug")


def test_precision_is_what_the_device_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    wanted = {name: dataclasses.replace(KEYS, precision=name) for name in ("auto", "fp32", "bf16", "fp16")}
    assert precision(wanted["auto"], CPU) == torch.float32
    assert precision(wanted["bf16"], CPU) == torch.bfloat16
    assert precision(wanted["auto"], torch.device("cuda")) == torch.bfloat16
    assert precision(wanted["fp16"], torch.device("cuda")) == torch.float16
    with pytest.raises(UsageError, match="needs a GPU"):
        precision(wanted["fp16"], CPU)


def test_gpus_that_lie_idle_are_named(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    with processes() as place:
        assert place.device == torch.device("cuda", 0)
    assert "One of 8 GPUs is used; start with `torchrun --nproc-per-node 8 -m stages train SPEC`" in caplog.text


def test_without_torchrun_it_is_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with processes() as place:
        assert (place.rank, place.world) == (0, 1)
        assert runtime.any_of(True, place) and not runtime.any_of(False, place)
        assert runtime.from_first("told", place) == "told"
        assert runtime.means({"a": torch.tensor(2.0)}, place) == {"a": 2.0}
        states = runtime.random_states(place)
        drawn = torch.rand(3)
        runtime.set_random_state(states, place)
        assert torch.equal(torch.rand(3), drawn)
        assert 0.01 < runtime.memory_gb(place.device) < 100
