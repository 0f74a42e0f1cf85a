"""Seconds of one training step: ours beside open_clip's own training code on the same towers and batch, in one run.

    python bench/train.py [--steps 30] [--batch 64] [--threads 2]
    python bench/train.py --device cuda --model RN50_fusion4 --batch 0 --precision bf16 --compile [--dataset DIR]

`contrastive` is our step without fusion and masked language modelling, `full` the whole loss, `open_clip` what its
`train_one_epoch` takes for its step: one of each in turn, so that what else the machine does falls on all three. A
step begins with a batch in memory (uint8 pixels for ours, which normalises them; normalised floats for open_clip's,
as its loader gives them) and ends with changed weights; gradients are clipped in both.

On a GPU, images/s, the share of peak FLOP/s (counted by torch for the very step) and memory are added; `--batch 0`
takes the largest power of two at which all three fit. `--dataset` (a published folder) adds the full step fed from
its shards beside made-up tensors. Prints one line of JSON; without open_clip (`pip install open_clip_torch==3.3.0`,
or for a machine without network its wheels, from `pip download`) its row says why it is missing.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _open_clip
import torch

from pmcoa_build.clip import loss, optim
from pmcoa_build.clip.config import ClipConfig, load_config
from pmcoa_build.clip.data import Batch, Layout, batches
from pmcoa_build.clip.images import normalise
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.clip.shards import Sampling, row_groups
from pmcoa_build.clip.step import backward

WARM_UP = 5
PEAKS = {"H100": 989, "H200": 989, "A100": 312, "B200": 2250, "L40": 181, "L4": 121}
"""Dense bf16 TFLOP/s by the makers' data sheets, told by a part of the device's name."""


def made_up(config: ClipConfig, size: int, device: str) -> Batch:
    """A batch of noise with texts of 8 tokens to the whole context, every seventh token masked."""
    side, text = config.vision_cfg.image_size, config.text_cfg
    pixels = torch.randint(0, 256, (size, side, side, 3), dtype=torch.uint8)
    ids = torch.randint(5, text.vocab_size, (size, text.context_length))
    labels = torch.where(torch.rand(ids.shape) < 0.15, ids, 0)
    padding = torch.arange(text.context_length) >= torch.randint(8, text.context_length + 1, (size, 1))
    return placed(Batch(pixels, ids.masked_fill(padding, 0), labels.masked_fill(padding, 0)), device)


def placed(batch: Batch, device: str) -> Batch:
    """For a GPU in page-locked memory, from which it is fetched while the GPU computes."""
    return Batch(*(part.pin_memory() for part in vars(batch).values())) if device == "cuda" else batch


class Ours:
    """Our model with its optimiser; `contrastive` and `full` make one step on a batch."""

    def __init__(self, config: ClipConfig, options: argparse.Namespace) -> None:
        self.device = torch.device(options.device)
        self.precision = torch.bfloat16 if options.precision == "bf16" else torch.float32
        self.model = PMCCLIP(config).to(self.device).train()
        groups = optim.decay_groups(self.model.named_parameters(), 0.1)
        self.optimiser = torch.optim.AdamW(groups, 1e-4, optim.BETAS, optim.EPS, fused=True)
        if options.compile:
            self.model.compile()

    def contrastive(self, batch: Batch) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        pixels, ids = (part.to(self.device, non_blocking=True) for part in (batch.pixels, batch.ids))
        with torch.autocast(self.device.type, self.precision, enabled=self.precision != torch.float32):
            image, text = self.model.encode_image(normalise(pixels)), self.model.encode_text(ids)
        torch.autograd.backward(loss.contrastive(image, text, self.model.logit_scale.exp()))
        self._update()

    def full(self, batch: Batch) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        backward(self.model, [batch], self.device, self.precision, lambda value: value)
        self._update()

    def _update(self) -> None:
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), optim.CLIP_NORM)
        self.optimiser.step()
        self.model.clamp_temperature()


def clock(device: str) -> float:
    """Seconds, when the device has done what it was told."""
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def interleaved(ours: Ours, theirs: Any, batch: Batch, options: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds of each step by kind, without the first few. open_clip's loop asks for its batches here: before it gets
    one, we make our two steps, and what passes until it asks again is its step.
    """
    times: dict[str, list[float]] = {"contrastive": [], "full": [], "open_clip": []}
    turns = options.steps + WARM_UP
    floats = normalise(batch.pixels).contiguous()  # as open_clip's loader lays them out
    if options.device == "cuda":
        floats = floats.pin_memory()

    def own(turn: int) -> None:
        kinds = [("contrastive", ours.contrastive), ("full", ours.full)]
        for kind, step in kinds if turn % 2 else reversed(kinds):
            start = clock(options.device)
            step(batch)
            times[kind].append(clock(options.device) - start)

    def stream() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for turn in range(turns):
            own(turn)
            start = clock(options.device)
            yield floats, batch.ids
            times["open_clip"].append(clock(options.device) - start)

    if theirs is None:
        for turn in range(turns):
            own(turn)
    else:
        _open_clip.train(theirs, stream, turns, len(batch.ids), options)
    return {kind: values[WARM_UP:] for kind, values in times.items() if values}


