"""Trainings on several processes of this machine, for tests: `python -m tests.clip.together JOB.json PORT`.

A job is a list of runs `{"name", "world", "keys", …}`; each writes into its folder `out/name`, one after the other. The
processes are forked, so that torch is imported once.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def train_together(dataset: Path, out: Path, runs: Sequence[dict[str, Any]]) -> tuple[list[list[int]], str]:
    """Exit codes of the processes of each run, by rank (-9: killed), and what all of them wrote to stderr."""
    job = out / "job.json"
    job.write_text(json.dumps({"dataset": str(dataset), "out": str(out), "runs": list(runs)}))
    command = [sys.executable, "-m", "tests.clip.together", str(job), str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def _main() -> None:
    import torch

    from pmcoa_build.clip import learner, report  # noqa: F401
    from pmcoa_build.clip.text import without_torchvision

    with without_torchvision():
        from transformers import BertModel  # noqa: F401
    torch.set_num_threads(1)
    job, port = json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])
    codes = []
    for number, run in enumerate(job["runs"]):
        children = []
        for rank in range(run["world"]):
            pid = os.fork()
            if not pid:
                os.environ |= {"WORLD_SIZE": str(run["world"]), "RANK": str(rank), "LOCAL_RANK": str(rank),
                               "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port + number)}
                _one(Path(job["dataset"]), Path(job["out"]) / run["name"], run)
            children.append(pid)
        codes.append([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children])
    sys.stdout.write(json.dumps(codes) + "\n")


def _one(dataset: Path, out: Path, run: dict[str, Any]) -> None:
    """Train; ends the process with the exit code of what happened."""
    from pmcoa_build.clip import report
    from pmcoa_build.clip import train as module
    from pmcoa_build.errors import PmcoaError
    from pmcoa_build.spec import TrainKeys

    report.draw_curves = lambda lines, path: None
    rank = int(os.environ["RANK"])
    fault = run.get("fault", "") if run.get("rank", 0) == rank else ""
    _break(module, fault, run.get("at", 0))
    told: list[dict[str, Any]] = []
    code = 0
    try:
        module.train(dataset, out, TrainKeys(**run["keys"]), progress=told.append,
                     stop=_stop_at(run.get("at", 0)) if fault == "stop" else lambda: False)
    except PmcoaError as error:
        sys.stderr.write(f"{out.name} {rank}: {error}\n")
        code = error.exit_code
    sys.stderr.flush()
    os._exit(code)


def _stop_at(count: int) -> Any:
    calls = iter(range(1, 10**6))
    return lambda: next(calls) >= count


def _break(module: Any, fault: str, at: int) -> None:
    """`kill` and `fail`: before the gradients of step `at` are computed."""
    from pmcoa_build.clip.learner import Learner

    real, steps = Learner.gradients, iter(range(1, 10**6))

    def gradients(self: Any, micros: Any) -> Any:
        if next(steps) == at and fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "fail":
            raise MemoryError
        return real(self, micros)

    if fault in ("kill", "fail"):
        Learner.gradients = gradients  # type: ignore[method-assign]


if __name__ == "__main__":
    _main()
