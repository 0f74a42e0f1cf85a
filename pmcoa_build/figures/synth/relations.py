"""Plots of one quantity against another: courses, clouds, survival, ROC, omics."""

from __future__ import annotations

from typing import Any

import numpy as np

from pmcoa_build.figures.synth.charts import GENES, GROUPS, MEASURES, TIMES, Style, finish, words
from pmcoa_build.figures.synth.imagery import Rng, pick

_MARKERS = ("o", "s", "^", "D", "v", "o")
_NUMBERS = ("r = 0.62\np < 0.001", "R2 = 0.81", "p = 0.003", "n = 54", "r=-0.41, p=0.02", "AUC = 0.87",
            "log-rank p = 0.01")


def _course(rng: Rng, x: Any) -> Any:
    """One smooth course over 0 to 1."""
    rate, middle = rng.uniform(3, 14), rng.uniform(0.2, 0.8)
    shape = pick(rng, ("sigmoid", "decay", "line", "peak", "wave", "growth"))
    if shape == "sigmoid":
        return 1 / (1 + np.exp(-rate * (x - middle)))
    if shape == "decay":
        return np.exp(-rate * 0.4 * x)
    if shape == "line":
        return 0.3 + rng.uniform(-0.25, 0.6) * x
    if shape == "peak":
        return 0.1 + np.exp(-((x - middle) ** 2) * rate * 4)
    return 0.5 + 0.4 * np.sin(rate * x) if shape == "wave" else (np.exp(2 * x) - 1) / 6.4


def lines(axes: Any, rng: Rng, style: Style) -> None:
    """Courses with markers, error bars or bands."""
    count, steps = int(rng.integers(1, 6)), int(pick(rng, (4, 5, 6, 8, 12, 30)))
    x = np.linspace(0, 1, steps)
    shared = _course(rng, x)
    how = pick(rng, ("bars", "bars", "band", "none"))
    marker = rng.random() < 0.75 and steps < 20
    for i in range(count):
        y = (shared * rng.uniform(0.5, 1) if rng.random() < 0.7 else _course(rng, x)) + rng.normal(0, 0.02, steps)
        colour = style.colours[i % len(style.colours)]
        colour = "black" if colour == "#ffffff" else colour
        dress = {"color": colour, "lw": style.line * rng.uniform(0.9, 2), "ls": pick(rng, ("-", "-", "-", "--")),
                 "label": words(rng, GROUPS, 1)[0], "marker": _MARKERS[i] if marker else "", "ms": style.marker,
                 "mfc": "white" if rng.random() < 0.2 else colour}
        if how == "bars":
            axes.errorbar(x * 100, y, rng.uniform(0.02, 0.09, steps), capsize=pick(rng, (0, 2, 3)),
                          elinewidth=style.line * 0.8,
                          **dress)
        else:
            axes.plot(x * 100, y, **dress)
        if how == "band":
            axes.fill_between(x * 100, y - 0.06, y + 0.06, color=colour, alpha=0.25, lw=0)
        if rng.random() < 0.2:
            axes.text(x[-1] * 100, y[-1], pick(rng, ("*", "**", "***", "#")))
    finish(axes, rng, style, pick(rng, TIMES), pick(rng, MEASURES))


def scatter(axes: Any, rng: Rng, style: Style) -> None:
    """A cloud with a line of best fit, its band and numbers."""
    for i in range(int(pick(rng, (1, 1, 2, 3)))):
        number = int(pick(rng, (15, 30, 60, 150, 600)))
        x = rng.normal(5, 1.5, number)
        y = rng.uniform(-1, 1) * x + rng.normal(0, rng.uniform(0.3, 2), number)
        colour = "black" if style.colours[i] == "#ffffff" else style.colours[i]
        axes.scatter(x, y, s=(style.marker * (1 if number < 200 else 0.5)) ** 2, color=colour, marker=_MARKERS[i],
                     alpha=pick(rng, (1.0, 0.6)), edgecolor="black" if style.edge else "none", linewidth=0.5,
                     label=words(rng, GROUPS, 1)[0])
        if rng.random() < 0.6:
            slope, start = np.polyfit(x, y, 1)
            ends = np.linspace(x.min(), x.max(), 12)
            axes.plot(ends, start + slope * ends, color=pick(rng, ("black", colour, "red")), lw=style.line * 1.3)
            if rng.random() < 0.5:
                spread = 0.2 + 0.12 * (ends - 5) ** 2
                axes.fill_between(ends, start + slope * ends - spread, start + slope * ends + spread, color="grey",
                                  alpha=0.3, lw=0)
    if rng.random() < 0.5:
        axes.text(0.05, 0.95, pick(rng, _NUMBERS), transform=axes.transAxes, va="top")
    finish(axes, rng, style, pick(rng, MEASURES), pick(rng, MEASURES))


