"""gallery.html: one file that shows what the build made and what it left out; it loads nothing from elsewhere.

People judge and correct pairs in it and save a file for `[align] corrections`.
"""

from __future__ import annotations

import base64
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from markupsafe import Markup
from PIL import Image

from pmcoa_build import ids
from pmcoa_build.dataset.card import environment
from pmcoa_build.dataset.plots import draw_funnel, draw_plots, short_number
from pmcoa_build.dataset.stats import Statistics
from pmcoa_build.licenses import license_of
from pmcoa_build.reasons import REASONS

SHOWN, SHOWN_LOST = 450, 50
"""Most figures in a gallery: with panels, and left out."""

PICTURE_BYTES, PICTURES_BYTES = 40_000, 20_000_000
"""Most bytes of a picture, and of all together (a third more as text): what bounds the page, but for its captions."""

_TALL = 640
_COLOURS = 8
_OPINIONS = ("right", "corrected", "wrong", "left out")
_ENCODINGS = ((720, 60), (560, 40), (400, 30), (200, 10), (64, 10))
"""(longest side in pixels, WebP quality), tried until a picture is small enough."""


@dataclass(frozen=True)
class Shown:
    """What a gallery shows: `figures` out of `total` with panels and `total_lost` without, that were left out.

    A figure: figure_id, image_id, label, caption, image (encoded bytes, or None), license, attribution, source_url,
    lost (reason, or None), clauses (text by label of its caption), panels; a panel: bbox (original pixels), label,
    kind, subcaption, preamble, method, confidence, split, lost. `agreement`: what people said of pairs, by method
    (corrections.agreement).
    """

    figures: Sequence[Mapping[str, Any]] = ()
    total: int = 0
    total_lost: int = 0
    agreement: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def render_gallery(
    shown: Shown, funnel: Sequence[Mapping[str, Any]], statistics: Statistics, *, name: str, snapshot_date: str
) -> str:
    """The page, about 30 KB a figure. Every text is escaped; images are encoded anew."""
    most = min(PICTURE_BYTES, PICTURES_BYTES // max(len(shown.figures), 1))
    figures = [_figure(figure, most) for figure in shown.figures]
    panels = [panel for figure in figures for panel in figure["panels"]]
    templates = environment()
    script = "\n" + _source("gallery.js")
    return templates.get_template("gallery.html").render(
        name=name,
        snapshot_date=snapshot_date,
        figures=figures,
        choices={
            "method": _choices(panel["method"] for panel in panels),
            "kind": _choices(panel["kind"] for panel in panels),
            "license": _choices(figure["license"] for figure in figures),
            "lost": _choices(item["lost"] for item in (*figures, *panels)),
        },
        funnel=draw_funnel(funnel),
        plots=draw_plots(statistics),
        agreement=_agreement(shown.agreement),
        statistics=statistics,
        sampling=_sampling(shown),
        private=sum(not _may_be_shared(figure["license"]) for figure in figures if figure["picture"]),
        advice={reason.code: reason.advice for reason in REASONS.values()},
        dead={reason.code for reason in REASONS.values() if reason.outcome == "dead"},
        short=short_number,
        colours=_COLOURS,
        style=Markup(_source("gallery.css")),
        script=Markup(script),
        seal=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _source(name: str) -> str:
    """The text of a style or script of this package, as it is."""
    loader = environment().loader
    assert loader is not None
    return loader.get_source(environment(), name)[0]


def sample_figures(figures: Iterable[str], lost: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Which figures are shown: of those with panels, and of those left out (reason by figure), by a hash of their ids,
    so that they stay the same from build to build; those left out take turns among the reasons."""
    with_panels = sorted(set(figures), key=_draw)
    by_reason: dict[str, list[str]] = {}
    for figure in sorted(set(lost) - set(with_panels), key=_draw):
        by_reason.setdefault(lost[figure], []).append(figure)
    turns = [(turn, reason, figure) for reason, members in by_reason.items() for turn, figure in enumerate(members)]
    return with_panels[:SHOWN], [figure for _, _, figure in sorted(turns)[:SHOWN_LOST]]


def _draw(figure: str) -> float:
    return ids.unit_interval(figure, "gallery")


def gallery_figures(
    figures: pa.Table,
    media: pa.Table,
    pairs: pa.Table,
    lost: Mapping[str, str],
    clauses: Mapping[str, Mapping[str, str]],
) -> list[dict[str, Any]]:
    """The figures of a `Shown`, from tables that hold only those, one entry an image.

    `figures`: schema.FIGURES; `media`: schema.MEDIA (figures without a row are shown without image); `pairs`: panel_id,
    image_id, bbox, label, kind, subcaption, preamble, method, confidence, split (null for what a lost panel lacks);
    `lost`: reason by panel, image or figure id; `clauses`: text by label, by figure. Order of `figures`, then `pairs`.
    """
    by_image: dict[str, list[dict[str, Any]]] = {}
    for pair in pairs.to_pylist():
        by_image.setdefault(pair["image_id"], []).append({**pair, "lost": lost.get(pair["panel_id"])})
    images: dict[str, list[dict[str, Any]]] = {}
    for image in media.select(["figure_id", "image_id", "image"]).to_pylist():
        images.setdefault(image["figure_id"], []).append(image)
    entries = []
    for figure in figures.drop_columns(["caption_xml", "mentions"]).to_pylist():
        for image in images.get(figure["figure_id"], [{"image_id": None, "image": {"bytes": None}}]):
            pmcid, _ = ids.parse_article_id(figure["article"])
            entries.append({
                **figure,
                "image_id": image["image_id"],
                "image": image["image"]["bytes"],
                "source_url": f"https://pmc.ncbi.nlm.nih.gov/articles/PMC{pmcid}/",
                "lost": lost.get(image["image_id"] or "") or lost.get(figure["figure_id"]),
                "clauses": clauses.get(figure["figure_id"], {}),
                "panels": by_image.get(image["image_id"], []),
            })
    return entries


def _figure(figure: Mapping[str, Any], most: int) -> dict[str, Any]:
    picture, width, height, side = _picture(figure["image"], most)
    size = (max(width, 1), max(height, 1))
    panels = [_panel(panel, number, figure["caption"], size) for number, panel in enumerate(figure["panels"], 1)]
    licence = license_of(figure["license"])
    return {
        **figure, "picture": picture, "width": width, "height": height, "panels": panels,
        "shown": min(side, round(_TALL * width / height)) if picture else 0,
        "deed": licence.url if licence else None,
        "opened": not panels or any(panel["whole"] for panel in panels),
    }


def _panel(panel: Mapping[str, Any], number: int, caption: str, size: tuple[int, int]) -> dict[str, Any]:
    """A panel with its place in percent of the image; a text that is the whole caption is not repeated."""
    (x0, y0, x1, y1), (width, height) = panel["bbox"], size
    place = {"left": 100 * x0 / width, "top": 100 * y0 / height,
             "wide": 100 * (x1 - x0) / width, "high": 100 * (y1 - y0) / height}
    rounded = {name: round(percent, 2) for name, percent in place.items()}
    return {**panel, **rounded, "number": number, "whole": bool(caption) and panel["subcaption"] == caption}


def _picture(encoded: bytes | None, most: int) -> tuple[str | None, int, int, int]:
    """A small WebP of at most `most` bytes as data URI, the original's width and height, and the width of the small
    one; (None, 0, 0, 0) where there is no readable image."""
    if not encoded:
        return None, 0, 0, 0
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            width, height = image.size
            image.draft("RGB", (_ENCODINGS[0][0],) * 2)
            small = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None, 0, 0, 0
    data = b""
    for side, quality in _ENCODINGS:
        small.thumbnail((side, side))
        buffer = io.BytesIO()
        small.save(buffer, "WEBP", quality=quality, method=2)
        data = buffer.getvalue()
        if len(data) <= most:
            break
    return "data:image/webp;base64," + base64.b64encode(data).decode(), width, height, small.width


def _choices(values: Iterable[str | None]) -> list[tuple[str, int]]:
    """(value, how many figures or panels) of a filter, in order."""
    return sorted(Counter(value for value in values if value).items())


def _agreement(said: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """Rows of the table: method, judged, one number an opinion, and the share of "right" among all but "left out"."""
    rows = []
    for method, counts in said.items():
        numbers = [counts.get(opinion, 0) for opinion in _OPINIONS]
        judged = sum(numbers[:-1])
        rows.append({"method": method, "values": [
            sum(numbers), *numbers, f"{100 * numbers[0] / judged:.0f} %" if judged else "–",
        ]})
    return rows


def _sampling(shown: Shown) -> str:
    """What is shown of how much, as a sentence."""
    if shown.total <= SHOWN and shown.total_lost <= SHOWN_LOST:
        return "All figures of the build are shown here, those left out included."
    return (
        f"Shown here: {min(shown.total, SHOWN):,} of {shown.total:,} figures with panels, drawn by a hash of their "
        f"ids, and {min(shown.total_lost, SHOWN_LOST):,} of {shown.total_lost:,} that were left out, in turn from each "
        "reason."
    )


def _may_be_shared(code: str | None) -> bool:
    licence = license_of(code or "")
    return licence is not None and licence.redistribution and licence.adaptation
