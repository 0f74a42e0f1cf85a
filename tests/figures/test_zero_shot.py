"""Kinds by an open_clip model, with a stand-in that plays the interface of open_clip."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pmcoa_build.errors import UsageError
from pmcoa_build.figures import zero_shot
from pmcoa_build.figures.kinds import KINDS, decide, load_kinds
from pmcoa_build.figures.zero_shot import PROMPTS, load_zero_shot, seal_of


class StandIn(torch.nn.Module):
    """Pictures and sentences in a space of one axis a kind: a picture's grey level names its kind."""

    def __init__(self) -> None:
        super().__init__()
        self.logit_scale = torch.nn.Parameter(torch.tensor(3.0))

    def encode_image(self, pixels: torch.Tensor, normalize: bool) -> torch.Tensor:
        assert normalize
        return torch.eye(len(KINDS))[pixels.mean((1, 2, 3)).round().long()]

    def encode_text(self, tokens: torch.Tensor, normalize: bool) -> torch.Tensor:
        assert normalize
        return torch.eye(len(KINDS))[tokens]


def tokenizer(texts: list[str]) -> torch.Tensor:
    return torch.tensor([next(n for n, kind in enumerate(KINDS) if text in PROMPTS[kind]) for text in texts])


@pytest.fixture(autouse=True)
def torchvision_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zero_shot, "mend_torchvision", lambda: False)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """What the stand-in for open_clip was asked to load."""
    names: list[tuple[str, str | None]] = []

    def create(name: str, pretrained: str | None = None) -> tuple[Any, Any]:
        if "nothing" in name:
            raise RuntimeError("no such model")
        names.append((name, pretrained))
        return StandIn(), lambda image: torch.from_numpy(np.array(image.resize((4, 4)))).permute(2, 0, 1).float()

    module = types.ModuleType("open_clip")
    module.create_model_from_pretrained = create  # type: ignore[attr-defined]
    module.get_tokenizer = lambda name: tokenizer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "open_clip", module)
    return names


def test_every_crop_gets_the_kind_its_picture_is_nearest_to(asked: list[tuple[str, str | None]]) -> None:
    crops = [np.full((5 + n, 7, 3), n % len(KINDS), np.uint8) for n in range(40)]
    answers = decide(load_kinds("hf-hub:someone/model")(crops))
    assert [kind for kind, _ in answers] == [KINDS[n % len(KINDS)] for n in range(40)]
    assert all(0.5 < chance <= 1 for _, chance in answers)


def test_no_crops(asked: list[tuple[str, str | None]]) -> None:
    assert load_zero_shot("hf-hub:someone/model")([]).shape == (0, len(KINDS))


@pytest.mark.parametrize("name, expected", [
    ("hf-hub:someone/model", ("hf-hub:someone/model", None)), ("ViT-B-32/openai", ("ViT-B-32", "openai")),
    ("ViT-B-32", ("ViT-B-32", None)),
])
def test_names_are_those_of_open_clip(asked: list[tuple[str, str | None]], name: str,
                                      expected: tuple[str, str | None]) -> None:
    load_zero_shot(name)
    assert asked == [expected]


def test_a_folder_is_a_model(asked: list[tuple[str, str | None]], tmp_path: Path) -> None:
    load_zero_shot(str(tmp_path))
    assert asked == [(f"local-dir:{tmp_path}", None)]


def test_a_model_that_cannot_be_had(asked: list[tuple[str, str | None]]) -> None:
    with pytest.raises(UsageError, match="kind_model 'nothing/at-all' cannot be loaded: no such model"):
        load_zero_shot("nothing/at-all")


@pytest.mark.parametrize("error", [ImportError, RuntimeError])
def test_without_open_clip(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    if error is ImportError:
        monkeypatch.setitem(sys.modules, "open_clip", None)
    else:
        class Broken:
            def find_spec(self, name: str, path: object, target: object = None) -> None:
                if name == "open_clip":
                    raise RuntimeError("operator torchvision::nms does not exist")

        monkeypatch.delitem(sys.modules, "open_clip", raising=False)
        monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(UsageError, match="pip install open_clip_torch"):
        load_zero_shot("ViT-B-32/openai")


def test_the_seal_follows_name_and_content(tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(b"one")
    first = seal_of(str(tmp_path))
    assert seal_of("ViT-B-32/openai") != seal_of("ViT-B-32/laion2b_s34b_b79k")
    assert seal_of(str(tmp_path)) == first
    (tmp_path / "weights").write_bytes(b"two")
    assert seal_of(str(tmp_path)) != first


def test_every_kind_has_sentences_of_its_own() -> None:
    assert tuple(sorted(PROMPTS)) == tuple(sorted(KINDS))
    told = [text for texts in PROMPTS.values() for text in texts]
    assert len(set(told)) == len(told)
