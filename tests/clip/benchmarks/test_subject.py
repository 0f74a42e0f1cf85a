"""The model that is scored, from each of its forms."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from pmcoa_build.clip.benchmarks.subject import Subject, encode_images, encode_texts, open_subject
from pmcoa_build.clip.tokenizer import VOCABULARY
from pmcoa_build.errors import RunFailed, UsageError


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A BERT's folder: what of it a released checkpoint needs."""
    from transformers import BertConfig, BertTokenizerFast

    folder = tmp_path_factory.mktemp("bert")
    tokenizer = BertTokenizerFast(str(VOCABULARY))
    tokenizer.save_pretrained(folder)
    BertConfig(vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
               max_position_embeddings=16).save_pretrained(folder)
    return str(folder)


def write_checkpoint(subject: Subject, path: Path) -> Path:
    torch.save({"epoch": 3, "state_dict": {f"module.{name}": tensor for name, tensor
                                           in subject.net.state_dict().items()}}, path)
    return path


def write_parts(subject: Subject, folder: Path) -> Path:
    """The three files on the Hub."""
    state = subject.net.state_dict()
    for stem, prefix in (("image_encoder(resnet50)", "visual."), ("text_encoder", "text_encoder.")):
        torch.save({name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)},
                   folder / f"{stem}.pth")
    torch.save(state["text_projection"], folder / "text_projection_layer.pth")
    return folder


@pytest.mark.parametrize("form", ["checkpoint", "parts"])
def test_a_released_checkpoint_gives_the_features_of_its_model(
    form: str, subject: Subject, bert: str, tmp_path: Path
) -> None:
    whole = form == "checkpoint"
    path = write_checkpoint(subject, tmp_path / "checkpoint.pt") if whole else write_parts(subject, tmp_path)
    opened = open_subject(path, bert)
    pixels = [np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)]
    assert encode_images(opened, pixels) == pytest.approx(encode_images(subject, pixels), abs=1e-6)
    if whole:  # the parts are padded to 77 tokens, more than the tiny text tower has places for
        texts = ["a small red circle", "chest radiograph"]
        assert encode_texts(opened, texts) == pytest.approx(encode_texts(subject, texts), abs=1e-6)
    assert opened.name == f"released, text {bert}" and opened.image_size == 32
    assert len(opened.weights_sha256) == 64 and opened.weights_sha256 == open_subject(path, bert).weights_sha256


def test_what_the_three_parts_do_not_hold_is_the_same_each_time(subject: Subject, bert: str, tmp_path: Path) -> None:
    first, second = (open_subject(write_parts(subject, tmp_path), bert).net.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_an_exported_folder_names_its_own_text_model(exported: Path) -> None:
    with pytest.raises(UsageError, match="names its own text model"):
        open_subject(exported, "bundled")


def test_a_tokenizer_with_too_many_tokens(subject: Subject, bert: str, tmp_path: Path) -> None:
    from transformers import BertTokenizerFast

    tokenizer = BertTokenizerFast(str(VOCABULARY))
    tokenizer.add_tokens(["pneumopericardium"])
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text((Path(bert) / "config.json").read_text())
    with pytest.raises(UsageError, match="tokens, the model"):
        open_subject(write_checkpoint(subject, tmp_path / "checkpoint.pt"), str(tmp_path))


@pytest.mark.parametrize(("name", "says"), [
    ("nowhere", "There is no model"), ("notes.txt", "notes.txt .* weights"), ("empty", "must hold one file"),
])
def test_what_is_no_model(name: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=says):
        open_subject(tmp_path / name)


def test_a_model_that_broke_is_not_scored_as_perfect(subject: Subject) -> None:
    net = copy.deepcopy(subject.net)
    net.text_projection.data.fill_(float("nan"))
    net.visual.attnpool.c_proj.bias.data.fill_(float("nan"))
    broken = dataclasses.replace(subject, net=net)
    with pytest.raises(RunFailed, match="not numbers"):
        encode_texts(broken, ["a"])
    with pytest.raises(RunFailed, match="not numbers"):
        encode_images(broken, [np.zeros((2, 32, 32, 3), np.uint8)])
