"""Square pictures in memory, grey or RGB, at the size that a model takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor


def squares(images: NDArray[np.uint8], size: int, device: Any) -> Tensor:
    """uint8 (B, S, S) or (B, S, S, 3) → whole numbers 0 to 255 as float32 (B, size, size, 3) on the device, bicubic."""
    import torch
    import torch.nn.functional as F

    pixels = torch.from_numpy(np.ascontiguousarray(images)).to(device).float()
    if pixels.ndim == 3:
        pixels = pixels.unsqueeze(-1).expand(-1, -1, -1, 3)
    if pixels.shape[1] != size:
        planes = F.interpolate(pixels.permute(0, 3, 1, 2), (size, size), mode="bicubic", antialias=True)
        pixels = planes.round().clamp(0, 255).permute(0, 2, 3, 1)
    return pixels
