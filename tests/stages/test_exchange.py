"""A trained model, exported for others."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from pmcoa_build.build import Build
from pmcoa_build.clip.model import PMCCLIP
from stages.__main__ import main
from tests.stages.conftest import SmallBuild

TRAIN = """
[train]
model = "tiny"
text_model = "bundled"
image_size = 64
epochs = 1
batch_size = 4
warmup = 1
workers = 0
"""


def hub_name(folder: Path) -> str:
    config = json.loads((folder / "open_clip_config.json").read_text())
    return str(config["model_cfg"]["text_cfg"]["hf_model_name"])


def test_the_model_of_a_build_and_its_copy_for_the_hub(
    small: SmallBuild, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, hub = small.root / "model", small.root / "hub"
    assert small.command("export", "model", "--out", str(out)) == 2
    assert "no trained model yet" in capsys.readouterr().err
    small.spec.write_text(small.spec.read_text() + TRAIN)
    assert small.run("snapshot", "articles", "figures", "screen", "media", "panels", "align", "dedupe", "shards",
                     "publish", "train") == 0
    assert small.command("export", "model", "--out", str(out)) == 0
    assert hub_name(out) == str(out)
    assert "Not measured yet" in (out / "README.md").read_text()
    PMCCLIP.from_exported(out)

    weights = small.open().state.records("train")["all"]["facts"]["weights_sha256"]
    rows = [{"protocol": name, "metric": "R@1", "value": 0.5, "n": 2, "seed": 0, "weights_sha256": sha}
            for name, sha in (("ours", weights), ("another model's", "f00d"))]
    monkeypatch.setattr(Build, "table", lambda self, stage: pa.Table.from_pylist(rows))
    records = type(small.open().state).records
    monkeypatch.setattr("pmcoa_build.engine.state.State.records",
                        lambda self, stage: {"all": {}} if stage == "evaluate" else records(self, stage))
    assert small.command("export", "model", "--out", str(hub), "--name", "me/my-clip") == 0
    card = (hub / "README.md").read_text()
    assert hub_name(hub) == "me/my-clip" and "| ours | R@1 | 0.5 |" in card and "another model's" not in card

    again = small.root / "again"
    assert main(["export", str(hub), "model", "--out", str(again)]) == 0
    assert hub_name(again) == str(again)
    same = ("config.json", "model.safetensors", "open_clip_model.safetensors", "tokenizer.json")
    assert [(hub / name).read_bytes() for name in same] == [(again / name).read_bytes() for name in same]
    assert main(["export", str(hub), "model", "--out", str(again)]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_a_folder_without_a_model_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", str(tmp_path), "model", "--out", str(tmp_path / "out")]) == 2
    assert "holds no exported model" in capsys.readouterr().err
