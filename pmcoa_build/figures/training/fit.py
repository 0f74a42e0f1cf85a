"""Fitting YOLO to drawn figures, by ultralytics: rectangular batches, on a GPU where torch sees one, else the CPU."""

from __future__ import annotations

import csv
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pmcoa_build.figures.yolo import mend_torchvision

MODEL = "yolo11n.yaml"
"""The smallest of the family, from random weights."""
BATCH = 16
_SECONDS = "seconds.txt"
SETTINGS: dict[str, Any] = {
    # many small steps: from random weights, in few epochs, they count for more than large batches
    "optimizer": "AdamW", "lr0": 0.002, "momentum": 0.9, "warmup_epochs": 1.0, "warmup_bias_lr": 0.0, "cos_lr": True,
    "nbs": BATCH,
    # a page has an upper left corner, where the letters stand: no flips, no mosaic
    "mosaic": 0.0, "close_mosaic": 0, "fliplr": 0.0, "flipud": 0.0, "scale": 0.1, "translate": 0.03,
    "hsv_h": 0.03, "hsv_s": 0.5, "hsv_v": 0.25,
}


def fit(data: Path, folder: Path, *, epochs: int, side: int, seed: int, say: Callable[[str], None] = print) -> Path:
    """Train on the data set `data` (data.yaml) and return its last weights, `folder`/weights/last.pt.

    A line an epoch goes to `say`. An interrupted training goes on at its last whole epoch when called again.
    """
    last = folder / "weights" / "last.pt"
    if len(seconds(folder)) >= epochs:
        return last
    import torch

    mend_torchvision()
    from ultralytics.utils import torch_utils

    torch_utils.NUM_THREADS = cores()
    gpu = torch.cuda.is_available()
    arguments = {
        **SETTINGS, "task": "detect", "model": MODEL, "data": str(data / "data.yaml"), "epochs": epochs, "imgsz": side,
        "batch": BATCH, "seed": seed, "amp": "bf16" if gpu and bf16() else False, "rect": True, "pretrained": False,
        "project": str(folder.parent.resolve()), "name": folder.name, "exist_ok": True, "patience": 0, "plots": False,
        "verbose": False, "device": "0" if gpu else "cpu", "resume": str(last) if last.exists() else False,
    }
    trainer = _trainer_class()(overrides=arguments)
    trainer.add_callback("on_model_save", _reporter(folder, say))
    trainer.train()
    return last


def _reporter(folder: Path, say: Callable[[str], None]) -> Callable[[Any], None]:
    """What is called when an epoch's weights are saved."""
    clock = [time.monotonic()]

    def report(trainer: Any) -> None:
        clock.append(time.monotonic())
        with (folder / _SECONDS).open("a", encoding="ascii") as file:
            file.write(f"{clock[-1] - clock[-2]:.1f}\n")
        say(epoch_line(folder / "results.csv", trainer.epochs))

    return report


def seconds(folder: Path) -> list[float]:
    """What each epoch done so far took, over all interruptions."""
    path = folder / _SECONDS
    return [float(line) for line in path.read_text("ascii").split()] if path.exists() else []


def cores() -> int:
    """CPU cores that this process may use; ultralytics would leave one idle."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def bf16() -> bool:
    """Whether the GPU, or without one the CPU, computes in bfloat16: about twice as fast."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))


def epoch_line(results: Path, epochs: int) -> str:
    """What ultralytics wrote about the last epoch, in one line."""
    with results.open(newline="", encoding="utf-8") as file:
        row = {key.strip(): value.strip() for key, value in list(csv.DictReader(file))[-1].items()}
    losses = ", ".join(f"{key.removeprefix('train/').removesuffix('_loss')} {float(value):.3f}"
                       for key, value in row.items() if key.startswith("train/"))
    found = ", ".join(f"{name} {float(row[f'metrics/{name}(B)']):.3f}" for name in ("mAP50", "mAP50-95"))
    return (f"epoch {row['epoch']} of {epochs}, {float(row['time']) / 60:.1f} min; losses: {losses}; "
            f"drawn figures, not yet settled: {found}")


class ShapedBatches:
    """Indices 0 to count - 1 in whole batches of neighbours, the batches in a new order at each pass.

    Ultralytics sorts figures by shape for rectangular batches, and would show them in that order at every epoch. The
    seed and the number of `passes` before decide the order.
    """

    def __init__(self, count: int, batch: int, seed: int) -> None:
        self.count, self.batch, self.seed, self.passes = count, batch, seed, 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        whole = self.count // self.batch
        order = np.random.default_rng([self.seed, self.passes]).permutation(whole).tolist()
        self.passes += 1
        for block in order:
            yield from range(block * self.batch, (block + 1) * self.batch)
        yield from range(whole * self.batch, self.count)


def _trainer_class() -> Any:
    import torch
    from ultralytics.data.build import InfiniteDataLoader, seed_worker
    from ultralytics.models.yolo.detect import DetectionTrainer

    class PanelTrainer(DetectionTrainer):  # type: ignore[misc]
        """Ultralytics' trainer with rectangular batches in random order, and the fast ways of a CPU."""

        def get_dataloader(self, dataset_path: str, batch_size: int = BATCH, rank: int = 0, mode: str = "train") -> Any:
            """The loader of one split."""
            if mode != "train":
                return super().get_dataloader(dataset_path, batch_size, rank, mode)
            dataset = self.build_dataset(dataset_path, mode, batch_size)
            return InfiniteDataLoader(
                dataset=dataset, batch_size=batch_size, num_workers=self.args.workers, collate_fn=dataset.collate_fn,
                sampler=ShapedBatches(len(dataset), batch_size, self.args.seed),
                worker_init_fn=seed_worker, pin_memory=self.device.type == "cuda")

        def _setup_train(self) -> None:
            super()._setup_train()
            self.train_loader.sampler.passes = self.start_epoch  # as if it had not been interrupted

        def get_model(self, *args: Any, **kwargs: Any) -> Any:
            """The network, laid out for a CPU's convolutions where it trains on one."""
            model = super().get_model(*args, **kwargs)
            return model.to(memory_format=torch.channels_last) if self.device.type == "cpu" else model

        def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
            """The batch on the device. Called within ultralytics' autocast, which allows bfloat16 on GPUs only."""
            batch = super().preprocess_batch(batch)
            if self.device.type == "cpu":
                batch["img"] = batch["img"].contiguous(memory_format=torch.channels_last)
                torch.set_autocast_dtype("cpu", torch.bfloat16)
                torch.set_autocast_enabled("cpu", bf16())
            return batch

    return PanelTrainer
