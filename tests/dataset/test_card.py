from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from pmcoa_build.dataset.card import render_card
from pmcoa_build.dataset.stats import Statistics, statistics
from pmcoa_build.licenses import license_of

CC = "https://creativecommons.org"


def front_matter(card: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return found


def test_the_front_matter_names_splits_files_and_columns(published: Path) -> None:
    found = front_matter((published / "README.md").read_text())
    assert found["configs"] == [{"config_name": "default", "data_files": [
        {"split": split, "path": f"data/{split}-*.parquet"} for split in ("train", "validation", "test")]}]
    info = found["dataset_info"]
    schema = pq.read_schema(published / "data" / "train-00000-of-00001.parquet")
    assert [feature["name"] for feature in info["features"]] == schema.names
    rows = {split["name"]: split["num_examples"] for split in info["splits"]}
    assert rows == {s: pq.read_metadata(published / "data" / f"{s}-00000-of-00001.parquet").num_rows for s in rows}
    assert found["size_categories"] == ["n<1K"]
    assert (found["license"], found["language"]) == (["cc-by-4.0"], ["en", "no"])
    assert "license_name" not in found, "what the Hub knows needs no name"


@pytest.mark.parametrize("sentence", [
    "Source of the data: U.S. National Library of Medicine (NLM), PubMed Central, inventory of 2026-01-31",
    "does not endorse this dataset",
    "gives no warranty for the data",
    "registered trademark of the U.S. Department of Health and Human Services",
    "[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/) | CC-BY-4.0 | 48 | credit |",
    "panels were cut out of their figures and encoded anew as JPEG",
    "`ATTRIBUTION.parquet` has all of them",
    "If an image of you, your patient or your work should not be here, tell who publishes this dataset",
    "does not reflect the most current or accurate data available",
    "U.S. National Library of Medicine",
    "was accessed on 2026-02-03 from https://registry.opendata.aws/ncbi-pmc",
    "| articles | article | 9 | 7 | retracted 1, timeout 1 |",
    "| shards | panel | 48 | 46 | duplicate 2; within: panel-too-small 3 |",
    '"subcaption": "left view"',
    '--delete "data/*.parquet"',
    "rehydrate TABLE --out DIR",
    "| CC BY | 48 |",
    "| MRI | 24 |",
    "| label | 48 |",
    "| low-confidence | 24 |",
    "can show patients",
    "[select] exclude",
    "hf upload",
    "2303.07240",
])  # fmt: skip
def test_the_card_says(published: Path, sentence: str) -> None:
    assert sentence in " ".join((published / "README.md").read_text().split("\n"))


def test_the_example_is_the_first_row(published: Path) -> None:
    block = (published / "README.md").read_text().split("```json\n")[1].split("```")[0]
    [row] = pq.read_table(published / "data" / "train-00000-of-00001.parquet").slice(0, 1).to_pylist()
    assert json.loads(block) == {name: value for name, value in row.items() if name != "image"}


def test_an_example_does_not_end_its_block() -> None:
    counts = Statistics(by={key: Counter() for key in ("license", "modality", "kind", "method", "flag")})
    card = render_card(counts, [], name="x", snapshot_date="2026-01-31", accessed="2026-02-03", removed={},
                       example={"caption": "```\n# <b>not</b> a heading"})
    assert card.count("```") % 2 == 0 and '"caption": "` ` `\\n# <b>not</b> a heading"' in card


@pytest.mark.parametrize(("rows", "size"), [
    (999, "n<1K"), (1000, "1K<n<10K"), (10**6, "1M<n<10M"), (10**7, "10M<n<100M"),
])
def test_size_and_licence_classes(rows: int, size: str) -> None:
    counts = Statistics(by={key: {} for key in ("license", "modality", "kind", "method", "flag")})  # type: ignore[arg-type]
    counts.rows["train"] = rows
    counts.bytes["train"] = 1
    counts.by["license"]["odd | one"] = counts.licences["odd | one", None] = rows
    card = render_card(counts, [], name='quo"te: x', snapshot_date="2026-01-31", accessed="2026-02-03", removed={})
    found = front_matter(card)
    assert (found["size_categories"], found["license"], found["pretty_name"]) == (
        [size], ["other"], 'quo"te: x')
    assert (found["license_name"], found["license_link"]) == ("per-row", "LICENSE.md")
    assert f"- {size}\n" in card and "language" not in found
    assert "| odd / one |" in card


@pytest.mark.parametrize(("url", "known"), [
    ("publicdomain/zero/1.0/", "cc0-1.0"), ("licenses/by/4.0/", "cc-by-4.0"), ("licenses/by/2.5/", "cc-by-2.5"),
    ("licenses/by-nc-nd/4.0/", "cc-by-nc-nd-4.0"), ("licenses/by/1.0/", "other"), ("licenses/by/2.0/uk/", "other"),
])
def test_licences_by_the_names_of_the_hub(url: str, known: str) -> None:
    counts = Statistics(by={key: Counter() for key in ("license", "modality", "kind", "method", "flag")})
    entry = license_of(f"{CC}/{url}")
    assert entry is not None
    counts.licences[entry.code, f"{CC}/{url}"] = 1
    card = render_card(counts, [], name="x", snapshot_date="2026-01-31", accessed="2026-02-03", removed={})
    assert front_matter(card)["license"] == [known]


def test_the_hubs_own_parser_reads_the_card(published: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="the extra `dev` is not installed")
    data = hub.DatasetCard.load(published / "README.md").data
    assert (data.license, data.language, data.size_categories) == (["cc-by-4.0"], ["en", "no"], ["n<1K"])
    assert data.pretty_name == "tiny" and data.configs[0]["config_name"] == "default"


def test_the_licences_stand_by_themselves_as_in_the_card(published: Path) -> None:
    alone, card = (published / "LICENSE.md").read_text(), (published / "README.md").read_text()
    section = card[card.index("## Licences and attribution") : card.index("## Risks")].strip()
    assert alone.strip().endswith(section)
    assert (published / "DATASET_ID").read_text().strip() in alone


@pytest.mark.parametrize(("code", "url", "line"), [
    ("CC0", f"{CC}/publicdomain/zero/1.0/",
     "[CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/) | CC0-1.0 | 7 | nothing"),
    ("CC BY", f"{CC}/licenses/by/2.0/uk/", f"[CC BY 2.0 UK]({CC}/licenses/by/2.0/uk/) | – | 7 | credit |"),
    ("CC BY-SA", f"{CC}/licenses/by-sa/4.0/", "| CC-BY-SA-4.0 | 7 | credit, adaptations under the same licence |"),
    ("CC BY-NC-ND", f"{CC}/licenses/by-nc-nd/4.0/", "| 7 | credit, no commercial use, **no adaptations**"),
    ("TDM", None, "| TDM | – | 7 | **not licensed for redistribution**"),
    ("", None, "| not stated | – | 7 | **not licensed for redistribution**"),
    ("<odd> | one", None, "| &lt;odd&gt; / one | – | 7 | **not licensed"),
])
def test_what_each_licence_asks_for(code: str, url: str | None, line: str) -> None:
    counts = Statistics(by={key: {} for key in ("license", "modality", "kind", "method", "flag")})  # type: ignore[arg-type]
    counts.licences[code, url] = 7
    assert line in render_card(counts, [], name="x", snapshot_date="2026-01-31", accessed="2026-02-03", removed={})


@pytest.mark.parametrize(("code", "kind", "private"), [
    ("CC BY", "plot", False), ("CC BY-NC", "plot", False), ("CC BY-ND", "plot", True), ("CC BY-ND", "figure", False),
    ("TDM", "figure", True), ("", "plot", True),
])
def test_what_may_not_be_passed_on_is_not_offered_for_upload(code: str, kind: str, private: bool) -> None:
    counts = Statistics(by={key: Counter() for key in ("license", "modality", "kind", "method", "flag")})
    counts.licences[code, None] = counts.by["kind"][kind] = 7
    card = render_card(counts, [], name="x", snapshot_date="2026-01-31", accessed="2026-02-03", removed={})
    assert ("**7 rows may not be passed on" in card, "hf upload" in card) == (private, not private)


def test_statistics_count_rows_figures_and_lengths(published: Path) -> None:
    files = [(path.name.split("-")[0], path) for path in (published / "data").iterdir()]
    found = statistics(files)
    assert (sum(found.rows.values()), found.figures, found.articles) == (48, 24, 12)
    assert found.panels_per_figure == {2: 24}
    assert found.words == {"≤ 5": 48}
    assert found.licences == {("CC BY", "https://creativecommons.org/licenses/by/4.0/"): 48}
    assert found.by["modality"] == {"MRI": 24}
    assert found.by["flag"] == {"low-confidence": 24, "retracted": 4, "reprint": 4}
    assert found.by["year"] == {"2020": 12, "2021": 12, "2022": 8, "2023": 8, "2024": 8}
