"""Groups, splits and benchmarks of a small build."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from pmcoa_build import schema
from pmcoa_build.dataset.groups import Exclusions
from pmcoa_build.engine.read import read_columns
from pmcoa_build.figures.duplicates import THUMBNAIL
from stages.dedupe import candidates, to_numbers
from tests.stages.conftest import SmallBuild

TO_HASHES = ("snapshot", "articles", "figures", "screen", "media", "panels", "align", "hashes")


def decided(small: SmallBuild, *options: str) -> dict[str, str | None]:
    """Panel -> what leaves it out."""
    assert small.run("dedupe", *options) == 0
    table = small.open().table("dedupe")
    return dict(zip(table["panel_id"].to_pylist(), table["excluded_by"].to_pylist(), strict=True))


def test_small_copies_in_a_benchmark_are_found_and_counted(small: SmallBuild, tmp_path: Path) -> None:
    assert small.run(*TO_HASHES) == 0
    before = decided(small)
    first = small.open().table("panels").sort_by("panel_id").slice(0, 1).to_pylist()[0]
    folder = tmp_path / "MedMNIST"
    folder.mkdir()
    with Image.open(io.BytesIO(first["image"]["bytes"])) as image:
        image.convert("L").resize((40, 40)).save(folder / "0.png")
    (folder / "1.png").write_bytes(b"no picture")
    after = decided(small, "--set", f"shards.exclude=['{folder}']")
    assert after.keys() == before.keys()
    assert after[first["panel_id"]] == "benchmark:MedMNIST"
    facts = small.open().state.records("dedupe")["all"]["facts"]
    assert facts["benchmark_images"] == {"MedMNIST": 1}
    assert facts["unreadable"] == 1
    assert facts["excluded"]["benchmark:MedMNIST"] == list(after.values()).count("benchmark:MedMNIST")


def test_panels_of_a_figure_that_a_benchmark_shows_whole_go(small: SmallBuild, tmp_path: Path) -> None:
    assert small.run(*TO_HASHES) == 0
    panels = small.open().table("panels").to_pylist()
    images = [row["image_id"] for row in panels]
    compound = next(image for image in images if images.count(image) > 1)
    media = {row["image_id"]: row["image"]["bytes"] for row in small.open().table("media").to_pylist()}
    folder = tmp_path / "ROCO"
    folder.mkdir()
    with Image.open(io.BytesIO(media[compound])) as image:
        image.convert("RGB").resize((image.width // 2, image.height // 2)).save(folder / "0.jpg", quality=60)
    after = decided(small, "--set", f"shards.exclude=['{folder}']")
    assert {after[row["panel_id"]] for row in panels if row["image_id"] == compound} == {"benchmark:ROCO"}
    assert None in after.values()


def test_groups_hold_what_thumbnails_confirm_over_all_blocks(tmp_path: Path) -> None:
    """Same hash: A and C look alike, B does not; D is alone. The first id is the centre, whichever block has it."""
    hashes = {"PMC3.1/A": (7, 10), "PMC3.1/B": (7, 200), "PMC20.1/C": (7, 15), "PMC20.1/D": (2**63 + 2**20, 10)}
    rows = [{"panel_id": f"{name}.jpg#xywh=0,0,9,9", "figure_id": name, "phash": f"{number:016x}",
             "image_phash": f"{number:016x}", "thumbnail": bytes([level]) * THUMBNAIL}
            for name, (number, level) in hashes.items()]
    paths = [tmp_path / "1.parquet", tmp_path / "2.parquet"]
    for path, part in zip(paths, (rows[:2], rows[2:]), strict=True):
        pq.write_table(pa.Table.from_pylist(part, schema.HASHES), path)
    table = read_columns(paths, ("panel_id", "figure_id", "phash", "image_phash"), schema.HASHES)
    nothing = Exclusions({}, {}, np.empty(0, np.uint64), [])
    found = candidates(table, nothing, paths, tmp_path).to_pylist()
    centre = "PMC20.1/C.jpg#xywh=0,0,9,9"
    assert [(row["panel_id"][:9], row["group"]) for row in found] == [
        ("PMC20.1/C", centre), ("PMC20.1/D", None), ("PMC3.1/A.", centre), ("PMC3.1/B.", None)]
    assert sorted(tmp_path.iterdir()) == paths, "the temporary file is gone"


def test_hashes_are_numbers_again() -> None:
    texts = pa.chunked_array([["0000000000000001"], ["ffffffffffffffff", "8000000000000000"]], pa.string())
    assert to_numbers(texts).tolist() == [1, 2**64 - 1, 2**63]
    assert to_numbers(pa.chunked_array([], pa.string())).tolist() == []
