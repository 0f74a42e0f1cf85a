"""The released PMC-CLIP, written out on its state dict: names, shapes, and the forward pass in plain functions.

After `src/pmc_clip/model` of WeixiongLin/PMC-CLIP; nothing here knows of the project's own model.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]
State = dict[str, Tensor]


def norm(name: str, channels: int) -> Shapes:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def linear(name: str, out: int, into: int) -> Shapes:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def pair(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def image_tower(blocks: tuple[int, ...] = (3, 4, 6, 3), width: int = 64, out: int = 768, side: int = 7,
                plain: bool = False) -> Shapes:
    shapes: Shapes = {}
    stem = [(3, width)] if plain else [(3, width // 2), (width // 2, width // 2), (width // 2, width)]
    for number, (into, channels) in enumerate(stem, 1):
        shapes[f"visual.conv{number}.weight"] = (channels, into, 3, 3)
        shapes |= norm(f"visual.bn{number}", channels)
    channels = width
    for stage, count in enumerate(blocks, 1):
        planes = width * 2 ** (stage - 1)
        for block in range(count):
            name = f"visual.layer{stage}.{block}"
            shapes[f"{name}.conv1.weight"] = (planes, channels, 1, 1)
            shapes[f"{name}.conv2.weight"] = (planes, planes, 3, 3)
            shapes[f"{name}.conv3.weight"] = (planes * 4, planes, 1, 1)
            shapes |= norm(f"{name}.bn1", planes) | norm(f"{name}.bn2", planes) | norm(f"{name}.bn3", planes * 4)
            if block == 0:
                shapes[f"{name}.downsample.0.weight"] = (planes * 4, channels, 1, 1)
                shapes |= norm(f"{name}.downsample.1", planes * 4)
            channels = planes * 4
    if plain:
        return shapes | linear("visual.head", out, channels)
    shapes["visual.attnpool.positional_embedding"] = (side * side + 1, channels)
    for part in "qkv":
        shapes |= linear(f"visual.attnpool.{part}_proj", channels, channels)
    return shapes | linear("visual.attnpool.c_proj", out, channels)


def bert(layers: int = 12, width: int = 768, words: int = 30522, positions: int = 512, middle: int = 3072) -> Shapes:
    head = "text_encoder.embeddings"
    shapes: Shapes = {
        f"{head}.word_embeddings.weight": (words, width), f"{head}.position_embeddings.weight": (positions, width),
        f"{head}.token_type_embeddings.weight": (2, width), **pair(f"{head}.LayerNorm", width),
    }
    for layer in range(layers):
        name = f"text_encoder.encoder.layer.{layer}"
        for part in ("query", "key", "value"):
            shapes |= linear(f"{name}.attention.self.{part}", width, width)
        shapes |= linear(f"{name}.attention.output.dense", width, width)
        shapes |= pair(f"{name}.attention.output.LayerNorm", width) | pair(f"{name}.output.LayerNorm", width)
        shapes |= linear(f"{name}.intermediate.dense", middle, width)
        shapes |= linear(f"{name}.output.dense", width, middle)
    return shapes | linear("text_encoder.pooler.dense", width, width)


def rest(fusion: int = 4, width: int = 768, words: int = 30522, context: int = 77) -> Shapes:
    shapes: Shapes = {
        "positional_embedding": (context, width), **pair("ln_final", width), "text_projection": (width, width),
        "mlm_projection": (width, words), "logit_scale": (), "img_special_token": (1, 1, width),
    }
    for layer in range(fusion):
        name = f"fusion_module.resblocks.{layer}"
        shapes |= {f"{name}.attn.in_proj_weight": (3 * width, width), f"{name}.attn.in_proj_bias": (3 * width,)}
        shapes |= linear(f"{name}.attn.out_proj", width, width)
        shapes |= pair(f"{name}.ln_1", width) | pair(f"{name}.ln_2", width)
        shapes |= linear(f"{name}.mlp.c_fc", 4 * width, width) | linear(f"{name}.mlp.c_proj", width, 4 * width)
    return shapes


def random_state(shapes: Shapes, seed: int = 0) -> State:
    """Values under which every parameter shows in the outputs: no zeros, no ones, statistics of their own."""
    draw = torch.Generator().manual_seed(seed)
    state: State = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=draw)
        if name.endswith("num_batches_tracked"):
            value = torch.tensor(7)
        elif name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
            value = value.abs() * 0.3 + 0.7
        elif name.endswith("bias"):
            value *= 0.1
        elif len(shape) > 1:
            value *= math.prod(shape[1:]) ** -0.5
        state[name] = value
    state["logit_scale"] = torch.tensor(2.5)
    return state


def _norm(state: State, name: str, x: Tensor) -> Tensor:
    """Batch normalisation: by the stored statistics, or by the batch's own where there are none (training)."""
    mean, variance = (state.get(f"{name}.{part}") for part in ("running_mean", "running_var"))
    return F.batch_norm(x, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"], training=mean is None)


def _linear(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def _layer_norm(state: State, name: str, x: Tensor, epsilon: float) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], epsilon)


