"""The fusion module: a pre-norm transformer over text tokens and one image token (METHOD of arXiv 2303.07240)."""

from __future__ import annotations

from collections import OrderedDict

from torch import Tensor, nn


class ResidualAttentionBlock(nn.Module):
    """Pre-norm block: attention, then an MLP of ratio 4 with exact GELU; no mask, no dropout."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(OrderedDict([
            ("c_fc", nn.Linear(width, width * 4)),
            ("gelu", nn.GELU()),
            ("c_proj", nn.Linear(width * 4, width)),
        ]))
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) → (B, T, width)."""
        normed = self.ln_1(x)
        x = x + self.attn(normed, normed, normed, need_weights=False)[0]
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class Fusion(nn.Module):
    """`layers` blocks in a row, named `resblocks.N` as in the released checkpoint."""

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(ResidualAttentionBlock(width, heads) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, width) → (B, T, width)."""
        for block in self.resblocks:
            x = block(x)
        return x
