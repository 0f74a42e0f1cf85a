"""Every command that the README shows is run here as it stands, on a bucket of four articles.

`make demo` and `make test` are what .ci/run calls; `make detector`, which takes hours, is run small.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clip.benchmarks import made_up
from tests.stages.bucket import changed, write_bucket

ROOT = Path(__file__).parents[1]
BY_CI = {"make demo", "make test"}
SMALL = {"make detector": "ARGS=--out {place}/detector --figures 8 --pictures 150 --side 64 --epochs 1"}
SPEC = """
[build]
name = "small"
[source]
url = "../bucket"
[shards]
splits = [0.5, 0.25, 0.25]
[train]
model = "tiny"
text_model = "bundled"
image_size = 64
epochs = 1
batch_size = 2
warmup = 1
workers = 0
"""


def commands(language: str = "sh") -> list[str]:
    """The command lines of the README's code blocks, without their comments."""
    blocks = re.findall(rf"```{language}\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    lines = [line.split("   #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the README's commands read."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "manifests").mkdir()
    (folder / "manifests/small.toml").write_text(SPEC)
    (folder / "manifests/pmc-oa.toml").write_text(SPEC.replace("small", "pmc-oa"))
    write_bucket(folder / "bucket")
    (folder / "articles").symlink_to(folder / "bucket/PMC2000001.1")
    (folder / "figure.jpg").write_bytes((folder / "bucket/PMC2000001.1/g1.png").read_bytes())
    line = {"id": "f1", "image": "figure.jpg", "caption": "Two scans. (A) Before. (B) After."}
    (folder / "in.jsonl").write_text(json.dumps(line) + "\n")
    made_up.write_roco(folder / "roco")
    made_up.write_medmnist(folder / "medmnist", "pneumoniamnist")
    return folder


def run(command: str, place: Path) -> str:
    """Run a README line in `place`, with this interpreter's environment; returns what it printed."""
    venv = Path(sys.executable).parents[1]
    if command.startswith("make"):
        words = ["make", "-C", str(ROOT), "-o", f"{venv}/.ready", f"VENV={venv}", *command.split()[1:]]
        words = [word.replace("SPEC=", f"SPEC={place}/") for word in words]
        words += [SMALL[command].format(place=place)] if command in SMALL else []
    elif command.startswith("torchrun "):
        words = [sys.executable, "-m", "torch.distributed.run", *command.split()[1:]]
    else:
        assert command.startswith("python -m stages "), f"the README shows {command!r}, which no test knows how to run"
        words = [sys.executable, *command.split()[1:]]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_every_command_works_in_the_order_of_the_readme(place: Path) -> None:
    lines = [line for line in commands() if line not in BY_CI]
    assert len(lines) > 12
    for line in lines:
        if " diff " in line:
            write_bucket(place / "bucket", changed(2000001, title="Corrected"), date="2026-10-02")
            run("python -m stages snapshot manifests/small.toml --update", place)
        if line.startswith("torchrun "):
            run("make crawl subfigures shards SPEC=manifests/small.toml", place)  # the correction of before
        said = run(line, place)
        if line.startswith("make train "):
            assert "text_to_image_R@1" in said and Path(said.split("Model report: ")[1].splitlines()[0]).exists()
    assert (place / "detector/panels.md").exists()
    assert json.loads((place / "figures.jsonl").read_text())["figures"][0]["id"] == "F1"
    assert [p["label"] for p in json.loads((place / "out.jsonl").read_text())["panels"]] == ["A", "B"]


def test_make_says_which_spec_runs(place: Path) -> None:
    said = run("make crawl SPEC=manifests/small.toml ARGS=--dry-run", place).splitlines()
    assert "small.toml" in said[0] if not said[0].startswith("make") else "small.toml" in said[1]
