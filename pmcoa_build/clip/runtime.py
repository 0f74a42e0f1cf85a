"""Where training runs: processes, device, precision, memory, and what the machine's failures are called."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from pmcoa_build.errors import Interrupted, PmcoaError, RunFailed, UsageError
from pmcoa_build.spec import TrainKeys

logger = logging.getLogger(__name__)

_PATIENCE = timedelta(minutes=10)
"""How long a process waits for the others in one exchange: rank 0 validates and writes checkpoints meanwhile."""
_NO_MEMORY = ("not enough memory", "allocate memory", "out of memory", "ALLOC_FAILED")
"""In what torch's allocator on the CPU, CUDA and its libraries say."""
_FAILED = "failed"
_groups: list[Any] = []
"""All that were opened, until the process ends: a DDP wrapper that outlives its group would tear it down while it holds
the interpreter, and wait for ever for a thread of the group that waits for the interpreter (gloo in torch 2.13)."""


class Place(NamedTuple):
    """This process among those that train together, and the torch device that it computes on."""

    rank: int
    world: int
    device: Any


def rank_and_world() -> tuple[int, int]:
    """As torchrun tells each process by its environment; (0, 1) without it."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


@lru_cache(maxsize=1)
def store() -> Any:
    """The key-value store that all processes of a torchrun share (a `torch.distributed.Store`)."""
    from torch.distributed.rendezvous import rendezvous

    return next(rendezvous("env://"))[0]


def awaited(shared: Any, key: str, enough: Callable[[float], bool]) -> str | None:
    """What some process puts into the store under the key; None after `enough(seconds)`, or where the store is gone."""
    started = time.monotonic()
    try:
        while not shared.check([key]):
            if enough(time.monotonic() - started):
                return None
            time.sleep(0.1)
        return str(shared.get(key).decode())
    except RuntimeError:
        return None


@contextmanager
def processes() -> Iterator[Place]:
    """This process's place. Under torchrun the group is opened and closed here; else it is one process.

    Where one of several processes fails, the others end as well: with RunFailed and the sentence of the first.
    """
    import torch

    rank, world = rank_and_world()
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
        torch.backends.cudnn.benchmark = True
    if world == 1:
        if cuda and torch.cuda.device_count() > 1:
            logger.warning("One of %d GPUs is used; start with `torchrun --nproc-per-node %d -m stages train SPEC` to "
                           "use all.", torch.cuda.device_count(), torch.cuda.device_count())
        yield Place(0, 1, device)
        return
    shared = torch.distributed.distributed_c10d.PrefixStore(f"group{len(_groups)}", store())
    torch.distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", store=shared, rank=rank,
                                         world_size=world, timeout=_PATIENCE)
    _groups.append(torch.distributed.group.WORLD)
    try:
        with _failing_together(shared, rank):
            yield Place(rank, world, device)
    except PmcoaError as error:
        if not cuda or isinstance(error, Interrupted):
            torch.distributed.destroy_process_group()  # NCCL's would wait for exchanges that never end
        raise
    else:
        torch.distributed.destroy_process_group()


@contextmanager
def _failing_together(shared: Any, rank: int) -> Iterator[None]:
    """Tell the others why this process fails; where another has, say its sentence in place of the lost connection."""
    try:
        yield
    except Interrupted:
        raise
    except PmcoaError as error:
        first = rank
        with contextlib.suppress(RuntimeError):  # the store may be gone with its process
            first = int(shared.compare_set(_FAILED, "", f"{rank} {error}").decode().split()[0])
        if first == rank:
            raise
        raise _other(shared) from None
    except RuntimeError as error:
        if not _connection_lost(error):
            raise
        raise _other(shared) from None


def _connection_lost(error: RuntimeError) -> bool:
    import torch

    told = str(error)
    return isinstance(error, torch.distributed.DistError) or "gloo" in told or "Connection" in told


class FailedElsewhere(RunFailed):
    """Another process of the training has failed, and has said so itself if it could."""


def _other(shared: Any) -> FailedElsewhere:
    told = awaited(shared, _FAILED, lambda seconds: seconds > 5)
    if told is None:
        return FailedElsewhere("Another process of this training is gone without a word, as if killed; run it again to "
                               "go on from the last checkpoint.")
    rank, _, sentence = told.partition(" ")
    return FailedElsewhere(f"Process {rank} of this training failed: {sentence}")


def means(values: Mapping[str, Any], place: Place) -> dict[str, float]:
    """Means over the processes of scalar tensors on the device, as numbers; the same on each process."""
    import torch

    stacked = torch.stack([value.detach().float() for value in values.values()])
    if place.world > 1:
        torch.distributed.all_reduce(stacked)
        stacked /= place.world
    return dict(zip(values, stacked.tolist(), strict=True))


def any_of(flag: bool, place: Place) -> bool:
    """Whether the flag is set on any process. It does not wait for a GPU."""
    import torch

    if place.world == 1:
        return flag
    told = torch.tensor(int(flag))
    torch.distributed.all_reduce(told)
    return bool(told)


def from_first(value: Any, place: Place) -> Any:
    """The value (of plain types) that rank 0 gives."""
    import torch

    box = [value]
    if place.world > 1:
        torch.distributed.broadcast_object_list(box)
    return box[0]


def random_states(place: Place) -> list[dict[str, Any]]:
    """The state of torch's generators on each process, by rank: `cpu`, and `cuda` (None without a GPU)."""
    import torch

    mine = {"cpu": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state(place.device) if place.device.type == "cuda" else None}
    gathered: list[Any] = [mine]
    if place.world > 1:
        gathered = [None] * place.world
        torch.distributed.all_gather_object(gathered, mine)
    return gathered


