"""`benchmark` as a user meets it: tiny sets in the public formats, killed and gone on with, and what goes wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pmcoa_build import schema
from pmcoa_build import spec as specs
from pmcoa_build.clip.benchmarks import finetune
from pmcoa_build.engine import log
from pmcoa_build.engine import state as states
from stages.__main__ import main
from tests.clip.benchmarks.made_up import export_tiny, write_medmnist, write_roco

ROOT = Path(__file__).parents[2]
PROTOCOLS = [("roco", "retrieval-clean-test"), ("roco", "retrieval-roco-test"),
             *(("pneumoniamnist", name) for name in ("zero-shot", "linear-probe", "fine-tune"))]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, ROCO and MedMNIST."""
    folder = tmp_path_factory.mktemp("given")
    export_tiny(folder / "model")
    write_roco(folder / "roco")
    write_medmnist(folder / "medmnist", "pneumoniamnist")
    return folder


def words(given: Path, out: Path, *more: str) -> list[str]:
    return ["benchmark", str(given / "model"), "--roco", str(given / "roco"),
            "--medmnist", str(given / "medmnist"), "--out", str(out), *more]


def rows(out: Path) -> list[dict[str, object]]:
    return pq.read_table(out / "scores.parquet", schema=schema.EVALUATE).to_pylist()


def stored(out: Path) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row["dataset_id"].partition(":")[0], row["protocol"]) for row in rows(out)))  # type: ignore[attr-defined, misc]


def test_scored_once_and_shown_beside_the_paper_s(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(finetune, "EPOCHS", 2)
    assert main(words(given, tmp_path)) == 0
    assert stored(tmp_path) == PROTOCOLS
    assert {row["seed"] for row in rows(tmp_path)} == {0}
    text = (tmp_path / "scores.md").read_text()
    assert text in capsys.readouterr().out
    assert "| PMC-CLIP, from the paper |  | 99.02 | 95.35 |" in text and text.count("| small |") == 5
    first = rows(tmp_path)
    assert main(words(given, tmp_path)) == 0
    assert capsys.readouterr().out.count("stored already") == 5 and rows(tmp_path) == first
    assert main(words(given, tmp_path, "--seed", "7", "--only", "zero-shot", "--only", "retrieval-roco-test")) == 0
    assert [(row["seed"], row["protocol"]) for row in rows(tmp_path)[len(first):]][::11] == [
        (7, "retrieval-roco-test"), (7, "zero-shot")]
    assert "| 0, 7 |" in (tmp_path / "scores.md").read_text()


KILLED = """
import os, signal, sys
import pyarrow.parquet as pq
from pmcoa_build.clip.benchmarks import finetune
finetune.EPOCHS = 2
write, calls = pq.write_table, []
def killed(table, path, **options):
    calls.append(path)
    if len(calls) == 4:
        open(path, "wb").write(b"PAR1 half")
        os.kill(os.getpid(), signal.SIGKILL)
    write(table, path, **options)
pq.write_table = killed
from stages.__main__ import main
main(sys.argv[1:])
"""


def test_killed_while_it_writes_it_goes_on(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, *words(given, tmp_path / "a")], cwd=ROOT, check=False,
                          capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    assert stored(tmp_path / "a") == PROTOCOLS[:3]
    monkeypatch.setattr(finetune, "EPOCHS", 2)
    assert main(words(given, tmp_path / "a")) == 0
    assert capsys.readouterr().out.count("stored already") == 3
    assert main(words(given, tmp_path / "b")) == 0
    assert [{**row, "value": pytest.approx(row["value"], abs=1e-4)} for row in rows(tmp_path / "b")] == (
        rows(tmp_path / "a"))
    assert not list((tmp_path / "a").glob("*.tmp~"))


@pytest.mark.parametrize(("more", "code", "says"), [
    (["MODEL"], 2, "Name at least one benchmark: --roco FOLDER, --medmnist FOLDER"),
    (["MODEL", "--roco", "NOWHERE"], 2, "nowhere does not exist"),
    (["MODEL", "--roco", "EMPTY"], 2, "holds nothing of ROCO"),
    (["MODEL", "--medmnist", "EMPTY"], 2, "holds no .npz file of MedMNIST's 2D sets"),
    (["MODEL", "--roco", "ROCO", "--medmnist", "EMPTY"], 2, "holds no .npz file"),  # said before anything is computed
    (["MODEL", "--roco", "OTHER"], 4, "Of the 2 captions in"),
    (["MODEL", "--medmnist", "OTHER"], 4, "is no file of MedMNIST"),
    (["MODEL", "--roco", "ROCO", "--only", "zero-shot"], 2, "no protocol 'zero-shot' here, only retrieval-clean-test,"),
    (["MODEL", "--roco", "ROCO", "--seed", "-1"], 2, "--seed must be a whole number from 0"),
    (["NOWHERE", "--roco", "ROCO"], 2, "There is no model"),
    (["EMPTY", "--roco", "ROCO"], 2, "must hold one file image_encoder"),
    (["MODEL", "--roco", "ROCO", "--text-model", "bundled"], 2, "names its own text model"),
    (["SPEC", "--roco", "ROCO"], 2, "has trained no model yet; run `make train SPEC="),
    (["--roco", "ROCO"], 2, "MODEL"),
])
def test_what_goes_wrong_is_one_sentence_and_an_exit_code(
    more: list[str], code: int, says: str, given: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("empty", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "captions.txt").write_text("ROCO_1\tone\nROCO_2\ttwo\n")
    (tmp_path / "other" / "breastmnist.npz").write_text("nothing")
    (tmp_path / "untrained.toml").write_text('[build]\nout = "data"\nstate = "state"\n')
    names = {"MODEL": given / "model", "ROCO": given / "roco", "NOWHERE": tmp_path / "nowhere",
             "EMPTY": tmp_path / "empty", "OTHER": tmp_path / "other", "SPEC": tmp_path / "untrained.toml"}
    assert main(["benchmark", *(str(names.get(word, word)) for word in more), "--out", str(tmp_path / "out")]) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("pmcoa: ") and says in lines[0], lines
    assert not (tmp_path / "out" / "scores.parquet").exists()


def test_of_a_spec_the_trained_model_is_scored(given: Path, tmp_path: Path) -> None:
    spec = tmp_path / "toy.toml"
    spec.write_text('[build]\nout = "data"\nstate = "state"\n')
    export_tiny(tmp_path / "data" / "train" / "x" / "model", seed=3)
    record = {"block": "all", "columns": {}, "facts": {"model": "train/x/model"}}
    log.append(states.of(specs.load(spec)).log_path("train"), record)
    ours = words(given, tmp_path, "--only", "zero-shot")
    for model in (spec, tmp_path / "data" / "train" / "x" / "model", given / "model"):
        assert main([ours[0], str(model), *ours[2:]]) == 0
    assert len({row["weights_sha256"] for row in rows(tmp_path)}) == 2 and len(rows(tmp_path)) == 4