def survival(axes: Any, rng: Rng, style: Style) -> None:
    """Kaplan-Meier steps with censoring ticks, bands, and often the numbers at risk below."""
    for i in range(int(rng.integers(2, 5))):
        times = np.sort(rng.uniform(0, 100, 25))
        level = np.cumprod(1 - rng.uniform(0, rng.uniform(0.03, 0.1), 25))
        colour = "black" if style.colours[i] == "#ffffff" else style.colours[i]
        x, y = np.append([0], times), np.append([1], level)
        axes.step(x, y, where="post", color=colour, lw=style.line * 1.5, label=words(rng, GROUPS, 1)[0])
        if rng.random() < 0.4:
            axes.plot(times[::3], level[::3], "|", color=colour, ms=style.marker + 2)
        if rng.random() < 0.3:
            axes.fill_between(x, y - 0.06, y + 0.06, step="post", color=colour, alpha=0.2, lw=0)
    axes.set_ylim(0, 1.03)
    axes.set_xlim(0, 100)
    axes.text(0.05, 0.08, pick(rng, ("p = 0.012", "p < 0.001", "HR = 0.61", "Log-rank p = 0.3")),
              transform=axes.transAxes)
    if rng.random() < 0.3:
        for i in range(2):
            row = "      ".join(str(int(n)) for n in np.linspace(90, 4, 5))
            axes.text(0, -0.34 - 0.1 * i, row, transform=axes.transAxes, color=style.colours[i],
                      fontsize=style.size * 0.9)
    finish(axes, rng, style, pick(rng, ("Months", "Time (days)", "Follow-up (years)")), pick(
        rng, ("Overall survival", "Survival probability", "Percent survival", "Disease-free survival")))


def roc(axes: Any, rng: Rng, style: Style) -> None:
    """ROC curves over the diagonal."""
    t = np.linspace(0, 1, 40)
    for i in range(int(rng.integers(1, 6))):
        power, colour = rng.uniform(0.08, 0.5), style.colours[i]
        y = np.clip(t**power + rng.normal(0, 0.008, 40), 0, 1)
        axes.step(t, np.maximum.accumulate(y), color="black" if colour == "#ffffff" else colour, lw=style.line * 1.4,
                  label=f"{pick(rng, GENES)} (AUC = {1 / (1 + power):.2f})")
    axes.plot([0, 1], [0, 1], color="grey", ls=pick(rng, ("--", "-", ":")), lw=style.line)
    finish(axes, rng, style, pick(rng, ("1 - Specificity", "False positive rate")),
           pick(rng, ("Sensitivity", "True positive rate")))


def volcano(axes: Any, rng: Rng, style: Style) -> None:
    """Volcano or MA plot with some names."""
    number = int(rng.integers(400, 2500))
    change = rng.normal(0, 1.2, number)
    level = np.abs(change) * rng.gamma(2, 1, number)
    up, down = (change > 1) & (level > 2), (change < -1) & (level > 2)
    colours = np.where(up, pick(rng, ("#d62728", "#e64b35", "#ff0000")),
                       np.where(down, pick(rng, ("#1f77b4", "#2ca02c", "#0000ff")),
                                                                         "#aaaaaa"))
    axes.scatter(change, level, s=rng.uniform(2, 9), c=colours, linewidth=0)
    if rng.random() < 0.7:
        axes.axhline(2, color="black", ls="--", lw=0.8)
        axes.axvline(1, color="black", ls="--", lw=0.8)
        axes.axvline(-1, color="black", ls="--", lw=0.8)
    if rng.random() < 0.6:
        for i in np.argsort(-level)[:int(rng.integers(3, 12))]:
            axes.text(change[i], level[i], pick(rng, GENES), fontsize=style.size * 0.8)
    finish(axes, rng, style, "log2 (fold change)", "-log10 (p value)")


