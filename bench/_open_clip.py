"""open_clip's own training code on towers of a PMC-CLIP configuration: what `bench/train.py` measures beside ours."""

from __future__ import annotations

import logging
import tempfile
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import Any

import torch

from pmcoa_build.clip import optim
from pmcoa_build.clip.config import ClipConfig
from pmcoa_build.clip.text import build_bert
from pmcoa_build.figures.yolo import mend_torchvision

NEEDED = "pip install open_clip_torch==3.3.0"


def why_not() -> str:
    """Why open_clip cannot be used here; empty where it can."""
    try:
        mend_torchvision()
        import open_clip
        import open_clip_train.train  # noqa: F401
    except (ImportError, RuntimeError) as error:
        return f"{NEEDED} first ({error})"
    return "" if int(open_clip.__version__.split(".")[0]) >= 3 else f"{NEEDED} first (found {open_clip.__version__})"


def towers(config: ClipConfig) -> Any:
    """open_clip's model of the same towers: its ModifiedResNet, and its HFTextEncoder over the same BERT with [CLS] and
    a linear projection.
    """
    from open_clip.model import CustomTextCLIP

    vision, text = config.vision_cfg, config.text_cfg
    with tempfile.TemporaryDirectory() as folder:
        build_bert(text).config.save_pretrained(folder)
        return CustomTextCLIP(
            config.embed_dim,
            {"layers": list(vision.layers), "width": vision.width, "head_width": vision.head_width,
             "image_size": vision.image_size},
            {"hf_model_name": folder, "hf_model_pretrained": False, "hf_proj_type": "linear",
             "hf_pooler_type": "cls_last_hidden_state_pooler", "context_length": text.context_length},
            output_dict=True,
        )


class Loader:
    """What `train_one_epoch` reads: as many `batches` of (images, texts) as `number` says."""

    def __init__(self, stream: Callable[[], Iterator[Any]], number: int, batch: int) -> None:
        self.stream, self.num_batches, self.num_samples = stream, number, number * batch
        self.dataloader = self

    def __iter__(self) -> Iterator[Any]:
        return self.stream()

    def set_epoch(self, _epoch: int) -> None:
        """Nothing is shuffled."""


def train(model: Any, stream: Callable[[], Iterator[Any]], steps: int, batch: int, options: Namespace) -> None:
    """Run open_clip's `train_one_epoch` on `steps` batches of `batch` pairs, set up as its `main` does for one process.

    `options`: `device`, `precision`, `compile`, as of `bench/train.py`. Optimiser, groups, schedule and step are
    open_clip's; peak rate, decay and gradient clipping are those of ours.
    """
    from open_clip.loss import ClipLoss
    from open_clip_train.scheduler import cosine_lr
    from open_clip_train.train import train_one_epoch

    def excluded(name: str, parameter: torch.Tensor) -> bool:
        return parameter.ndim < 2 or any(part in name for part in ("bn", "ln", "bias", "logit_scale"))

    logging.getLogger().setLevel(logging.ERROR)
    named = list(model.named_parameters())
    optimiser = torch.optim.AdamW(
        [{"params": [p for n, p in named if excluded(n, p)], "weight_decay": 0.0},
         {"params": [p for n, p in named if not excluded(n, p)], "weight_decay": 0.1}],
        lr=1e-4, betas=optim.BETAS, eps=optim.EPS,
    )
    arguments = Namespace(
        device=options.device, precision="amp_bf16" if options.precision == "bf16" else "fp32", distill=False,
        accum_freq=1, skip_scheduler=False, horovod=False, grad_clip_norm=optim.CLIP_NORM, log_every_n_steps=steps + 1,
        rank=0, local_rank=0, world_size=1, batch_size=batch, wandb=False,
    )
    train_one_epoch(torch.compile(model) if options.compile else model, {"train": Loader(stream, steps, batch)},
                    ClipLoss(cache_labels=True), 0, optimiser, None, cosine_lr(optimiser, 1e-4, 50, steps), None,
                    arguments)
