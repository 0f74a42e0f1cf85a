"""Stage 7, align: give each panel its part of the caption.

By printed label first, then by reading order, then the single panel, else the whole caption; a person's corrections
win over all of them. Each pair says how it came about. Where the spec names a language model, it is asked about
captions that the rules cannot divide, and its verbatim answer is used in their place (flag `second-opinion`). Where it
names a CLIP model, that is heard on panels whose letters are missing.
"""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from pmcoa_build import schema
from pmcoa_build.captions.align import correct, pair, undecided
from pmcoa_build.captions.corrections import Correction, load_corrections, match_corrections, unmatched
from pmcoa_build.captions.matching import PanelView
from pmcoa_build.captions.opinion import doubtful
from pmcoa_build.captions.split import split_caption
from pmcoa_build.engine.stage import Input, Loss, Result, Row, Stage, Tables, Unit
from pmcoa_build.spec import Spec
from stages.opinions import Opinions, open_opinions
from stages.similarity import Similarity, load_similarity, looks_of, seal

_SEEN = ("panel_id", "image_id", "index", "bbox", "printed_label", "label_score")


def units(tables: Tables, spec: Spec, block: str) -> list[Unit]:
    """One unit a figure, with all its panels: a pair depends on its neighbours."""
    captions = {row["figure_id"]: row["caption"] for row in tables["figures"].to_pylist()}
    media = {row["image_id"]: row for row in tables["media"].to_pylist()}
    sizes = {name: [row["width"], row["height"]] for name, row in media.items()}
    found = tables["panels"].to_pylist()
    said, gone = _corrected(found, spec.align.corrections)
    panels = defaultdict(list)
    for row in found:
        more = {"size": sizes[row["image_id"]], "correction": said.get(row["panel_id"])}
        panels[row["figure_id"]].append({key: row[key] for key in _SEEN} | more)
    result = []
    for figure_id, rows in sorted(panels.items()):
        rows.sort(key=lambda row: (row["image_id"], row["index"]))
        members = tuple(row["panel_id"] for row in rows)
        facts = {"caption": captions[figure_id], "panels": rows, "unmatched": gone[figure_id]}
        facts |= _asked(rows, captions[figure_id], spec)
        shown = _shown(rows, captions[figure_id], spec)
        facts |= {"shown": media[shown]["md5"]} if shown else {}
        result.append(Unit(figure_id, facts, members, {"media": shown} if shown else {}))
    return result


def _shown(rows: list[Row], caption: str, spec: Spec) -> str:
    """The image that has to be looked at, "" where letters say all (or there are several images)."""
    image = rows[0]["image_id"]
    wanted = bool(spec.align.clip) and all(row["image_id"] == image for row in rows)
    return image if wanted and undecided(_views(rows), split_caption(caption)) else ""


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


@dataclass(frozen=True)
class Help:
    """Whom the rules may ask."""

    opinions: Opinions | None
    similarity: Similarity | None


@contextlib.contextmanager
def open_help(spec: Spec) -> Iterator[Help]:
    """What the spec names: an endpoint, a CLIP model, or neither."""
    with open_opinions(spec) as opinions:
        yield Help(opinions, load_similarity(spec.align.clip) if spec.align.clip else None)


def process(unit: Unit, content: Mapping[str, Row], help_: Help) -> Result:
    """One row a panel that gets a text."""
    caption, panels = unit.facts["caption"], unit.facts["panels"]
    split, flags = split_caption(caption), list[str]()
    dropped = Counter({"correction-unmatched": unit.facts["unmatched"]})
    memo = content[STEP.name]["memo"] if STEP.name in content else b""
    if "asked" in unit.facts and help_.opinions is not None:
        heard = help_.opinions.ask(caption, unit.facts["asked"]["labels"], memo)
        memo, split, flags = heard.memo, heard.split or split, ["second-opinion"] if heard.split else []
        dropped[heard.reason] += bool(heard.reason)
    width, height = (max(row["size"][axis] for row in panels) for axis in (0, 1))
    said = [Correction(**row["correction"]) if row["correction"] else None for row in panels]
    looks = None
    if help_.similarity is not None and "media" in content:
        looks = looks_of(help_.similarity, content["media"]["image"]["bytes"], [row["bbox"] for row in panels])
    paired = correct(pair(_views(panels), split, caption, width=width, height=height, looks=looks), said, split)
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
        Input("media", ("image_id", "width", "height", "md5"), content=("image",)),
    ),
    spec_keys=(),
    units=units,
    process=process,
    network=lambda spec: bool(spec.align.llm_url),
    setup=open_help,
    extra=seal,
    spent=lambda help_: help_.opinions.spent() if help_ and help_.opinions else {},
    recalls=True,
    fact_keys=("align.corrections", "align.llm_url", "align.llm_model"),
)
