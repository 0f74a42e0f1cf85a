"""Identity and lock of a build. What goes wrong with folders is in tests/faults/test_damage.py."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pmcoa_build.engine import state as states
from pmcoa_build.errors import LockHeld, UsageError


@pytest.fixture
def state(tmp_path: Path) -> states.State:
    return states.State(tmp_path / "data", tmp_path / "state")


def _id(folder: Path) -> str:
    return (folder / states.IDENTITY).read_text()


def test_the_first_run_gives_both_folders_one_identity(state: states.State) -> None:
    states.create(state)
    with states.locked(state):
        pass
    first = _id(state.out)
    assert first == _id(state.folder) and len(first) == 37
    with states.locked(state):
        pass
    assert _id(state.out) == first


@pytest.mark.parametrize("left", [
    {"state/BUILD_ID.7.tmp~": "x"},
    {"state/BUILD_ID": "x\n"},
    {"state/BUILD_ID": "x\n", "data/BUILD_ID.7.tmp~": ""},
    {"state/BUILD_ID": "x\n", "data/raw/metadata/PMC1.1.json": "{}"},
])
def test_a_kill_while_the_identity_is_given_does_no_harm(state: states.State, left: dict[str, str]) -> None:
    for name, text in left.items():
        path = state.out.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    states.create(state)
    with states.locked(state):
        assert _id(state.out) == _id(state.folder)


def test_looking_makes_no_folders(state: states.State) -> None:
    states.check_identity(state)
    assert state.records("snapshot") == {} and not state.out.exists() and not state.folder.exists()


def test_the_lock_names_its_holder_and_is_freed(state: states.State) -> None:
    states.create(state)
    with states.locked(state):
        assert json.loads((state.folder / "lock.json").read_text())["pid"] == os.getpid()
        with pytest.raises(LockHeld, match=f"process {os.getpid()} on "), states.locked(state):
            pass
        (state.folder / "lock.json").unlink()
        with pytest.raises(LockHeld, match="not known yet"), states.locked(state):
            pass
    with states.locked(state):
        pass


def test_an_identity_that_changed_before_the_lock_was_held_is_noticed(state: states.State) -> None:
    states.create(state)
    (state.folder / states.IDENTITY).write_text("one")
    (state.out / states.IDENTITY).write_text("two")
    with pytest.raises(UsageError, match="another build"), states.locked(state):
        pass
    (state.out / states.IDENTITY).write_text("one")
    with states.locked(state):
        pass
