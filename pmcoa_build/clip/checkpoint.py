"""Checkpoints and exported models, each file whole or not there."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pmcoa_build.atomic import TEMP, atomic
from pmcoa_build.errors import DiskFull, RunFailed, UsageError

LAST, BEST, ABANDONED = "last.pt", "best.pt", "abandoned.pt"
KEPT = 3
"""Step files that are kept; the newest is the same file as `last.pt`."""
WEIGHTS, CONFIG = "model.safetensors", "config.json"

logger = logging.getLogger(__name__)


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


def save_step(folder: Path, content: dict[str, Any]) -> None:
    """Write `step-<content["step"]>.pt`, make `last.pt` the same file, and keep the newest `KEPT` of them.

    Raises DiskFull as `save`.
    """
    path = folder / f"step-{content['step']:08d}.pt"
    save(path, content)
    with atomic(folder / LAST) as temporary:
        _same_file(path, temporary)
    for old in _steps(folder)[KEPT:]:
        old.unlink()


def _same_file(path: Path, other: Path) -> None:
    other.unlink(missing_ok=True)  # it may be another name of an older file, which a copy would write over
    try:
        other.hardlink_to(path)
    except OSError:  # a file system without links
        shutil.copyfile(path, other)


def _steps(folder: Path) -> list[Path]:
    """Newest first."""
    return sorted(folder.glob("step-*.pt"), reverse=True)


def newest(folder: Path, run_id: str) -> tuple[Path, dict[str, Any]] | None:
    """The newest whole checkpoint of that run, and its content; None where there is none.

    A damaged one is passed over with a warning; where nothing else is left, RunFailed names it.
    """
    damaged = []
    for path in [folder / LAST, *_steps(folder)]:
        try:
            content = load(path)
        except RunFailed as error:
            damaged.append(str(error).removesuffix("."))
            continue
        if content is None or content.get("run_id") != run_id:
            continue
        if damaged:
            logger.warning("%s; training goes on from %s.", damaged[0], path.name)
        return path, content
    if damaged:
        raise RunFailed(f"{damaged[0]}; remove it to begin anew.")
    return None


def load(path: Path) -> dict[str, Any] | None:
    """The checkpoint, on the CPU; None where there is none. Raises RunFailed for a damaged one."""
    import torch

    if not path.exists():
        return None
    try:
        with zipfile.ZipFile(path) as parts:  # torch itself does not look at the checksums
            broken = parts.testzip()
        if broken:
            raise ValueError(f"{broken} has another checksum")
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):
        raise  # not the file's fault
    except Exception as error:  # torch raises many kinds for a damaged file
        if "allocate memory" in str(error):
            raise
        raise RunFailed(f"The checkpoint {path} is damaged ({str(error).splitlines()[0]}).") from None
    return content


def begin_anew(folder: Path) -> None:
    """Remove the step files of another training, which would otherwise pass for older ones of this."""
    for path in _steps(folder):
        path.unlink()


def clear_temporary(folder: Path) -> None:
    """Remove what killed writes left behind."""
    for leftover in folder.rglob(f"*{TEMP}"):
        leftover.unlink(missing_ok=True)


def export(folder: Path, model: Any, about: dict[str, Any], *, name: str = "",
           scores: Sequence[dict[str, Any]] = ()) -> str:
    """Write a model as a folder for hubs; returns the sha256 of `model.safetensors`, all weights by the released names.

    `about`: plain values for `config.json` and the card, `model` (the configuration) among them; `text_model` names the
    tokenizer that goes with it. The contrastive towers are there for open_clip too (`hub.write_open_clip`).
    They are found as `name`, its repository on the Hub, or by its present path. `scores`: rows of `schema.EVALUATE` for
    the card. `config.json` comes last: without it there is no model. Raises UsageError where the tokenizer cannot be
    had, and DiskFull.
    """
    from pmcoa_build.clip import hub

    hub.write_weights(folder / WEIGHTS, model.state_dict())
    digest = _sha256(folder / WEIGHTS)
    hub.write_tokenizer(folder, about.get("text_model", model.config.text_cfg.bert_model_name))
    hub.write_open_clip(folder, model, name or str(folder.resolve()))
    about = {**hub.portable(about), "weights_sha256": digest}
    hub.write_card(folder, about, scores)
    hub.write_json(folder / CONFIG, {**hub.bert_config(model.config), **about})
    return digest


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_exported(folder: Path) -> bool:
    """Whether `export` has written into this folder."""
    try:
        return "weights_sha256" in json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError):
        return False


def load_exported(folder: Path) -> tuple[Any, dict[str, Any]]:
    """The model of an exported folder, in evaluation mode and on the GPU if there is one, and its `config.json`.

    `text_model` names the folder itself, where its tokenizer is, unless it is the bundled one. Raises UsageError for a
    folder without a model, whose weights do not match their checksum, or do not fit the configuration.
    """
    import torch
    from safetensors.torch import load_file

    from pmcoa_build.clip import hub
    from pmcoa_build.clip.config import from_dict
    from pmcoa_build.clip.model import PMCCLIP
    from pmcoa_build.clip.tokenizer import BUNDLED

    try:
        about: dict[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
        digest = _sha256(folder / WEIGHTS)
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} holds no exported model: {error}") from None
    if not isinstance(about, dict) or "model" not in about:
        raise UsageError(f"{folder} holds no exported model: {CONFIG} is another program's.")
    if digest != about.get("weights_sha256"):
        raise UsageError(f"The weights in {folder} do not match the checksum in {CONFIG}.")
    model = PMCCLIP(from_dict(about["model"]))
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except RuntimeError as error:
        sentence = str(error).splitlines()[-1].strip()
        raise UsageError(f"The weights in {folder} do not fit {CONFIG}: {sentence}") from None
    if about.get("text_model", BUNDLED) != BUNDLED and (folder / hub.TOKENIZER).exists():
        about["text_model"] = str(folder)
    return model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), about
