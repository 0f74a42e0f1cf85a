"""`detector`: draws figures, trains the panel detector on them, and writes its weights with their card.

Everything lies in one folder: bank/, images/ and labels/ (drawn), run/ (ultralytics' checkpoints), then kinds.onnx with
its card kinds.md, and panels.onnx, panels.pt and panels.md. Interrupted at any point, the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pmcoa_build.errors import UsageError

OUT = "builds/detector"
SETTLING = 640
"""Figures that batch normalisation is settled on."""
LIBRARIES = ("ultralytics", "torch", "numpy", "opencv-python-headless", "matplotlib")


def detector(options: argparse.Namespace) -> int:
    """Train the panel detector on drawn figures; hours on a CPU, minutes on a GPU."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that wait leave the CPU to others; before torch
    from pmcoa_build.figures.training.data import draw_data
    from pmcoa_build.figures.training.fit import fit

    folder, plan = Path(options.out), _plan(options)
    _begin(folder, plan)
    _say(f"Data, checkpoints and weights in {folder}")
    sha256 = draw_data(folder, figures=options.figures, pictures=options.pictures, side=options.side,
                       seed=options.seed, say=_say)
    _say(f"data drawn, SHA-256 {sha256}")
    _train_kinds(folder, plan)
    trained = fit(folder, folder / "run", epochs=options.epochs, side=options.side, seed=options.seed, say=_say)
    _finish(folder, trained, plan, sha256)
    return 0


def _train_kinds(folder: Path, plan: dict[str, Any]) -> None:
    """The network that tells kinds: as many panels as figures, of the same pictures; minutes."""
    from pmcoa_build.figures.kind_training import train

    onnx = folder / "kinds.onnx"
    if onnx.with_suffix(".md").exists():
        return
    found = train(folder / "bank", onnx, panels=plan["figures"], seed=plan["seed"])
    _say("kinds of drawn panels: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items()))


def _finish(folder: Path, trained: Path, plan: dict[str, Any], sha256: str) -> None:
    from pmcoa_build.figures.network import load_network
    from pmcoa_build.figures.training.card import Facts, card_text, drawn_scores
    from pmcoa_build.figures.training.data import GENERATOR
    from pmcoa_build.figures.training.export import export
    from pmcoa_build.figures.training.fit import seconds

    onnx, checkpoint = export(trained, folder, sorted((folder / "images" / "train").glob("*.jpg"))[:SETTLING],
                              plan["side"])
    minutes = sum(seconds(folder / "run")) / 60
    scores = drawn_scores(load_network(str(onnx), 0.01), folder)
    facts = Facts(**plan, generator=GENERATOR, data_sha256=sha256, minutes=minutes, scores=scores)
    card = folder / "panels.md"
    card.write_text(card_text(facts, {name: version(name) for name in LIBRARIES}), "utf-8")
    _say("drawn test figures: " + ", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    _say(f"Weights: {onnx} and {checkpoint}; card: {card}")


def _plan(options: argparse.Namespace) -> dict[str, Any]:
    if min(options.figures, options.pictures, options.epochs) < 1 or options.side < 32 or options.side % 32:
        raise UsageError("detector needs at least one figure, picture and epoch, and a side that 32 divides.")
    return {name: getattr(options, name) for name in ("figures", "pictures", "side", "epochs", "seed")}


def _begin(folder: Path, plan: dict[str, Any]) -> None:
    """Claim the folder for this plan, or go on with the same plan."""
    path = folder / "plan.json"
    begun = path.read_text("utf-8") if path.exists() else ""
    if begun and json.loads(begun) != plan:
        raise UsageError(f"{folder} holds another training ({begun}): give its options, or another folder with --out.")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(plan), "utf-8")


def _say(line: str) -> None:
    print(line, flush=True)


def with_plan(parser: argparse.ArgumentParser) -> None:
    """Where the training lies, and what it is."""
    parser.add_argument("--out", default=OUT, metavar="DIR")
    parser.add_argument("--figures", type=int, default=12_000, help="drawn figures to train on")
    parser.add_argument("--pictures", type=int, default=8_000, help="drawn pictures that the figures are made of")
    parser.add_argument("--side", type=int, default=416, help="longest side of a figure, pixels")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
