"""The image tower's short cuts against the long way: full attention, and pixels in any memory layout."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pmcoa_build.clip.config import VisionConfig
from pmcoa_build.clip.vision import AttentionPool2d, ResNet

SMALL = VisionConfig(layers=(1, 1, 1, 1), width=8, image_size=32)


def full_attention(pool: AttentionPool2d, x: Tensor) -> Tensor:
    """The released forward pass: every place asks, the first is kept."""
    channels = x.shape[1]
    tokens = x.flatten(2).permute(2, 0, 1)
    tokens = torch.cat([tokens.mean(0, keepdim=True), tokens]) + pool.positional_embedding[:, None]
    bias = torch.cat([pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias])
    full, _ = F.multi_head_attention_forward(
        tokens, tokens, tokens, channels, pool.heads, None, bias, None, None, False, 0.0,
        pool.c_proj.weight, pool.c_proj.bias, use_separate_proj_weight=True, need_weights=False,
        q_proj_weight=pool.q_proj.weight, k_proj_weight=pool.k_proj.weight, v_proj_weight=pool.v_proj.weight)
    return full[0]


@pytest.mark.parametrize(("side", "channels", "heads", "out"), [(3, 24, 4, 10), (7, 64, 32, 16), (1, 8, 1, 8)])
def test_attention_pool_equals_full_attention(side: int, channels: int, heads: int, out: int) -> None:
    torch.manual_seed(0)
    pool = AttentionPool2d(side, channels, heads, out)
    for bias in (pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias):
        torch.nn.init.normal_(bias)
    places = torch.randn(3, channels, side, side, requires_grad=True)
    wanted = [places, *pool.parameters()]
    ours, theirs = pool(places), full_attention(pool, places)
    assert torch.allclose(ours, theirs, atol=1e-5)
    toward = torch.randn_like(ours)
    for mine, plain in zip(torch.autograd.grad(ours, wanted, toward), torch.autograd.grad(theirs, wanted, toward),
                           strict=True):
        assert torch.allclose(mine, plain, atol=1e-4)


@pytest.mark.parametrize("backbone", ["ModifiedRN50", "RN50"])
def test_the_memory_layout_of_the_pixels_does_not_matter(backbone: str) -> None:
    torch.manual_seed(0)
    config = VisionConfig(layers=(1, 1, 1, 1), width=8, image_size=32, backbone=backbone)
    tower = ResNet(config, 16).eval()
    pixels = torch.randn(2, 3, 32, 32)
    last = pixels.contiguous(memory_format=torch.channels_last)
    assert torch.equal(tower(pixels), tower(last))


def test_convolutions_stay_channels_last_when_weights_are_loaded() -> None:
    tower = ResNet(SMALL, 16)
    tower.load_state_dict({name: tensor.contiguous() for name, tensor in tower.state_dict().items()})
    assert all(module.weight.is_contiguous(memory_format=torch.channels_last)
               for module in tower.modules() if isinstance(module, torch.nn.Conv2d))


def test_half_precision_is_close() -> None:
    torch.manual_seed(0)
    tower = ResNet(SMALL, 16)
    pixels = torch.randn(4, 3, 32, 32)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        half = tower(pixels)
    with torch.no_grad():
        assert F.cosine_similarity(half.float(), tower(pixels)).min() > 0.99
