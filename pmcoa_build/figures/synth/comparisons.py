"""Plots that compare groups: bars, boxes, violins, dots, shares, effects with their intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

from pmcoa_build.figures.synth.charts import GENES, GROUPS, MEASURES, TERMS, Style, finish, words
from pmcoa_build.figures.synth.imagery import Rng, pick

_STARS = ("*", "**", "***", "****", "ns", "n.s.", "p = 0.03", "p < 0.001", "#", "p=0.21")
_STUDIES = ("Age", "Sex", "Stage", "Smith", "Wang", "Lee", "BMI", "Grade", "Garcia")
_HATCHES = ("", "", "", "//", "\\\\", "..", "xx", "--")


def _bracket(axes: Any, rng: Rng, style: Style, ends: tuple[float, float], level: float) -> None:
    """A significance bracket between two places, in data units."""
    low, high = axes.get_ylim()
    drop = (high - low) * 0.02
    axes.plot([ends[0], ends[0], ends[1], ends[1]], [level - drop, level, level, level - drop], color="black",
              lw=style.line * 0.9, clip_on=False)
    axes.text(sum(ends) / 2, level, pick(rng, _STARS), ha="center", va="bottom", fontsize=style.size * 0.95)


def _brackets(axes: Any, rng: Rng, style: Style, places: int, top: float) -> None:
    if rng.random() < 0.35 or places < 2:
        return
    for step in range(int(rng.integers(1, min(4, places) + 1))):
        first = int(rng.integers(0, places - 1))
        _bracket(axes, rng, style, (first, int(rng.integers(first + 1, places))), top * (1.08 + 0.12 * step))


def _name_groups(axes: Any, rng: Rng, places: Any, names: list[str], *, tilt: bool | None = None) -> None:
    turned = max(map(len, names)) * len(names) > 18 if tilt is None else tilt
    turn = pick(rng, (45, 45, 90, 30) if len(names) < 8 else (90,)) if turned else 0
    align = {"ha": "right", "rotation_mode": "anchor"} if turn not in (0, 90) else {}
    axes.set_xticks(list(places), names, rotation=turn, **align)


def bars(axes: Any, rng: Rng, style: Style) -> None:
    """Bars of means with error bars, points and brackets."""
    count = int(rng.integers(2, 8))
    heights = rng.uniform(0.2, 1, count) * 10 ** float(rng.integers(-1, 4))
    errors = heights * rng.uniform(0.03, 0.25, count)
    face = [style.colours[i % len(style.colours)] if rng.random() < 0.8 else "white" for i in range(count)]
    if rng.random() < 0.3:
        face = [style.colours[0]] * count
    axes.bar(range(count), heights, rng.uniform(0.45, 0.85), color=face, edgecolor="black" if style.edge else face,
             linewidth=style.line, hatch=pick(rng, _HATCHES),
             yerr=errors if rng.random() < 0.85 else None,
             error_kw={"lw": style.line, "capsize": pick(rng, (0, 2, 3, 5))})
    if rng.random() < 0.4:
        for place, (level, error) in enumerate(zip(heights, errors, strict=True)):
            number = int(rng.integers(3, 14))
            axes.scatter(place + rng.uniform(-0.2, 0.2, number), rng.normal(level, error, number), s=style.marker**2,
                         facecolor=pick(rng, ("black", "white", "none")), edgecolor="black", linewidth=0.7, zorder=3)
    _brackets(axes, rng, style, count, float((heights + errors).max()))
    _name_groups(axes, rng, range(count), words(rng, GROUPS, count))
    finish(axes, rng, style, "", pick(rng, MEASURES))


def grouped_bars(axes: Any, rng: Rng, style: Style) -> None:
    """Clusters of bars, up or down, with a legend."""
    count, series = int(rng.integers(2, 7)), int(rng.integers(2, 5))
    sign = -1 if rng.random() < 0.12 else 1
    width = 0.8 / series
    for i in range(series):
        heights = sign * rng.uniform(0.1, 1, count)
        axes.bar(np.arange(count) + (i - (series - 1) / 2) * width, heights, width * rng.uniform(0.85, 1),
                 color=style.colours[i], edgecolor="black" if style.edge else style.colours[i],
                 linewidth=style.line * 0.8,
                 label=words(rng, GROUPS, 1)[0], yerr=np.abs(heights) * 0.12,
                 error_kw={"lw": style.line * 0.8, "capsize": 2})
        for place in range(count):
            if rng.random() < 0.25:
                axes.text(place + (i - (series - 1) / 2) * width, heights[place] * 1.14, pick(rng, ("*", "**", "***")),
                          ha="center", va="bottom" if sign > 0 else "top")
    _name_groups(axes, rng, range(count), words(rng, GENES if rng.random() < 0.5 else GROUPS, count))
    finish(axes, rng, style, "", pick(rng, MEASURES))


def stacked_bars(axes: Any, rng: Rng, style: Style) -> None:
    """Shares stacked to one height, upright or lying."""
    count, parts = int(rng.integers(2, 16)), int(rng.integers(2, 7))
    shares = rng.dirichlet(np.ones(parts) * 2, count)
    base = np.zeros(count)
    lying = rng.random() < 0.3
    for i in range(parts):
        colour, label = style.colours[i % len(style.colours)], words(rng, GENES, 1)[0]
        if lying:
            axes.barh(range(count), shares[:, i], 0.8, base, color=colour, label=label)
        else:
            axes.bar(range(count), shares[:, i], 0.8, base, color=colour, label=label,
                     edgecolor="black" if style.edge else colour,
                     linewidth=0.5)
        base += shares[:, i]
    names = words(rng, GROUPS, count)
    if lying:
        axes.set_yticks(range(count), names)
    else:
        _name_groups(axes, rng, range(count), names)
    finish(axes, rng, style, "Proportion" if lying else "", "" if lying else "Proportion")


def lying_bars(axes: Any, rng: Rng, style: Style) -> None:
    """Ranked terms (enrichment, importance) as lying bars."""
    count = int(rng.integers(5, 16))
    values = np.sort(rng.gamma(3, 2, count))
    axes.barh(range(count), values, rng.uniform(0.5, 0.85), color=style.colours[0] if rng.random() < 0.6 else
              [style.colours[i % 3] for i in range(count)], edgecolor="black" if style.edge else "none",
              linewidth=style.line * 0.8)
    axes.set_yticks(range(count), words(rng, TERMS if rng.random() < 0.7 else GENES, count))
    finish(axes, rng, style, pick(rng, ("-log10(p value)", "Gene count", "Importance", "SHAP value")), "")


def boxes(axes: Any, rng: Rng, style: Style) -> None:
    """Box plots, filled or not, with outliers or all points."""
    count = int(rng.integers(2, 9))
    data = [rng.normal(rng.uniform(2, 8), rng.uniform(0.4, 1.6), int(rng.integers(12, 90))) for _ in range(count)]
    parts = axes.boxplot(data, positions=range(count), widths=rng.uniform(0.4, 0.75), patch_artist=True,
                         showfliers=bool(rng.random() < 0.6), notch=bool(rng.random() < 0.08),
                         flierprops={"markersize": style.marker * 0.6, "marker": pick(rng, ("o", ".", "+"))},
                         boxprops={"lw": style.line},
                         whiskerprops={"lw": style.line, "ls": pick(rng, ("-", "-", "--"))},
                         medianprops={"color": "black", "lw": style.line * 1.5}, capprops={"lw": style.line})
    for i, box in enumerate(parts["boxes"]):
        box.set_facecolor("white" if rng.random() < 0.15 else style.colours[i % len(style.colours)])
    if rng.random() < 0.35:
        _points(axes, rng, style, data)
    _brackets(axes, rng, style, count, max(float(values.max()) for values in data))
    _name_groups(axes, rng, range(count), words(rng, GROUPS, count))
    finish(axes, rng, style, "", pick(rng, MEASURES))


def _points(axes: Any, rng: Rng, style: Style, data: list[Any]) -> None:
    for i, values in enumerate(data):
        axes.scatter(i + rng.uniform(-0.18, 0.18, len(values)), values, s=style.marker**2 * 0.6, zorder=3,
                     color=style.colours[i % len(style.colours)] if rng.random() < 0.5 else "black", linewidth=0,
                     alpha=0.8)


def violins(axes: Any, rng: Rng, style: Style) -> None:
    """Violins, few with medians or many thin ones as in single-cell papers."""
    count = int(rng.integers(2, 11))
    data = [np.abs(rng.normal(rng.uniform(0, 6), rng.uniform(0.4, 1.6), 60)) for _ in range(count)]
    parts = axes.violinplot(data, positions=range(count), widths=0.85, showextrema=False,
                            showmedians=bool(rng.random() < 0.5))
    for i, body in enumerate(parts["bodies"]):
        body.set(facecolor=style.colours[i % len(style.colours)], alpha=1, edgecolor="black" if style.edge else "none",
                 linewidth=style.line)
    if rng.random() < 0.3:
        _points(axes, rng, style, data)
    _name_groups(axes, rng, range(count), words(rng, GROUPS, count))
    finish(axes, rng, style, "", pick(rng, MEASURES))


def strips(axes: Any, rng: Rng, style: Style) -> None:
    """All points of each group with a line at the mean, or pairs joined by lines."""
    count = int(rng.integers(2, 7))
    number = int(rng.integers(5, 26))
    data = [rng.normal(rng.uniform(2, 8), rng.uniform(0.4, 1.4), number) for _ in range(count)]
    if rng.random() < 0.35:
        for row in np.array(data).T:
            axes.plot(range(count), row, color=style.colours[0], lw=style.line * 0.7, marker="o", ms=style.marker)
    else:
        for i, values in enumerate(data):
            axes.scatter(i + rng.uniform(-0.2, 0.2, number), values, s=style.marker**2 * 1.4, marker=pick(rng, "oos^D"),
                         facecolor=style.colours[i % len(style.colours)], edgecolor="black" if style.edge else "none",
                         linewidth=0.6)
            axes.errorbar(i, values.mean(), values.std(), 0.25, color="black", lw=style.line, capsize=3)
    _brackets(axes, rng, style, count, max(float(values.max()) for values in data))
    axes.set_xlim(-0.6, count - 0.4)
    _name_groups(axes, rng, range(count), words(rng, GROUPS, count))
    finish(axes, rng, style, "", pick(rng, MEASURES))


def histogram(axes: Any, rng: Rng, style: Style) -> None:
    """One or two distributions, as steps, bars or filled densities."""
    for i in range(int(rng.integers(1, 4))):
        values = rng.normal(rng.uniform(-2, 4), rng.uniform(0.6, 2), 800)
        axes.hist(values, int(rng.integers(10, 50)), color=style.colours[i], alpha=pick(rng, (1.0, 0.5, 0.6)),
                  histtype=pick(rng, ("bar", "stepfilled", "step")), label=words(rng, GROUPS, 1)[0],
                  edgecolor="black" if style.edge else style.colours[i], linewidth=style.line * 0.8)
    if rng.random() < 0.3:
        axes.axvline(rng.uniform(-1, 3), color="black", ls="--", lw=style.line)
    finish(axes, rng, style, pick(rng, MEASURES), pick(rng, ("Count", "Frequency", "Density", "Number of cells")))


def pie(axes: Any, rng: Rng, style: Style) -> None:
    """A pie or ring with names and shares."""
    parts = int(rng.integers(2, 7))
    hole = {"width": 0.45} if rng.random() < 0.3 else {}
    axes.pie(rng.dirichlet(np.ones(parts) * 3), labels=words(rng, GENES, parts) if rng.random() < 0.7 else None,
             colors=style.colours, autopct="%d%%" if rng.random() < 0.6 else None,
             startangle=float(rng.uniform(0, 360)),
             wedgeprops={**hole, "edgecolor": "black" if style.edge else "white", "linewidth": style.line})
    if style.titled:
        axes.set_title(pick(rng, GROUPS))


def radar(axes: Any, rng: Rng, style: Style) -> None:
    """A radar chart; wants polar axes."""
    spokes = int(rng.integers(5, 10))
    turn = np.linspace(0, 2 * np.pi, spokes + 1)
    for i in range(int(rng.integers(1, 4))):
        reach = rng.uniform(0.3, 1, spokes)
        reach = np.append(reach, reach[0])
        axes.plot(turn, reach, color=style.colours[i], lw=style.line * 1.3)
        axes.fill(turn, reach, color=style.colours[i], alpha=0.2)
    axes.set_xticks(turn[:-1], words(rng, GENES, spokes))
    axes.set_yticklabels([])


def forest(axes: Any, rng: Rng, style: Style) -> None:
    """Effects with intervals, the names left and often the numbers right."""
    count = int(rng.integers(5, 18))
    effects, halves = rng.normal(1, 0.35, count), rng.uniform(0.1, 0.6, count)
    rows = np.arange(count)[::-1]
    axes.errorbar(effects, rows, xerr=halves, fmt=pick(rng, ("s", "o", "D")),
                  color=pick(rng, ("black", style.colours[0])),
                  ms=style.marker, lw=style.line, capsize=pick(rng, (0, 2)))
    axes.axvline(1, color="black", ls=pick(rng, ("--", "-", ":")), lw=style.line * 0.8)
    axes.set_yticks(rows, [f"{pick(rng, _STUDIES)} {rng.integers(1990, 2024)}" for _ in range(count)])
    if rng.random() < 0.6:
        for row, effect, half in zip(rows, effects, halves, strict=True):
            axes.text(2.6, row, f"{effect:.2f} ({effect - half:.2f}-{effect + half:.2f})", va="center",
                      fontsize=style.size * 0.85)
    finish(axes, rng, style, pick(rng, ("Odds ratio (95% CI)", "Hazard ratio", "Mean difference")), "")
