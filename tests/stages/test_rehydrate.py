"""The whole way of a table without images: exported by one, filled again by another, stopped and gone on with."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from pmcoa_build.errors import UnitLost
from pmcoa_build.sample import serve
from pmcoa_build.sample.server import SampleServer
from stages.__main__ import main
from stages.rehydrate import FETCHED, LOST, cutter
from tests.stages.conftest import SmallBuild

FILE = "train-00000-of-00001.parquet"


@pytest.fixture
def table(small: SmallBuild, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The exported table of a build with panels and whole figures."""
    small.spec.write_text(small.spec.read_text() + 'level = "both"\n')
    assert small.run("snapshot", "articles", "figures", "screen", "media", "panels", "align", "dedupe",
                     "shards", "publish") == 0
    assert small.command("export", "table", "--out", str(small.root / "table")) == 0
    return small.root / "table"


def rehydrate(table: Path, source: str | Path, out: Path | None = None) -> int:
    out = out or table.parent / "out"
    return main(["rehydrate", str(table), "--out", str(out), "--source", str(source), "--rate", "0"])


def rows(path: Path) -> list[dict]:
    return pq.read_table(path).to_pylist()


def images(server: SampleServer, since: int) -> list[str]:
    return [key for _, key, *_ in server.log[since:] if key.endswith(".png")]


def test_a_table_has_all_but_the_images(small: SmallBuild, table: Path) -> None:
    assert sorted(path.name for path in table.iterdir()) == ["ATTRIBUTION.parquet", "CARD.md", "LICENSE.md", "data"]
    published = pq.read_table(small.open().state.out / "dataset" / "data" / FILE)
    assert pq.read_table(table / "data" / FILE).equals(published.drop_columns(["image"]))


def test_a_downloaded_folder_is_exported_without_a_spec(small: SmallBuild, table: Path) -> None:
    dataset, out = small.open().state.out / "dataset", small.root / "again"
    assert main(["export", str(dataset), "table", "--out", str(out)]) == 0
    assert (out / "data" / FILE).read_bytes() == (table / "data" / FILE).read_bytes()


def test_it_is_filled_as_it_was_published(small: SmallBuild, table: Path) -> None:
    assert rehydrate(table, small.root / "bucket") == 0
    out = small.root / "out"
    assert sorted(path.name for path in out.iterdir()) == ["ATTRIBUTION.parquet", "CARD.md", "LICENSE.md", FILE]
    published = pq.read_table(small.open().state.out / "dataset" / "data" / FILE)
    filled = pq.read_table(out / FILE)
    assert filled.drop_columns(["image"]).equals(published.drop_columns(["image"]))
    images = [[row["bytes"] for row in each["image"].to_pylist()] for each in (filled, published)]
    assert images[0] == images[1], "encoded by the same library, the crops are the same to the byte"


def test_a_stopped_run_goes_on_without_asking_again(small: SmallBuild, table: Path) -> None:
    gone = "PMC2000004.1/g1.png"
    hidden = small.root / "bucket" / gone
    kept = hidden.read_bytes()
    with serve(small.root / "bucket") as server:
        hidden.unlink()
        assert rehydrate(table, server.url) == 4, "a third of the rows is too much"
        out = small.root / "out"
        lost = [json.loads(line) for line in (out / LOST).read_text().splitlines()]
        assert {(row["file"], row["unit"].split("#")[0], row["reason"]) for row in lost} == {(FILE, gone, "http-404")}
        assert len(rows(out / FILE)) + len(lost) == len(rows(table / "data" / FILE))
        assert not (out / FETCHED).exists()
        hidden.write_bytes(kept)
        before = len(server.log)
        assert rehydrate(table, server.url) == 0
        assert images(server, before) == [gone]
        assert len(rows(out / FILE)) == len(rows(table / "data" / FILE))
        assert not (out / LOST).exists() and not (out / FETCHED).exists()
        before = len(server.log)
        assert rehydrate(table, server.url) == 0
        assert images(server, before) == []


def test_the_table_itself_is_never_written_over(small: SmallBuild, table: Path) -> None:
    for given, out in ((table, table), (table, table / "data"), (table / "data" / FILE, table / "data")):
        assert rehydrate(given, small.root / "bucket", out) == 2
    assert "image" not in pq.read_schema(table / "data" / FILE).names


def test_what_changed_at_the_source_is_not_taken(
    small: SmallBuild, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = small.root / "bucket" / "PMC2000001.1/g1.png"
    other = Image.open(image)
    other.putpixel((0, 0), (1, 2, 3))
    other.save(image)
    assert rehydrate(table, small.root / "bucket") == 4
    assert "left out: md5-mismatch 3" in capsys.readouterr().out
    (table / "ATTRIBUTION.parquet").unlink()
    assert rehydrate(table, small.root / "bucket") == 0
    said = capsys.readouterr().out
    assert "sizes are checked, but no MD5" in said


def test_other_tables_of_the_same_name_are_not_taken_for_done(small: SmallBuild, table: Path) -> None:
    out = small.root / "out"
    assert rehydrate(table / "data" / FILE, small.root / "bucket", out) == 0
    whole = pq.read_table(table / "data" / FILE)
    pq.write_table(whole.slice(0, 2), table / "data" / FILE)
    assert rehydrate(table / "data", small.root / "bucket", out) == 0
    assert len(rows(out / FILE)) == 2


@pytest.mark.parametrize(("make", "says"), [
    (lambda path: path.mkdir(), "neither a Parquet file nor a folder"),
    (lambda path: path.write_bytes(b"PAR1"), "is damaged"),
    (lambda path: pq.write_table(pa.table({"x": [1]}), path), "no column panel_id"),
])
def test_what_is_no_table_costs_a_sentence(tmp_path: Path, make, says: str, capsys) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "bucket" / "metadata").mkdir(parents=True)
    make(tmp_path / "table")
    assert rehydrate(tmp_path / "table", tmp_path / "bucket") in (2, 4)
    assert says in capsys.readouterr().err


def test_crops_are_scaled_as_they_were_published_and_checked() -> None:
    buffer = io.BytesIO()
    Image.effect_noise((400, 300), 50).convert("RGB").save(buffer, "PNG")
    cut = cutter(90)
    scaled = Image.open(io.BytesIO(cut(buffer.getvalue(), (100, 50, 400, 250), (150, 100))))
    assert (scaled.format, scaled.size) == ("JPEG", (150, 100))
    assert cut(buffer.getvalue(), None, (400, 300)) == buffer.getvalue()
    for box, size in (((300, 200, 500, 400), (200, 200)), ((0, 0, 300, 200), (150, 99)), (None, (400, 299))):
        with pytest.raises(UnitLost, match="image-changed"):
            cut(buffer.getvalue(), box, size)