def manhattan(axes: Any, rng: Rng, style: Style) -> None:
    """Genome-wide association by chromosome in alternating colours, upright or as a QQ plot."""
    start = 0.0
    middles = []
    for chromosome in range(int(pick(rng, (10, 19, 22)))):
        number = max(30, 160 - 6 * chromosome)
        level = rng.exponential(0.9, number)
        if rng.random() < 0.2:
            level[number // 2 : number // 2 + 8] += rng.uniform(3, 9) * rng.random(8)
        axes.scatter(start + np.arange(number), level, s=3, color=style.colours[chromosome % 2 * 3], linewidth=0)
        middles.append(start + number / 2)
        start += number
    axes.axhline(6, color="red", lw=0.8, ls=pick(rng, ("-", "--")))
    axes.set_xticks(middles[::2], [str(1 + 2 * i) for i in range(len(middles[::2]))])
    finish(axes, rng, style, "Chromosome", "-log10(P)")


def clusters(axes: Any, rng: Rng, style: Style) -> None:
    """PCA, UMAP or t-SNE: coloured groups, often names on them, often no ticks."""
    count, single = int(rng.integers(2, 15)), rng.random() < 0.6
    for i in range(count):
        number = int(rng.integers(80, 400)) if single else int(rng.integers(4, 20))
        turn, stretch = rng.uniform(-1, 1, (2, 2)), rng.uniform(0.3, 1.2)
        cloud = rng.normal(0, 1, (number, 2)) @ turn * stretch + rng.uniform(-6, 6, 2)
        colour = style.colours[i % len(style.colours)] if count <= 6 else tuple(rng.uniform(0.1, 0.95, 3))
        axes.scatter(cloud[:, 0], cloud[:, 1], s=1.5 if single else style.marker**2 * 1.5, color=colour, linewidth=0,
                     label=f"C{i}" if single else words(rng, GROUPS, 1)[0], rasterized=False)
        if single and rng.random() < 0.5:
            axes.text(*cloud.mean(axis=0), str(i), ha="center", weight="bold")
    if rng.random() < 0.4:
        axes.set_xticks([])
        axes.set_yticks([])
    axis = pick(rng, ("UMAP ", "tSNE_", "UMAP_", "PC")) if single else "PC"
    finish(axes, rng, style, f"{axis}1", f"{axis}2")


def dots(axes: Any, rng: Rng, style: Style) -> None:
    """A grid of dots by size and colour: enrichment, marker genes."""
    rows, columns = int(rng.integers(4, 16)), int(rng.integers(2, 14))
    x, y = np.meshgrid(range(columns), range(rows))
    drawn = axes.scatter(x, y, s=rng.uniform(0, 1, x.shape) ** 2 * (style.size * 1.1) ** 2, c=rng.random(x.shape),
                         cmap=pick(rng, ("Reds", "viridis", "RdBu_r", "Blues", "coolwarm")),
                         linewidth=0.4 if style.edge else 0,
                         edgecolor="black")
    axes.set_yticks(range(rows), words(rng, GENES, rows))
    axes.set_xticks(range(columns), words(rng, GROUPS, columns), rotation=90)
    axes.margins(0.12)
    if rng.random() < 0.6:
        axes.figure.colorbar(drawn, ax=axes, shrink=0.5, label=pick(rng, ("Expression", "-log10(p)", "")))


def funnel(axes: Any, rng: Rng, style: Style) -> None:
    """Funnel or Bland-Altman plot: few points between slanted or level dashed lines."""
    number = int(rng.integers(10, 50))
    error = rng.uniform(0.05, 0.6, number)
    axes.scatter(rng.normal(0, error), error, s=style.marker**2 * 1.3,
                 color=style.colours[0] if style.edge else "black",
                 edgecolor="black", linewidth=0.6)
    if rng.random() < 0.6:
        axes.plot([0, -1.2], [0, 0.61], "k--", lw=style.line)
        axes.plot([0, 1.2], [0, 0.61], "k--", lw=style.line)
        axes.axvline(0, color="black", lw=style.line)
        axes.invert_yaxis()
        finish(axes, rng, style, "Log odds ratio", "Standard error")
    else:
        for level in (0.1, 0.3, 0.5):
            axes.axhline(level, color="black", lw=style.line, ls="--" if level != 0.3 else "-")
        finish(axes, rng, style, "Mean of both methods", "Difference")
