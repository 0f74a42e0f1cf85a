"""Train PMC-CLIP on a published dataset folder: `train` is the whole of it, on one process or under torchrun.

Killed anywhere, it goes on from the last whole checkpoint with the losses of an uninterrupted run (equal on a CPU).
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmcoa_build.atomic import write_atomic
from pmcoa_build.clip import checkpoint, optim
from pmcoa_build.clip.config import ClipConfig, load_config
from pmcoa_build.clip.data import Batch, Layout, batches, steps_per_epoch
from pmcoa_build.clip.runtime import one_sentence, precision, processes
from pmcoa_build.clip.shards import Sampling, dataset_id, row_groups
from pmcoa_build.clip.tokenizer import BUNDLED, load_tokenizer
from pmcoa_build.errors import Interrupted, RunFailed
from pmcoa_build.spec import TrainKeys

METRICS = "metrics.jsonl"
CURVES = "curves.png"
_VALIDATIONS = 10
"""Validations in a run: after every epoch of a short one, after every tenth part of a long one."""

Progress = Callable[[dict[str, Any]], None]
Stop = Callable[[], bool]


@dataclass(frozen=True)
class TrainResult:
    """`model`: folder with `model.safetensors` and `config.json`; `checkpoint`: the file to resume from.

    `losses`: means over the last epoch (`contrastive`, `mlm`, `loss`); `resumed_from`: the step it went on from, or 0.
    """

    model: Path
    checkpoint: Path
    weights_sha256: str
    dataset_id: str
    steps: int
    losses: dict[str, float]
    resumed_from: int


def train(dataset: Path, out: Path, keys: TrainKeys, *, progress: Progress, stop: Stop) -> TrainResult:
    """Train until the last epoch, or to `stop()`; everything goes into `out`.

    `dataset`: a published folder (`data/<split>-*.parquet`, `DATASET_ID`); it is pinned at the first step, and a run
    that is resumed finishes on it even if a newer one has been published. `progress` gets one dict a step (`step`,
    `steps`, `epoch`, `loss`, `contrastive`, `mlm`, `lr`, `temperature`, `pairs_per_s`), and about ten times a run one
    with `validation_recall` (mean of R@1/5/10 both ways). Raises UsageError for keys that do not fit; RunFailed for
    unusable data, a loss that is not finite, or too little memory (the last checkpoint is kept); Interrupted after a
    checkpoint when `stop()` is true.
    """
    with processes() as (rank, world, device), one_sentence(keys):
        run = _Run(dataset, out, keys, rank, world, device)
        try:
            run.loop(progress, stop)
            return run.finish()
        finally:
            run.close()


def model_config(keys: TrainKeys) -> ClipConfig:
    """The model that the keys describe. Raises UsageError where model, text model and image size do not fit."""
    config = load_config(keys.model).with_image_size(keys.image_size)
    if keys.text_model == BUNDLED:
        size = load_tokenizer(BUNDLED, config.text_cfg.context_length).size
        return config.with_text(vocab_size=size, bert_model_name=BUNDLED)
    from pmcoa_build.clip.text import bert_shape

    return config.with_text(**bert_shape(keys.text_model))


def run_id(keys: TrainKeys, config: ClipConfig) -> str:
    """What a checkpoint must agree with to be resumed: all keys but those that cannot change the result."""
    told = {**dataclasses.asdict(keys), "workers": 0, "checkpoint_steps": 0}
    text = json.dumps([told, config.as_dict()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class _Run:
    """One training run: data, model, optimiser and position. Built by resuming where there is a fitting checkpoint."""

    def __init__(self, dataset: Path, out: Path, keys: TrainKeys, rank: int, world: int, device: Any) -> None:
        import torch

        self.out, self.keys, self.rank, self.world, self.device = out, keys, rank, world, device
        out.mkdir(parents=True, exist_ok=True)
        self.config = model_config(keys)
        self.run_id = run_id(keys, self.config)
        saved = self._saved(dataset.resolve())
        self.dataset = Path(saved["dataset"]) if saved else dataset.resolve()
        self.dataset_id = dataset_id(self.dataset)
        text = self.config.text_cfg
        self.sampling = Sampling(keys.text, keys.text_model, text.context_length, keys.image_size, keys.seed, True)
        self.groups = row_groups(self.dataset, "train", keys.kinds)
        self.layout = Layout(keys.seed, keys.batch_size, keys.accumulate, rank, world)
        self.per_epoch = steps_per_epoch(self.groups, self.layout)
        self.steps = self.per_epoch * keys.epochs
        self.precision = precision(keys, device)
        torch.manual_seed(keys.seed)
        self.model, self.optimiser = self._model(saved is None)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.precision == torch.float16)
        self.step = self.resumed_from = 0
        self.best = -1.0
        if saved:
            self._restore(saved)
        self.metrics = self._open_metrics()

    def _saved(self, dataset: Path) -> dict[str, Any] | None:
        """The checkpoint to go on from: of this run, and of a dataset that is still there."""
        path = self.out / checkpoint.LAST
        if self.rank == 0:
            checkpoint.clear_temporary(self.out)
        saved = checkpoint.load(path)
        if saved is None or saved["run_id"] != self.run_id:
            return None
        if saved["dataset_id"] == dataset_id(dataset):
            saved["dataset"] = str(dataset)
            return saved
        if saved["finished"]:
            return None  # a newer dataset: train anew
        with contextlib.suppress(RunFailed):
            if dataset_id(Path(saved["dataset"])) == saved["dataset_id"]:
                return saved
        if self.rank == 0:
            path.replace(self.out / checkpoint.ABANDONED)
        return None

    def _model(self, fresh: bool) -> tuple[Any, Any]:
        import torch

        from pmcoa_build.clip.model import PMCCLIP
        from pmcoa_build.clip.text import pretrained_bert

        model = PMCCLIP(self.config)
        if fresh and self.keys.text_model != BUNDLED:
            model.text_encoder.load_state_dict(pretrained_bert(self.keys.text_model))
        model = model.to(self.device)
        groups = optim.decay_groups(model.named_parameters(), self.keys.weight_decay)
        return model.train(), torch.optim.AdamW(groups, self.keys.lr, optim.BETAS, optim.EPS, fused=True)

    def _restore(self, saved: dict[str, Any]) -> None:
        import torch

        self.model.load_state_dict(saved["model"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.scaler.load_state_dict(saved["scaler"])
        self.step = self.resumed_from = saved["step"]
        self.best = saved["best"]
        if self.world == 1:  # other processes have states of their own, which dropout alone uses
            torch.set_rng_state(saved["rng"])
            if self.device.type == "cuda" and saved["cuda_rng"] is not None:
                torch.cuda.set_rng_state(saved["cuda_rng"])

    def _open_metrics(self) -> Any:
        if self.rank:
            return None
        path = self.out / METRICS
        kept = "".join(f"{line}\n" for line in checkpoint.lines_until(path, self.step))
        write_atomic(path, kept.encode())
        return path.open("a", encoding="utf-8")

    def close(self) -> None:
        """Close what is open."""
        if self.metrics is not None:
            self.metrics.close()

    def loop(self, progress: Progress, stop: Stop) -> None:
        """All remaining steps."""
        epochs, first = range(self.step // self.per_epoch, self.keys.epochs), self.step % self.per_epoch
        stream = batches(self.groups, self.sampling, self.layout, epochs, first, self.keys.workers)
        with contextlib.closing(stream):
            while self.step < self.steps:
                self._turn(stream, progress, stop)

    def _turn(self, stream: Iterator[Batch], progress: Progress, stop: Stop) -> None:
        """One step and what is due after it."""
        started = time.perf_counter()
        told = self._one_step([next(stream) for _ in range(self.keys.accumulate)])
        self._tell(told, started, progress)
        stopping = self._any(stop())
        if self.step % self.per_epoch == 0:
            self._validate(progress)
        if stopping or self.step % self.keys.checkpoint_steps == 0 or self.step == self.steps:
            self._save(checkpoint.LAST)
        if stopping and self.step < self.steps:
            raise Interrupted(f"Training stopped at step {self.step} of {self.steps}; run it again to go on.", 143)

    def _one_step(self, micros: list[Batch]) -> dict[str, float]:
        import torch

        from pmcoa_build.clip.loss import WEIGHTS
        from pmcoa_build.clip.step import backward

        rate = optim.learning_rate(self.step, self.steps, self.keys.lr, self.keys.warmup)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        parts = backward(self.model, micros, self.device, self.precision, self.scaler.scale)
        self.scaler.unscale_(self.optimiser)
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), optim.CLIP_NORM)
        told = self._mean({**parts, "temperature": self.model.logit_scale.detach().exp()})
        told["loss"] = sum(weight * told[name] for name, weight in WEIGHTS.items())
        bad = not math.isfinite(told["loss"]) or (not self.scaler.is_enabled() and not math.isfinite(float(norm)))
        if bad:
            raise RunFailed(f"The loss is not finite at step {self.step + 1}; lower [train] lr or use bf16 "
                            f"(the last checkpoint in {self.out} is kept).")
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.model.clamp_temperature()
        self.step += 1
        return {**told, "lr": rate}

    def _tell(self, told: dict[str, float], started: float, progress: Progress) -> None:
        if self.rank:
            return
        told = {"step": self.step, "epoch": (self.step - 1) // self.per_epoch, **told}
        self._log(told)
        pairs = self.layout.batch * self.layout.accumulate * self.world
        progress({**told, "steps": self.steps, "pairs_per_s": pairs / (time.perf_counter() - started)})

    def _log(self, line: dict[str, float]) -> None:
        if self.metrics is not None:
            self.metrics.write(json.dumps(line) + "\n")
            self.metrics.flush()

    def _mean(self, values: dict[str, Any]) -> dict[str, float]:
        """Means over the processes, as numbers; the same on each."""
        import torch

        stacked = torch.stack([value.detach().float() for value in values.values()])
        if self.world > 1:
            torch.distributed.all_reduce(stacked)
            stacked /= self.world
        return dict(zip(values, stacked.tolist(), strict=True))

    def _any(self, flag: bool) -> bool:
        import torch

        return self._mean({"flag": torch.tensor(float(flag), device=self.device)})["flag"] > 0

    def _validate(self, progress: Progress) -> None:
        """After about every tenth part of the run: recall on validation pairs; the best is kept as `best.pt`."""
        epoch = self.step // self.per_epoch
        if self.rank or (epoch % math.ceil(self.keys.epochs / _VALIDATIONS) and epoch < self.keys.epochs):
            return
        from pmcoa_build.clip.evaluate import validation_recall

        recall = validation_recall(self.model, self.dataset, self.sampling, self.keys.kinds)
        if recall is None:
            return
        self._log({"step": self.step, "validation_recall": recall})
        progress({"step": self.step, "steps": self.steps, "validation_recall": recall})
        if recall > self.best:
            self.best = recall
            self._save(checkpoint.BEST)

    def _save(self, name: str) -> None:
        import torch

        if self.rank:
            return
        checkpoint.save(self.out / name, {
            "run_id": self.run_id, "dataset": str(self.dataset), "dataset_id": self.dataset_id,
            "step": self.step, "finished": self.step == self.steps, "best": self.best,
            "model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(), "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
        })

    def finish(self) -> TrainResult:
        """Export the weights, draw the curves, sum up."""
        from pmcoa_build.clip.report import draw_curves

        about = {
            "model": self.config.as_dict(), "text_model": self.keys.text_model, "text": self.keys.text,
            "kinds": list(self.keys.kinds), "image_size": self.keys.image_size, "dataset_id": self.dataset_id,
            "steps": self.steps, "seed": self.keys.seed,
        }
        folder, digest = self.out / "model", ""
        lines = [json.loads(line) for line in checkpoint.lines_until(self.out / METRICS, self.steps)]
        if self.rank == 0:
            digest = checkpoint.export(folder, self.model, about)
            draw_curves(lines, self.out / CURVES)
        last = [line for line in lines if "loss" in line][-self.per_epoch:]
        losses = {name: sum(line[name] for line in last) / max(1, len(last)) for name in ("contrastive", "mlm", "loss")}
        return TrainResult(folder, self.out / checkpoint.LAST, digest, self.dataset_id, self.steps, losses,
                           self.resumed_from)
