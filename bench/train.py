"""Seconds of one training step of the demo model on the CPU: contrastive only, and the full loss.

    python bench/train.py [--steps 20] [--batch 64] [--threads 2]

Prints one line of JSON. Pixels and ids are made up, so that nothing but the model is timed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable


def median_seconds(step: Callable[[], None], count: int) -> float:
    times = []
    for _ in range(count + 3):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times[3:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()

    import torch

    from pmcoa_build.clip import loss, optim
    from pmcoa_build.clip.config import load_config
    from pmcoa_build.clip.data import Batch
    from pmcoa_build.clip.images import normalise
    from pmcoa_build.clip.model import PMCCLIP
    from pmcoa_build.clip.step import backward

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    config = load_config("tiny")
    side, context = config.vision_cfg.image_size, config.text_cfg.context_length
    model = PMCCLIP(config).train()
    optimiser = torch.optim.AdamW(optim.decay_groups(model.named_parameters(), 0.1), 1e-4)
    pixels = torch.randint(0, 256, (options.batch, side, side, 3), dtype=torch.uint8)
    ids = torch.randint(5, config.text_cfg.vocab_size, (options.batch, context))
    labels = torch.where(torch.rand(ids.shape) < 0.15, ids, 0)
    batch = Batch(pixels, ids, labels)

    def contrastive_only() -> None:
        optimiser.zero_grad(set_to_none=True)
        image, text = model.encode_image(normalise(pixels)), model.encode_text(ids)
        torch.autograd.backward(loss.contrastive(image, text, model.logit_scale.exp()))
        optimiser.step()

    def full() -> None:
        optimiser.zero_grad(set_to_none=True)
        backward(model, [batch], torch.device("cpu"), torch.float32, lambda value: value)
        torch.nn.utils.clip_grad_norm_(model.parameters(), optim.CLIP_NORM)
        optimiser.step()

    print(json.dumps({
        "bench": "train", "batch": options.batch, "threads": options.threads, "image_size": side, "context": context,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "contrastive_step_s": round(median_seconds(contrastive_only, options.steps), 4),
        "full_step_s": round(median_seconds(full, options.steps), 4),
    }))


if __name__ == "__main__":
    main()
