from __future__ import annotations

from pathlib import Path

import pytest

from pmcoa_build.atomic import append_synced, atomic, write_atomic


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x"
    write_atomic(path, b"old")

    def fail() -> None:
        with atomic(path) as temporary:
            temporary.write_bytes(b"new")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail()
    assert path.read_bytes() == b"old" and [one.name for one in path.parent.iterdir()] == ["x"]


def test_append_makes_folder_and_file(tmp_path: Path) -> None:
    path = tmp_path / "a" / "log"
    append_synced(path, b"1\n")
    append_synced(path, b"2\n")
    assert path.read_bytes() == b"1\n2\n"
