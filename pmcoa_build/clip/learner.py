"""The model and what teaches it: one optimiser step, and all of its state as plain values for a checkpoint."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from pmcoa_build.clip import optim, parallel, step
from pmcoa_build.clip.config import ClipConfig
from pmcoa_build.clip.data import Batch
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.clip.runtime import Place, precision, random_states, set_random_state
from pmcoa_build.errors import RunFailed
from pmcoa_build.spec import TrainKeys


class Learner:
    """`model` is the PMC-CLIP itself, on this process's device; `average` its moving average, on rank 0, if wanted."""

    def __init__(self, config: ClipConfig, keys: TrainKeys, place: Place, text_weights: dict[str, Any] | None) -> None:
        self.keys, self.place = keys, place
        self.precision = precision(keys, place.device)
        torch.manual_seed(keys.seed)
        self.model = _model(config, keys, place, text_weights)
        self.average = optim.moving_average(self.model, keys.ema) if keys.ema and not place.rank else None
        if keys.compile:
            self.model.compile()
        self.callable = parallel.distributed(self.model, place)
        self.optimiser = optim.adamw(self.model, keys.lr, keys.weight_decay)
        self.scaler = torch.amp.GradScaler(place.device.type, enabled=self.precision == torch.float16)
        self.resume_training()
        torch.manual_seed(keys.seed + place.rank)  # dropout differs from process to process

    def resume_training(self) -> None:
        """Training mode, with batch-norm as the keys want it."""
        parallel.training_mode(self.model, frozen=self.keys.batch_norm == "frozen")

    def gradients(self, micros: Sequence[Batch]) -> dict[str, Tensor]:
        """Compute and clip the gradients of one step; `contrastive`, `mlm`, `temperature`, `norm`, as scalar tensors.

        A GPU may still be at work when this returns; `norm` is that before clipping.
        """
        self.optimiser.zero_grad(set_to_none=True)
        losses = step.backward(self.callable, micros, self.place.device, self.precision, self.scaler.scale)
        self.scaler.unscale_(self.optimiser)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), optim.CLIP_NORM)
        return {**losses, "temperature": self.model.logit_scale.detach().exp(), "norm": norm}

    def usable(self, told: dict[str, float]) -> bool:
        """Whether a step with these numbers may change the weights; fp16's scaler sees to its gradients itself."""
        losses = math.isfinite(told["contrastive"]) and math.isfinite(told["mlm"])
        return losses and (self.scaler.is_enabled() or math.isfinite(told["norm"]))

    def update(self, rate: float) -> None:
        """Change the weights by the gradients, at that learning rate."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.model.clamp_temperature()
        if self.average is not None:
            self.average.update_parameters(self.model)

    @property
    def result(self) -> PMCCLIP:
        """What is scored and exported: the moving average if there is one, else the model."""
        averaged: Any = self.average
        return self.model if averaged is None else averaged.module

    @contextmanager
    def scoring(self) -> Iterator[PMCCLIP]:
        """The result for use between steps; training mode and random numbers afterwards are as if nothing had been."""
        eager = torch.compiler.set_stance("force_eager") if self.keys.compile else contextlib.nullcontext()
        with eager:
            yield self.result
        self.resume_training()

    def state(self) -> dict[str, Any]:
        """Tensors and plain values. All processes must call it together. Raises RunFailed where weights are broken."""
        weights = self.model.state_dict()
        if not all(bool(value.isfinite().all()) for value in weights.values()):
            raise RunFailed("The weights are not finite; lower [train] lr (the last checkpoint is kept).")
        return {
            "model": weights, "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(), "average": self.average and self.average.state_dict(),
            "random": random_states(self.place),
        }

    def restore(self, content: dict[str, Any]) -> None:
        """Go on from `state()`."""
        self.model.load_state_dict(content["model"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.scaler.load_state_dict(content["scaler"])
        if self.average is not None:
            self.average.load_state_dict(content["average"])
        set_random_state(content["random"], self.place)


def _model(config: ClipConfig, keys: TrainKeys, place: Place, text_weights: dict[str, Any] | None) -> PMCCLIP:
    model = PMCCLIP(config)
    if text_weights is not None:
        model.text_encoder.load_state_dict(text_weights)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not name.startswith(parallel.UNREACHED))
    if keys.batch_norm == "sync" and place.world > 1:
        parallel.share_batch_norm(model, place)
    return model.to(place.device)
