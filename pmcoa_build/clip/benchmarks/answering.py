"""Answers by the fusion module: a head on it, tuned together with the whole model.

Torch is imported at the top because the model is a class of it; import this module only where a head is tuned.
"""

from __future__ import annotations

import copy
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from pmcoa_build.clip.benchmarks.recipe import Example, Recipe
from pmcoa_build.clip.benchmarks.store import Say
from pmcoa_build.clip.benchmarks.subject import Subject
from pmcoa_build.clip.images import crop, normalise
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.clip.optim import BETAS, CLIP_NORM, decay_groups, learning_rate
from pmcoa_build.errors import RunFailed

LR = 1e-4
"""Peak learning rate of the model: that of its training. The paper does not give its settings; these are ours."""
HEAD_TIMES = 10
"""How much faster the new head learns."""
WEIGHT_DECAY = 0.01
WARMUP = 0.1
"""Share of the steps."""
_TEXTS_AT_ONCE = 64
"""Where nothing is trained."""
_SAID = 500
_THREADS = 8
_AHEAD = 2
_KEPT_IMAGES = 4096


class Answerer(nn.Module):
    """A PMC-CLIP and a head on [CLS] after fusion, joined with the image vector: M3AE's head, `outputs` wide.

    Both are brought to the same scale: a unit vector of 768 numbers would be lost beside the states of a transformer.
    """

    def __init__(self, model: PMCCLIP, outputs: int) -> None:
        super().__init__()
        self.model = model
        width = 2 * model.config.text_cfg.width
        self.head = nn.Sequential(nn.Linear(width, width), nn.LayerNorm(width), nn.GELU(), nn.Linear(width, outputs))
        for layer in self.head:
            if isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)

    def forward(self, images: Tensor, ids: Tensor) -> Tensor:
        """Logits (B, C * outputs) of images (B, 3, S, S) with C texts each, ids (B, C, T)."""
        image = self.model.encode_image(images).repeat_interleave(ids.shape[1], 0)
        hidden = self.model.text_encoder(input_ids=ids.flatten(0, 1)).last_hidden_state
        fused = self.model.fuse(hidden, image)[:, 0]
        both = torch.cat([F.layer_norm(fused, fused.shape[-1:]), F.layer_norm(image, image.shape[-1:])], -1)
        out: Tensor = self.head(both)
        return out.view(len(images), -1)


class _Batch(NamedTuple):
    pixels: Tensor
    """uint8 (B, S, S, 3)."""
    ids: Tensor
    """int64 (B, C, T)."""
    targets: Tensor
    """int64 (B)."""


def tune(subject: Subject, outputs: int, train: Sequence[Example], validation: Sequence[Example], recipe: Recipe,
         *, seed: int, say: Say) -> Answerer:
    """Tune a copy of the model with a new head; the epoch that is best on `validation`, the last where that is empty.

    AdamW, linear warm-up over a tenth of the steps, then a cosine to 0; cross-entropy; no augmentation, because
    answers say left and right, above and below. The seed settles the head, the order and dropout. Raises RunFailed for
    an image that cannot be decoded, or where there is one example.
    """
    if len(train) < 2:
        raise RunFailed("One question is too few to train on.")
    with torch.random.fork_rng(devices=[subject.device] if subject.device.type == "cuda" else []):
        torch.manual_seed(seed)
        net = Answerer(copy.deepcopy(subject.net), outputs).to(subject.device)
        optimiser = _optimiser(net)
        read = _reader(subject)
        each = _epoch_steps(len(train), recipe)
        batches = _batches(read, train, _order(len(train), recipe, seed))
        best, kept = -1.0, None
        for epoch in range(recipe.epochs):
            net.train()
            losses = []
            for step, batch in enumerate(islice(batches, each), epoch * each):
                _set_rates(optimiser, step, each * recipe.epochs)
                losses.append(_step(net, optimiser, batch))
                if (step + 1) % _SAID == 0:
                    say(f"  step {step + 1:,} of {each * recipe.epochs:,}: loss {np.mean(losses[-_SAID:]):.3f}")
            line = f"  epoch {epoch + 1} of {recipe.epochs}: loss {np.mean(losses):.3f}"
            if validation:
                accuracy = _accuracy(_guesses(partial(_logits, net.eval()), read, validation), validation)
                line += f", validation {accuracy:.3f}"
                if accuracy > best:
                    best, kept = accuracy, {name: value.cpu().clone() for name, value in net.state_dict().items()}
            say(line)
    if kept is not None:
        net.load_state_dict(kept)
    return net.eval()


def guesses(net: Answerer, subject: Subject, examples: Sequence[Example]) -> list[int]:
    """The output that the network prefers for each example, the first of equals. Raises RunFailed as `tune` does."""
    return _guesses(partial(_logits, net.eval()), _reader(subject), examples)


