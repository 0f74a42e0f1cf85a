"""Train PMC-CLIP on a published dataset folder: `train` is the whole of it, on one process or under torchrun.

Killed anywhere, it goes on from the last whole checkpoint with the losses of an uninterrupted run (equal on a CPU).
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pmcoa_build.clip import checkpoint, optim
from pmcoa_build.clip.config import ClipConfig, load_config
from pmcoa_build.clip.data import Batch, Layout, batches, steps_per_epoch
from pmcoa_build.clip.journal import METRICS, Journal, lines_until
from pmcoa_build.clip.runtime import Place, any_of, from_first, means, memory_gb, one_sentence, processes
from pmcoa_build.clip.shards import Sampling, columns, dataset_id, row_groups
from pmcoa_build.clip.tokenizer import BUNDLED, load_tokenizer
from pmcoa_build.errors import Interrupted, RunFailed, UsageError
from pmcoa_build.spec import FREE_TRAIN_KEYS, TrainKeys

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
    `steps`, `epoch`, `loss`, `contrastive`, `mlm`, `lr`, `temperature`, `pairs_per_s`, `memory_gb`, `eta_s`), and about
    ten times a run one with `validation_recall` (mean of R@1/5/10 both ways). Under torchrun all processes call this
    with the same arguments and see the same folders; rank 0 alone writes and tells.

    Raises UsageError for keys that do not fit, or another number of processes than the training began with; RunFailed
    for unusable data, a loss that is not finite, too little memory, or another process's failure (the last checkpoint
    is kept); Interrupted after a checkpoint when `stop()` is true on any process.
    """
    with processes() as place, one_sentence(keys, stop):
        run = _Run(dataset, out, keys, place)
        try:
            run.loop(progress, stop)
            return run.finish()
        finally:
            run.close()


def model_config(keys: TrainKeys) -> ClipConfig:
    """The model that the keys describe. Raises UsageError where they do not fit together, or are out of range."""
    _in_range(keys)
    config = load_config(keys.model).with_image_size(keys.image_size)
    if keys.text_model == BUNDLED:
        size = load_tokenizer(BUNDLED, config.text_cfg.context_length).size
        return config.with_text(vocab_size=size, bert_model_name=BUNDLED)
    from pmcoa_build.clip.text import bert_shape

    return config.with_text(**bert_shape(keys.text_model))


def _in_range(keys: TrainKeys) -> None:
    least = {"epochs": 1, "batch_size": 1, "accumulate": 1, "checkpoint_steps": 1, "workers": 0, "warmup": 0, "seed": 0,
             "lr": 0, "weight_decay": 0}
    for name, value in least.items():
        if not getattr(keys, name) >= value:
            raise UsageError(f"[train] {name} must be at least {value}, not {getattr(keys, name)}.")
    if not 0 <= keys.ema < 1:
        raise UsageError(f"[train] ema must be at least 0 and below 1, not {keys.ema:g}.")


