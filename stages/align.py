"""Stage 7, align: give each panel its part of the caption.

By printed label first, then by reading order, then the single panel, else the whole caption; a person's corrections
win over all of them. Each pair says how it came about. Where the spec names a language model, it is asked about
captions that the rules cannot divide, and its verbatim answer is used in their place (flag `second-opinion`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict

from pmcoa_build import schema
from pmcoa_build.captions.align import correct, pair
from pmcoa_build.captions.corrections import Correction, load_corrections, match_corrections, unmatched
from pmcoa_build.captions.matching import PanelView
from pmcoa_build.captions.opinion import doubtful
from pmcoa_build.captions.split import split_caption
from pmcoa_build.engine.stage import Input, Loss, Result, Row, Stage, Tables, Unit
from pmcoa_build.spec import Spec
from stages.opinions import Opinions, open_opinions

_SEEN = ("panel_id", "image_id", "index", "bbox", "printed_label", "label_score")


def units(tables: Tables, spec: Spec, block: str) -> list[Unit]:
    """One unit a figure, with all its panels: a pair depends on its neighbours."""
    captions = {row["figure_id"]: row["caption"] for row in tables["figures"].to_pylist()}
    sizes = {row["image_id"]: [row["width"], row["height"]] for row in tables["media"].to_pylist()}
    said, gone = _corrected(tables["panels"].to_pylist(), spec.align.corrections)
    panels = defaultdict(list)
    for row in tables["panels"].to_pylist():
        more = {"size": sizes[row["image_id"]], "correction": said.get(row["panel_id"])}
        panels[row["figure_id"]].append({key: row[key] for key in _SEEN} | more)
    result = []
    for figure_id, rows in sorted(panels.items()):
        rows.sort(key=lambda row: (row["image_id"], row["index"]))
        members = tuple(row["panel_id"] for row in rows)
        facts = {"caption": captions[figure_id], "panels": rows, "unmatched": gone[figure_id]}
        result.append(Unit(figure_id, facts | _asked(rows, captions[figure_id], spec), members))
    return result


def _asked(rows: list[Row], caption: str, spec: Spec) -> Row:
    """Whom to ask about a caption, and which labels the answer has to cover; {} where nobody is asked."""
    if not spec.align.llm_url:
        return {}
    labels = doubtful(_views(rows), split_caption(caption), caption)
    return {} if labels is None else {"asked": {"model": spec.align.llm_model, "labels": list(labels)}}


def _views(rows: list[Row]) -> list[PanelView]:
    pages = {image: page for page, image in enumerate(dict.fromkeys(row["image_id"] for row in rows))}
    return [
        PanelView(tuple(row["bbox"]), row["printed_label"], row["label_score"], pages[row["image_id"]]) for row in rows
    ]


def _corrected(panels: list[Row], path: str) -> tuple[dict[str, Row], Counter[str]]:
    """Panel id -> what a person said of it; figure id -> corrections that hold for none of its panels any more."""
    found: dict[str, Row] = {}
    gone: Counter[str] = Counter()
    corrections = load_corrections(path) if path else {}
    by_image = defaultdict(list)
    for row in panels:
        if row["image_id"] in corrections:
            by_image[row["image_id"]].append(row)
    for image_id, rows in by_image.items():
        matched = match_corrections(corrections[image_id], [row["bbox"] for row in rows])
        gone[rows[0]["figure_id"]] += unmatched(corrections[image_id], matched)
        found |= {row["panel_id"]: asdict(said) for row, said in zip(rows, matched, strict=True) if said is not None}
    return found, gone


def process(unit: Unit, content: Mapping[str, Row], opinions: Opinions | None) -> Result:
    """One row a panel that gets a text."""
    caption, panels = unit.facts["caption"], unit.facts["panels"]
    split, flags = split_caption(caption), list[str]()
    dropped = Counter({"correction-unmatched": unit.facts["unmatched"]})
    memo = content[STEP.name]["memo"] if STEP.name in content else b""
    if "asked" in unit.facts and opinions is not None:
        heard = opinions.ask(caption, unit.facts["asked"]["labels"], memo)
        memo, split, flags = heard.memo, heard.split or split, ["second-opinion"] if heard.split else []
        dropped[heard.reason] += bool(heard.reason)
    width, height = (max(row["size"][axis] for row in panels) for axis in (0, 1))
    said = [Correction(**row["correction"]) if row["correction"] else None for row in panels]
    paired = correct(pair(_views(panels), split, caption, width=width, height=height), said, split)
    rows, lost = [], {}
    for row, made in zip(panels, paired, strict=True):
        if made is None or not made.subcaption:
            lost[row["panel_id"]] = Loss("correction" if made is None else "no-subcaption")
            continue
        rows.append({
            "panel_id": row["panel_id"], "label": made.label, "subcaption": made.subcaption,
            "preamble": made.preamble, "method": made.method, "confidence": made.confidence,
            "flags": flags,
        })
    return Result(rows, lost, +dropped, memo)


STEP = Stage(
    name="align",
    version=2,
    scope="panel",
    schema=schema.ALIGN,
    key="panel_id",
    inputs=(
        Input("panels", ("figure_id", *_SEEN)),
        Input("figures", ("figure_id", "caption")),
        Input("media", ("image_id", "width", "height")),
    ),
    spec_keys=(),
    units=units,
    process=process,
    network=lambda spec: bool(spec.align.llm_url),
    setup=open_opinions,
    spent=lambda opinions: opinions.spent() if opinions else {},
    recalls=True,
    fact_keys=("align.corrections", "align.llm_url", "align.llm_model"),
)
