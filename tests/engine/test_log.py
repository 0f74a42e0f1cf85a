"""The commit log: what goes in comes out, and what is damaged is known."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.engine import log
from pmcoa_build.errors import UsageError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2**63, 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8,
)
RECORDS = st.dictionaries(st.text(min_size=1).filter(lambda k: k not in ("check", "format", "gone", "block")), JSON)


@given(RECORDS)
def test_round_trip(record: dict[str, Any]) -> None:
    line = log.encode({**record, "block": "b"})
    assert line.count(b"\n") == 1 and line.endswith(b"\n")
    assert log.decode(line.rstrip(b"\n")) == {**record, "block": "b"}


@given(RECORDS, st.data())
def test_any_changed_byte_is_noticed(record: dict[str, Any], data: st.DataObject) -> None:
    line = bytearray(log.encode({**record, "block": "b"})[:-1])
    at = data.draw(st.integers(0, len(line) - 1))
    line[at] ^= 1 << data.draw(st.integers(0, 6))
    try:
        found = log.decode(bytes(line))
    except UsageError:  # the bit was in the format number
        return
    assert found is None or found == {**record, "block": "b"}


def test_the_last_line_of_a_block_counts(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    for block, value in [("a", 1), ("b", 2), ("a", 3)]:
        log.append(path, {"block": block, "value": value})
    assert log.read(path).records == {"a": {"block": "a", "value": 3}, "b": {"block": "b", "value": 2}}
    assert log.compact(path) == 1 and len(path.read_bytes().splitlines()) == 2
    assert log.read(path).records["a"]["value"] == 3 and log.compact(path) == 0


def test_a_dropped_block_is_gone_until_it_comes_again(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    log.append(path, {"block": "a"})
    log.append(path, {"block": "b"})
    log.drop(path, "a")
    assert list(log.read(path).records) == ["b"]
    assert log.compact(path) == 2 and list(log.read(path).records) == ["b"]
    log.append(path, {"block": "a"})
    assert list(log.read(path).records) == ["b", "a"]


def test_cut_at_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    whole = log.encode({"block": "a", "value": "µ"}) + log.encode({"block": "b", "value": 2})
    ends = [i for i, byte in enumerate(whole) if byte == 10]
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        complete = sum(end < cut for end in ends)
        found = log.read(path)
        assert list(found.records) == ["a", "b"][:complete] and found.damaged == ()
        log.append(path, {"block": "c"})
        assert list(log.read(path).records) == [*["a", "b"][:complete], "c"] and log.read(path).damaged == ()


@pytest.mark.parametrize("line", [
    b"", b"{", b"[]", b"null", b"17", b"{}", b'{"block": "a"}', b"\xff\xfe", b'{"check": 1}',
])
def test_damage_in_the_middle_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(log.encode({"block": "a"}) + line + b"\n" + log.encode({"block": "b"}))
    found = log.read(path)
    assert list(found.records) == ["a", "b"] and found.damaged == (2,)


@given(st.lists(st.tuples(RECORDS, st.sampled_from("abc"), st.booleans(), st.none() | st.lists(st.text(), max_size=2),
                          st.booleans(), st.booleans())))
def test_the_quick_way_to_read_agrees_with_the_plain_one(
    drawn: list[tuple[dict[str, Any], str, bool, list[str] | None, bool, bool]]
) -> None:
    """Whole and damaged lines, blocks that go, lines that look like a stage's and others, names with other letters."""
    lines: list[bytes] = []
    for record, block, gone, awaiting, odd, damaged in drawn:
        shaped = {**record, "block": f"{block}µ" if odd else block, "columns": {"x": "0"}}
        shaped |= {"awaiting": awaiting} if awaiting is not None else {}
        line = log.encode(shaped | ({"gone": True} if gone else {}))
        lines.append(line.replace(b":", b";", 1) if damaged else line)
    expected: dict[str, Any] = {}
    for line in lines:
        found = log.decode(line[:-1])
        if found and found.get("gone"):
            expected.pop(found["block"], None)
        elif found:
            expected[found["block"]] = found
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.jsonl"
        path.write_bytes(b"".join(lines))
        read = log.read(path)
    assert dict(read.records) == expected and read.damaged == tuple(
        number for number, line in enumerate(lines, 1) if log.decode(line[:-1]) is None)


def test_a_log_is_read_again_only_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real, read = tmp_path / "x.jsonl", log._read, []
    monkeypatch.setattr(log, "_read", lambda path: read.append(path) or real(path))
    log.append(path, {"block": "a"})
    log.read(path).records["a"]["b"] = {}
    assert log.read(path).records == {"a": {"block": "a"}} and len(read) == 1
    log.append(path, {"block": "c"})
    assert list(log.read(path).records) == ["a", "c"] and len(read) == 2


@pytest.mark.parametrize("whole", [False, True])
def test_a_newer_format_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: bool) -> None:
    line = log.encode({"block": "a", "columns": {}, "inputs": {}})
    if whole:
        with monkeypatch.context() as newer:
            newer.setattr(log, "FORMAT", log.FORMAT + 1)
            line = log.encode({"block": "a", "columns": {}, "inputs": {}})
    else:
        line = line.replace(b'"format": 1', b'"format": 2')
    (tmp_path / "x.jsonl").write_bytes(line)
    with pytest.raises(UsageError, match="please upgrade"):
        log.read(tmp_path / "x.jsonl")


def test_no_log_is_an_empty_log(tmp_path: Path) -> None:
    assert log.read(tmp_path / "x").records == {} and log.compact(tmp_path / "x") == 0
