"""Where blocks run makes no difference to what they give."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmcoa_build.engine import log
from pmcoa_build.errors import RunFailed, UsageError
from tests.engine.toy import Toy, article, articles

FIRST = "000000000"


@pytest.mark.parametrize("on", ["threads:3", "processes:2"])
def test_wherever_it_runs_the_tables_are_equal(
    toy: Toy, on: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    toy.run()
    other = Toy(tmp_path / "other")
    other.write(articles(60))
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    other.run(on=on)
    assert other.hashes() == toy.hashes() and len(other.calls()) == 300
    assert list((tmp_path / "cwd").iterdir()) == [] and other.verify() == []
    assert capfd.readouterr() == ("", "")


def test_an_unknown_place_to_run_is_a_usage_error(toy: Toy) -> None:
    with pytest.raises(UsageError, match="processes:N"):
        toy.run(on="cluster")


@pytest.mark.parametrize("on", ["threads:2", "processes:2"])
def test_an_error_of_the_whole_run_comes_back_from_workers(
    toy: Toy, on: str, capfd: pytest.CaptureFixture[str]
) -> None:
    toy.write({n: article("x", fail=True) for n in range(1, 61)})
    with pytest.raises(RunFailed, match="does not answer"):
        toy.run(on=on)
    assert not toy.state.records("fetch")
    assert capfd.readouterr() == ("", ""), "dask speaks"


def test_log_is_written_by_the_driver_once_a_block(toy: Toy) -> None:
    toy.run(on="threads:3")
    lines = toy.state.log_path("fetch").read_bytes().splitlines()
    assert len(lines) == 3 and all(log.decode(line) for line in lines)
    assert all(r["output"]["path"].startswith("fetch/") for r in toy.state.records("fetch").values())


def test_a_scheduler_that_is_not_there(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: str, timeout: float) -> None:
        raise OSError("Timed out trying to connect")

    monkeypatch.setattr("distributed.Client", refuse)
    with pytest.raises(RunFailed, match=r"scheduler tcp://127.0.0.1:1 cannot be reached"):
        toy.run(on="tcp://127.0.0.1:1")
