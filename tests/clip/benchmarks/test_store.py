"""The table of scores: what is skipped, what is added, and what is no table."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pmcoa_build import schema
from pmcoa_build.clip.benchmarks.store import Protocol, Score, identity, read, score
from pmcoa_build.clip.benchmarks.subject import Subject
from pmcoa_build.errors import RunFailed


def protocol(name: str, calls: list[str], data: str = "drawn:1") -> Protocol:
    def compute() -> list[Score]:
        calls.append(f"{data} {name}")
        return [Score("AUC", 0.5, 7), Score("ACC", float("nan"), 7)]

    return Protocol(data, name, compute)


def test_rows_say_weights_data_protocol_and_seed(subject: Subject, tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"
    score([protocol("a", [])], subject, 3, path, lambda _: None)
    assert pq.read_schema(path).equals(schema.EVALUATE)
    assert read(path)[0] == {
        "model": "small", "weights_sha256": subject.weights_sha256, "dataset_id": "drawn:1", "protocol": "a",
        "metric": "AUC", "value": 0.5, "n": 7, "seed": 3,
    }
    assert read(path)[1]["value"] != read(path)[1]["value"]  # a score that is not a number stays one


def test_only_what_is_new_is_computed(subject: Subject, tmp_path: Path) -> None:
    path, calls, said = tmp_path / "scores.parquet", list[str](), list[str]()
    other = dataclasses.replace(subject, weights_sha256="f" * 64)
    score([protocol("a", calls)], subject, 0, path, said.append)
    score([protocol("a", calls), protocol("b", calls), protocol("a", calls, "drawn:2")], subject, 0, path, said.append)
    assert calls == ["drawn:1 a", "drawn:1 b", "drawn:2 a"] and said[1] == "drawn a: stored already"
    score([protocol("a", calls)], subject, 1, path, said.append)
    score([protocol("a", calls)], other, 0, path, said.append)
    assert len(calls) == 5 and len(read(path)) == 10


def test_a_second_run_that_was_faster_is_not_doubled(subject: Subject, tmp_path: Path) -> None:
    path = tmp_path / "scores.parquet"

    def compute() -> list[Score]:
        score([protocol("a", [])], subject, 0, path, lambda _: None)
        return [Score("AUC", 0.9, 7)]

    score([Protocol("drawn:1", "a", compute)], subject, 0, path, lambda _: None)
    assert [row["value"] for row in read(path)][:1] == [0.5] and len(read(path)) == 2


def test_leftovers_of_killed_runs_are_removed(subject: Subject, tmp_path: Path) -> None:
    (tmp_path / "scores.parquet.123.tmp~").write_text("half")
    score([protocol("a", [])], subject, 0, tmp_path / "scores.parquet", lambda _: None)
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix != ".lock") == ["scores.parquet"]


@pytest.mark.parametrize("columns", [None, {"name": ["a"]}])
def test_a_file_that_is_no_table_is_refused(
    columns: dict[str, list[str]] | None, subject: Subject, tmp_path: Path
) -> None:
    path, calls = tmp_path / "scores.parquet", list[str]()
    if columns:
        pq.write_table(pa.table(columns), path)
    else:
        path.write_text("nothing")
    before = path.read_bytes()
    with pytest.raises(RunFailed, match=r"scores.parquet is no table of scores .*; move it away\."):
        score([protocol("a", calls)], subject, 0, path, lambda _: None)
    assert calls == [] and path.read_bytes() == before


def test_identities_depend_on_names_contents_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"1")
    same = identity("set", [("x", tmp_path / "a")])
    assert same == identity("set", [("x", tmp_path / "b")]) == identity("set", [("x", b"1")])
    assert len({same, identity("set", [("y", b"1")]), identity("set", [("x", b"2")]), identity("set", [])}) == 4
    assert same.startswith("set:") and len(same) == 4 + 64


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory")])
def test_no_memory_is_one_sentence(error: Exception, subject: Subject, tmp_path: Path) -> None:
    def compute() -> list[Score]:
        raise error

    both = [protocol("a", []), Protocol("drawn:1", "b", compute)]
    with pytest.raises(RunFailed, match=r"^Memory ran out on drawn b; .*\.$"):
        score(both, subject, 0, tmp_path / "s.parquet", lambda _: None)
    assert {row["protocol"] for row in read(tmp_path / "s.parquet")} == {"a"}
