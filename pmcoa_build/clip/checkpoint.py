"""Checkpoints and exported models, each file whole or not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pmcoa_build.atomic import TEMP, atomic, write_atomic
from pmcoa_build.errors import DiskFull, RunFailed, UsageError

LAST, BEST, ABANDONED = "last.pt", "best.pt", "abandoned.pt"
WEIGHTS, CONFIG = "model.safetensors", "config.json"


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint: tensors and plain values only, so that it loads with `weights_only=True`.

    Raises DiskFull where there is no room; the earlier checkpoint is kept.
    """
    import torch

    with atomic(path) as temporary:
        try:
            torch.save(content, temporary)
        except RuntimeError as error:  # how torch reports a full disk
            why = str(error).splitlines()[0]
            raise DiskFull(f"{path} cannot be written ({why}); the earlier one is kept.") from None


def load(path: Path) -> dict[str, Any] | None:
    """The checkpoint, on the CPU; None where there is none. Raises RunFailed for a damaged one."""
    import torch

    if not path.exists():
        return None
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a damaged file
        sentence = f"The checkpoint {path} is damaged ({str(error).splitlines()[0]}); remove it to begin anew."
        raise RunFailed(sentence) from None
    return content


def clear_temporary(folder: Path) -> None:
    """Remove what killed writes left behind."""
    for leftover in folder.rglob(f"*{TEMP}"):
        leftover.unlink(missing_ok=True)


def export(folder: Path, model: Any, about: dict[str, Any]) -> str:
    """Write `model.safetensors` and `config.json` (`about`) into `folder`; returns the sha256 of the weights."""
    from safetensors.torch import save as to_bytes

    data = to_bytes({name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()})
    digest = hashlib.sha256(data).hexdigest()
    write_atomic(folder / WEIGHTS, data)
    text = json.dumps({**about, "weights_sha256": digest}, indent=2, sort_keys=True) + "\n"
    write_atomic(folder / CONFIG, text.encode())
    return digest


def load_exported(folder: Path) -> tuple[Any, dict[str, Any]]:
    """The model of an exported folder, in evaluation mode and on the GPU if there is one, and its `config.json`.

    Raises UsageError for a folder without a model, or whose weights do not match their checksum.
    """
    import torch
    from safetensors.torch import load as from_bytes

    from pmcoa_build.clip.config import from_dict
    from pmcoa_build.clip.model import PMCCLIP

    try:
        about: dict[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
        data = (folder / WEIGHTS).read_bytes()
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} holds no exported model: {error}") from None
    if hashlib.sha256(data).hexdigest() != about.get("weights_sha256"):
        raise UsageError(f"The weights in {folder} do not match the checksum in {CONFIG}.")
    model = PMCCLIP(from_dict(about["model"]))
    model.load_state_dict(from_bytes(data))
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), about


def lines_until(path: Path, step: int) -> Iterator[str]:
    """The lines of a metrics file whose `step` is at most `step`; a torn last line is dropped."""
    if not path.exists():
        return
    for line in path.read_text("utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                yield line
        except (ValueError, KeyError, TypeError):
            continue
