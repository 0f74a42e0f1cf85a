"""Released checkpoints in all their forms, against the released code written out; and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pmcoa_build.clip.config import load_config
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.errors import UsageError
from tests.clip import written_out as released

WORDS, CONTEXT, HEADS = 60, 16, 2
RELEASED = {"RN50_fusion4": ((3, 4, 6, 3), 64, 7, 4), "RN50_fusion1": ((3, 4, 6, 3), 64, 7, 1),
            "RN50_fusion2": ((3, 4, 6, 3), 64, 7, 2), "RN50_fusion8": ((3, 4, 6, 3), 64, 7, 8),
            "RN101_fusion4": ((3, 4, 23, 3), 64, 7, 4), "RN50x4_fusion4": ((4, 6, 10, 6), 80, 9, 4),
            "RN50x16_fusion4": ((6, 8, 18, 8), 96, 12, 4)}
"""Blocks, width, side of the last feature map and fusion layers."""

Batch = tuple[Tensor, Tensor, Tensor]


def small(blocks: tuple[int, ...] = (1, 1, 1, 1), side: int = 1, fusion: int = 1, plain: bool = False,
          words: int = WORDS) -> released.State:
    """A released state dict of small widths: 64 channels everywhere, the image tower 8 wide."""
    tower = released.image_tower(blocks, 8, 64, side, plain)
    text = released.bert(2, 64, words, 40, 96)
    return released.random_state(tower | text | released.rest(fusion, 64, WORDS, CONTEXT))


def batch(pixels: int = 32) -> Batch:
    draw = torch.Generator().manual_seed(4)
    images = torch.randn(5, 3, pixels, pixels, generator=draw) * torch.tensor([0.2, 0.5, 1, 2, 3]).view(5, 1, 1, 1)
    ids = torch.randint(5, WORDS, (5, CONTEXT), generator=draw)
    ids[:, 0], ids[2:, 9:] = 2, 0
    labels = torch.where(torch.rand(5, CONTEXT, generator=draw) < 0.4, ids, 0)
    return images, ids, labels


@pytest.fixture(scope="module")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT's configuration alone, without weights."""
    return bert_of(tmp_path_factory.mktemp("bert"))


def bert_of(folder: Path, **changed: Any) -> Path:
    told = {"model_type": "bert", "vocab_size": WORDS, "hidden_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": HEADS, "intermediate_size": 96, "max_position_embeddings": 40}
    (folder / "config.json").write_text(json.dumps({**told, **changed}))
    return folder


@pytest.mark.parametrize("name", RELEASED)
def test_models_have_the_released_names_and_shapes(name: str) -> None:
    blocks, width, side, fusion = RELEASED[name]
    with torch.device("meta"):
        model = PMCCLIP(load_config(name))
    ours = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    assert ours == released.image_tower(blocks, width, 768, side) | released.bert() | released.rest(fusion)
    assert model.visual.attnpool.heads == width // 2


@pytest.mark.parametrize(("blocks", "side", "fusion", "plain"), [
    *((blocks, 1 if name == "RN50_fusion8" else 2, fusion, False) for name, (blocks, _, _, fusion) in RELEASED.items()),
    ((1, 2, 1, 1), 7, 2, True),
])
def test_every_configuration_gives_the_released_outputs(
    tmp_path: Path, bert_folder: Path, blocks: tuple[int, ...], side: int, fusion: int, plain: bool
) -> None:
    state = small(blocks, side, fusion, plain)
    torch.save({"state_dict": state}, tmp_path / "checkpoint.pt")
    model = PMCCLIP.from_released(tmp_path / "checkpoint.pt", text_model=bert_folder)
    assert model.config.vision_cfg.layers == blocks and model.config.text_cfg.fusion_layers == fusion
    agrees(model, state, batch(32 * side))


