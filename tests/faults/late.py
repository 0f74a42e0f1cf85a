"""What the stages import late, imported early: for the process from which doomed children are forked."""

from __future__ import annotations

import importlib

from pmcoa_build.clip.text import without_torchvision
from stages.pipeline import NAMES

for name in ("pyarrow.dataset", "filelock", "torch", "onnxruntime", "jinja2", "stages.__main__"):
    importlib.import_module(name)
for name in NAMES:
    importlib.import_module(f"stages.{name}")
with without_torchvision():
    for name in ("transformers.models.bert.modeling_bert", "pmcoa_build.clip.train", "pmcoa_build.clip.evaluate"):
        importlib.import_module(name)
