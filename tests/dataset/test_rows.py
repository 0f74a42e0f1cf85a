from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from pmcoa_build import schema
from pmcoa_build.dataset.rows import CHANGES, METADATA, shard_rows

Tables = dict[str, pa.Table]
FIRST = "PMC10000000.1/gr1.jpg#xywh=0,0,32,48"


def changed(table: pa.Table, key: str, value: str, **columns: Any) -> pa.Table:
    """The table with other values in the rows whose `key` begins with `value`."""
    rows = [{**row, **columns} if row[key].startswith(value) else row for row in table.to_pylist()]
    return pa.Table.from_pylist(rows, table.schema)


def joined(tables: Tables, level: str = "panel", **given: Any) -> list[dict[str, Any]]:
    return shard_rows(**tables, level=level, snapshot_date="2026-01-31", **given).to_pylist()


def test_a_panel_row_is_what_all_tables_say(tables: Tables) -> None:
    assert joined(tables)[0] == {
        "caption": "Figure 1. Study 0: (A) left view, dose < 5 mg. (B) right view.", "subcaption": "left view",
        "preamble": "Study 0:", "panel_id": FIRST, "figure_id": "PMC10000000.1/F1", "article": "PMC10000000.1",
        "pmid": 1000, "doi": "10.1/0", "bbox": [0, 0, 32, 48], "width": 32, "height": 48, "label": "A",
        "kind": "radiology", "modalities": [], "method": "label", "confidence": pytest.approx(0.95),
        "mentions": ["See Figure 1."], "license": "CC BY",
        "attribution": f"A. Author, On 0, J Test, CC BY Changes: {CHANGES}.",
        "license_url": "https://creativecommons.org/licenses/by/4.0/", "flags": [], "journal": "J Test", "year": 2020,
        "source_url": "https://pmc.ncbi.nlm.nih.gov/articles/PMC10000000/", "snapshot_date": "2026-01-31",
        "split": tables["dedupe"]["split"][0].as_py(),
    }  # fmt: skip


def test_metadata_is_the_published_schema_without_image() -> None:
    assert [*METADATA.names[:-1], "image"] == [*schema.SHARDS.names[1:], "image"]
    assert METADATA.names[-1] == "split"


def test_a_figure_row_has_the_whole_image_and_caption(tables: Tables) -> None:
    rows = joined(tables, "figure")
    assert len(rows) == 24
    first = {k: rows[0][k] for k in ("panel_id", "bbox", "kind", "method", "label", "subcaption", "preamble", "width")}
    assert first == {
        "panel_id": "PMC10000000.1/gr1.jpg#xywh=0,0,64,48", "bbox": [0, 0, 64, 48], "kind": "figure", "label": None,
        "method": "whole-caption", "subcaption": rows[0]["caption"], "preamble": "", "width": 64,
    }  # fmt: skip
    assert rows[0]["attribution"] == "A. Author, On 0, J Test, CC BY", "PMC's own file: nothing was changed"


def test_both_levels_give_unique_ids_even_for_a_panel_that_is_the_figure(tables: Tables) -> None:
    assert len(joined(tables, "both")) == 72
    whole = "PMC10000000.1/gr1.jpg#xywh=0,0,64,48"
    for name in ("panels", "align", "dedupe"):
        tables[name] = changed(tables[name], "panel_id", FIRST, panel_id=whole)
    rows = joined(tables, "both")
    assert len({row["panel_id"] for row in rows}) == len(rows) == 71
    assert next(row for row in rows if row["panel_id"] == whole)["kind"] == "radiology"


@pytest.mark.parametrize(("excluded", "other_split", "panels", "figures"), [
    ("duplicate", False, 1, 1), ("duplicate", True, 1, 0), ("split-conflict", False, 1, 0),
    ("benchmark:ROCO", False, 1, 0),
])
def test_a_figure_is_left_out_when_a_panel_speaks_against_it(
    tables: Tables, excluded: str, other_split: bool, panels: int, figures: int
) -> None:
    split = tables["dedupe"]["split"][0].as_py()
    moved = {"split": "test" if split != "test" else "train"} if other_split else {}
    tables["dedupe"] = changed(tables["dedupe"], "panel_id", FIRST, excluded_by=excluded, **moved)
    rows = [row for row in joined(tables, "both") if row["figure_id"] == "PMC10000000.1/F1"]
    assert sum(row["kind"] != "figure" for row in rows) == panels
    assert sum(row["kind"] == "figure" for row in rows) == figures