def agrees(model: PMCCLIP, state: released.State, given: Batch) -> None:
    assert not model.training
    with torch.no_grad():
        ours = model.losses(*given)
        assert torch.allclose(model.encode_image(given[0]), released.image_features(state, given[0]), atol=1e-5)
        assert torch.allclose(model.encode_text(given[1]), released.text_features(state, given[1], HEADS), atol=1e-5)
    contrastive, mlm = released.losses(state, *given, HEADS)
    assert [ours["contrastive"].item(), ours["mlm"].item()] == pytest.approx([contrastive.item(), mlm.item()], abs=1e-4)


@pytest.mark.parametrize("plain", [False, True])
def test_training_has_the_released_losses_and_gradients(tmp_path: Path, plain: bool) -> None:
    state = small((1, 2, 1, 1), 7 if plain else 2, 2, plain)
    torch.save(state, tmp_path / "c.pt")
    folder = bert_of(tmp_path, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = PMCCLIP.from_released(tmp_path / "c.pt", text_model=folder).train().double()  # few samples, ill conditioned
    images, ids, labels = batch(224 if plain else 64)
    given = images.double(), ids, labels
    ours = model.losses(*given)
    (0.5 * ours["contrastive"] + 0.5 * ours["mlm"]).backward()
    leaves = {name: value.double().requires_grad_() for name, value in state.items() if "running" not in name
              and value.is_floating_point()}
    contrastive, mlm = released.losses(leaves, *given, HEADS)
    (0.5 * contrastive + 0.5 * mlm).backward()
    assert [ours["contrastive"].item(), ours["mlm"].item()] == pytest.approx([contrastive.item(), mlm.item()], abs=1e-4)
    for name, parameter in model.named_parameters():
        expected = leaves[name].grad
        assert (expected is None) == (parameter.grad is None), name
        if expected is not None and parameter.grad is not None:
            bound = 1e-4 * float(expected.abs().max()) + 1e-7
            assert torch.allclose(parameter.grad, expected, rtol=0, atol=bound), name


FORMS = ("ddp", "one-process", "bare", "numpy", "legacy", "half")


def write_form(form: str, state: released.State, path: Path) -> None:
    content: dict[str, Any] = {"epoch": 3, "name": "x", "scaler": {"scale": 65536.0}, "optimizer": {"param_groups": []}}
    kept = {**state, "text_encoder.embeddings.position_ids": torch.arange(40)[None]}
    if form == "half":
        kept = {name: value.half() if value.is_floating_point() else value for name, value in kept.items()}
    if form == "numpy":  # the released schedule leaves numpy's number in the optimiser
        content["optimizer"]["param_groups"] = [{"lr": np.float64(1e-4), "params": [0, 1]}]
    content["state_dict"] = {f"module.{name}": value for name, value in kept.items()} if form == "ddp" else kept
    torch.save(kept if form == "bare" else content, path, _use_new_zipfile_serialization=form != "legacy")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_training_checkpoint(form: str, tmp_path: Path, bert_folder: Path) -> None:
    state = small()
    if form == "half":
        state = {name: value.half().float() if value.is_floating_point() else value for name, value in state.items()}
    write_form(form, state, tmp_path / "checkpoint.pt")
    agrees(PMCCLIP.from_released(tmp_path / "checkpoint.pt", text_model=bert_folder), state, batch())


def write_parts(folder: Path, state: released.State, prefix: bool, projection: Any) -> Path:
    folder.mkdir()
    for name, stem in (("image_encoder(resnet50).pth", "visual."), ("text_encoder.pth", "text_encoder.")):
        part = {key.removeprefix(stem): value for key, value in state.items() if key.startswith(stem)}
        torch.save({f"module.{stem}{key}": value for key, value in part.items()} if prefix else part, folder / name)
    torch.save(projection, folder / "text_projection_layer.pth")
    return folder


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("wrap", [torch.clone, torch.nn.Parameter, lambda tensor: {"text_projection": tensor}])
def test_the_separate_files(tmp_path: Path, bert_folder: Path, prefix: bool, wrap: Any) -> None:
    state = small()
    folder = write_parts(tmp_path / "parts", state, prefix, wrap(state["text_projection"]))
    model = PMCCLIP.from_released(folder, text_model=bert_folder)
    images, ids, _ = batch()
    with torch.no_grad():
        assert torch.allclose(model.encode_image(images), released.image_features(state, images), atol=1e-5)
        assert torch.allclose(model.encode_text(ids), released.text_features(state, ids, HEADS), atol=1e-5)


def test_a_model_trained_without_masks_has_no_mlm_projection(tmp_path: Path, bert_folder: Path) -> None:
    state = small()
    torch.save({name: value for name, value in state.items() if name != "mlm_projection"}, tmp_path / "c.pt")
    model = PMCCLIP.from_released(tmp_path / "c.pt", text_model=bert_folder)
    assert torch.allclose(model.encode_text(batch()[1]), released.text_features(state, batch()[1], HEADS), atol=1e-5)


def test_what_shapes_cannot_say_comes_from_the_text_model(tmp_path: Path) -> None:
    state = small(words=64)  # padded to a multiple of 8
    torch.save(state, tmp_path / "c.pt")
    ids = batch()[1]
    folder = bert_of(tmp_path, layer_norm_eps=0.1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = PMCCLIP.from_released(tmp_path / "c.pt", text_model=folder)
    expected = released.text_features(state, ids, HEADS, 0.1)
    assert torch.allclose(model.encode_text(ids), expected, atol=1e-5)
    assert torch.allclose(model.train().encode_text(ids), expected, atol=1e-5)
    assert model.mlm_projection.shape == (64, WORDS)
    one_head = PMCCLIP.from_released(tmp_path / "c.pt")
    assert torch.allclose(one_head.encode_text(ids), released.text_features(state, ids, 1), atol=1e-5)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    torch.save(small(), tmp_path / "good.pt")
    cases = {
        "nonsense.pt": (b"nonsense", "no file of weights"),
        "cut.pt": ((tmp_path / "good.pt").read_bytes()[:9000], "cannot be read"),
        "other.pt": ({"visual.conv1.weight": torch.zeros(1)}, "not a PMC-CLIP checkpoint.*is missing"),
        "list.pt": ([1, 2], "no state dict"),
        "object.pt": (torch.nn.Linear(2, 2), r"object \(torch.nn.modules.linear.Linear\).*state_dict"),
        "odd.pt": ({**small(), "ln_final.weight": torch.zeros(3)}, "does not fit.*ln_final"),
        "more.pt": ({**small(), "visual.more": torch.zeros(3)}, "does not fit.*visual.more"),
        "less.pt": ({name: value for name, value in small().items() if name != "ln_final.bias"}, "ln_final.bias"),
    }
    for name, (content, sentence) in cases.items():
        if isinstance(content, bytes):
            (tmp_path / name).write_bytes(content)
        else:
            torch.save(content, tmp_path / name)
        with pytest.raises(UsageError, match=sentence):
            PMCCLIP.from_released(tmp_path / name)
    with pytest.raises(UsageError, match="There is no checkpoint"):
        PMCCLIP.from_released(tmp_path / "missing.pt")
    with pytest.raises(UsageError, match="must hold one file image_encoder"):
        PMCCLIP.from_released(tmp_path)


@pytest.mark.parametrize(("changed", "sentence"), [
    ({"num_hidden_layers": 3}, "layers is 3 there and 2"), ({"hidden_size": 128}, "width is 128"),
    ({"vocab_size": 99}, "vocab_size is 99"), ({"model_type": "roberta"}, "is a roberta, not a BERT"),
])
def test_a_text_model_that_does_not_fit_is_refused(tmp_path: Path, changed: dict[str, Any], sentence: str) -> None:
    torch.save(small(), tmp_path / "c.pt")
    with pytest.raises(UsageError, match=sentence):
        PMCCLIP.from_released(tmp_path / "c.pt", text_model=bert_of(tmp_path, **changed))


def test_a_text_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    torch.save(small(), tmp_path / "c.pt")
    with pytest.raises(UsageError, match="is no folder"):
        PMCCLIP.from_released(tmp_path / "c.pt", text_model=tmp_path / "nothing")
