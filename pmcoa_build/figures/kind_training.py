"""Draw panels and train the network that says what they show: `train(banks, out)`.

Everything is drawn: figures are laid out from a bank of contents as for the panel detector, their panels cut out
roughly along the true boxes and worn by what happens to pictures on the way to a web page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from itertools import count, islice
from pathlib import Path
from typing import Any

import numpy as np

from pmcoa_build.figures.kinds import DRAWINGS, IMAGES, KINDS, decide
from pmcoa_build.figures.measures import measure
from pmcoa_build.figures.synth.bank import Bank
from pmcoa_build.figures.synth.figure import draw_figure
from pmcoa_build.figures.synth.imagery import Image, Rng, rng_of

GENERATOR = 2
"""Version of how panels are cut and worn here and measured; drawn figures have their own."""

_INSTEAD = {
    "plot": {"plot": 0.35, "diagram": 0.25, "table": 0.2, "render": 0.2},
    "microscopy": {"microscopy": 0.4, "photo": 0.25, "radiology": 0.2, "render": 0.15},
}
"""What the places of plots and micrographs are filled with, so that all kinds are learnt."""
_LEAST = 20
"""Drawn panels with a shorter side (pixels) are passed over."""
_BATCH, _HIDDEN, _NOISE = 128, 64, 0.3
_FAR = 3.0
"""Numbers further from the mean than so many standard deviations are cut back: real panels hold stranger things."""


def _exposed(rng: Rng, rgb: Image) -> Image:
    """Other levels: the brightest of what is not paper becomes white, as in pale blots, and the darkest black."""
    solid = rgb[rgb.min(axis=2) < 250]
    if solid.size < 300:
        return rgb
    low, high = np.quantile(solid, (rng.uniform(0, 0.05), rng.uniform(0.5, 1)))
    stretched: Image = np.clip((rgb - low) * (255 / max(high - low, 30)), 0, 255).astype(np.uint8)
    return stretched


def worn(rng: Rng, rgb: Image, kind: str) -> Image:
    """A panel crop as it might reach us: cut a little off, of other levels and size, softened, noisy, saved as JPEG."""
    import cv2

    height, width = rgb.shape[:2]
    top, bottom, left, right = np.maximum(rng.uniform(-0.02, 0.03, 4), 0)
    rgb = rgb[int(height * top) : height - int(height * bottom), int(width * left) : width - int(width * right)]
    if rng.random() < (0.7 if kind == "blot" else 0.25 if kind in IMAGES else 0):
        rgb = _exposed(rng, rgb)
    if rng.random() < 0.7:
        scale = min(float(np.exp(rng.uniform(np.log(0.5), np.log(1.8)))), 1000 / max(rgb.shape[:2]))
        size = (max(round(rgb.shape[1] * scale), 24), max(round(rgb.shape[0] * scale), 24))
        larger = cv2.INTER_CUBIC if rng.random() < 0.6 else cv2.INTER_LINEAR
        rgb = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else larger)
    if rng.random() < 0.2:
        rgb = cv2.GaussianBlur(rgb, (0, 0), rng.uniform(0.4, 1.3))
    if rng.random() < 0.15:
        rgb = np.clip(rgb + rng.normal(0, rng.uniform(1, 7), rgb.shape), 0, 255).astype(np.uint8)
    if rng.random() < 0.85:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 97))]
        data = cv2.imencode(".jpg", np.ascontiguousarray(rgb), quality)[1]
        rgb = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return rgb


@dataclass(frozen=True)
class _Rarer:
    """A bank that gives other kinds in place of the two that papers print most, the same for all of a figure."""

    bank: Bank
    instead: dict[str, str]

    def take(self, rng: Rng, kind: str | None, aspect: float, *, whole: bool = False) -> tuple[Image, str]:
        return self.bank.take(rng, self.instead.get(kind or "", kind), aspect, whole=whole)


def draw_panels(bank: Bank, seed: int) -> Iterator[tuple[Image, str]]:
    """Worn panel crops (uint8, H x W x 3) of drawn figures with their kinds, without end."""
    for figure in count():
        rng = rng_of(seed, "kinds", figure)
        instead = {kind: str(rng.choice(list(rest), p=list(rest.values()))) for kind, rest in _INSTEAD.items()}
        drawn = draw_figure(rng, _Rarer(bank, instead))
        for panel in drawn.panels:
            x0, y0, x1, y1 = panel.box
            if min(x1 - x0, y1 - y0) >= _LEAST:
                yield worn(rng, drawn.image[y0:y1, x0:x1], panel.kind), panel.kind


def draw_numbers(bank: Bank, panels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(numbers float32 (panels, n), kinds int64 (panels,)) of so many drawn panels."""
    found = [(measure(rgb), KINDS.index(kind)) for rgb, kind in islice(draw_panels(bank, seed), panels)]
    return np.stack([numbers for numbers, _ in found]), np.array([kind for _, kind in found], np.int64)


def _weights(kinds: np.ndarray) -> np.ndarray:
    """How often each row is drawn: both sides equally often, and so the kinds of a side."""
    numbers = np.bincount(kinds, minlength=len(KINDS))
    weights = np.zeros(len(KINDS))
    for side in (slice(0, len(IMAGES)), slice(len(IMAGES), None)):
        weights[side] = 1 / np.maximum(numbers[side], 1) / max(int((numbers[side] > 0).sum()), 1)
    return np.asarray(weights[kinds])


