"""[select] query: NCBI is asked once for each query and snapshot."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pmcoa_build.sample import SampleServer, serve
from tests.stages.bucket import changed, write_bucket
from tests.stages.conftest import SmallBuild


@pytest.fixture
def ncbi(small: SmallBuild) -> Iterator[SampleServer]:
    with serve(small.root / "bucket") as server:
        yield server


def snapshot(small: SmallBuild, ncbi: SampleServer, query: str, *options: str) -> tuple[list[str], int]:
    """The articles selected, and how often ESearch was asked for them."""
    before = len(ncbi.log)
    keys = [f"--set=select.query={query}", f"--set=source.eutils_url={ncbi.url}/eutils"]
    assert small.run("snapshot", *keys, *options) == 0
    asked = [key for _, key, *_ in ncbi.log[before:] if key.startswith("eutils")]
    return small.open().table("snapshot")["article"].to_pylist(), len(asked)


def test_a_query_is_pinned_with_the_snapshot(small: SmallBuild, ncbi: SampleServer) -> None:
    found = ["PMC2000001.1", "PMC2000002.1", "PMC2000004.1"]
    assert snapshot(small, ncbi, "article") == (found, 1)
    assert snapshot(small, ncbi, "article") == (found, 0), "nothing has changed"
    write_bucket(small.root / "bucket", changed(2000001, title="First of all"))
    assert snapshot(small, ncbi, "article", "--set=select.exclude=PMC2000002") == ([found[0], found[2]], 0), "pinned"
    assert snapshot(small, ncbi, "first OR second") == (found[:2], 1), "another query"
    write_bucket(small.root / "bucket", changed(2000001, title="First of all"), date="2026-10-02")
    assert snapshot(small, ncbi, "article", "--update") == (found[1:], 1), "another snapshot"
    assert small.command("verify") == 0


def test_a_lost_answer_is_asked_for_again(small: SmallBuild, ncbi: SampleServer) -> None:
    found, _ = snapshot(small, ncbi, "article")
    [file] = (small.root / "builds" / "small" / "snapshot").glob("query-*.parquet")
    file.write_bytes(b"")
    assert small.command("gc") == 0 and file.exists()
    assert snapshot(small, ncbi, "article") == (found, 1)


def test_what_is_not_in_the_inventory_does_no_harm(small: SmallBuild, ncbi: SampleServer) -> None:
    record = (small.root / "bucket" / "metadata" / "PMC2000001.1.json").read_text()
    for name in ("PMC9", "PMC99999999999"):
        (small.root / "bucket" / "metadata" / f"{name}.1.json").write_text(record.replace("PMC2000001", name))
    assert snapshot(small, ncbi, "first") == (["PMC2000001.1"], 1)


def test_a_misspelt_query_is_an_error_in_one_sentence(
    small: SmallBuild, ncbi: SampleServer, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = ["--set=select.query=artcile", f"--set=source.eutils_url={ncbi.url}/eutils"]
    assert small.run("snapshot", *keys) == 2
    assert "NCBI does not know 'artcile'" in capsys.readouterr().err