def _attention(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    size = query.shape[-1] // heads
    out = []
    for at in (slice(head * size, (head + 1) * size) for head in range(heads)):
        out.append(torch.softmax(query[..., at] @ key[..., at].transpose(1, 2) / math.sqrt(size), -1) @ value[..., at])
    return torch.cat(out, -1)


def _gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def _block(state: State, name: str, x: Tensor, stride: int) -> Tensor:
    out = F.relu(_norm(state, f"{name}.bn1", F.conv2d(x, state[f"{name}.conv1.weight"])))
    out = F.relu(_norm(state, f"{name}.bn2", F.conv2d(out, state[f"{name}.conv2.weight"], padding=1)))
    out = F.avg_pool2d(out, stride) if stride > 1 else out
    out = _norm(state, f"{name}.bn3", F.conv2d(out, state[f"{name}.conv3.weight"]))
    if f"{name}.downsample.0.weight" in state:
        x = F.avg_pool2d(x, stride) if stride > 1 else x
        x = _norm(state, f"{name}.downsample.1", F.conv2d(x, state[f"{name}.downsample.0.weight"]))
    return F.relu(out + x)


def image_features(state: State, images: Tensor) -> Tensor:
    """Unit image vectors; a head of the attention pool has 64 channels."""
    x = images
    for number in (1, 2, 3):
        if f"visual.conv{number}.weight" in state:
            x = F.conv2d(x, state[f"visual.conv{number}.weight"], stride=2 if number == 1 else 1, padding=1)
            x = F.relu(_norm(state, f"visual.bn{number}", x))
    plain = "visual.head.weight" in state
    x = F.max_pool2d(x, 3, 2, 1) if plain else F.avg_pool2d(x, 2)
    for stage in (1, 2, 3, 4):
        block = 0
        while (name := f"visual.layer{stage}.{block}") + ".conv1.weight" in state:
            x = _block(state, name, x, 2 if block == 0 and stage > 1 else 1)
            block += 1
    if plain:
        return F.normalize(_linear(state, "visual.head", x.mean((2, 3))), dim=-1)
    tokens = x.flatten(2).transpose(1, 2)
    tokens = torch.cat([tokens.mean(1, keepdim=True), tokens], 1) + state["visual.attnpool.positional_embedding"]
    query, key, value = (_linear(state, f"visual.attnpool.{part}_proj", tokens) for part in "qkv")
    pooled = _attention(query, key, value, tokens.shape[-1] // 64)
    return F.normalize(_linear(state, "visual.attnpool.c_proj", pooled[:, 0]), dim=-1)


def hidden_states(state: State, ids: Tensor, heads: int, epsilon: float = 1e-12) -> Tensor:
    """The BERT's last hidden states; every token is attended, padding too."""
    head = "text_encoder.embeddings"
    x = F.embedding(ids, state[f"{head}.word_embeddings.weight"], padding_idx=0)  # which never learns
    x = x + state[f"{head}.position_embeddings.weight"][: ids.shape[1]]
    x = _layer_norm(state, f"{head}.LayerNorm", x + state[f"{head}.token_type_embeddings.weight"][0], epsilon)
    layer = 0
    while (name := f"text_encoder.encoder.layer.{layer}") + ".output.dense.weight" in state:
        parts = (_linear(state, f"{name}.attention.self.{part}", x) for part in ("query", "key", "value"))
        seen = _linear(state, f"{name}.attention.output.dense", _attention(*parts, heads))
        x = _layer_norm(state, f"{name}.attention.output.LayerNorm", x + seen, epsilon)
        wide = _gelu(_linear(state, f"{name}.intermediate.dense", x))
        x = _layer_norm(state, f"{name}.output.LayerNorm", x + _linear(state, f"{name}.output.dense", wide), epsilon)
        layer += 1
    return x


def text_features(state: State, ids: Tensor, heads: int, epsilon: float = 1e-12) -> Tensor:
    """Unit text vectors, from the last hidden state at [CLS] (id 2)."""
    hidden = hidden_states(state, ids, heads, epsilon)
    place = torch.nonzero(ids == 2)[:, 1]
    return F.normalize(hidden[torch.arange(len(ids)), place] @ state["text_projection"], dim=-1)


def losses(state: State, images: Tensor, ids: Tensor, labels: Tensor, heads: int) -> tuple[Tensor, Tensor]:
    """Contrastive and masked-language loss: all logits, one row after the other."""
    image, text = image_features(state, images), text_features(state, ids, heads)
    special = state["img_special_token"][0]
    hidden = hidden_states(state, ids, heads)
    x = torch.stack([torch.cat([hidden[b], special, image[b : b + 1]]) for b in range(len(ids))])
    layer = 0
    while (name := f"fusion_module.resblocks.{layer}") + ".attn.in_proj_weight" in state:
        normed = _layer_norm(state, f"{name}.ln_1", x, 1e-5)
        parts = (normed @ state[f"{name}.attn.in_proj_weight"].T + state[f"{name}.attn.in_proj_bias"]).chunk(3, -1)
        x = x + _linear(state, f"{name}.attn.out_proj", _attention(*parts, 8))
        wide = _gelu(_linear(state, f"{name}.mlp.c_fc", _layer_norm(state, f"{name}.ln_2", x, 1e-5)))
        x = x + _linear(state, f"{name}.mlp.c_proj", wide)
        layer += 1
    predicted = torch.log_softmax(x[:, :-2] @ state["mlm_projection"], -1)
    mlm = F.nll_loss(predicted.transpose(1, 2), labels, ignore_index=0)
    scale, terms = state["logit_scale"].exp(), []
    for b in range(len(ids)):
        row = [scale * image[b] @ text[c] for c in range(len(ids))]
        column = [scale * image[c] @ text[b] for c in range(len(ids))]
        terms += [torch.stack(logits).exp().sum().log() - logits[b] for logits in (row, column)]
    return torch.stack(terms).mean(), mlm
