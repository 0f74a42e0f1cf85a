"""Model configurations: the released ones, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pmcoa_build.clip.config import load_config
from pmcoa_build.errors import UsageError


@pytest.mark.parametrize(("name", "layers", "width", "pixels", "fusion"), [
    ("RN50_fusion4", (3, 4, 6, 3), 64, 224, 4),
    ("RN50_fusion1", (3, 4, 6, 3), 64, 224, 1),
    ("RN50_fusion2", (3, 4, 6, 3), 64, 224, 2),
    ("RN50_fusion8", (3, 4, 6, 3), 64, 224, 8),
    ("RN101_fusion4", (3, 4, 23, 3), 64, 224, 4),
    ("RN50x4_fusion4", (4, 6, 10, 6), 80, 288, 4),
    ("RN50x16_fusion4", (6, 8, 18, 8), 96, 384, 4),
])
def test_released_configurations(name: str, layers: tuple[int, ...], width: int, pixels: int, fusion: int) -> None:
    config = load_config(name)
    vision, text = config.vision_cfg, config.text_cfg
    assert (vision.layers, vision.width, vision.image_size, text.fusion_layers) == (layers, width, pixels, fusion)
    assert (vision.backbone, vision.head_width) == ("ModifiedRN50", 64)
    assert (config.embed_dim, text.width, text.heads, text.context_length, text.vocab_size) == (768, 768, 8, 77, 30522)
    assert (text.layers, text.bert_heads) == (12, 12)


@pytest.mark.parametrize(("change", "word"), [
    ({"embed_dim": 64}, "embed_dim"),
    ({"vision_cfg": {"layers": [1, 1, 1]}}, "four numbers"),
    ({"vision_cfg": {"image_size": 100}}, "multiple of 32"),
    ({"vision_cfg": {"backbone": "ViT"}}, "backbone"),
    ({"text_cfg": {"width": 32, "heads": 5}}, "heads"),
    ({"vision_cfg": {"width": "64"}}, "vision_cfg.width must be a whole number of at least 1, not '64'"),
    ({"vision_cfg": {"layers": [1, 0, 1, 1]}}, r"layers\[1\]"),
    ({"vision_cfg": {"layers": 12}}, "lacks or misuses"),
    ({"text_cfg": {"dropout": 1.5}}, "dropout"),
    ({"text_cfg": {"bert": {"hidden": 3}}}, "text_cfg.bert may hold intermediate_size"),
])
def test_sizes_that_do_not_fit_are_refused(
    small_config: Path, tmp_path: Path, change: dict[str, object], word: str
) -> None:
    raw = json.loads(small_config.read_text())
    for key, value in change.items():
        raw[key] = {**raw[key], **value} if isinstance(value, dict) else value
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(UsageError, match=word):
        load_config(path)


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UsageError, match="RN50_fusion4"):
        load_config("RN49")