def test_panels_without_text_or_decision_are_no_pairs(tables: Tables) -> None:
    tables["align"] = tables["align"].slice(1)
    tables["dedupe"] = tables["dedupe"].slice(0, 40)
    assert len(joined(tables)) == 39


def test_flags(tables: Tables) -> None:
    both = {"is_manuscript": True, "is_historical_ocr": True}
    tables["articles"] = changed(tables["articles"], "article", "PMC10009000", **both)
    tables["screen"] = changed(tables["screen"], "figure_id", "PMC10000000.1/F2", reasons=["figure-rights"])
    tables["figures"] = changed(tables["figures"], "figure_id", "PMC10003000.1/F1", license="")
    tables["align"] = changed(tables["align"], "panel_id", "PMC10006000.1/gr1.jpg#xywh=0,", method="corrected")
    flags = {row["panel_id"]: row["flags"] for row in joined(tables)}
    assert flags[FIRST] == []
    assert flags["PMC10000000.1/gr1.jpg#xywh=32,0,32,48"] == ["low-confidence"]
    assert flags["PMC10000000.1/gr2.jpg#xywh=0,0,32,48"] == ["figure-rights"]
    assert flags["PMC10003000.1/gr1.jpg#xywh=0,0,32,48"] == ["figure-rights"]
    assert flags["PMC10006000.1/gr1.jpg#xywh=0,0,32,48"] == ["corrected"]
    assert flags["PMC10009000.1/gr1.jpg#xywh=0,0,32,48"] == ["retracted", "manuscript", "historical-ocr"]
    assert flags["PMC10012000.1/gr1.jpg#xywh=0,0,32,48"] == ["reprint"]


def test_a_figure_under_another_licence_links_to_that_one(tables: Tables) -> None:
    tables["figures"] = changed(tables["figures"], "figure_id", "PMC10000000.1/F1", license="CC BY-NC")
    tables["figures"] = changed(tables["figures"], "figure_id", "PMC10003000.1/F1", license="odd")
    tables["figures"] = changed(tables["figures"], "figure_id", "PMC10009000.1/F1", license="")
    old = "http://creativecommons.org/licenses/by/3.0"
    tables["articles"] = changed(tables["articles"], "article", "PMC10006000.1", license_url=old)
    urls = {row["figure_id"]: row["license_url"] for row in joined(tables)}
    assert urls["PMC10000000.1/F1"] == "https://creativecommons.org/licenses/by-nc/4.0/"
    assert urls["PMC10003000.1/F1"] is None and urls["PMC10009000.1/F1"] is None
    assert urls["PMC10006000.1/F1"] == "https://creativecommons.org/licenses/by/3.0/"


def test_other_terms_keep_their_url(tables: Tables) -> None:
    terms = "https://www.elsevier.com/open-access/userlicense/1.0/"
    tables["articles"] = changed(tables["articles"], "article", "PMC10000000.1", license_code=None, license_url=terms)
    tables["figures"] = changed(tables["figures"], "figure_id", "PMC10000000.1/F1", license="")
    assert joined(tables)[0]["license_url"] == terms


def test_dates_may_differ_by_article(tables: Tables) -> None:
    dates = {article: f"2026-02-{day:02d}" for day, article in enumerate(tables["articles"]["article"].to_pylist(), 1)}
    rows = shard_rows(**tables, level="panel", snapshot_date=dates).to_pylist()
    assert all(row["snapshot_date"] == dates[row["article"]] for row in rows)


def test_the_order_of_the_inputs_does_not_matter(tables: Tables) -> None:
    turned = {name: table.take(pa.array(range(len(table) - 1, -1, -1))) for name, table in tables.items()}
    assert joined(turned, "both") == joined(tables, "both")


def test_the_panels_of_an_image_follow_each_other(tables: Tables) -> None:
    """Two images of one figure count their panels each from 0."""
    for name in ("media", "panels"):
        tables[name] = changed(tables[name], "image_id", "PMC10000000.1/gr2.jpg", figure_id="PMC10000000.1/F1")
    images = [row["panel_id"].split("#")[0] for row in joined(tables, "both") if row["article"] == "PMC10000000.1"]
    assert images == ["PMC10000000.1/gr1.jpg"] * 3 + ["PMC10000000.1/gr2.jpg"] * 3


def test_nothing_in_nothing_out(tables: Tables) -> None:
    empty = {name: table.slice(0, 0) for name, table in tables.items()}
    assert shard_rows(**empty, level="both", snapshot_date="").equals(METADATA.empty_table())