def most_similar(subject: Subject, examples: Sequence[Example]) -> list[int]:
    """The text of each example whose vector is nearest to the image's, untuned. Raises RunFailed as `tune` does."""

    def similarity(batch: _Batch) -> Tensor:
        image = subject.net.encode_image(normalise(batch.pixels.to(subject.device)))
        text = subject.net.encode_text(batch.ids.flatten(0, 1).to(subject.device))
        return torch.einsum("bd,bcd->bc", image, text.view(*batch.ids.shape[:2], -1))

    return _guesses(similarity, _reader(subject), examples)


def _batches_in(count: int, recipe: Recipe) -> int:
    """Batches of one pass. Those of a small set are smaller: their noise keeps it from being learned by heart."""
    return math.ceil(count / min(recipe.batch_size, max(8, count // 16)))


def _epoch_steps(count: int, recipe: Recipe) -> int:
    once = _batches_in(count, recipe)
    return once * max(1, math.ceil(recipe.steps / recipe.epochs / once))


def _order(count: int, recipe: Recipe, seed: int) -> Iterator[NDArray[np.intp]]:
    draw = np.random.default_rng(seed)
    while True:
        yield from np.array_split(draw.permutation(count), _batches_in(count, recipe))


def _optimiser(net: Answerer) -> Any:
    groups = [{**group, "peak": LR * times} for part, times in ((net.model, 1), (net.head, HEAD_TIMES))
              for group in decay_groups(part.named_parameters(), WEIGHT_DECAY)]
    return torch.optim.AdamW(groups, lr=LR, betas=BETAS)


def _set_rates(optimiser: Any, step: int, steps: int) -> None:
    for group in optimiser.param_groups:
        group["lr"] = learning_rate(step, steps, group["peak"], max(1, round(WARMUP * steps)))


def _step(net: Answerer, optimiser: Any, batch: _Batch) -> float:
    logits = _logits(net, batch)
    loss = F.cross_entropy(logits, batch.targets.to(logits.device))
    torch.autograd.backward(loss)
    nn.utils.clip_grad_norm_(net.parameters(), CLIP_NORM)
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)
    return loss.item()


def _logits(net: Answerer, batch: _Batch) -> Tensor:
    device = net.model.logit_scale.device
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
    with torch.autocast(device.type, torch.bfloat16, enabled=fast):
        out: Tensor = net(normalise(batch.pixels.to(device)), batch.ids.to(device))
    return out.float()


def _guesses(logits: Callable[[_Batch], Tensor], read: _Read, examples: Sequence[Example]) -> list[int]:
    found: list[int] = []
    size = max(1, _TEXTS_AT_ONCE // max((len(example.texts) for example in examples), default=1))
    rows = np.arange(len(examples))
    with torch.inference_mode():
        for batch in _batches(read, examples, (rows[at : at + size] for at in range(0, len(rows), size))):
            values = logits(batch)
            if not values.isfinite().all():
                raise RunFailed("The model gives answers that are not numbers: it cannot be scored.")
            found += values.argmax(-1).tolist()
    return found


def _accuracy(given: Sequence[int], examples: Sequence[Example]) -> float:
    return float(np.mean([guess == example.target for guess, example in zip(given, examples, strict=True)]))


_Read = Callable[[Example], tuple[NDArray[np.uint8], list[list[int]], int]]


def _reader(subject: Subject) -> _Read:
    """Reads one example: pixels, ids, target. Keeps the latest images decoded: one has many questions."""

    @lru_cache(_KEPT_IMAGES)
    def pixels(path: Path) -> NDArray[np.uint8]:
        try:
            return crop(path.read_bytes(), subject.image_size, None)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise RunFailed(f"{path} cannot be decoded ({error}); once it is removed, its questions are left out and "
                            "counted.") from None

    def read(example: Example) -> tuple[NDArray[np.uint8], list[list[int]], int]:
        return pixels(example.image), [subject.tokenizer.encode(text) for text in example.texts], example.target

    return read


def _batches(read: _Read, examples: Sequence[Example], order: Iterable[NDArray[np.intp]]) -> Iterator[_Batch]:
    """Batches of rows of `examples` in that order, the next ones decoded by threads meanwhile."""
    waiting: deque[list[Any]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        order = iter(order)
        while True:
            for rows in islice(order, _AHEAD + 1 - len(waiting)):
                waiting.append([pool.submit(read, examples[row]) for row in rows])
            if not waiting:
                return
            pixels, ids, targets = zip(*(done.result() for done in waiting.popleft()), strict=True)
            yield _Batch(torch.from_numpy(np.stack(pixels)), torch.tensor(ids), torch.tensor(targets))
