from __future__ import annotations

import sys
import types
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pmcoa_build.clip.checkpoint import export
from pmcoa_build.clip.config import load_config
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.clip.tokenizer import BUNDLED, load_tokenizer
from pmcoa_build.errors import UsageError
from pmcoa_build.figures import zero_shot
from pmcoa_build.figures.detector import Separation
from stages.similarity import load_similarity
from tests.stages.conftest import SmallBuild, StubDetector

CROPS = [np.full((30, 40, 3), grey, np.uint8) for grey in (0, 120, 250)]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    config = load_config("tiny").with_image_size(64)
    model = PMCCLIP(config.with_text(vocab_size=load_tokenizer(BUNDLED, config.text_cfg.context_length).size)).eval()
    export(folder, model, {"model": model.config.as_dict(), "text_model": BUNDLED, "image_size": 64})
    return folder


def test_a_model_of_this_pipeline(exported: Path) -> None:
    shares = load_similarity(str(exported))(CROPS, ["a heart", "a lung"])
    assert np.shape(shares) == (3, 2)
    assert np.allclose(np.sum(shares, axis=1), 1)
    assert shares == load_similarity(str(exported))(CROPS, ["a heart", "a lung"])


def test_a_model_of_open_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    class StandIn(torch.nn.Module):
        """The darkest third of grey levels looks like the first text, the next like the second …"""

        logit_scale = torch.tensor(3.0)

        def encode_image(self, pixels: torch.Tensor, normalize: bool) -> torch.Tensor:
            return torch.eye(3)[(pixels.mean((1, 2, 3)) / 100).long()]

        def encode_text(self, tokens: torch.Tensor, normalize: bool) -> torch.Tensor:
            return torch.eye(3)[tokens]

    module = types.ModuleType("open_clip")
    module.create_model_from_pretrained = lambda *_, **__: (  # type: ignore[attr-defined]
        StandIn(), lambda image: torch.from_numpy(np.array(image)).float())
    module.get_tokenizer = lambda name: lambda texts: torch.arange(len(texts))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "open_clip", module)
    monkeypatch.setattr(zero_shot, "mend_torchvision", lambda: False)
    assert np.argmax(load_similarity("ViT-X/some")(CROPS, ["a", "b", "c"]), axis=1).tolist() == [0, 1, 2]


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        load_similarity(str(tmp_path))


class LettersLost(StubDetector):
    """Three panels without letters where the caption names two."""

    def detect(self, rgb: Any, *, labels: Sequence[str] = (), cues: object = None) -> Separation:
        found = super().detect(rgb, labels=("A", "B", "C") if labels else ())
        return Separation([replace(panel, label=None, label_score=None) for panel in found.panels], found.candidates)


@pytest.mark.parametrize("where", ["sync", "threads:2"])
def test_a_build_looks_where_letters_are_missing(
    small: SmallBuild, exported: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    seen: list[tuple[int, list[str]]] = []

    def stand_in(name: str) -> Any:
        assert name == str(exported)

        def shares(crops: Sequence[np.ndarray], texts: Sequence[str]) -> list[list[float]]:
            seen.append((len(crops), list(texts)))
            return [[0.05, 0.95], [0.5, 0.5], [0.95, 0.05]]

        return shares

    monkeypatch.setattr("stages.panels.Detector", LettersLost)
    monkeypatch.setattr("stages.align.load_similarity", stand_in)
    assert small.run("snapshot", "articles", "figures", "screen", "media", "panels", "align") == 0

    def labels() -> list[str | None]:
        rows = small.open().table("align").to_pylist()
        return [row["label"] for row in rows if row["panel_id"].startswith("PMC2000001.1/g1")]

    assert labels() == [None, None, None] and not seen
    assert small.run("align", "--set", f"align.clip={exported}", "--on", where) == 0
    assert seen and seen[0] == (3, ["Axial CT before.", "CT after."])
    assert labels() == ["B", "B", "A"]  # the middle one, left over, goes with its neighbour
    count = len(seen)
    assert small.run("align", "--set", f"align.clip={exported}", "--on", where) == 0
    assert len(seen) == count  # nothing to do
