"""The stages in their order."""

from __future__ import annotations

import importlib

from pmcoa_build.engine.stage import Step

NAMES = (
    "snapshot", "articles", "figures", "screen", "media", "panels", "align", "hashes", "dedupe", "shards", "publish",
    "train", "evaluate",
)


def pipeline() -> list[Step]:
    """All steps, in the order in which they run."""
    return [importlib.import_module(f"stages.{name}").STEP for name in NAMES]
