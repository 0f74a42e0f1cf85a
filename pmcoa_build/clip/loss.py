"""The two losses of PMC-CLIP: image-text contrastive (ITC) and masked language modelling (MLM).

Sources: CLIP (arXiv 2103.00020, figure 3); PMC-CLIP (arXiv 2303.07240, section 3.2): 0.5 ITC + 0.5 MLM.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pmcoa_build.clip.parallel import gathered

WEIGHTS = {"contrastive": 0.5, "mlm": 0.5}
IGNORE = 0
"""Label id of places that are not to be predicted: [PAD]."""


def world_size() -> int:
    """Processes that train together; 1 outside torchrun."""
    distributed = torch.distributed
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def contrastive(image: Tensor, text: Tensor, scale: Tensor) -> Tensor:
    """Mean of the image→text and text→image cross-entropies; `image`, `text`: unit rows (B, D); `scale`: a scalar.

    Under torchrun each process scores its own rows against the rows of all (open_clip's local loss with gradients
    through the gathering), so that the mean over processes is the loss of the whole batch.
    """
    with torch.autocast(image.device.type, enabled=False):
        image, text = image.float(), text.float()
        if world_size() == 1:
            logits = scale.float() * image @ text.T
            target = torch.arange(len(logits), device=logits.device)
            return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
        all_image, all_text = gathered(image), gathered(text)
        target = torch.arange(len(image), device=image.device) + len(image) * torch.distributed.get_rank()
        to_text = F.cross_entropy(scale.float() * image @ all_text.T, target)
        to_image = F.cross_entropy(scale.float() * text @ all_image.T, target)
        return (to_text + to_image) / 2


def masked_nll_sum(hidden: Tensor, projection: Tensor, labels: Tensor) -> Tensor:
    """Sum of -log p(label) over the places with a label.

    `hidden` (B, T, W); `projection` (W, vocabulary), no bias; `labels` (B, T), 0 = none. Only the labelled places are
    projected: at 15 % masking that spares four fifths of the largest matrix product. Labels may stay on the CPU while
    the rest is on a GPU: to look for their places there would mean to wait for all that it still has to do.
    """
    flat = labels.flatten()
    places = (flat != IGNORE).nonzero().flatten()
    target = flat[places].to(hidden.device, non_blocking=True)
    chosen = hidden.flatten(0, 1).index_select(0, places.to(hidden.device, non_blocking=True))
    return F.cross_entropy((chosen @ projection).float(), target, reduction="sum")
