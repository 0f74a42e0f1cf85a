"""Fixed input, fixed rows: whoever changes the rows of a stage has to bump its version.

After a bump: UPDATE_GOLDEN=1 pytest tests/stages/test_golden.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from pmcoa_build.engine.stage import Stage
from stages.pipeline import pipeline
from tests.stages.conftest import SmallBuild

GOLDEN = Path(__file__).with_name("golden.json")


def test_rows_change_only_with_the_version(small: SmallBuild) -> None:
    steps = [step for step in pipeline() if isinstance(step, Stage) or step.name == "dedupe"]
    assert small.run("snapshot", *(step.name for step in steps)) == 0
    found = {step.name: {"version": step.version, "content": small.contents(step.name)} for step in steps}
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    golden = json.loads(GOLDEN.read_text())
    for step in steps:
        if found[step.name]["content"] != golden[step.name]["content"]:
            bumped = step.version != golden[step.name]["version"]
            assert bumped, f"the rows of {step.name} changed: bump its version in stages/{step.name}.py"
    assert found == golden, "a version was bumped: run with UPDATE_GOLDEN=1 and commit golden.json"
