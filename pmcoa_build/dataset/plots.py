"""The funnel and the statistics of a dataset as drawings: numbers for the gallery's template to place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pmcoa_build.dataset.card import losses
from pmcoa_build.dataset.stats import WORD_BINS, Statistics

_MOST_PANELS = 11
_YEARS = 20


def draw_funnel(funnel: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Stages as slices of a funnel: `top` and `bottom` in percent of the slice at which the scale began (`again`).

    The scale begins again where the unit changes, and where less than a twentieth is left. `lost`: (reason, count,
    "filtered" or "dead"), what was dropped inside of units among it.
    """
    slices: list[dict[str, Any]] = []
    full, unit = 0, ""
    for stage in funnel:
        again = stage["unit"] != unit or stage["in"] > full or stage["in"] * 20 < full
        if again:
            full, unit = max(stage["in"], 1), stage["unit"]
        inside = sorted(stage.get("dropped", {}).items(), key=lambda item: -item[1])
        slices.append({
            "out": stage["done"], "makes": "done", **stage,
            "again": again,
            "top": round(100 * stage["in"] / full, 2),
            "bottom": round(100 * stage["done"] / full, 2),
            "lost": [*((reason, n, "dead" if reason in stage["dead"] else "filtered") for reason, n in losses(stage)),
                     *((reason, n, "filtered") for reason, n in inside)],
        })
    return slices


def draw_plots(statistics: Statistics) -> list[dict[str, Any]]:
    """Plots: title, form ("columns" for numbers, "bars" for names), bars (name, count, percent of the longest)."""
    per_figure = statistics.panels_per_figure
    panels = {str(n): per_figure[n] for n in range(1, min(max(per_figure, default=0), _MOST_PANELS) + 1)}
    if over := sum(count for n, count in per_figure.items() if n > _MOST_PANELS):
        panels["more"] = over
    bins = [*(f"≤ {bound}" for bound in WORD_BINS), "more"]
    words = {name: statistics.words[name] for name in bins} if statistics.words else {}
    columns = {"Panels a figure": panels, "Words a subcaption": words,
               "Confidence": dict(sorted(statistics.confidence.items())), "Year": _years(statistics.by["year"])}
    ranked = {
        title: dict(statistics.by[key].most_common(10))
        for title, key in (("Kind of panel", "kind"), ("Modality", "modality"), ("Paired by", "method"),
                           ("Licence", "license"), ("Journal", "journal"))
    }  # fmt: skip
    return [*(_plot(title, "columns", counts) for title, counts in columns.items() if counts),
            *(_plot(title, "bars", counts) for title, counts in ranked.items() if counts)]


def _years(counts: Mapping[str, int]) -> dict[str, int]:
    """The last twenty years without a gap; what is older goes into the first of them."""
    known = {int(year): n for year, n in counts.items() if year.isdigit()}
    if not known:
        return {}
    last = max(known)
    first = max(min(known), last - _YEARS + 1)
    found = {str(year): known.get(year, 0) for year in range(first, last + 1)}
    older = sum(n for year, n in known.items() if year < first)
    return {f"≤ {first}": older + found.pop(str(first)), **found} if older else found


def _plot(title: str, form: str, counts: Mapping[str, int]) -> dict[str, Any]:
    longest = max(*counts.values(), 1)
    many = " many" if form == "columns" and len(counts) > 11 else ""
    return {"title": title, "form": form, "many": many,
            "bars": [(name, n, round(100 * n / longest, 1)) for name, n in counts.items()]}


def short_number(n: int) -> str:
    """A count in at most four characters: 12, 1.2k, 34k, 5.6M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if n >= size:
            return f"{n / size:.1f}{unit}" if n < 10 * size else f"{n / size:.0f}{unit}"
    return str(n)
