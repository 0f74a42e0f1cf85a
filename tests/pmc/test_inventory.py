from __future__ import annotations

import gzip
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.errors import RunFailed, UsageError
from pmcoa_build.pmc import inventory, snapshot_rows
from pmcoa_build.pmc.bucket import Bucket, FolderBucket, open_bucket
from pmcoa_build.pmc.inventory import ROOT, Diff, diff, fingerprint, read_inventory, resolve, snapshot_dates
from pmcoa_build.schema import SNAPSHOT

DAY = "2026-09-01T01-00Z"
SCHEMA = "Bucket, Key, LastModifiedDate, ETag"
Row = tuple[str, str, str]  # key, date, etag


def etag(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()


ROWS: list[Row] = [
    ("metadata/PMC12.1.json", "2026-01-08T11:47:59.000Z", etag("a")),
    ("metadata/PMC9.10.json", "2026-01-08T11:55:14.123Z", etag("b")),
    ("metadata/PMC9.2.json", "1999-12-31T23:59:59.999Z", etag("c")),
    ("metadata/PMC100000001.1.json", "2028-02-29T00:00:00.000Z", etag("d")),
]


def csv_of(rows: list[Row], columns: str = SCHEMA) -> bytes:
    lines = []
    for key, date, tag in rows:
        values = {"Bucket": "pmc-oa-opendata", "Key": key, "LastModifiedDate": date, "ETag": tag, "Size": "900"}
        lines.append(",".join(f'"{values[name.strip()]}"' for name in columns.split(",")) + "\n")
    return "".join(lines).encode()


def write(root: Path, parts: list[list[Row]], day: str = DAY, columns: str = SCHEMA, **changed: Any) -> FolderBucket:
    """A bucket folder with an inventory of these parts."""
    files = []
    for number, rows in enumerate(parts):
        files.append(put(root, f"{ROOT}data/{day}-{number}.csv.gz", gzip.compress(csv_of(rows, columns), mtime=0)))
    manifest = {"fileFormat": "CSV", "fileSchema": columns, "files": files, **changed}
    put(root, f"{ROOT}{day}/manifest.json", json.dumps(manifest).encode())
    return FolderBucket(root)


def put(root: Path, key: str, data: bytes) -> dict[str, Any]:
    (root / key).parent.mkdir(parents=True, exist_ok=True)
    (root / key).write_bytes(data)
    return {"key": key, "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()}


def read(bucket: Bucket, folder: str = DAY) -> pa.Table:
    return read_inventory(bucket, folder).read_all()


def ids(table: pa.Table) -> list[str]:
    return list(table["article"].to_pylist())


def test_rows_are_read_and_sorted_by_number(tmp_path: Path) -> None:
    table = read(write(tmp_path, [ROWS[:1], ROWS[1:]]))
    table.validate(full=True)
    assert table.schema == SNAPSHOT
    assert table.to_pylist() == [
        {"article": "PMC9.2", "pmcid": 9, "version": 2, "etag": etag("c"), "last_modified": "1999-12-31T23:59:59.999Z"},
        {"article": "PMC9.10", "pmcid": 9, "version": 10, "etag": etag("b"),
         "last_modified": "2026-01-08T11:55:14.123Z"},
        {"article": "PMC12.1", "pmcid": 12, "version": 1, "etag": etag("a"),
         "last_modified": "2026-01-08T11:47:59.000Z"},
        {"article": "PMC100000001.1", "pmcid": 100000001, "version": 1, "etag": etag("d"),
         "last_modified": "2028-02-29T00:00:00.000Z"},
    ]


@pytest.mark.parametrize("columns", ["Bucket,Key,LastModifiedDate,ETag", "Bucket, Key, Size, ETag, LastModifiedDate",
                                     "ETag, Key, LastModifiedDate"])
def test_the_order_of_columns_is_the_manifests(tmp_path: Path, columns: str) -> None:
    table = read(write(tmp_path, [ROWS], columns=columns))
    assert ids(table) == ["PMC9.2", "PMC9.10", "PMC12.1", "PMC100000001.1"]
    assert table["etag"].to_pylist() == [etag(x) for x in "cbad"]


@pytest.mark.parametrize("key", [
    "metadata/", "metadata/README.txt", "metadata/PMC1.json", "metadata/PMC1.1.xml", "metadata/PMC01.1.json",
    "PMC1.1/PMC1.1.json", "metadata/PMC1.0.json", "metadata/PMC1.1.json/", "x/metadata/PMC1.1.json",
    "metadata/PMC12345678901.1.json", "metadata/PMC1.99999.json", "metadata/PMC١.1.json",
])
def test_other_keys_are_left_out(tmp_path: Path, key: str) -> None:
    assert ids(read(write(tmp_path, [[(key, ROWS[0][1], etag("x")), ROWS[0]]]))) == ["PMC12.1"]


def test_of_duplicates_the_latest_stays_whatever_the_order(tmp_path: Path) -> None:
    key = "metadata/PMC5.1.json"
    rows = [(key, f"2026-01-0{day}T00:00:00.000Z", etag(str(day))) for day in (2, 3, 1)]
    for turn in range(3):
        parts = [[rows[turn]], [ROWS[0], rows[turn - 1]], [rows[turn - 2]]]
        table = read(write(tmp_path / str(turn), parts))
        assert ids(table) == ["PMC5.1", "PMC12.1"]
        assert table["etag"][0].as_py() == etag("3")


def test_an_etag_that_is_no_md5_still_tells_versions_apart(tmp_path: Path) -> None:
    """ETags of uploads in parts are `<md5>-<parts>`."""
    odd = ["0" * 32 + "-2", "0" * 32 + "-3", "A" * 32, ""]
    rows = [(f"metadata/PMC{i}.1.json", ROWS[0][1], tag) for i, tag in enumerate([*odd, etag("x")], 1)]
    first, again = (read(write(tmp_path / name, [rows]))["etag"].to_pylist() for name in "xy")
    assert first == again
    assert len(set(first)) == 5
    assert first[4] == etag("x")
    assert all(len(tag) == 32 for tag in first)


@given(st.dictionaries(
    st.tuples(st.integers(1, 999_999_999), st.integers(1, 9999)),
    st.tuples(st.datetimes(datetime(1970, 1, 1), datetime(2040, 1, 1)), st.binary(min_size=16, max_size=16)),
    max_size=40), st.integers(1, 7))
def test_any_rows_come_back_sorted(rows: dict[Any, Any], chunk: int) -> None:
    """Also where runs are shorter than parts, and batches than runs."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_RUN", "_BATCH"):
            patch.setattr(snapshot_rows, name, chunk)
        patch.setattr(snapshot_rows, "_STEP", 1)
        parts = snapshot_rows.Rows(), snapshot_rows.Rows()
        for number, ((pmcid, version), (date, tag)) in enumerate(rows.items()):
            ms = pa.array([int(date.replace(tzinfo=UTC).timestamp()) * 1000 + number]).cast(pa.timestamp("ms", "UTC"))
            parts[number % 2].add(pa.array([f"metadata/PMC{pmcid}.{version}.json"]), ms, pa.array([tag.hex()]))
        runs = [run for part in parts for run in part.runs()]
        batches = list(snapshot_rows.merged(runs))
    assert sum(map(len, runs)) == len(rows) and max(map(len, batches), default=0) <= chunk
    table = pa.Table.from_batches(batches, SNAPSHOT)
    table.validate(full=True)
    numbers = {key: number for number, key in enumerate(rows)}
    assert table.to_pylist() == [
        {"article": f"PMC{p}.{v}", "pmcid": p, "version": v, "etag": rows[p, v][1].hex(),
         "last_modified": f"{rows[p, v][0]:%Y-%m-%dT%H:%M:%S}.{numbers[p, v]:03d}Z"} for p, v in sorted(rows)]


# damage: the whole snapshot is refused

def _cut_part(root: Path) -> None:
    path = next((root / ROOT / "data").iterdir())
    path.write_bytes(path.read_bytes()[:-12])


def _flip_part(root: Path) -> None:
    """Same size, still valid gzip (the time stamp in its header): only the MD5 tells."""
    path = next((root / ROOT / "data").iterdir())
    data = bytearray(path.read_bytes())
    data[4] ^= 1
    path.write_bytes(data)


def _replace(root: Path, text: bytes, *, honest: bool = True) -> None:
    """Put other contents into the only part, and its true checksum into the manifest."""
    data = gzip.compress(text, mtime=0) if honest else text
    file = put(root, f"{ROOT}data/{DAY}-0.csv.gz", data)
    put(root, f"{ROOT}{DAY}/manifest.json", json.dumps(
        {"fileFormat": "CSV", "fileSchema": SCHEMA, "files": [file]}).encode())


@pytest.mark.parametrize(("damage", "says"), [
    (lambda root: next((root / ROOT / "data").iterdir()).unlink(), "http-404"),
    (_cut_part, "cannot be read|MD5"),
    (_flip_part, "the manifest says"),
    (lambda root: (root / ROOT / DAY / "manifest.json").unlink(), "http-404"),
    (lambda root: (root / ROOT / DAY / "manifest.json").write_text("{"), r"manifest\.json"),
    (lambda root: (root / ROOT / DAY / "manifest.json").write_text("[]"), r"manifest\.json"),
    (lambda root: (root / ROOT / DAY / "manifest.json").write_bytes(b"\xff\xfe"), r"manifest\.json"),
    (lambda root: write(root, [ROWS], fileFormat="ORC"), "not CSV"),
    (lambda root: write(root, [ROWS], columns="Bucket, Key, LastModifiedDate"), "no ETag"),
    (lambda root: write(root, [ROWS], files=[{"key": "../../x", "size": 1, "MD5checksum": "0"}]), "name-unsafe"),
    (lambda root: write(root, [ROWS], files=[{"key": "x"}]), "KeyError"),
    (lambda root: write(root, [ROWS], files=[]), "lists no article"),
    (lambda root: write(root, [[]]), "cannot be read|lists no article"),
    (lambda root: _replace(root, b"no gzip at all", honest=False), "cannot be read"),
    (lambda root: _replace(root, csv_of(ROWS) + b'"three","columns","only"\n'), "cannot be read"),
    (lambda root: _replace(root, csv_of([(ROWS[0][0], "yesterday", etag("a"))])), "cannot be read"),
    (lambda root: _replace(root, csv_of([(ROWS[0][0], "", etag("a"))])), "a row has no date"),
    (lambda root: _replace(root, b"\xff\xfe,,,\n" * 10), "a row has no date"),
])
def test_a_damaged_inventory_is_refused_as_a_whole(tmp_path: Path, damage: Any, says: str) -> None:
    bucket = write(tmp_path, [ROWS])
    damage(tmp_path)
    with pytest.raises(RunFailed, match=says) as refused:
        read_inventory(bucket, DAY)
    assert refused.value.exit_code == 4
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("text", [bytes(64 << 20), b"\n" * (64 << 20), csv_of(ROWS[:1]) * 600_000],
                         ids=["zeros", "empty lines", "one row for ever"])
def test_a_gzip_bomb_is_refused(tmp_path: Path, text: bytes) -> None:
    write(tmp_path, [ROWS])
    _replace(tmp_path, text)
    with pytest.raises(RunFailed, match=r"inflates to more|cannot be read|no date"):
        read(FolderBucket(tmp_path))


def test_parts_over_http_are_read_in_pieces_and_tried_again(origin: Any, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pmcoa_build.pmc.bucket.CHUNK", 100)
    write(tmp_path, [ROWS[:2], ROWS[2:]])
    for path in tmp_path.rglob("*.*"):
        origin.put(path.relative_to(tmp_path).as_posix(), path.read_bytes())
    with open_bucket(origin.url, connections=2, requests_per_second=0, contact="", cache=None) as bucket:
        assert resolve(bucket, "latest") == DAY
        origin.faults[f"/bucket/{ROOT}data/{DAY}-0.csv.gz"] = ["reset"]
        table = read(bucket)
    assert table == read(FolderBucket(tmp_path))
    assert sum("data/" in path for path, _ in origin.seen) > 4


def test_the_fingerprint_follows_the_manifest(tmp_path: Path) -> None:
    first, same, other = (fingerprint(write(tmp_path / name, [rows]), DAY)
                          for name, rows in (("x", ROWS), ("y", ROWS), ("z", ROWS[:1])))
    assert first == same != other and len(first) == 12
    assert fingerprint(FolderBucket(tmp_path / "x"), "listing-0123456789ab") == "0123456789ab"
    (tmp_path / "x" / ROOT / DAY / "manifest.json").unlink()
    with pytest.raises(RunFailed, match="http-404"):
        fingerprint(FolderBucket(tmp_path / "x"), DAY)


# names of snapshots

def test_names(tmp_path: Path) -> None:
    for day in ("2026-09-02T01-00Z", DAY, "2026-08-31T01-00Z"):
        bucket = write(tmp_path, [ROWS], day=day)
    put(tmp_path, f"{ROOT}hive/x", b"")
    put(tmp_path, f"{ROOT}2026-09-09/x", b"")
    assert snapshot_dates(bucket) == ["2026-08-31T01-00Z", DAY, "2026-09-02T01-00Z"]
    assert resolve(bucket, "latest") == "2026-09-02T01-00Z"
    assert resolve(bucket, "2026-09-01") == DAY
    assert resolve(bucket, DAY) == DAY
    for wrong in ("2026-09-03", "2026-09", "", "T", "data", "Latest"):
        with pytest.raises(UsageError, match="2026-08-31T01-00Z to 2026-09-02T01-00Z"):
            resolve(bucket, wrong)
    with pytest.raises(UsageError):
        read_inventory(bucket, "../../elsewhere")


def test_a_partial_copy_without_inventory_is_listed(tmp_path: Path) -> None:
    for key in ("metadata/PMC9.1.json", "metadata/PMC10.1.json", "metadata/note.txt", "PMC9.1/PMC9.1.json"):
        put(tmp_path, key, key.encode())
    bucket = FolderBucket(tmp_path)
    name = resolve(bucket, "latest")
    assert len(name) == len("listing-") + 12
    assert resolve(bucket, name) == name
    table = read(bucket, name)
    assert ids(table) == ["PMC9.1", "PMC10.1"]
    assert table["etag"].to_pylist() == [etag("metadata/PMC9.1.json"), etag("metadata/PMC10.1.json")]
    put(tmp_path, "metadata/PMC11.1.json", b"new")
    assert resolve(bucket, "latest") != name
    with pytest.raises(RunFailed, match="have changed"):
        read_inventory(bucket, name)
    with pytest.raises(UsageError):
        resolve(bucket, "2026-09-01")


def test_the_listings_name_does_not_depend_on_times(tmp_path: Path) -> None:
    import os

    put(tmp_path, "metadata/PMC9.1.json", b"x")
    before = resolve(FolderBucket(tmp_path), "latest")
    os.utime(tmp_path / "metadata/PMC9.1.json", (1, 1))
    assert resolve(FolderBucket(tmp_path), "latest") == before


# differences

def table_of(versions: dict[tuple[int, int], str], chunks: int = 1) -> pa.Table:
    rows = [{"article": f"PMC{p}.{v}", "pmcid": p, "version": v, "etag": tag, "last_modified": ""}
            for (p, v), tag in sorted(versions.items())]
    table = pa.Table.from_pylist(rows, SNAPSHOT)
    return pa.Table.from_batches(table.to_batches(max_chunksize=max(1, len(rows) // chunks)), SNAPSHOT)


_versions = st.dictionaries(st.tuples(st.integers(1, 30), st.integers(1, 3)), st.sampled_from(["x", "y", "zz"]))


@given(_versions, _versions, st.integers(1, 3), st.integers(1, 9))
def test_diff_is_what_dictionaries_say(old: dict[Any, str], new: dict[Any, str], chunks: int, span: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inventory, "_SPAN", span)
        found = diff(table_of(old, chunks), table_of(new))
    as_dict = lambda table: {(r["pmcid"], r["version"]): r["etag"] for r in table.to_pylist()}  # noqa: E731
    assert as_dict(found.new) == {key: tag for key, tag in new.items() if key not in old}
    assert as_dict(found.changed) == {key: tag for key, tag in new.items() if key in old and old[key] != tag}
    assert as_dict(found.removed) == {key: tag for key, tag in old.items() if key not in new}


def test_a_snapshot_does_not_differ_from_itself(tmp_path: Path) -> None:
    table = read(write(tmp_path, [ROWS]))
    assert isinstance(found := diff(table, table), Diff)
    assert (found.new.num_rows, found.changed.num_rows, found.removed.num_rows) == (0, 0, 0)
