"""Exported folders: loaded by this project and by open_clip with the same features, and fit for hubs."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
from PIL import Image

from pmcoa_build.clip import checkpoint, hub
from pmcoa_build.clip.config import ClipConfig, load_config
from pmcoa_build.clip.model import PMCCLIP
from pmcoa_build.clip.tokenizer import BUNDLED, VOCABULARY, load_tokenizer
from pmcoa_build.errors import DiskFull, UsageError
from pmcoa_build.figures.yolo import mend_torchvision
from tests.clip import written_out

TEXTS = ["Chest radiograph (arrow), 5 µm.", "", "A Western blot of p53; α-tubulin below. " * 9, "[MASK] thé"]
ABOUT = {"text_model": BUNDLED, "text": "subcaption", "kinds": ["radiology"], "image_size": 32, "dataset_id": "abc",
         "steps": 1580, "seed": 3}


def a_model(config: ClipConfig) -> PMCCLIP:
    model = PMCCLIP(config).eval()
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    model.load_state_dict(written_out.random_state(shapes))
    return model


def exported(folder: Path, model: PMCCLIP, **about: Any) -> Path:
    checkpoint.export(folder, model, {**ABOUT, "model": model.config.as_dict(), **about})
    return folder


@pytest.fixture(scope="module")
def config(small_config: Path) -> ClipConfig:
    bundled = load_config(small_config).with_text(vocab_size=load_tokenizer(BUNDLED, 16).size)
    return bundled.with_text(mlm_vocab_size=7, bert={"intermediate_size": 48, "layer_norm_eps": 1e-3})


@pytest.fixture(scope="module")
def model(config: ClipConfig) -> PMCCLIP:
    return a_model(config)


@pytest.fixture(scope="module")
def folder(model: PMCCLIP, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return exported(tmp_path_factory.mktemp("hub") / "model", model)


@pytest.fixture(scope="module")
def open_clip() -> Any:
    mend_torchvision()
    return pytest.importorskip("open_clip", reason="the extra `dev` is not installed")


def test_the_folder_holds_what_hubs_expect(folder: Path, model: PMCCLIP) -> None:
    assert {path.name for path in folder.iterdir()} == {
        "README.md", "config.json", "model.safetensors", "open_clip_config.json", "open_clip_model.safetensors",
        "tokenizer.json", "tokenizer_config.json"}
    assert len({path.stat().st_mode for path in folder.iterdir()}) == 1
    loaded = PMCCLIP.from_exported(folder).cpu()
    assert loaded.config == model.config and not loaded.training
    assert all(torch.equal(loaded.state_dict()[name], tensor) for name, tensor in model.state_dict().items())


def test_exports_are_the_same_every_time(folder: Path, model: PMCCLIP) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    exported(folder, model)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def agrees(open_clip: Any, folder: Path, model: PMCCLIP) -> None:
    """open_clip's features, ids, temperature and preprocessing of a folder are the model's own."""
    theirs, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    ids = open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS)
    text = model.config.text_cfg
    tokenizer = load_tokenizer(str(folder), text.context_length)
    assert ids.tolist() == [tokenizer.encode(line) for line in TEXTS]
    assert (ids == 0).any() and (ids == 4).any()  # padding and [MASK] are attended too
    pixels = torch.randn(3, 3, model.config.vision_cfg.image_size, model.config.vision_cfg.image_size)
    with torch.inference_mode():
        image, words = theirs.eval().encode_image(pixels, normalize=True), theirs.encode_text(ids, normalize=True)
        assert torch.allclose(image, model.encode_image(pixels), atol=1e-5)
        assert torch.allclose(words, model.encode_text(ids), atol=1e-5)
    assert torch.equal(theirs.logit_scale, model.logit_scale)
    square = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*pixels.shape[2:], 3), np.uint8))
    assert torch.allclose(preprocess(square), normalised(square), atol=1e-5)


def normalised(image: Image.Image) -> torch.Tensor:
    from pmcoa_build.clip.images import normalise

    return normalise(torch.tensor(np.asarray(image)[None]))[0]


def test_open_clip_gives_the_same_features(open_clip: Any, folder: Path, model: PMCCLIP) -> None:
    agrees(open_clip, folder, model)


def test_an_export_of_an_export_is_found_at_its_own_place(
    open_clip: Any, folder: Path, model: PMCCLIP, tmp_path: Path
) -> None:
    moved, again = shutil.copytree(folder, tmp_path / "moved"), tmp_path / "again"
    net, about = checkpoint.load_exported(moved)
    assert checkpoint.export(again, net, about) == about["weights_sha256"]
    shutil.rmtree(moved)
    agrees(open_clip, again, model)


def test_a_text_model_of_the_users_goes_along(open_clip: Any, config: ClipConfig, tmp_path: Path) -> None:
    from transformers import BertTokenizerFast

    text_model = tmp_path / "text-model"
    BertTokenizerFast(str(VOCABULARY), do_lower_case=False).save_pretrained(text_model)
    model = a_model(config.with_text(bert_model_name=str(text_model)))
    folder = exported(tmp_path / "model", model, text_model=str(text_model))
    shutil.rmtree(text_model)
    about = checkpoint.load_exported(folder)[1]
    assert about["text_model"] == str(folder) and about["model"]["text_cfg"]["bert_model_name"] == "text-model"
    assert load_tokenizer(about["text_model"], 16).encode("A") == [2, 1, 3] + [0] * 13  # no lower-casing there
    agrees(open_clip, folder, model)
    named = [path.name for path in folder.iterdir() if str(tmp_path).encode() in path.read_bytes()]
    assert named == ["open_clip_config.json"]


def test_what_open_clip_cannot_express_is_left_out(config: ClipConfig, tmp_path: Path) -> None:
    plain = dataclasses.replace(config, vision_cfg=dataclasses.replace(config.vision_cfg, backbone="RN50"))
    model = a_model(plain)
    folder = exported(tmp_path, model)
    assert not list(folder.glob("open_clip*"))
    card = (folder / "README.md").read_text()
    assert "open_clip has no such image tower" in card and "library_name" not in card
    images = torch.randn(2, 3, 32, 32)
    assert torch.equal(PMCCLIP.from_exported(folder).cpu().encode_image(images), model.encode_image(images))


def card_programs(folder: Path) -> list[str]:
    card = (folder / "README.md").read_text()
    return [code.replace("path/of/this/folder", str(folder)) for code in re.findall(r"```python\n(.*?)```", card, re.S)]


def test_the_cards_programs_run_and_agree(
    open_clip: Any, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (32, 32, 3), np.uint8)).save("image.png")
    printed = []
    for program in card_programs(folder):
        stream = io.StringIO()
        with contextlib.redirect_stdout(stream):
            exec(program, {})
        printed.append([float(number) for number in re.findall(r"\d\.\d+", stream.getvalue())])
    assert len(printed[0]) == 2 and sum(printed[0]) == pytest.approx(1, abs=1e-3)
    assert printed[1] == pytest.approx(printed[0], abs=1e-3)


def test_the_card_says_what_is_known(config: ClipConfig, tmp_path: Path) -> None:
    scores = [{"protocol": "retrieval-clean-test", "metric": "image_to_text_R@1", "value": 0.21, "n": 200, "seed": 0}]
    about = {**ABOUT, "model": config.as_dict(), "weights_sha256": "f00d", "pairs": 1900, "validation_recall": 0.31,
             "licences": {"CC BY": 1700, "CC0": 200}, "losses": {"contrastive": 1.25, "mlm": 2.5}}
    hub.write_card(tmp_path, about, [])
    told = (tmp_path / "README.md").read_text()
    for words in ("1,580", "seed 3", "f00d", "1,900 training pairs", "| CC BY | 1,700 |", "1.250, mlm 2.500",
                  "radiology", "0.310", "Not for diagnosis", "untrained at the start", "`subcaption`"):
        assert words in told
    hub.write_card(tmp_path, about, scores)
    assert "| retrieval-clean-test | image_to_text_R@1 | 0.21 | 200 | 0 |" in (tmp_path / "README.md").read_text()
    front = huggingface_hub.ModelCard.load(tmp_path / "README.md").data.to_dict()
    assert front["license"] == "other" and front["pipeline_tag"] == "zero-shot-image-classification"


def test_a_full_disk_and_a_missing_tokenizer_are_said(
    model: PMCCLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import safetensors.torch

    with pytest.raises(UsageError, match="tokenizer of '/nowhere'"):
        exported(tmp_path / "a", model, text_model="/nowhere")
    assert not (tmp_path / "a" / "config.json").exists()

    def full(*_: object) -> None:
        raise safetensors.SafetensorError("No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    with pytest.raises(DiskFull, match=r"model\.safetensors"):
        exported(tmp_path / "b", model)
    assert not list((tmp_path / "b").iterdir())


def test_folders_of_others_and_damaged_ones_are_refused(folder: Path, tmp_path: Path) -> None:
    assert checkpoint.is_exported(folder) and not checkpoint.is_exported(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(UsageError, match="another program's"):
        PMCCLIP.from_exported(tmp_path)
    assert not checkpoint.is_exported(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    about = json.loads((copy / "config.json").read_text())
    about["model"]["vision_cfg"]["width"] = 16
    (copy / "config.json").write_text(json.dumps(about))
    with pytest.raises(UsageError, match=r"do not fit config\.json: size mismatch"):
        PMCCLIP.from_exported(copy)
