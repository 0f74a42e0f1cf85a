"""The model on several processes: gradients averaged while the backward pass goes on, and what batch-norm does.

Batch-norm is a choice of the spec. `local`, as released: each process by its own batch; the running statistics that are
saved are those of rank 0. `sync`: by the batches of all processes together, so that two processes compute what one
with the same global batch does. `frozen`: by the running statistics, which stay as they are (for fine-tuning on small
batches). Under accumulation it sees a micro-batch at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from pmcoa_build.clip.runtime import Place

UNREACHED = ("positional_embedding", "ln_final.", "text_encoder.pooler.")
"""Parameters in the released state dict that no loss reaches: they are not trained, and nothing waits for them."""


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch-norm over the equal batches of all processes, on a CPU (torch's `SyncBatchNorm` needs a GPU)."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        if not self.training:
            return super().forward(x)
        count = x.numel() // x.shape[1] * torch.distributed.get_world_size()
        mean = total(x.sum((0, 2, 3))) / count
        centred = x - mean[:, None, None]
        variance = total(centred.square().sum((0, 2, 3))) / count
        if self.track_running_stats:
            self._track(mean.detach(), variance.detach() * (count / (count - 1)))
        scale = (variance + self.eps).rsqrt() * self.weight
        return centred * scale[:, None, None] + self.bias[:, None, None]

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        torch.distributed.all_reduce(total)
        return total


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        everyone = [torch.empty_like(rows) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(everyone, rows.contiguous())
        return torch.cat(everyone)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        torch.distributed.all_reduce(total)
        return total.chunk(torch.distributed.get_world_size())[torch.distributed.get_rank()]


def total(value: Tensor) -> Tensor:
    """Sum over all processes; its gradient too is that of the sum of their losses."""
    result: Tensor = _Total.apply(value)  # type: ignore[no-untyped-call]
    return result


def gathered(rows: Tensor) -> Tensor:
    """(B, …) of each process → (processes * B, …) in order of rank, on each; gradients go back to where rows are from.

    (What torch.distributed.nn.functional has for both is deprecated from torch 2.13 on.)
    """
    result: Tensor = _Gathered.apply(rows)  # type: ignore[no-untyped-call]
    return result


def share_batch_norm(model: nn.Module, place: Place) -> None:
    """Make every batch-norm of the model go by the batches of all processes, keeping parameters and their names."""
    for parent in list(model.modules()):
        for name, norm in list(parent.named_children()):
            if not isinstance(norm, nn.BatchNorm2d):
                continue
            if place.device.type == "cuda":
                convert: Any = nn.SyncBatchNorm.convert_sync_batchnorm  # untyped
                setattr(parent, name, convert(norm))
            else:
                shared = SharedBatchNorm2d(norm.num_features, norm.eps, norm.momentum).to(norm.weight.device)
                shared.load_state_dict(norm.state_dict())
                setattr(parent, name, shared.train(norm.training))


def training_mode(model: nn.Module, *, frozen: bool) -> None:
    """Training mode; with `frozen`, batch-norm alone stays in evaluation mode."""
    model.train()
    if frozen:
        for norm in batch_norms(model):
            norm.eval()


def batch_norms(model: nn.Module) -> list[_BatchNorm]:
    """All batch-norm layers, shared ones too."""
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


@contextlib.contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Batch-norm's running statistics stay as they are inside: the first of two passes must not count."""
    norms = batch_norms(model)
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


def distributed(model: nn.Module, place: Place) -> nn.Module:
    """What to call in training: the model, on several processes wrapped so that they get the mean of the gradients.

    Parameters that need no gradient are left out; each other one must be reached once in a backward pass, on which
    the averaging of its bucket begins. Parameters of rank 0 are sent to all at once, its buffers at each pass.
    """
    if place.world == 1:
        return model
    where = [place.device] if place.device.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=where, gradient_as_bucket_view=True)


def not_averaged(model: nn.Module) -> contextlib.AbstractContextManager[None]:
    """A forward and backward pass inside adds to the gradients of this process alone; the next one averages them."""
    no_sync = getattr(model, "no_sync", contextlib.nullcontext)
    context: contextlib.AbstractContextManager[None] = no_sync()
    return context


def unwrapped(model: nn.Module) -> Any:
    """The PMC-CLIP inside what `distributed` gave."""
    return model.module if isinstance(model, DistributedDataParallel) else model
