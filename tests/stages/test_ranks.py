"""Under torchrun: process 0 runs the stages, the others take part in its training, or go when there is none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pmcoa_build.errors import UsageError
from stages import ranks
from tests.clip.conftest import write_dataset
from tests.clip.together import free_port

PROCESSES = '''
import json, os, sys
from pathlib import Path
from types import SimpleNamespace
import torch
from pmcoa_build.clip import learner, report
from pmcoa_build.clip.text import without_torchvision
from pmcoa_build.engine.runner import Stop
from pmcoa_build.spec import TrainKeys
from stages import ranks, train
with without_torchvision():
    from transformers import BertModel

torch.set_num_threads(1)
report.draw_curves = lambda lines, path: None
out, port = Path(sys.argv[1]), int(sys.argv[2])
keys = TrainKeys(model="tiny", text_model="bundled", image_size=32, epochs=1, batch_size=4, workers=0, kinds=("photo",))

def lead(way):
    if way == "stages":
        with ranks.leading(["snapshot", "train"]):
            raise AssertionError
    with ranks.leading(["train", "evaluate"]):
        if way == "train":
            context = SimpleNamespace(
                spec=SimpleNamespace(train=keys), out=out, show=lambda row: None, stop=Stop(),
                upstream={"publish": {"all": {"facts": {"dataset_id": "toy-0"}}}})
            (out / "made.json").write_text(json.dumps(train.run(context).facts))
    return 0

def one(way, rank):
    try:
        return ranks.follow() if ranks.follows() else lead(way)
    except Exception as error:
        print(error, flush=True)
        return getattr(error, "exit_code", 1)

for number, way in enumerate(("train", "nothing", "stages")):
    os.environ |= {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port + number)}
    children = []
    for rank in range(2):
        pid = os.fork()
        if not pid:
            os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
            os._exit(one(way, rank))
        children.append(pid)
    print(way, *(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children), flush=True)
'''


def test_the_others_wait_for_the_training_of_process_0_or_go(tmp_path: Path) -> None:
    write_dataset(tmp_path / "dataset-toy-0", train=48, validation=8, test=8)
    done = subprocess.run([sys.executable, "-c", PROCESSES, str(tmp_path), str(free_port())],
                          capture_output=True, text=True, timeout=600, check=False)
    assert done.stdout.splitlines() == [
        "train 0 0", "nothing 0 0",
        "torchrun is for `train` and `evaluate`: run the other stages without it first.", "stages 2 0",
    ], done.stderr[-3000:]
    made = json.loads((tmp_path / "made.json").read_text())
    assert made["steps"] == 4  # 32 photographs, 8 a step
    assert (tmp_path / made["model"] / "model.safetensors").exists()


def test_without_torchrun_there_is_nobody_to_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert not ranks.follows()
    with ranks.leading(["snapshot"]):
        ranks.call(ranks.Job("dataset", "folder", {}))


def test_a_launcher_that_names_one_process_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    with ranks.leading(["snapshot"]), pytest.raises(UsageError):
        raise UsageError("its own")
