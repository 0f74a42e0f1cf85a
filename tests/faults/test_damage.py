"""Faults 17, 18, 39, 40, 42 and 46: full disks, damaged logs and files, lost folders, strange paths."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pmcoa_build.atomic import append_synced, atomic
from pmcoa_build.errors import DiskFull, PmcoaError, RunFailed, UsageError
from tests.engine.toy import Toy, articles
from tests.faults.crash import ROOT, unfinished_files


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    made = Toy(tmp_path / "toy")
    made.write(articles(40))
    made.run()
    made.calls()
    return made


def _fetched(toy: Toy, name: str = "output", block: str = "000000000") -> Path:
    return toy.state.path(toy.state.records("fetch")[block][name]["path"])


# 39: the commit log


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_a_torn_last_line_costs_that_commit(toy: Toy, share: float, caplog: pytest.LogCaptureFixture) -> None:
    expected, path = toy.hashes(), toy.state.log_path("fetch")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]) + lines[-1][: int(len(lines[-1]) * share)])
    assert toy.due()["fetch"] == [("000000021", "never done")]
    assert ("torn" in caplog.text) == (share > 0)
    toy.run()
    assert toy.hashes() == expected and toy.verify() == [] and toy.due() == {}


def test_a_damaged_line_is_named_and_its_block_done_again(toy: Toy) -> None:
    expected, path = toy.hashes(), toy.state.log_path("fetch")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0].replace(b'"done": 20', b'"done": 19') + lines[1])
    assert toy.verify() == ["fetch.jsonl: line 1 is damaged."]
    assert toy.due()["fetch"] == [("000000000", "never done")]
    toy.run()
    assert toy.hashes() == expected and toy.due() == {}
    toy.collect()
    assert toy.verify() == []


def test_a_newer_log_is_refused(toy: Toy) -> None:
    path = toy.state.log_path("words")
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(UsageError, match="newer pmcoa-build"):
        toy.run()


# 40: data files


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 1
    path.write_bytes(bytes(data))


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 100)


@pytest.mark.parametrize("output", ["output", "ledger"])
@pytest.mark.parametrize(("damage", "says"), [
    (_flip, "other bytes"), (_truncate, "bytes, not"), (Path.unlink, "missing"),
])
def test_damage_is_found_and_mended(toy: Toy, damage: Callable[[Path], Any], says: str, output: str) -> None:
    expected, path = toy.hashes(), _fetched(toy, output)
    damage(path)
    problems = toy.verify()
    assert len(problems) == 1 and path.name in problems[0] and says in problems[0]
    if damage is _flip:
        assert toy.due() == {}  # a look at every byte is verify's work; it asks to delete the file
        path.unlink()
    assert toy.due()["fetch"] == [("000000000", "its file is missing or damaged")]
    toy.run()
    assert toy.hashes() == expected and toy.verify() == [] and toy.due() == {}


@pytest.mark.parametrize("stage", ["catalogue", "report"])
@pytest.mark.parametrize("damage", [_truncate, Path.unlink])
def test_tasks_make_damaged_files_anew(toy: Toy, damage: Callable[[Path], Any], stage: str) -> None:
    expected = toy.hashes()
    record = toy.state.records(stage)["all"]
    damage(toy.state.path(record["files"][0]["path"]))
    assert toy.due() == {stage: [("all", "its file is missing or damaged")]}
    toy.run()
    assert toy.hashes() == expected and toy.verify() == [] and toy.due() == {}


@pytest.mark.parametrize("column", ["article", "body"])
def test_a_reader_names_the_file_in_which_a_bit_has_flipped(toy: Toy, column: str) -> None:
    path = _fetched(toy)
    group = pq.ParquetFile(path).metadata.row_group(0)
    chunk = next(c for i in range(4) if (c := group.column(i)).path_in_schema == column)
    data = bytearray(path.read_bytes())
    data[(chunk.dictionary_page_offset or chunk.data_page_offset) + chunk.total_compressed_size - 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(RunFailed, match=rf"{path.name} is damaged .*delete it"):
        toy.with_step("words", version=2).run()
    path.unlink()
    toy.with_step("words", version=2).run()


# 46: the state folder


def test_data_without_records_are_left_alone(toy: Toy) -> None:
    files_before = toy.files()
    shutil.rmtree(toy.state.folder)
    with pytest.raises(UsageError, match=r"records of the data .* are missing"):
        toy.run()
    toy.state.folder.mkdir()
    with pytest.raises(UsageError, match="no records"):
        toy.collect()
    assert toy.files() == files_before


def test_records_of_another_build_are_refused(toy: Toy, tmp_path: Path) -> None:
    other = Toy(tmp_path / "other")
    other.write(articles(3))
    other.run()
    mixed = toy.changed(keys=(f"build.state={other.state.folder}",))
    with pytest.raises(UsageError, match="belong to another build"):
        mixed.run()


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    toy = Toy(tmp_path)
    toy.write(articles(3))
    (tmp_path / "data" / "fetch").mkdir(parents=True)
    (tmp_path / "data" / "fetch" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other files"):
        toy.run()
    assert not (tmp_path / "state").exists()
    shutil.rmtree(tmp_path / "data" / "fetch")
    (tmp_path / "data" / "raw").mkdir()  # a download cache may be there first
    toy.run()


def test_deleted_data_are_made_again(toy: Toy) -> None:
    expected = toy.hashes()
    shutil.rmtree(toy.state.out)
    toy.run()
    assert toy.hashes() == expected and toy.verify() == []


# 17: full disks


def _run_limited(root: Path, limit: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        Toy(root).run()
    except PmcoaError as error:
        (root / "said").write_text(str(error))
        sys.exit(error.exit_code)


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path: Path, context: ForkServerContext) -> None:
    toy = Toy(tmp_path)
    world = articles(40)
    world[30]["text"] = "".join(hashlib.sha256(b"%d" % n).hexdigest() for n in range(2000))  # cannot be compressed
    toy.write(world)
    process = context.Process(target=_run_limited, args=(tmp_path, 20_000))
    process.start()
    process.join()
    assert process.exitcode == 4
    said = (tmp_path / "said").read_text()
    assert "No room for" in said and "bytes are free" in said
    assert sorted(toy.state.records("fetch")) == ["000000000"] and toy.verify() == []
    assert unfinished_files(tmp_path) == []
    toy.run()
    assert toy.state.records("fetch")["000000021"]["counts"]["done"] == 20


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_every_kind_of_full_disk(tmp_path: Path, code: int) -> None:
    def write() -> None:
        with atomic(tmp_path / "x") as temporary:
            temporary.write_bytes(b"abc")
            raise OSError(code, os.strerror(code))

    with pytest.raises(DiskFull, match="No room for x"):
        write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_log_on_a_full_disk(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="record a commit"):
        append_synced(tmp_path / "log", b"x")


# 18: no permission


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("folder", ["data", "state"])
def test_a_read_only_folder_is_refused_before_any_work(tmp_path: Path, folder: str) -> None:
    toy = Toy(tmp_path)
    toy.write(articles(3))
    (tmp_path / folder).mkdir(mode=0o500)
    with pytest.raises(UsageError, match="cannot be written"):
        toy.run()
    assert toy.calls() == []


@pytest.mark.parametrize("folder", ["data", "state"])
def test_a_file_where_a_folder_should_be(tmp_path: Path, folder: str) -> None:
    toy = Toy(tmp_path)
    toy.write(articles(3))
    (tmp_path / folder).write_text("")
    with pytest.raises(UsageError, match="cannot be made"):
        toy.run()


# 42: locale and paths


def test_paths_with_spaces_and_unicode_in_a_plain_locale(tmp_path: Path) -> None:
    root = tmp_path / "Größe 図 mit Leerzeichen"
    toy = Toy(root)
    toy.write({**articles(25), 7: {**articles(1)[1], "text": "Müller µm 図"}})
    code = "import sys; from tests.engine.toy import Toy; from pathlib import Path; Toy(Path(sys.argv[1])).run()"
    environment = {**os.environ, "LC_ALL": "C", "LANG": "C"}
    subprocess.run([sys.executable, "-c", code, str(root)], cwd=ROOT, env=environment, check=True)
    assert toy.verify() == [] and toy.due() == {} and "図" in {row["word"] for row in toy.rows("words")}
