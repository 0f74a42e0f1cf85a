from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest


def test_croissant_describes_every_file_and_column(published: Path) -> None:
    described = json.loads((published / "croissant.json").read_text())
    objects = {part["@id"]: part for part in described["distribution"] if part["@type"] == "cr:FileObject"}
    assert set(objects) == {f"data/{path.name}" for path in (published / "data").iterdir()}
    for path, part in objects.items():
        assert part["contentSize"] == f"{(published / path).stat().st_size} B"
        assert len(part["sha256"]) == 64
    sets = {part["@id"] for part in described["distribution"] if part["@type"] == "cr:FileSet"}
    columns = set(pq.read_schema(published / "data" / "test-00000-of-00001.parquet").names)
    for record_set in described["recordSet"]:
        assert {field["source"]["extract"]["column"] for field in record_set["field"]} == columns
        assert {field["source"]["fileSet"]["@id"] for field in record_set["field"]} <= sets
        assert record_set["key"]["@id"] in {field["@id"] for field in record_set["field"]}
    assert described["license"] == ["https://creativecommons.org/licenses/by/4.0/"]


def test_mlcommons_own_library_accepts_it_and_reads_the_records(published: Path) -> None:
    croissant = pytest.importorskip("mlcroissant", reason="mlcroissant is not installed")
    dataset = croissant.Dataset(published / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors and not dataset.metadata.ctx.issues.warnings
    for split in ("train", "validation", "test"):
        rows = pq.read_table(published / "data" / f"{split}-00000-of-00001.parquet").to_pylist()
        records = list(dataset.records(split))
        assert [record[f"{split}/panel_id"].decode() for record in records] == [row["panel_id"] for row in rows]
        for record, row in zip(records, rows, strict=True):
            assert record[f"{split}/image"].size == (row["width"], row["height"])
            assert list(record[f"{split}/bbox"]) == row["bbox"]
            assert record[f"{split}/attribution"].decode() == row["attribution"]
