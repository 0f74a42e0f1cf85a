from __future__ import annotations

import pyarrow as pa

from pmcoa_build.dataset.attribution import ATTRIBUTION, ROW_COLUMNS, attribution_rows
from pmcoa_build.dataset.rows import CHANGES, shard_rows


def test_one_row_an_image(tables: dict[str, pa.Table]) -> None:
    metadata = shard_rows(**tables, level="both", snapshot_date="2026-01-31")
    rows = attribution_rows(metadata.select(ROW_COLUMNS), tables["articles"], tables["media"])
    assert rows.schema == ATTRIBUTION
    assert sorted(rows["image_id"].to_pylist()) == sorted(tables["media"]["image_id"].to_pylist())
    assert rows.to_pylist()[0] == {
        "image_id": "PMC10000000.1/gr1.jpg", "figure_id": "PMC10000000.1/F1", "article": "PMC10000000.1",
        "md5": tables["media"]["md5"][0].as_py(), "title": "On <b>0</b>", "authors": ["A. Author"],
        "journal": "J Test", "year": 2020, "doi": "10.1/0", "license": "CC BY",
        "spdx": "CC-BY-4.0", "license_url": "https://creativecommons.org/licenses/by/4.0/",
        "attribution": f"A. Author, On 0, J Test, CC BY Changes: {CHANGES}.", "changes": CHANGES,
        "source_url": "https://pmc.ncbi.nlm.nih.gov/articles/PMC10000000/", "snapshot_date": "2026-01-31",
    }  # fmt: skip


def test_whole_figures_are_unchanged(tables: dict[str, pa.Table]) -> None:
    metadata = shard_rows(**tables, level="figure", snapshot_date="2026-01-31")
    row = attribution_rows(metadata, tables["articles"], tables["media"]).to_pylist()[0]
    assert (row["changes"], row["attribution"]) == ("none", "A. Author, On 0, J Test, CC BY")


def test_the_spdx_id_is_that_of_the_version(tables: dict[str, pa.Table]) -> None:
    url = "https://creativecommons.org/licenses/by/3.0/igo/"
    articles = tables["articles"].to_pylist()
    articles[0]["license_url"] = url
    articles[1] |= {"license_code": None, "license_url": None}
    tables["articles"] = pa.Table.from_pylist(articles, tables["articles"].schema)
    figures = [{**row, "license": "" if row["article"] == articles[1]["article"] else "CC BY"}
               for row in tables["figures"].to_pylist()]
    tables["figures"] = pa.Table.from_pylist(figures, tables["figures"].schema)
    metadata = shard_rows(**tables, level="panel", snapshot_date="2026-01-31")
    rows = attribution_rows(metadata, tables["articles"], tables["media"]).to_pylist()
    assert [(row["license"], row["spdx"], row["license_url"]) for row in rows[::2][:3]] == [
        ("CC BY", "CC-BY-3.0-IGO", url), ("", None, None),
        ("CC BY", "CC-BY-4.0", "https://creativecommons.org/licenses/by/4.0/"),
    ]


def test_images_without_a_published_row_are_not_listed(tables: dict[str, pa.Table]) -> None:
    metadata = shard_rows(**tables, level="panel", snapshot_date="").slice(0, 2)
    rows = attribution_rows(metadata, tables["articles"], tables["media"])
    assert rows["image_id"].to_pylist() == ["PMC10000000.1/gr1.jpg"]
    assert attribution_rows(metadata.slice(0, 0), tables["articles"], tables["media"]) == ATTRIBUTION.empty_table()