def fit(numbers: np.ndarray, kinds: np.ndarray, *, epochs: int, seed: int) -> Any:
    """The trained network: a torch module from numbers (n, count) to probabilities (n, 8)."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    mean, spread = torch.from_numpy(numbers.mean(0)), torch.from_numpy(numbers.std(0) + 1e-3)
    scaled = ((torch.from_numpy(numbers) - mean) / spread).clamp(-_FAR, _FAR)
    head = nn.Sequential(nn.Linear(numbers.shape[1], _HIDDEN), nn.ReLU(), nn.Dropout(0.3),
                         nn.Linear(_HIDDEN, len(KINDS)))
    weights, target, count = torch.from_numpy(_weights(kinds)), torch.from_numpy(kinds), len(kinds)
    optimizer = torch.optim.AdamW(head.parameters(), lr=4e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=epochs * -(-count // _BATCH))
    for _ in range(epochs):
        for rows in torch.multinomial(weights, count, True).split(_BATCH):  # type: ignore[no-untyped-call]
            logits = head(scaled[rows] + _NOISE * torch.randn(len(rows), scaled.shape[1]))
            loss = nn.functional.cross_entropy(logits, target[rows], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
    return _whole(head, mean, spread).eval()


def _whole(head: Any, mean: Any, spread: Any) -> Any:
    """The head between scaling and softmax."""
    import torch

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head, self.mean, self.spread = head, torch.nn.Buffer(mean), torch.nn.Buffer(spread)

        def forward(self, numbers: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.head(((numbers - self.mean) / self.spread).clamp(-_FAR, _FAR))
            return logits.softmax(1)

    return Whole()


def train(banks: Path, out: Path, *, panels: int = 5600, epochs: int = 20, seed: int = 0) -> dict[str, float]:
    """Draw `panels` panels from the bank `banks`/train, train, write the ONNX file `out` and its card beside it.

    Returns scores on an eighth as many panels from the bank `banks`/test. Same seed, banks and library versions give
    the same weights. Minutes on one CPU core, nearly all of it drawing.
    """
    import torch

    model = fit(*draw_numbers(Bank(banks / "train"), panels, seed), epochs=epochs, seed=seed)
    numbers, kinds = draw_numbers(Bank(banks / "test"), max(panels // 8, 1), seed + 1)
    with torch.no_grad():
        answers = decide(model(torch.from_numpy(numbers)).numpy())
    torch.onnx.export(model, (torch.zeros(1, numbers.shape[1]),), str(out), input_names=["numbers"],
                      output_names=["chances"], dynamic_axes={"numbers": {0: "n"}, "chances": {0: "n"}}, dynamo=False)
    found = scores([kind for kind, _ in answers], [KINDS[kind] for kind in kinds])
    out.with_suffix(".md").write_text(_card(numbers.shape[1], panels, epochs, seed, found), "utf-8")
    return found


def _card(numbers: int, panels: int, epochs: int, seed: int, found: dict[str, float]) -> str:
    """The card of the weights, as Markdown."""
    rows = {
        "task": f"{numbers} numbers of a panel crop (`figures/measures.py`) → probabilities of {', '.join(KINDS)}",
        "network": f"numbers scaled to mean and spread, cut at {_FAR:.0f} deviations; one hidden layer of {_HIDDEN}",
        "data": f"{panels:,} panels of figures drawn by `figures/kind_training.py`, generator {GENERATOR}, seed "
                f"{seed}, from the panel detector's bank of drawn contents; no picture of a paper",
        "training": f"AdamW, one-cycle, {epochs} epochs, batch {_BATCH}, noise {_NOISE}, both sides and the kinds of a "
                    f"side equally often; torch {version('torch')}",
        "drawn panels, fresh ones": f"mean recall of sides {found['sides']:.3f}, of kinds {found['kinds']:.3f}",
        "real panels": "see `bench/kinds.py`",
        "limits": "what the generator does not draw; the caption's words (`captions/cues.py`) come on top",
        "licence": "AGPL-3.0-or-later, as the project",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return ("# kinds: tells what a panel shows\n\n| | |\n|---|---|\n" + "\n".join(lines)
            + "\n\nMade by `make detector`.\n")


def scores(answers: list[str], truth: list[str]) -> dict[str, float]:
    """`sides`: mean recall of images and of drawings; `kinds`: mean recall of the kinds that there are."""
    def recall(wanted: tuple[str, ...], right: Callable[[str, str], bool]) -> float:
        return float(np.mean([right(a, t) for a, t in zip(answers, truth, strict=True) if t in wanted]))

    kinds = [kind for kind in KINDS if kind in truth]
    sides = [side for side in (IMAGES, DRAWINGS) if set(side) & set(truth)]
    return {"sides": float(np.mean([recall(side, lambda a, t: (a in IMAGES) == (t in IMAGES)) for side in sides])),
            "kinds": float(np.mean([recall((kind,), lambda a, t: a == t) for kind in kinds]))}