def run_id(keys: TrainKeys, config: ClipConfig) -> str:
    """What a checkpoint must agree with to be resumed: all keys but those that cannot change the result."""
    told = {name: value for name, value in dataclasses.asdict(keys).items() if name not in FREE_TRAIN_KEYS}
    text = json.dumps([told, config.as_dict()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class _Run:
    """One training: data, learner and position. Built by resuming where there is a fitting checkpoint."""

    def __init__(self, dataset: Path, out: Path, keys: TrainKeys, place: Place) -> None:
        self.out, self.keys, self.place, self.first = out, keys, place, not place.rank
        out.mkdir(parents=True, exist_ok=True)
        self.config = model_config(keys)
        self.run_id = run_id(keys, self.config)
        path, self.dataset, saved = None, dataset.resolve(), None
        if self.first:
            path, self.dataset, saved = _begin(out, self.run_id, self.dataset)
        path, self.dataset = from_first((path, self.dataset), place)
        if path and not self.first:
            saved = checkpoint.load(path)
        self.dataset_id = dataset_id(self.dataset)
        text = self.config.text_cfg
        self.sampling = Sampling(keys.text, keys.text_model, text.context_length, keys.image_size, keys.seed, True)
        self.groups = row_groups(self.dataset, "train", keys.kinds)
        self.layout = Layout(keys.seed, keys.batch_size, keys.accumulate, place.rank, place.world)
        self.per_epoch = steps_per_epoch(self.groups, self.layout)
        self.steps = self.per_epoch * keys.epochs
        self.learner = _learner(self.config, keys, place, fresh=saved is None)
        self.step, self.best = 0, -1.0
        if saved:
            self._restore(saved)
        self.resumed_from, self.started = self.step, time.perf_counter()
        self.journal = Journal(out, self.step) if self.first else None

    def _restore(self, saved: dict[str, Any]) -> None:
        if saved["world"] != self.place.world:
            raise UsageError(
                f"The training in {self.out} began on {saved['world']} process(es), not {self.place.world}: go on with "
                f"`torchrun --nproc-per-node {saved['world']}`, or remove that folder to begin anew.")
        self.learner.restore(saved["learner"])
        self.step, self.best = saved["step"], saved["best"]

    def close(self) -> None:
        """Close what is open."""
        if self.journal is not None:
            self.journal.close()

    def loop(self, progress: Progress, stop: Stop) -> None:
        """All remaining steps."""
        epochs, first = range(self.step // self.per_epoch, self.keys.epochs), self.step % self.per_epoch
        stream = batches(self.groups, self.sampling, self.layout, epochs, first, self.keys.workers)
        with contextlib.closing(stream):
            micros = self._next(stream)
            while micros:
                started = time.perf_counter()
                told, micros = self._one_step(micros, stream)
                self._tell(told, time.perf_counter() - started, progress)
                self._after_step(progress, any_of(stop(), self.place))

    def _next(self, stream: Iterator[Batch]) -> list[Batch]:
        """The micro-batches of one step; none after the last."""
        return list(itertools.islice(stream, self.keys.accumulate))

    def _one_step(self, micros: list[Batch], stream: Iterator[Batch]) -> tuple[dict[str, float], list[Batch]]:
        """What to tell of the step, and the next one's micro-batches, which are fetched while a GPU computes."""
        from pmcoa_build.clip.loss import WEIGHTS

        rate = optim.learning_rate(self.step, self.steps, self.keys.lr, self.keys.warmup)
        computing = self.learner.gradients(micros)
        upcoming = self._next(stream)
        told = means(computing, self.place)
        if not self.learner.usable(told):
            raise RunFailed(f"The loss is not finite at step {self.step + 1}; lower [train] lr or use bf16 "
                            f"(the last checkpoint in {self.out} is kept).")
        self.learner.update(rate)
        self.step += 1
        del told["norm"]
        return {**told, "loss": sum(weight * told[name] for name, weight in WEIGHTS.items()), "lr": rate}, upcoming

    def _tell(self, told: dict[str, float], seconds: float, progress: Progress) -> None:
        if self.journal is None:
            return
        pairs = self.layout.batch * self.layout.accumulate * self.place.world
        pace = (time.perf_counter() - self.started) / (self.step - self.resumed_from)
        place = {"step": self.step, "epoch": (self.step - 1) // self.per_epoch}
        now = {"pairs_per_s": round(pairs / seconds, 2), "memory_gb": round(memory_gb(self.place.device), 3)}
        self.journal.write({**place, **told, **now})
        eta = round(pace * (self.steps - self.step))
        progress({"step": self.step, "steps": self.steps, "eta_s": eta, "loss": told["loss"], **now, **told, **place})

    def _after_step(self, progress: Progress, stopping: bool) -> None:
        """What is due: a validation, a checkpoint, the end."""
        if self.step % self.per_epoch == 0:
            self._validate(progress)
        if stopping or self.step % self.keys.checkpoint_steps == 0 or self.step == self.steps:
            self._save()
        if stopping and self.step < self.steps:
            self._draw()
            raise Interrupted(f"Training stopped at step {self.step} of {self.steps}; run it again to go on.", 143)

    def _validate(self, progress: Progress) -> None:
        """After about every tenth part of the run: recall on validation pairs; the best weights are `best.pt`."""
        epoch = self.step // self.per_epoch
        often = math.ceil(self.keys.epochs / _VALIDATIONS)
        if self.journal is None or (epoch % often and epoch < self.keys.epochs):
            return
        from pmcoa_build.clip.evaluate import validation_recall

        with self.learner.scoring() as model:
            recall = validation_recall(model, self.dataset, self.sampling, self.keys.kinds)
        if recall is None:
            return
        self.journal.write({"step": self.step, "validation_recall": recall})
        progress({"step": self.step, "steps": self.steps, "validation_recall": recall})
        if recall > self.best:
            self.best = recall
            best = {"run_id": self.run_id, "step": self.step, "recall": recall, "model": model.state_dict()}
            checkpoint.save(self.out / checkpoint.BEST, best)

    def _save(self) -> None:
        learner = self.learner.state()
        if self.journal is None:
            return
        self.journal.flush()
        checkpoint.save_step(self.out, {
            "run_id": self.run_id, "dataset": str(self.dataset), "dataset_id": self.dataset_id,
            "world": self.place.world, "step": self.step, "finished": self.step == self.steps, "best": self.best,
            "learner": learner,
        })

    def _draw(self) -> None:
        from pmcoa_build.clip.report import draw_curves

        if self.first:
            draw_curves(list(lines_until(self.out / METRICS, self.step)), self.out / CURVES)

    def _learnt(self, lines: list[dict[str, Any]]) -> dict[str, Any]:
        """For the model card: the training pairs, their licences, and the last validation's recall if there was one."""
        licences = Counter(name or "not told" for name in columns(self.groups, ["license"])["license"])
        recalls = [line["validation_recall"] for line in lines if "validation_recall" in line]
        told = {"validation_recall": recalls[-1]} if recalls else {}
        return {"pairs": licences.total(), "licences": dict(licences.most_common()), **told}

    def finish(self) -> TrainResult:
        """Export the weights, draw the curves, sum up."""
        lines = list(lines_until(self.out / METRICS, self.steps))
        last = [line for line in lines if "loss" in line][-self.per_epoch:]
        losses = {name: sum(line[name] for line in last) / max(1, len(last)) for name in ("contrastive", "mlm", "loss")}
        about = {
            "model": self.config.as_dict(), "text_model": self.keys.text_model, "text": self.keys.text,
            "kinds": list(self.keys.kinds), "image_size": self.keys.image_size, "dataset_id": self.dataset_id,
            "steps": self.steps, "seed": self.keys.seed, "losses": losses, **self._learnt(lines),
        }
        folder = self.out / "model"
        digest = from_first(checkpoint.export(folder, self.learner.result, about) if self.first else "", self.place)
        self._draw()
        return TrainResult(folder, self.out / checkpoint.LAST, digest, self.dataset_id, self.steps, losses,
                           self.resumed_from)


def _begin(out: Path, run: str, dataset: Path) -> tuple[Path | None, Path, dict[str, Any] | None]:
    """The checkpoint to go on from, if there is one of this run and of a dataset that is still there.

    Returns (its file, the dataset to train on, its content).
    """
    checkpoint.clear_temporary(out)
    found = checkpoint.newest(out, run)
    if found:
        path, saved = found
        if saved["dataset_id"] == dataset_id(dataset):
            return path, dataset, saved
        if not saved["finished"]:
            with contextlib.suppress(RunFailed):
                if dataset_id(Path(saved["dataset"])) == saved["dataset_id"]:
                    return path, Path(saved["dataset"]), saved
            path.replace(out / checkpoint.ABANDONED)
    checkpoint.begin_anew(out)  # nothing there, finished on an older dataset, or its dataset is gone
    return None, dataset, None


def _learner(config: ClipConfig, keys: TrainKeys, place: Place, *, fresh: bool) -> Any:
    from pmcoa_build.clip.learner import Learner
    from pmcoa_build.clip.text import pretrained_bert

    weights = pretrained_bert(keys.text_model) if fresh and keys.text_model != BUNDLED else None
    return Learner(config, keys, place, weights)
