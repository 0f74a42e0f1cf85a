"""PMC-CLIP (arXiv 2303.07240), agreeing with the released code to the names and shapes of its state dict.

Torch is imported at the top because the model is a class of it; import this module only where a model is needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pmcoa_build.clip import loss
from pmcoa_build.clip.config import ClipConfig
from pmcoa_build.clip.fusion import Fusion
from pmcoa_build.clip.text import build_bert, hidden_states
from pmcoa_build.clip.vision import ResNet
from pmcoa_build.errors import UsageError

MAX_LOG_SCALE = math.log(100)


class PMCCLIP(nn.Module):
    """Image tower, BERT, fusion module. `embed_dim` D, context length T, vocabulary V are of the configuration."""

    def __init__(self, config: ClipConfig) -> None:
        super().__init__()
        text = config.text_cfg
        self.config = config
        self.visual = ResNet(config.vision_cfg, config.embed_dim)
        self.text_encoder = build_bert(text)
        self._states: Callable[..., Any] = hidden_states
        # in the released state dict, never used by its forward pass
        self.positional_embedding = nn.Parameter(torch.empty(text.context_length, text.width).normal_(std=0.01))
        self.ln_final = nn.LayerNorm(text.width)
        std = text.width**-0.5
        self.text_projection = nn.Parameter(torch.empty(text.width, config.embed_dim).normal_(std=std))
        predicted = text.mlm_vocab_size or text.vocab_size
        self.mlm_projection = nn.Parameter(torch.empty(text.width, predicted).normal_(std=std))
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        self.img_special_token = nn.Parameter(torch.zeros(1, 1, config.embed_dim))
        self.fusion_module = Fusion(text.width, text.fusion_layers, text.heads)

    def encode_image(self, images: Tensor) -> Tensor:
        """Unit vectors (B, D) of images (B, 3, S, S), normalised by CLIP's mean and standard deviation.

        Raises UsageError for another shape or whole numbers.
        """
        self._check_images(images)
        return self._image(images)

    def encode_text(self, ids: Tensor) -> Tensor:
        """Unit vectors (B, D) of token ids (B, T): [CLS] first, padded to T; padding is attended, as released.

        Raises UsageError for another shape, more tokens than the BERT has positions, or ids that it does not know.
        """
        self._check_ids("ids", ids, self.config.text_cfg.vocab_size)
        return self._project(self._states(self.text_encoder, ids, 1))

    def _image(self, images: Tensor) -> Tensor:
        return F.normalize(self.visual(images), dim=-1)

    def _project(self, hidden: Tensor) -> Tensor:
        return F.normalize(hidden[:, 0] @ self.text_projection, dim=-1)

    def _check_images(self, images: Tensor) -> None:
        side, shape = self.config.vision_cfg.image_size, tuple(images.shape)
        if not images.is_floating_point():
            raise UsageError(f"images must be normalised (clip.images.normalise), not {images.dtype}.")
        if len(shape) != 4 or shape[1:] != (3, side, side):
            raise UsageError(f"images must have the shape (B, 3, {side}, {side}), not {shape}.")

    def _check_ids(self, name: str, ids: Tensor, words: int) -> None:
        shape, longest = tuple(ids.shape), self.config.text_cfg.bert_positions
        if len(shape) != 2 or not 1 <= shape[1] <= longest:
            raise UsageError(f"{name} must have the shape (B, T) with T of 1 to {longest}, not {shape}.")
        if ids.is_floating_point() or ids.dtype == torch.bool:
            raise UsageError(f"{name} must be token ids, whole numbers, not {ids.dtype}.")
        # on a GPU, to look at the values would be to wait for them
        if ids.device.type == "cpu" and ids.numel() and not 0 <= int(ids.min()) <= int(ids.max()) < words:
            raise UsageError(f"{name} must lie between 0 and {words - 1}: do they come from this model's tokenizer?")

    def fuse(self, hidden: Tensor, image: Tensor) -> Tensor:
        """Text states (B, T, W) after fusion with the unit image vectors (B, D)."""
        special = self.img_special_token.expand(len(hidden), -1, -1)
        tokens = torch.cat([hidden, special.to(hidden.dtype), image.unsqueeze(1).to(hidden.dtype)], 1)
        return self.fusion_module(tokens)[:, :-2]  # type: ignore[no-any-return]

    def forward(self, images: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Unit image vectors (B, D), unit text vectors (B, D), fused text states (B, T, W)."""
        image = self._image(images)
        hidden = self._states(self.text_encoder, ids)
        return image, self._project(hidden), self.fuse(hidden, image)

    def losses(self, images: Tensor, ids: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """`contrastive` and `mlm` of one batch, as scalars.

        `images` (B, 3, S, S); `ids` (B, T) masked token ids; `labels` (B, T), 0 where nothing is to be predicted.
        Raises UsageError for what does not fit.
        """
        self._check_images(images)
        self._check_ids("ids", ids, self.config.text_cfg.vocab_size)
        self._check_ids("labels", labels, self.mlm_projection.shape[1])
        if not len(images) == len(ids) == len(labels) or ids.shape != labels.shape:
            shapes = ", ".join(str(tuple(part.shape)) for part in (images, ids, labels))
            raise UsageError(f"images, ids and labels must be of one batch, ids and labels of one shape, not {shapes}.")
        image, text, fused = self(images, ids)
        count = (labels != loss.IGNORE).sum().clamp(min=1)
        return {
            "contrastive": loss.contrastive(image, text, self.logit_scale.exp()),
            "mlm": loss.masked_nll_sum(fused, self.mlm_projection, labels) / count,
        }

    def compile(self, *arguments: Any, **keywords: Any) -> None:
        """Compile the towers and the fusion, each by itself: the gradients of one are ready, and averaged over
        processes, while those of the next are computed. Arguments are those of `torch.compile`.
        """
        self.visual.compile(*arguments, **keywords)
        self.fusion_module.compile(*arguments, **keywords)
        self._states = torch.compile(hidden_states, *arguments, **keywords)

    @torch.no_grad()
    def clamp_temperature(self) -> None:
        """Keep the logit scale within [1, 100], as CLIP does after each step."""
        self.logit_scale.clamp_(0, MAX_LOG_SCALE)

    @classmethod
    def from_released(cls, path: str | Path, *, text_model: str | Path | None = None) -> PMCCLIP:
        """The model of a released checkpoint, in evaluation mode; see `released.read` for the forms and errors."""
        from pmcoa_build.clip.released import load_into, read

        state, config = read(Path(path), str(text_model) if text_model else None)
        return load_into(cls(config), state)

    @classmethod
    def from_exported(cls, folder: str | Path) -> PMCCLIP:
        """The model of a folder that training exported (`model.safetensors`, `config.json`), in evaluation mode.

        It is on the GPU if there is one. Raises UsageError for a folder without a model, or with damaged weights.
        """
        from pmcoa_build.clip.checkpoint import load_exported

        model: PMCCLIP = load_exported(Path(folder))[0]
        return model
