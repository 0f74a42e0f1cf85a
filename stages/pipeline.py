"""The stages in their order."""

from __future__ import annotations

import importlib

from pmcoa_build.engine.stage import Step

NAMES = (
    "snapshot", "articles", "figures", "screen", "media", "panels", "align", "hashes", "dedupe", "shards", "publish",
    "train", "evaluate",
)

BEFORE = {"dedupe": "hashes"}
"""Stages that run whenever the one after them is asked for: two halves of one step."""


def pipeline() -> list[Step]:
    """All steps, in the order in which they run."""
    return [importlib.import_module(f"stages.{name}").STEP for name in NAMES]
