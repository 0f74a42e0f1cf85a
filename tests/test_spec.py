"""Specs: what is read, what is refused, and that the shipped ones say what the code says."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from pmcoa_build import spec as specs
from pmcoa_build.errors import UsageError

ROOT = Path(__file__).parents[1]
SHIPPED = sorted((ROOT / "manifests").glob("*.toml"))


def _spec(folder: Path, text: str = "", *overrides: str) -> specs.Spec:
    (folder / "toy.toml").write_text(text, "utf-8")
    return specs.load(folder / "toy.toml", overrides)


def test_an_empty_spec_is_all_defaults(tmp_path: Path) -> None:
    spec = _spec(tmp_path)
    assert spec.source == specs.SourceKeys() and spec.train == specs.TrainKeys()
    assert spec.source.url.startswith("https://")
    assert spec.build == specs.BuildKeys("toy", str(tmp_path.parent / "builds/toy"), str(tmp_path / "state/toy"))


@pytest.mark.parametrize(("text", "says"), [
    ("[panels]\nconfidnce = 1", "unknown key [panels] confidnce (did you mean confidence?)"),
    ("[panel]\n", "unknown section [panel] (did you mean panels?)"),
    ("[xyz]\n", "known: build"),
    ("[panels]\nxyz = 1", "known: weights"),
    ("confidence = 1", "outside a section"),
    ("[panels]\nconfidence = 'high'", "must be float"),
    ("[panels]\nmin_side = 1.5", "must be int"),
    ("[panels]\nmin_side = true", "must be int"),
    ("[source]\nkeep_raw = 1", "must be bool"),
    ("[select]\nversions = 'newest'", "must be one of 'best', 'latest', 'all'"),
    ("[select]\nlicenses = [1]", "must be str"),
    ("[build]\nname = '../x'", "letters, digits"),
    ("[build]\nname = '.x'", "letters, digits"),
    ("[build", "not valid TOML"),
])
def test_what_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        _spec(tmp_path, text)
    assert says in str(error.value)


def test_a_missing_or_binary_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        specs.load(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not valid TOML"):
        specs.load(tmp_path / "x.toml")


@pytest.mark.parametrize(("override", "value"), [
    ("panels.confidence=0.5", 0.5), ("panels.confidence=1", 1.0), ("panels.min_side=7", 7),
    ("source.keep_raw=true", True), ("select.versions=all", "all"), ("build.name=2026", "2026"),
    ("select.licenses=any", ("any",)), ('select.licenses=["CC0", "CC BY"]', ("CC0", "CC BY")),
    ("select.query=open access[filter]", "open access[filter]"), ("source.contact=a=b", "a=b"),
    ("shards.splits=[0.5, 0.25, 0.25]", (0.5, 0.25, 0.25)), ("select.since=2026-01-31", "2026-01-31"),
])
def test_overrides(tmp_path: Path, override: str, value: Any) -> None:
    assert _spec(tmp_path, "", override).value(override.partition("=")[0]) == value


@pytest.mark.parametrize("override", ["", "x", "panels=1", "panels.confidence", "=1", ".=1", "panels.=1"])
def test_overrides_that_are_none(tmp_path: Path, override: str) -> None:
    with pytest.raises(UsageError):
        _spec(tmp_path, "", override)


def test_paths_are_relative_to_the_spec_and_those_of_overrides_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "here").mkdir()
    (tmp_path / "specs" / "ids.txt").write_text("1")
    monkeypatch.chdir(tmp_path / "here")
    text = ('[build]\nout = "../out"\n[panels]\nweights = "w.onnx"\n[select]\narticles = "ids.txt"\n'
            'exclude = ["PMC7"]\n[source]\nurl = "sample"\n[train]\nmodel = "tiny"\n')
    spec = _spec(tmp_path / "specs", text, "align.corrections=c.jsonl", "source.url=./bucket")
    assert spec.build.out == str(tmp_path / "out") and spec.panels.weights == str(tmp_path / "specs/w.onnx")
    assert spec.select.articles == (str(tmp_path / "specs/ids.txt"),) and spec.select.exclude == ("PMC7",)
    assert spec.align.corrections == str(tmp_path / "here/c.jsonl") and spec.train.model == "tiny"
    assert spec.source.url == str(tmp_path / "here/bucket")
    for word in ("sample", "https://host/bucket"):
        assert _spec(tmp_path / "specs", "", f"source.url={word}").source.url == word


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_specs_load(path: Path) -> None:
    assert specs.load(path).build.name == path.stem


@pytest.mark.parametrize("path", [path for path in SHIPPED if path.stem != "demo"], ids=lambda path: path.stem)
def test_specs_other_than_the_demo_read_the_real_bucket(path: Path) -> None:
    assert specs.load(path).source.url == specs.REAL_BUCKET


def test_the_demo_spec_tells_every_key_with_its_default() -> None:
    text = (ROOT / "manifests/demo.toml").read_text("utf-8")
    set_here = tomllib.loads(text)
    shown = tomllib.loads(re.sub(r"^# (\w+ = )", r"\1", text, flags=re.M))
    for section, kind in specs.SECTIONS.items():
        assert list(shown[section]) == [field.name for field in dataclasses.fields(kind)], section
        for field in dataclasses.fields(kind):
            if field.name in set_here.get(section, {}) or section == "build":
                continue
            default = getattr(kind(), field.name)
            told = shown[section][field.name]
            assert (tuple(told) if isinstance(told, list) else told) == default, f"{section}.{field.name}"


def test_every_key_has_a_sentence() -> None:
    for kind in specs.SECTIONS.values():
        for field in dataclasses.fields(kind):
            assert len(field.metadata["doc"]) > 10, field.name