def quartiles(values: list[float], digits: int = 4) -> dict[str, float]:
    """First quartile, median and third."""
    return dict(zip(("q1", "median", "q3"), (round(q, digits) for q in statistics.quantiles(values)), strict=True))


def largest_batch(config: ClipConfig, options: argparse.Namespace, theirs: Any) -> int:
    """The largest power of two at which open_clip's step and ours fit the device's memory together."""
    size = 16
    while _fits(config, options, theirs, 2 * size):
        size *= 2
    return size


def _fits(config: ClipConfig, options: argparse.Namespace, theirs: Any, size: int) -> bool:
    trial = argparse.Namespace(**{**vars(options), "steps": 2, "compile": False})
    try:
        interleaved(Ours(config, trial), theirs, made_up(config, size, options.device), trial)
        return True
    except torch.OutOfMemoryError:
        return False
    finally:
        gc.collect()  # the failed step's tensors hang on its frames
        torch.cuda.empty_cache()


def flops(step: Callable[[Batch], None], batch: Batch) -> int:
    """Floating-point operations of one step, forward and backward, as torch counts them."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.compiler.set_stance("force_eager"), FlopCounterMode(display=False) as counter:
        step(batch)
    return counter.get_total_flops()


def on_gpu(ours: Ours, batch: Batch, times: dict[str, list[float]]) -> dict[str, Any]:
    """Images/s and share of peak of our steps, and the memory that all took together."""
    name = torch.cuda.get_device_name()
    peak = next((value for part, value in PEAKS.items() if part in name), None)
    told: dict[str, Any] = {"gpu": name, "peak_tflops": peak,
                            "memory_gb": round(torch.cuda.max_memory_allocated() / 1e9, 1)}
    for kind, step in (("contrastive", ours.contrastive), ("full", ours.full)):
        seconds = statistics.median(times[kind])
        rate = flops(step, batch) / seconds / 1e12
        told[kind] = {"images_per_s": round(len(batch.ids) / seconds), "tflops": round(rate, 1),
                      "share_of_peak": round(rate / peak, 3) if peak else None}
    return told


def from_shards(ours: Ours, config: ClipConfig, batch: Batch, options: argparse.Namespace) -> dict[str, float]:
    """Full steps a second fed from the shards of a dataset, and on made-up tensors before and after."""
    sampling = Sampling("subcaption", "bundled", config.text_cfg.context_length, config.vision_cfg.image_size, 0, True)
    groups = row_groups(options.dataset, "train")
    workers = options.workers if options.device == "cpu" or options.workers else max(1, (os.cpu_count() or 1) - 2)
    shards = batches(groups, sampling, Layout(0, len(batch.ids)), range(1_000_000), 0, workers)

    def rate(source: Iterator[Batch]) -> float:
        for one in itertools.islice(source, WARM_UP):
            ours.full(one)
        start = clock(options.device)
        for one in itertools.islice(source, options.steps):
            ours.full(one)
        return options.steps / (clock(options.device) - start)

    before = rate(itertools.repeat(batch))
    real = rate(placed(one, options.device) for one in shards)
    shards.close()
    plain = (before + rate(itertools.repeat(batch))) / 2
    return {"steps_per_s": round(real, 3), "made_up_steps_per_s": round(plain, 3), "share": round(real / plain, 3)}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--model", default="tiny", help="a configuration of pmcoa_build/clip/configs, or a JSON file")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="fp32", choices=("fp32", "bf16"))
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--dataset", type=Path)
    parser.add_argument("--workers", type=int, default=0,
                        help="processes that decode images for --dataset (on a GPU, 0 = all cores but two)")
    options = parser.parse_args()
    if not options.batch and options.device == "cpu":
        parser.error("--batch 0 asks what fits a GPU's memory: it needs --device cuda")
    return options


def main() -> None:
    options = parsed()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    config = load_config(options.model)
    missing = _open_clip.why_not()
    theirs = None if missing else _open_clip.towers(config).to(options.device)
    size = options.batch or largest_batch(config, options, theirs)
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    ours, batch = Ours(config, options), made_up(config, size, options.device)
    times = interleaved(ours, theirs, batch, options)
    told: dict[str, Any] = {
        "bench": "train", "model": options.model, "device": options.device, "batch": size, "threads": options.threads,
        "precision": options.precision, "compile": options.compile, "image_size": config.vision_cfg.image_size,
        "seconds": {kind: quartiles(values) for kind, values in times.items()},
        "full_over_contrastive": round(statistics.median(times["full"]) / statistics.median(times["contrastive"]), 2),
    }
    if missing:
        told["open_clip"] = {"skipped": missing}
    else:
        pairs = [b / a for a, b in zip(times["contrastive"], times["open_clip"], strict=True)]
        told["times_open_clip"] = quartiles(pairs, 2)
        medians = statistics.median(times["open_clip"]), statistics.median(times["contrastive"])
        told["medians_times_open_clip"] = round(medians[0] / medians[1], 2)
        told["full_over_open_clip"] = round(statistics.median(times["full"]) / medians[0], 2)
    if options.device == "cuda":
        told["rates"] = on_gpu(ours, batch, times)
    if options.dataset:
        told["shards"] = from_shards(ours, config, batch, options)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