def set_random_state(states: list[dict[str, Any]], place: Place) -> None:
    """Put this process's generators into their state of `random_states`."""
    import torch

    torch.set_rng_state(states[place.rank]["cpu"])
    if place.device.type == "cuda" and states[place.rank]["cuda"] is not None:
        torch.cuda.set_rng_state(states[place.rank]["cuda"], place.device)


def memory_gb(device: Any) -> float:
    """In 10^9 bytes: the most that torch has held on the GPU, or what this process holds in memory now."""
    import psutil
    import torch

    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device) / 1e9)
    return float(psutil.Process().memory_info().rss / 1e9)


def precision(keys: TrainKeys, device: Any) -> Any:
    """The torch dtype to compute in. Raises UsageError for fp16 without a GPU."""
    import torch

    if keys.precision == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    if keys.precision == "fp16" and device.type != "cuda":
        raise UsageError("[train] precision = \"fp16\" needs a GPU; use \"auto\".")
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[keys.precision]


@contextmanager
def one_sentence(keys: TrainKeys, stop: Callable[[], bool]) -> Iterator[None]:
    """Turn what torch raises when memory or a decoding process is gone into a RunFailed of one sentence.

    Where `stop()` is true, as when a signal went to all processes at once, a lost decoding process is an Interrupted.
    """
    import torch

    try:
        yield
    except (torch.OutOfMemoryError, MemoryError):
        raise RunFailed(_memory(keys)) from None
    except RuntimeError as error:
        told = str(error)
        if any(sign in told for sign in _NO_MEMORY):
            raise RunFailed(_memory(keys)) from None
        if "DataLoader worker" in told and stop():
            raise Interrupted("Training stopped with its decoding processes; run it again to go on from the last "
                              "checkpoint.", 143) from None
        if "DataLoader worker" in told:
            raise RunFailed(f"A process that decodes images was killed, as happens when memory runs out; "
                            f"lower [train] workers (now {keys.workers}); the last checkpoint is kept.") from None
        raise


def _memory(keys: TrainKeys) -> str:
    return (f"Memory ran out at [train] batch_size = {keys.batch_size}; lower it and raise accumulate in step, "
            "which keeps the contrastive batch; the last checkpoint is kept.")
