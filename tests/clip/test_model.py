"""PMC-CLIP against the released code's state dict, and its losses against formulas written out."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pmcoa_build.clip.config import load_config
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.clip.vision import AttentionPool2d
from pmcoa_build.errors import UsageError

Shapes = dict[str, tuple[int, ...]]


def norm(name: str, channels: int) -> Shapes:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{part}": (channels,) for part in parts} | {f"{name}.num_batches_tracked": ()}


def linear(name: str, out: int, into: int) -> Shapes:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def pair(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def image_tower(blocks: tuple[int, ...] = (3, 4, 6, 3), width: int = 64, out: int = 768, side: int = 7) -> Shapes:
    shapes: Shapes = {}
    for stem, (into, channels) in enumerate([(3, width // 2), (width // 2, width // 2), (width // 2, width)], 1):
        shapes[f"visual.conv{stem}.weight"] = (channels, into, 3, 3)
        shapes |= norm(f"visual.bn{stem}", channels)
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
    shapes["visual.attnpool.positional_embedding"] = (side * side + 1, channels)
    for part in "qkv":
        shapes |= linear(f"visual.attnpool.{part}_proj", channels, channels)
    return shapes | linear("visual.attnpool.c_proj", out, channels)


def bert(layers: int = 12, width: int = 768, words: int = 30522, positions: int = 512) -> Shapes:
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
        shapes |= linear(f"{name}.intermediate.dense", width * 4, width)
        shapes |= linear(f"{name}.output.dense", width, width * 4)
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


def test_the_state_dict_has_the_released_names_and_shapes() -> None:
    with torch.device("meta"):
        model = PMCCLIP(load_config("RN50_fusion4"))
    ours = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert ours == image_tower() | bert() | rest()
    assert model.visual.attnpool.heads == 32


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


def naive_losses(model: PMCCLIP, images: Tensor, ids: Tensor, labels: Tensor) -> tuple[float, float]:
    """METHOD 1.3b written out: all logits, one row after the other."""
    image, text = model.encode_image(images), model.encode_text(ids)
    hidden = model.text_encoder(input_ids=ids).last_hidden_state
    special = model.img_special_token[0]
    tokens = torch.stack([torch.cat([hidden[b], special, image[b : b + 1]]) for b in range(len(ids))])
    for block in model.fusion_module.resblocks:
        normed = F.layer_norm(tokens, (32,), block.ln_1.weight, block.ln_1.bias)
        q, k, v = (normed @ block.attn.in_proj_weight.T + block.attn.in_proj_bias).split(32, -1)
        heads = []
        for h in (slice(start, start + 4) for start in range(0, 32, 4)):
            heads.append(torch.softmax(q[..., h] @ k[..., h].transpose(1, 2) / math.sqrt(4), -1) @ v[..., h])
        tokens = tokens + torch.cat(heads, -1) @ block.attn.out_proj.weight.T + block.attn.out_proj.bias
        normed = F.layer_norm(tokens, (32,), block.ln_2.weight, block.ln_2.bias)
        wide = normed @ block.mlp.c_fc.weight.T + block.mlp.c_fc.bias
        wide = wide * 0.5 * (1 + torch.erf(wide / math.sqrt(2)))
        tokens = tokens + wide @ block.mlp.c_proj.weight.T + block.mlp.c_proj.bias
    predicted = torch.log_softmax(tokens[:, :-2] @ model.mlm_projection, -1)
    mlm = F.nll_loss(predicted.transpose(1, 2), labels, ignore_index=0)
    scale = math.exp(float(model.logit_scale))
    total = 0.0
    for b in range(len(ids)):
        row = [scale * float(image[b] @ text[c]) for c in range(len(ids))]
        column = [scale * float(image[c] @ text[b]) for c in range(len(ids))]
        for logits in (row, column):
            total += math.log(sum(math.exp(value) for value in logits)) - logits[b]
    return total / (2 * len(ids)), float(mlm)


def test_losses_equal_the_written_out_formulas(model: PMCCLIP, batch: tuple[Tensor, Tensor, Tensor]) -> None:
    with torch.no_grad():
        losses = model.losses(*batch)
        contrastive, mlm = naive_losses(model, *batch)
    assert float(losses["contrastive"]) == pytest.approx(contrastive, abs=1e-4)
    assert float(losses["mlm"]) == pytest.approx(mlm, abs=1e-4)


def test_attention_pool_equals_full_attention() -> None:
    torch.manual_seed(0)
    pool = AttentionPool2d(3, 24, 4, 10)
    x = torch.randn(2, 24, 3, 3)
    tokens = x.flatten(2).permute(2, 0, 1)
    tokens = torch.cat([tokens.mean(0, keepdim=True), tokens]) + pool.positional_embedding[:, None]
    full, _ = F.multi_head_attention_forward(
        tokens, tokens, tokens, 24, 4, None, torch.cat([pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias]), None,
        None, False, 0.0, pool.c_proj.weight, pool.c_proj.bias, use_separate_proj_weight=True, need_weights=False,
        q_proj_weight=pool.q_proj.weight, k_proj_weight=pool.k_proj.weight, v_proj_weight=pool.v_proj.weight)
    assert torch.allclose(pool(x), full[0], atol=1e-5)


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


@pytest.fixture
def bert_folder(tmp_path: Path, model: PMCCLIP) -> Path:
    model.text_encoder.config.save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def test_a_released_checkpoint_gives_the_same_outputs(
    model: PMCCLIP, batch: tuple[Tensor, Tensor, Tensor], tmp_path: Path, bert_folder: Path
) -> None:
    state = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    state["module.text_encoder.embeddings.position_ids"] = torch.arange(16)[None]
    torch.save({"epoch": 3, "name": "x", "state_dict": state, "optimizer": {}}, tmp_path / "checkpoint.pt")
    loaded = PMCCLIP.from_released(tmp_path / "checkpoint.pt", text_model=str(bert_folder))
    assert not loaded.training
    with torch.no_grad():
        ours, theirs = loaded.losses(*batch), model.losses(*batch)
    assert torch.equal(loaded.encode_image(batch[0]), model.encode_image(batch[0]))
    assert ours == theirs


def test_the_separate_files_give_the_same_features(
    model: PMCCLIP, batch: tuple[Tensor, Tensor, Tensor], tmp_path: Path, bert_folder: Path
) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    torch.save(model.visual.state_dict(), folder / "image_encoder(resnet50).pth")
    torch.save(model.text_encoder.state_dict(), folder / "text_encoder.pth")
    torch.save(model.text_projection, folder / "text_projection_layer.pth")
    loaded = PMCCLIP.from_released(folder, text_model=str(bert_folder))
    assert torch.equal(loaded.encode_image(batch[0]), model.encode_image(batch[0]))
    assert torch.equal(loaded.encode_text(batch[1]), model.encode_text(batch[1]))


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pt").write_bytes(b"nonsense")
    torch.save({"state_dict": {"visual.conv1.weight": torch.zeros(1)}}, tmp_path / "b.pt")
    torch.save([1, 2], tmp_path / "c.pt")
    for name in ("a.pt", "b.pt", "c.pt", "missing.pt"):
        with pytest.raises(UsageError):
            PMCCLIP.from_released(tmp_path / name)
