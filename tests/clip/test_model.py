"""PMC-CLIP's public methods; its outputs are held to the released code's in `test_released`."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pmcoa_build.clip.config import load_config
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.errors import UsageError


@pytest.fixture
def model(small_config: Path) -> PMCCLIP:
    torch.manual_seed(3)
    net = PMCCLIP(load_config(small_config).with_text(vocab_size=50))
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):  # else each block is only its shortcut
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            part.running_mean.uniform_(-0.2, 0.2)
            part.running_var.uniform_(0.5, 1.5)
    torch.nn.init.normal_(net.img_special_token)
    return net.eval()


@pytest.fixture
def batch() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(4)
    images = torch.randn(5, 3, 32, 32)
    ids = torch.randint(5, 50, (5, 16))
    ids[:, 0] = 2
    labels = torch.where(torch.rand(5, 16) < 0.4, torch.randint(5, 50, (5, 16)), 0)
    labels[:, 0] = 2
    return images, ids, labels


def test_features_are_unit_vectors(model: PMCCLIP, batch: tuple[Tensor, Tensor, Tensor]) -> None:
    for features in (model.encode_image(batch[0]), model.encode_text(batch[1])):
        assert features.shape == (5, 32)
        assert torch.allclose(features.norm(dim=1), torch.ones(5), atol=1e-6)


def test_padding_is_attended(model: PMCCLIP, batch: tuple[Tensor, Tensor, Tensor]) -> None:
    ids = batch[1].clone()
    ids[:, 8:] = 0
    other = ids.clone()
    other[:, 12:] = 7
    assert not torch.allclose(model.encode_text(ids), model.encode_text(other), atol=1e-5)
    mask = torch.ones_like(ids)
    hidden = model.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    assert torch.allclose(model.encode_text(ids), F.normalize(hidden[:, 0] @ model.text_projection, dim=-1), atol=1e-6)




def test_the_plain_backbone(small_config: Path) -> None:
    import dataclasses

    config = load_config(small_config)
    plain = dataclasses.replace(config, vision_cfg=dataclasses.replace(config.vision_cfg, backbone="RN50"))
    model = PMCCLIP(plain.with_text(vocab_size=50)).eval()
    assert model.visual.conv1.weight.shape == (8, 3, 3, 3)
    assert model.visual.head.weight.shape == (32, 256)
    assert model.encode_image(torch.randn(2, 3, 32, 32)).shape == (2, 32)


def test_temperature_stays_within_1_and_100(model: PMCCLIP) -> None:
    for start, end in ((9.0, 100.0), (-1.0, 1.0), (2.0, math.exp(2))):
        model.logit_scale.data.fill_(start)
        model.clamp_temperature()
        assert model.logit_scale.exp().item() == pytest.approx(end)


@pytest.mark.parametrize(("change", "sentence"), [
    ({"images": torch.randn(5, 3, 64, 64)}, r"\(B, 3, 32, 32\), not \(5, 3, 64, 64\)"),
    ({"images": torch.randn(3, 32, 32)}, "images must have the shape"),
    ({"images": torch.zeros(5, 3, 32, 32, dtype=torch.uint8)}, "must be normalised"),
    ({"ids": torch.full((5, 17), 2)}, "T of 1 to 16"),
    ({"ids": torch.full((16,), 2)}, "ids must have the shape"),
    ({"ids": torch.ones(5, 16)}, "whole numbers"),
    ({"ids": torch.full((5, 16), 50)}, "ids must lie between 0 and 49.*tokenizer"),
    ({"labels": torch.full((5, 15), 2)}, "one batch"),
    ({"labels": torch.full((5, 16), -100)}, "labels must lie between"),
    ({"ids": torch.full((4, 16), 2), "labels": torch.full((4, 16), 2)}, "one batch"),
])
def test_what_does_not_fit_is_said_in_a_sentence(
    model: PMCCLIP, batch: tuple[Tensor, Tensor, Tensor], change: dict[str, Tensor], sentence: str
) -> None:
    given = {**dict(zip(("images", "ids", "labels"), batch, strict=True)), **change}
    with pytest.raises(UsageError, match=sentence):
        model.losses(**given)
    if "one batch" not in sentence and "labels" not in change:
        with pytest.raises(UsageError, match=sentence):
            model.encode_image(given["images"]) if "images" in change else model.encode_text(given["ids"])


def test_a_batch_without_labels_has_no_masked_loss(model: PMCCLIP, batch: tuple[Tensor, Tensor, Tensor]) -> None:
    with torch.no_grad():
        assert float(model.losses(batch[0], batch[1], torch.zeros_like(batch[1]))["mlm"]) == 0


def test_compiled_parts_give_the_same(model: PMCCLIP, batch: tuple[Tensor, Tensor, Tensor]) -> None:
    with torch.no_grad():
        before = [*model(*batch[:2]), model.encode_text(batch[1])]
        model.compile(backend="eager", fullgraph=True)
        after = [*model(*batch[:2]), model.encode_text(batch[1])]
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in zip(before, after, strict=True))
    assert not any("_orig_mod" in name for name in model.state_dict())
