"""Plots of values over an area: heat maps, trees beside them, contours, surfaces, cytometry."""

from __future__ import annotations

from typing import Any

import numpy as np

from pmcoa_build.figures.synth.charts import GENES, GROUPS, Style, canvas, finish, words
from pmcoa_build.figures.synth.imagery import Image, Rng, noise, pick

_MAPS = ("RdBu_r", "viridis", "Reds", "Blues", "bwr", "coolwarm", "jet", "YlGnBu", "magma", "Greens", "RdYlBu_r",
         "inferno", "PuOr",
         "YlOrRd", "hot", "Greys")
_MARKERS = ("CD4", "CD8", "CD3", "CD19", "PI", "Annexin V", "FSC-A", "SSC-A", "CD44", "CD62L", "IFN-γ", "Foxp3",
            "CD11b", "Ly6G",
            "GFP", "CD45.1", "7-AAD", "PE-A", "FITC-A", "B220")


def _matrix(rng: Rng, rows: int, columns: int) -> Any:
    """Values in blocks, as clustered expression shows."""
    blocks = rng.normal(0, 1, (max(1, rows // 6) + 1, max(1, columns // 4) + 1))
    up = np.repeat(np.repeat(blocks, 7, axis=0), 5, axis=1)[:rows, :columns]
    return up + rng.normal(0, 0.5, up.shape)


def heatmap(axes: Any, rng: Rng, style: Style) -> None:
    """A matrix of coloured cells, with names, numbers in the cells or none, and mostly a colour bar."""
    few = rng.random() < 0.5
    rows, columns = (int(n) for n in (rng.integers(2, 9, 2) if few else rng.integers((10, 5), (60, 40))))
    values = _matrix(rng, rows, columns)
    shown = axes.pcolormesh(values, cmap=pick(rng, _MAPS),
                            edgecolors=pick(rng, ("none", "black", "white")) if few else "none",
                            linewidth=0.6)
    if few and rng.random() < 0.6:
        for row in range(rows):
            for column in range(columns):
                axes.text(column + 0.5, row + 0.5, f"{values[row, column]:.{int(rng.integers(0, 2))}f}", ha="center",
                          va="center",
                          fontsize=style.size * 0.85)
    if few or rng.random() < 0.4:
        axes.set_yticks(np.arange(rows)[:: 1 + rows // 25] + 0.5,
                        words(rng, GENES, len(range(0, rows, 1 + rows // 25))))
        axes.set_xticks(np.arange(columns)[:: 1 + columns // 12] + 0.5,
                        words(rng, GROUPS, len(range(0, columns, 1 + columns // 12))),
                        rotation=pick(rng, (0, 45, 90)) if columns < 5 else 90)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
    axes.tick_params(length=0)
    if rng.random() < 0.25:
        axes.xaxis.tick_top()
    if rng.random() < 0.75:
        axes.figure.colorbar(shown, ax=axes, shrink=rng.uniform(0.3, 1),
                             location=pick(rng, ("right", "right", "right", "bottom", "top")),
                             label=pick(rng, ("", "Z-score", "log2 FC", "r")))
    if style.titled:
        axes.set_title(pick(rng, GROUPS))


def correlations(axes: Any, rng: Rng, style: Style) -> None:
    """A triangle or square of correlations."""
    count = int(rng.integers(4, 14))
    values = np.corrcoef(rng.normal(0, 1, (count, 5)) + rng.normal(0, 1, 5))
    if rng.random() < 0.5:
        values = np.where(np.tri(count) > 0, values, np.nan)
    shown = axes.imshow(values, cmap=pick(rng, ("RdBu_r", "coolwarm", "bwr")), vmin=-1, vmax=1, aspect="auto")
    names = words(rng, GENES, count)
    axes.set_xticks(range(count), names, rotation=90)
    axes.set_yticks(range(count), names)
    axes.figure.colorbar(shown, ax=axes, shrink=0.8)


def contours(axes: Any, rng: Rng, style: Style) -> None:
    """Filled or line contours of a smooth field, or a time-frequency map."""
    field = noise(rng, 60, 60, pick(rng, (10, 18, 30)))
    draw = pick(rng, ("filled", "lines", "map"))
    if draw == "lines":
        axes.contour(field, 9, cmap=pick(rng, _MAPS), linewidths=style.line)
    else:
        shown = axes.contourf(field, 14, cmap=pick(rng, _MAPS)) if draw == "filled" else axes.imshow(
            field, cmap=pick(rng, _MAPS), origin="lower", aspect="auto", interpolation="bilinear")
        if rng.random() < 0.8:
            axes.figure.colorbar(shown, ax=axes, label=pick(rng, ("", "Power (dB)", "mm", "Z")))
    finish(axes, rng, style, pick(rng, ("Time (s)", "x (mm)")), pick(rng, ("Frequency (Hz)", "y (mm)")))


def surface(axes: Any, rng: Rng, style: Style) -> None:
    """A surface or a cloud of points in space; wants 3-D axes."""
    x, y = np.meshgrid(np.linspace(-2, 2, 22), np.linspace(-2, 2, 22))
    if rng.random() < 0.6:
        z = np.exp(-(x**2 + y**2) * rng.uniform(0.3, 1.5)) + rng.uniform(-0.3, 0.3) * x
        axes.plot_surface(x, y, z, cmap=pick(rng, _MAPS), linewidth=0.2, edgecolor="black" if style.edge else "none")
    else:
        for i in range(int(rng.integers(1, 5))):
            axes.scatter(*rng.normal(rng.uniform(-2, 2, (3, 1)), 0.5, (3, 60)), s=8, color=style.colours[i])
    axes.tick_params(labelsize=style.size * 0.7, pad=-2)
    axes.view_init(float(rng.uniform(15, 40)), float(rng.uniform(0, 360)))


def cytometry(axes: Any, rng: Rng, style: Style) -> None:
    """Two markers as coloured density, dots or contours, with quadrants or a gate and shares."""
    clouds = [rng.normal(rng.uniform(0.8, 4.2, 2), rng.uniform(0.25, 0.5), (int(rng.integers(200, 1500)), 2))
              for _ in range(int(rng.integers(1, 4)))]
    x, y = np.clip(np.concatenate(clouds), 0, 5).T
    how = pick(rng, ("density", "density", "dots", "contour"))
    counts, _, _ = np.histogram2d(x, y, 32, ((0, 5), (0, 5)))
    if how == "contour":
        import cv2

        axes.contour(np.linspace(0, 5, 32), np.linspace(0, 5, 32), cv2.GaussianBlur(counts.T, (0, 0), 1.2), 8,
                     colors="black" if rng.random() < 0.5 else None, linewidths=0.7)
    else:
        local = counts[np.minimum((x * 6.4).astype(int), 31), np.minimum((y * 6.4).astype(int), 31)]
        axes.scatter(x, y, s=1.6, c=local if how == "density" else np.ones_like(local), cmap="jet", linewidth=0)
    if rng.random() < 0.6:
        axes.axvline(2.5, color="black", lw=style.line)
        axes.axhline(2.5, color="black", lw=style.line)
        for at in ((0.03, 0.97, "left", "top"), (0.97, 0.97, "right", "top"), (0.97, 0.03, "right", "bottom"),
                   (0.03, 0.03, "left", "bottom")):
            axes.text(at[0], at[1], f"{rng.uniform(0, 99):.1f}", ha=at[2], va=at[3], transform=axes.transAxes)
    else:
        corner = rng.uniform(0.5, 2.5, 2)
        axes.plot(*(corner[:, None] + np.array([[0, 2, 2, 0, 0], [0, 0, 2, 2, 0]])), color="black", lw=style.line)
        axes.text(corner[0] + 0.1, corner[1] + 2.05, f"{rng.uniform(1, 99):.1f}%")
    axes.set_xlim(0, 5)
    axes.set_ylim(0, 5)
    if rng.random() < 0.6:
        axes.set_xticks((0.5, 2, 3.5), ("0", "10²", "10³"))
        axes.set_yticks((0.5, 2, 3.5), ("0", "10²", "10³"))
    finish(axes, rng, style, *words(rng, _MARKERS, 2))


def cytometry_histogram(axes: Any, rng: Rng, style: Style) -> None:
    """Overlaid or staggered histograms of one marker."""
    x = np.linspace(0, 5, 120)
    step = pick(rng, (0.0, 0.0, 0.8))
    for i in range(int(rng.integers(1, 5))):
        level = np.exp(-((x - rng.uniform(1, 4)) ** 2) * rng.uniform(2, 9)) + np.abs(rng.normal(0, 0.02, 120))
        axes.fill_between(x, -i * step, level - i * step, color=style.colours[i], alpha=0.5, lw=0)
        axes.plot(x, level - i * step, color="black" if style.edge else style.colours[i], lw=style.line)
    finish(axes, rng, style, pick(rng, _MARKERS), pick(rng, ("Count", "% of max", "Normalized to mode")))


def _tree(axes: Any, rng: Rng, leaves: int, lying: bool, line: float) -> None:
    """A dendrogram over so many leaves, drawn into bare axes."""
    nodes = [(i + 0.5, 0.0) for i in range(leaves)]
    while len(nodes) > 1:
        i = int(rng.integers(0, len(nodes) - 1))
        (a, low), (b, high) = nodes[i], nodes[i + 1]
        top = max(low, high) + rng.uniform(0.2, 1)
        path = [a, a, b, b], [low, top, top, high]
        axes.plot(*(path[::-1] if lying else path), color="black", lw=line)
        nodes[i : i + 2] = [((a + b) / 2, top)]
    if lying:
        axes.set_ylim(0, leaves)
        axes.invert_xaxis()
    else:
        axes.set_xlim(0, leaves)
    axes.axis("off")


def _clustered(figure: Any, rng: Rng, style: Style) -> None:
    rows, columns = int(rng.integers(8, 50)), int(rng.integers(4, 24))
    grid = figure.add_gridspec(3, 2, width_ratios=(1, rng.uniform(4, 8)), height_ratios=(1, 0.25, rng.uniform(4, 8)),
                               wspace=0, hspace=0)
    _tree(figure.add_subplot(grid[0, 1]), rng, columns, False, style.line * 0.8)
    _tree(figure.add_subplot(grid[2, 0]), rng, rows, True, style.line * 0.8)
    strip = figure.add_subplot(grid[1, 1])
    strip.imshow(np.sort(rng.integers(0, 3, (1, columns)), axis=1), cmap=pick(rng, ("Set1", "Set2", "Accent")),
                 aspect="auto")
    strip.axis("off")
    body = figure.add_subplot(grid[2, 1])
    shown = body.imshow(_matrix(rng, rows, columns), cmap=pick(rng, _MAPS), aspect="auto", interpolation="nearest")
    body.tick_params(length=0)
    body.yaxis.tick_right()
    body.set_xticks(range(columns) if columns < 14 else [], words(rng, GROUPS, columns) if columns < 14 else [],
                    rotation=90)
    body.set_yticks(range(rows) if rows < 22 else [], words(rng, GENES, rows) if rows < 22 else [])
    if rng.random() < 0.7:
        figure.colorbar(shown, ax=[body, strip], shrink=0.4, location=pick(rng, ("right", "left")))


def clustermap(rng: Rng, width: int, height: int) -> Image:
    """A heat map with trees above and beside it and a strip of groups."""
    return canvas(rng, width, height, _clustered)


