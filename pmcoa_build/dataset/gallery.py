"""gallery.html: one file that shows what the build made and what it left out; it loads nothing from elsewhere."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from PIL import Image

from pmcoa_build import ids
from pmcoa_build.dataset.card import environment, losses
from pmcoa_build.dataset.stats import WORD_BINS, Statistics

SHOWN = 500
"""Most figures in a gallery."""

_LONG_SIDE = 480
_QUALITY = 62
_COLOURS = 8


def render_gallery(
    figures: Sequence[Mapping[str, Any]],
    funnel: Sequence[Mapping[str, Any]],
    statistics: Statistics,
    *,
    name: str,
    snapshot_date: str,
) -> str:
    """The page, about 25 KB a figure.

    `figures` (the first 500 are shown): figure_id, image_id, label, caption, image (encoded bytes, or None), license,
    attribution, source_url, year, lost (reason, or None), panels; of a panel: bbox (original pixels), label,
    kind, subcaption, preamble, method, confidence, split, lost. Every text is escaped; images are encoded anew.
    """
    shown = [_figure(figure) for figure in figures[:SHOWN]]
    panels = [panel for figure in shown for panel in figure["panels"]]
    choices = {
        "method": sorted({panel["method"] for panel in panels if panel["method"]}),
        "kind": sorted({panel["kind"] for panel in panels if panel["kind"]}),
        "license": sorted({figure["license"] for figure in shown if figure["license"]}),
        "lost": sorted({item["lost"] for item in (*shown, *panels) if item["lost"]}),
    }
    return environment().get_template("gallery.html").render(
        name=name,
        snapshot_date=snapshot_date,
        figures=shown,
        choices=choices,
        funnel=_funnel(funnel),
        plots=_plots(statistics),
        statistics=statistics,
        colours=_COLOURS,
    )


def gallery_figures(
    figures: pa.Table, media: pa.Table, pairs: pa.Table, articles: pa.Table, lost: Mapping[str, str]
) -> list[dict[str, Any]]:
    """What `render_gallery` shows, from tables that hold only the figures to be shown, one entry an image.

    `figures`: schema.FIGURES; `media`: schema.MEDIA (figures without a row are shown without image); `pairs`: panel_id,
    image_id, bbox, label, kind, subcaption, preamble, method, confidence, split (null for what a lost panel lacks);
    `articles`: article, year; `lost`: reason by panel, image or figure id. Order of `figures`, then of `pairs`.
    """
    by_image: dict[str, list[dict[str, Any]]] = {}
    for pair in pairs.to_pylist():
        by_image.setdefault(pair["image_id"], []).append({**pair, "lost": lost.get(pair["panel_id"])})
    images: dict[str, list[dict[str, Any]]] = {}
    for image in media.select(["figure_id", "image_id", "image"]).to_pylist():
        images.setdefault(image["figure_id"], []).append(image)
    years = dict(zip(articles["article"].to_pylist(), articles["year"].to_pylist(), strict=True))
    entries = []
    for figure in figures.drop_columns(["caption_xml", "mentions"]).to_pylist():
        for image in images.get(figure["figure_id"], [{"image_id": None, "image": {"bytes": None}}]):
            pmcid, _ = ids.parse_article_id(figure["article"])
            entries.append({
                **figure,
                "image_id": image["image_id"],
                "image": image["image"]["bytes"],
                "source_url": f"https://pmc.ncbi.nlm.nih.gov/articles/PMC{pmcid}/",
                "year": years.get(figure["article"]),
                "lost": lost.get(image["image_id"] or "") or lost.get(figure["figure_id"]),
                "panels": by_image.get(image["image_id"], []),
            })
    return entries


def _figure(figure: Mapping[str, Any]) -> dict[str, Any]:
    picture, width, height = _picture(figure["image"])
    panels = [
        {**panel, "number": number, "x": panel["bbox"][0], "y": panel["bbox"][1],
         "w": panel["bbox"][2] - panel["bbox"][0], "h": panel["bbox"][3] - panel["bbox"][1]}
        for number, panel in enumerate(figure["panels"], 1)
    ]  # fmt: skip
    return {**figure, "picture": picture, "width": width, "height": height, "panels": panels}


def _picture(encoded: bytes | None) -> tuple[str | None, int, int]:
    """A small JPEG as data URI, and the original's width and height; (None, 0, 0) where there is no readable image."""
    if not encoded:
        return None, 0, 0
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            width, height = image.size
            image.draft("RGB", (_LONG_SIDE, _LONG_SIDE))
            small = image.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
        return None, 0, 0
    small.thumbnail((_LONG_SIDE, _LONG_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode(), width, height


def _funnel(funnel: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Stages as slices of a funnel: widths in percent of the slice at which the scale began (`again`).

    The scale begins again where the unit changes, and where less than a twentieth is left.
    """
    slices: list[dict[str, Any]] = []
    full, unit = 0, ""
    for stage in funnel:
        again = stage["unit"] != unit or stage["in"] > full or stage["in"] * 20 < full
        if again:
            full, unit = max(stage["in"], 1), stage["unit"]
        slices.append({
            **stage,
            "again": again,
            "top": round(100 * stage["in"] / full, 2),
            "bottom": round(100 * stage["done"] / full, 2),
            "lost": [(reason, n, reason in stage["dead"]) for reason, n in losses(stage)],
        })
    return slices


def _plots(statistics: Statistics) -> list[tuple[str, list[tuple[str, int, float]]]]:
    """(title, bars); a bar is (name, count, percent of the longest)."""
    per_figure = statistics.panels_per_figure
    most = {str(n): per_figure[n] for n in range(1, 12) if per_figure[n]}
    if over := sum(count for n, count in per_figure.items() if n > 11):
        most["12 and more"] = over
    bins = [*(f"≤ {bound}" for bound in WORD_BINS), "more"]
    words = {name: statistics.words[name] for name in bins if statistics.words[name]}
    years = dict(sorted(statistics.by["year"].items())[-15:])
    ranked = {
        title: dict(statistics.by[key].most_common(10))
        for title, key in (("Modality", "modality"), ("Kind of panel", "kind"), ("Paired by", "method"),
                           ("Licence", "license"), ("Journal", "journal"))
    }  # fmt: skip
    charts = {"Panels a figure": most, "Words a subcaption": words, **ranked, "Year": years}
    return [(title, _bars(counts)) for title, counts in charts.items() if counts]


def _bars(counts: Mapping[str, int]) -> list[tuple[str, int, float]]:
    longest = max(counts.values())
    return [(name, n, round(100 * n / longest, 1)) for name, n in counts.items()]


