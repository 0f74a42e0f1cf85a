"""The masked-language loss at the labelled places alone against the loss over all places."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from pmcoa_build.clip.loss import masked_nll_sum


@pytest.mark.parametrize("share", [0.0, 0.15, 1.0])
def test_masked_nll_equals_that_over_all_places(share: float) -> None:
    torch.manual_seed(0)
    hidden, projection = torch.randn(4, 7, 6, requires_grad=True), torch.randn(6, 20, requires_grad=True)
    labels = torch.where(torch.rand(4, 7) < share, torch.randint(1, 20, (4, 7)), 0)
    ours = masked_nll_sum(hidden, projection, labels)
    logits = torch.log_softmax(hidden @ projection, -1)
    theirs = F.nll_loss(logits.flatten(0, 1), labels.flatten(), ignore_index=0, reduction="sum")
    assert torch.allclose(ours, theirs, atol=1e-4)
    for mine, plain in zip(torch.autograd.grad(ours, (hidden, projection)),
                           torch.autograd.grad(theirs, (hidden, projection)), strict=True):
        assert torch.allclose(mine, plain, atol=1e-5)
