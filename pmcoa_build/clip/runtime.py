"""Where training runs: processes, device, precision, and what the machine's failures are called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pmcoa_build.errors import RunFailed, UsageError
from pmcoa_build.spec import TrainKeys


@contextmanager
def processes() -> Iterator[tuple[int, int, Any]]:
    """(rank, processes, device). Under torchrun the group is opened and closed here; else it is one process."""
    import torch

    world = int(os.environ.get("WORLD_SIZE", "1"))
    local = int(os.environ.get("LOCAL_RANK", "0"))
    cuda = torch.cuda.is_available()
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    if world == 1:
        yield 0, 1, device
        return
    torch.distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield torch.distributed.get_rank(), world, device
    finally:
        torch.distributed.destroy_process_group()


def precision(keys: TrainKeys, device: Any) -> Any:
    """The torch dtype to compute in. Raises UsageError for fp16 without a GPU."""
    import torch

    if keys.precision == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    if keys.precision == "fp16" and device.type != "cuda":
        raise UsageError("[train] precision = \"fp16\" needs a GPU; use \"auto\".")
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[keys.precision]


@contextmanager
def one_sentence(keys: TrainKeys) -> Iterator[None]:
    """Turn what torch raises when memory or a decoding process is gone into a RunFailed of one sentence."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError:
        raise RunFailed(_memory(keys)) from None
    except MemoryError:
        raise RunFailed(_memory(keys)) from None
    except RuntimeError as error:
        if "not enough memory" in str(error):
            raise RunFailed(_memory(keys)) from None
        if "DataLoader worker" in str(error):
            raise RunFailed(f"A process that decodes images was killed, as happens when memory runs out; "
                            f"lower [train] workers (now {keys.workers}); the last checkpoint is kept.") from None
        raise


def _memory(keys: TrainKeys) -> str:
    return (f"Memory ran out at [train] batch_size = {keys.batch_size}; lower it and raise accumulate in step, "
            "which keeps the contrastive batch; the last checkpoint is kept.")
