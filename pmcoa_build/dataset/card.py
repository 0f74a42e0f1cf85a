"""The dataset card: README.md with the front matter that `datasets.load_dataset` and the Hub read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import pyarrow as pa

from pmcoa_build import schema
from pmcoa_build.dataset.rows import FIGURE
from pmcoa_build.dataset.stats import Statistics
from pmcoa_build.licenses import License, license_of

_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
          (10**8, "10M<n<100M"))
"""The Hub's classes of size, each with its upper bound."""

_HUB = {
    f"CC-{parts.upper()}-{version}": f"cc-{parts}-{version}"
    for parts, versions in (
        ("by", ("2.0", "2.5", "3.0", "4.0")), ("by-sa", ("3.0", "4.0")), ("by-nd", ("4.0",)),
        ("by-nc", ("2.0", "3.0", "4.0")), ("by-nc-nd", ("3.0", "4.0")), ("by-nc-sa", ("2.0", "3.0", "4.0")),
    )
    for version in versions
} | {"CC0-1.0": "cc0-1.0"}
"""SPDX id -> the Hub's id, for licences that it knows (https://huggingface.co/docs/hub/repositories-licenses)."""

COLUMNS = {
    "image": "the panel cut out, or the whole figure where `kind` is `figure`",
    "caption": "the whole caption of the figure",
    "subcaption": "the part of the caption that is about this panel, verbatim",
    "preamble": "what the caption says of all panels",
    "panel_id": "article, image file and box: `PMC10009416.1/gr3.jpg#xywh=12,30,410,388`",
    "figure_id": "article and id of the figure in its XML",
    "article": "PMCID and version",
    "pmid": "PubMed id",
    "doi": "DOI of the article",
    "bbox": "x0, y0, x1, y1 in pixels of the original image",
    "width": "of the stored image, pixels",
    "height": "of the stored image, pixels",
    "label": "panel label, such as A",
    "kind": "what the panel shows",
    "modalities": "imaging modalities named in the caption",
    "method": "how panel and text were paired: label, order, single, whole-caption, corrected",
    "confidence": "of the pairing, 0 to 1",
    "mentions": "sentences of the article that cite the figure",
    "license": "licence of the figure",
    "license_url": "where that licence stands",
    "attribution": "the line to print beside the image",
    "flags": "retracted, manuscript, historical-ocr, reprint, figure-rights, corrected, second-opinion, "
             "low-confidence",
    "source_url": "the article at PMC",
    "snapshot_date": "date of the PMC inventory that the row was taken from",
    "journal": "journal",
    "year": "year of publication",
}


def environment() -> jinja2.Environment:
    """The templates of this package, with autoescape and undefined names as errors."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("pmcoa_build.dataset"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.policies["json.dumps_kwargs"] = {"sort_keys": False}  # `datasets` takes the type from the first key
    return templates


def render_card(
    statistics: Statistics,
    funnel: Sequence[Mapping[str, Any]],
    *,
    name: str,
    snapshot_date: str,
    accessed: str,
    removed: Mapping[str, int],
    languages: Sequence[str] = (),
    example: Mapping[str, Any] | None = None,
) -> str:
    """README.md.

    `funnel`: {"stage","unit","in","done","filtered":{reason:n},"dead":{…},"dropped":{…}} a stage, the last of parts of
    units and optional; `removed`: rows of earlier datasets that are no longer here, by reason; `accessed`: the day on
    which PMC was read, YYYY-MM-DD; `languages`: of the articles, ISO 639-1; `example`: a row without its image.
    """
    total = sum(statistics.rows.values())
    listed = _licences(statistics)
    return environment().get_template("card.md").render(
        name=name,
        snapshot_date=snapshot_date,
        accessed=accessed,
        licences=listed,
        private=sum(entry["rows"] for entry in listed if not entry["shared"]),
        statistics=statistics,
        total=total,
        size=next((label for bound, label in _SIZES if total < bound), "100M<n<1B"),
        hub_licences=sorted({_HUB.get(entry["spdx"], "other") for entry in listed}),
        languages=languages,
        example=[f"{json.dumps(name)}: {_fenced(value)}" for name, value in (example or {}).items()],
        features=_yaml_features(schema.SHARDS),
        columns=COLUMNS,
        funnel=[{**stage, "lost": losses(stage), "within": _most_first(stage.get("dropped", {}))} for stage in funnel],
        removed=removed,
        top=_top,
    )


def render_license(
    statistics: Statistics, *, name: str, snapshot_date: str, accessed: str, dataset_id: str
) -> str:
    """LICENSE.md: the card's sections on licences, credit and terms by themselves, as hubs link to them."""
    return environment().get_template("license.md").render(
        name=name, snapshot_date=snapshot_date, accessed=accessed, dataset_id=dataset_id,
        licences=_licences(statistics),
    )


def _licences(statistics: Statistics) -> list[dict[str, Any]]:
    """name, SPDX id, URL, rows and demands of each licence and version, and whether they may be shared; most first."""
    panels = set(statistics.by["kind"]) != {FIGURE}
    found = []
    for (code, url), rows in sorted(statistics.licences.items(), key=lambda item: (-item[1], str(item[0]))):
        entry = license_of(url) or license_of(code)
        found.append({
            "name": entry.name if entry else code.replace("|", "/") or "not stated",
            "spdx": entry.spdx if entry else None, "url": url, "rows": rows, "asks": _demands(entry),
            "shared": entry is not None and entry.redistribution and (entry.adaptation or not panels),
        })
    return found


def _demands(entry: License | None) -> str:
    if entry is None or not entry.redistribution:
        return "**not licensed for redistribution**: do not pass these rows on"
    marks = {
        "credit": not entry.code.startswith(("CC0", "PDM")),
        "no commercial use": not entry.commercial,
        "adaptations under the same licence": entry.code.endswith("-SA"),
        "**no adaptations**: panels may not be shared": not entry.adaptation,
    }
    return ", ".join(demand for demand, asked in marks.items() if asked) or "nothing; credit is good practice"


def _fenced(value: object) -> str:
    """JSON on one line that cannot end a block of code."""
    return json.dumps(value, ensure_ascii=False).replace("```", "` ` `")


def losses(stage: Mapping[str, Any]) -> list[tuple[str, int]]:
    """(reason, units) of a funnel stage, filtered and dead together, most first."""
    return _most_first(Counter(stage["filtered"]) + Counter(stage["dead"]))


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _top(counts: Mapping[str, int], most: int = 20) -> list[tuple[str, int]]:
    ranked = _most_first(counts)
    rest = sum(n for _, n in ranked[most:])
    return ranked[:most] + ([("others", rest)] if rest else [])


def _yaml_features(schema_: pa.Schema) -> list[dict[str, Any]]:
    """Features as the front matter writes them: name and dtype, or name and sequence."""
    return [{"name": field.name, **_yaml_feature(field.type)} for field in schema_]


def _yaml_feature(type_: pa.DataType) -> dict[str, Any]:
    if type_ == schema.IMAGE:
        return {"dtype": "image"}
    if pa.types.is_fixed_size_list(type_):
        return {"sequence": str(type_.value_type), "length": type_.list_size}
    if pa.types.is_list(type_):
        return {"sequence": str(type_.value_type)}
    return {"dtype": "float32" if pa.types.is_float32(type_) else str(type_)}
