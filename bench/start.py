"""How long a user waits for nothing: start-up of `status`, and a rerun that has nothing to do.

Draws a small sample, builds it up to the published dataset, then times both, as whole processes. One line of JSON.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pmcoa_build.sample import write_sample
from stages.pipeline import NAMES

RUNS = 5


def seconds(command: list[str]) -> float:
    """Median wall time of a command over RUNS runs."""
    taken = []
    for _ in range(RUNS):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def main() -> None:
    """Build, then measure."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_sample(root / "bucket", articles=20)
        keys = {"build.out": root / "out", "build.state": root / "state", "source.url": root / "bucket",
                "run.on": "sync", "run.max_dead_fraction": 1}
        sets = [f"--set={key}={value}" for key, value in keys.items()]
        program = [sys.executable, "-m", "stages"]
        stages = NAMES[: NAMES.index("publish") + 1]
        rerun = [*program, *stages, "manifests/demo.toml", *sets]
        subprocess.run(rerun, check=True, capture_output=True)
        bare = [sys.executable, "-c", "import numpy, pyarrow.parquet"]
        print(json.dumps({
            "bench": "start", "status_s": round(seconds([*program, "status", "manifests/demo.toml", *sets]), 3),
            "noop_rerun_s": round(seconds(rerun), 3), "imports_s": round(seconds(bare), 3),
        }))


if __name__ == "__main__":
    main()
