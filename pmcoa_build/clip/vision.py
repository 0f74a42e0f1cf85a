"""The image towers of PMC-CLIP: CLIP's ModifiedResNet and a plain ResNet, with the released state-dict names.

Architecture: Radford et al. 2021 (arXiv 2103.00020) section 2.4, as used by PMC-CLIP (METHOD of arXiv 2303.07240;
`RN50_fusion4.json`). Torch is imported at the top because the layers are classes of it; nothing imports this module
but the model.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pmcoa_build.clip.config import VisionConfig

_EXPANSION = 4


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions; a stride is an average pool before the last of them and on the shortcut."""

    def __init__(self, channels_in: int, planes: int, stride: int = 1) -> None:
        super().__init__()
        out = planes * _EXPANSION
        self.conv1 = nn.Conv2d(channels_in, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.avgpool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.conv3 = nn.Conv2d(planes, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        nn.init.zeros_(self.bn3.weight)  # each block starts as its shortcut
        self.downsample: nn.Sequential | None = None
        if stride > 1 or channels_in != out:
            self.downsample = nn.Sequential(OrderedDict([
                ("-1", nn.AvgPool2d(stride)),
                ("0", nn.Conv2d(channels_in, out, 1, bias=False)),
                ("1", nn.BatchNorm2d(out)),
            ]))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, H, W) → (B, 4 planes, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        x = self.bn3(self.conv3(self.avgpool(x)))
        x += shortcut
        return F.relu(x, inplace=True)


class AttentionPool2d(nn.Module):
    """Multi-head attention whose one query is the mean over all places (CLIP, section 2.4)."""

    def __init__(self, side: int, channels: int, heads: int, out: int) -> None:
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.randn(side * side + 1, channels) / channels**0.5)
        self.k_proj = nn.Linear(channels, channels)
        self.q_proj = nn.Linear(channels, channels)
        self.v_proj = nn.Linear(channels, channels)
        self.c_proj = nn.Linear(channels, out)
        self.heads = heads
        for layer in (self.q_proj, self.k_proj, self.v_proj, self.c_proj):
            nn.init.normal_(layer.weight, std=channels**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, out)."""
        batch, channels = x.shape[:2]
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([x.mean(1, keepdim=True), x], 1) + self.positional_embedding.to(x.dtype)
        # The released code attends from every place and keeps the first. For one query, q·(Kx + b) = (qK)·x + q·b and
        # Σ p (Vx + c) = V Σ p x + c: keys and values are not made for each place, 7 % of a ResNet-50's operations.
        width = channels // self.heads
        query = self.q_proj(x[:, 0]).view(batch, self.heads, width) * width**-0.5
        key, value = (layer.weight.view(self.heads, width, channels) for layer in (self.k_proj, self.v_proj))
        scores = torch.einsum("bhd,hdc->bhc", query, key) @ x.transpose(1, 2)
        scores = scores + (query * self.k_proj.bias.view(self.heads, width)).sum(-1, keepdim=True)
        seen = torch.einsum("bhc,hdc->bhd", scores.softmax(-1).to(x.dtype) @ x, value)
        out: Tensor = self.c_proj(seen.flatten(1) + self.v_proj.bias)
        return out


class ResNet(nn.Module):
    """Both backbones. Input (B, 3, S, S) normalised pixels; output (B, embed_dim), not normalised."""

    def __init__(self, config: VisionConfig, embed_dim: int) -> None:
        super().__init__()
        width = config.width
        self.modified = config.backbone == "ModifiedRN50"
        if self.modified:
            self.conv1 = nn.Conv2d(3, width // 2, 3, stride=2, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(width // 2)
            self.conv2 = nn.Conv2d(width // 2, width // 2, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(width // 2)
            self.conv3 = nn.Conv2d(width // 2, width, 3, padding=1, bias=False)
            self.bn3 = nn.BatchNorm2d(width)
        else:
            self.conv1 = nn.Conv2d(3, width, 3, stride=2, padding=1, bias=False)
            self.bn1 = nn.BatchNorm2d(width)
        channels = width
        for stage, blocks in enumerate(config.layers):
            planes, stride = width * 2**stage, 1 if stage == 0 else 2
            layers = [Bottleneck(channels, planes, stride)]
            channels = planes * _EXPANSION
            layers += [Bottleneck(channels, planes) for _ in range(1, blocks)]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*layers))
        if self.modified:
            self.attnpool = AttentionPool2d(config.image_size // 32, channels, channels // config.head_width, embed_dim)
        else:
            self.head = nn.Linear(channels, embed_dim)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster, CPU and GPU

    def _stem(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        if not self.modified:
            return F.max_pool2d(x, 3, stride=2, padding=1)
        x = F.relu(self.bn2(self.conv2(x)), inplace=True)
        x = F.relu(self.bn3(self.conv3(x)), inplace=True)
        return F.avg_pool2d(x, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, S, S) → (B, embed_dim)."""
        x = self._stem(x.contiguous(memory_format=torch.channels_last))
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        out: Tensor = self.attnpool(x) if self.modified else self.head(x.mean((2, 3)))
        return out
