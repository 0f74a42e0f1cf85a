"""Build PMC-OA from PubMed Central's Cloud Service and train PMC-CLIP on it.

Public names, loaded when first used: Build, parse_article, split_caption, Detector, pair, PMCCLIP.
"""

from __future__ import annotations

import importlib
from typing import Any

_PUBLIC = {
    "Build": "pmcoa_build.build",
    "parse_article": "pmcoa_build.pmc.jats",
    "split_caption": "pmcoa_build.captions.split",
    "Detector": "pmcoa_build.figures.detector",
    "pair": "pmcoa_build.captions.align",
    "PMCCLIP": "pmcoa_build.clip.model",
}
__all__ = ["PMCCLIP", "Build", "Detector", "pair", "parse_article", "split_caption"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return __all__
