"""Plots in the styles of papers, drawn by matplotlib: `chart` makes a painter's draw of a function that fills axes.

All lengths are pixels: figures are drawn at 72 dots an inch, where a point is a pixel.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pmcoa_build.figures.synth.imagery import Image, Rng, pick

Axes = Any
Draw = Callable[[Rng, int, int], Image]

PALETTES: tuple[tuple[str, ...], ...] = (
    ("#000000", "#888888", "#ffffff", "#cccccc", "#555555", "#e5e5e5"),
    ("#4d4d4d", "#b3b3b3", "#1a1a1a", "#dddddd", "#777777", "#999999"),
    ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b"),
    ("#e41a1c", "#377eb8", "#4daf4a", "#984ea3", "#ff7f00", "#a65628"),
    ("#66c2a5", "#fc8d62", "#8da0cb", "#e78ac3", "#a6d854", "#ffd92f"),
    ("#e64b35", "#4dbbd5", "#00a087", "#3c5488", "#f39b7f", "#8491b4"),
    ("#0000ff", "#ff0000", "#00a000", "#000000", "#ff00ff", "#ffa500"),
    ("#f8766d", "#00bfc4", "#7cae00", "#c77cff", "#619cff", "#00ba38"),
    ("#4472c4", "#ed7d31", "#a5a5a5", "#ffc000", "#5b9bd5", "#70ad47"),
    ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"),
    ("#000000", "#d62728", "#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd"),
    ("#fbb4ae", "#b3cde3", "#ccebc5", "#decbe4", "#fed9a6", "#e5d8bd"),
    ("#440154", "#31688e", "#35b779", "#fde725", "#21918c", "#90d743"),
    ("#08306b", "#2171b5", "#6baed6", "#c6dbef", "#4292c6", "#9ecae1"),
)
MEASURES = ("Relative expression", "Fold change", "Cell viability (%)", "Intensity (a.u.)", "Weight (g)",
            "IL-6 (pg/ml)",
            "Score", "Normalized counts", "% of control", "Concentration (nM)", "Tumor volume (mm3)", "ΔF/F0",
            "Latency (s)",
            "Relative mRNA level", "Frequency (%)", "Absorbance (450 nm)", "Firing rate (Hz)", "Number of cells",
            "CFU/ml",
            "Density", "Distance (µm)", "Glucose (mg/dl)", "Accuracy", "log2(FC)", "Area (mm2)", "Temperature (°C)")
TIMES = ("Time (h)", "Time (min)", "Days", "Weeks after treatment", "Time (s)", "Days post infection", "Age (years)",
         "Concentration (µM)", "Dose (mg/kg)", "Distance (µm)", "Frequency (Hz)", "Wavelength (nm)", "Cycle",
         "Position")
GROUPS = ("WT", "KO", "Ctrl", "siRNA", "Vehicle", "Drug", "Sham", "MI", "Control", "Treated", "shNC", "sh#1", "sh#2",
          "LPS",
          "DMSO", "PBS", "HC", "Patients", "Young", "Old", "Male", "Female", "Low", "High", "Mock", "TGF-β", "0 h",
          "24 h",
          "48 h", "Day 7", "NT", "Mut", "Ad libitum", "Placebo", "Group A", "Group B", "10 µM", "50 µM", "100 nM",
          "+/+", "-/-")
GENES = ("TP53", "MYC", "EGFR", "ACTB", "GAPDH", "IL6", "TNF", "CD4", "CD8A", "FOXP3", "STAT3", "AKT1", "BRCA1",
         "KRAS", "SOX2",
         "VEGFA", "CXCL8", "NOTCH1", "PTEN", "CDK4", "MMP9", "CASP3", "BCL2", "HIF1A", "APOE", "LDLR", "INS", "PPARG",
         "SIRT1",
         "mTOR", "JAK2", "TLR4", "NFKB1", "FN1", "VIM", "CDH1", "COL1A1", "ESR1", "ERBB2", "GATA3", "PAX6", "NANOG",
         "TERT")
TITLES = ("Control", "Spleen", "Liver", "Lung", "Day 14", "HeLa", "A549", "Males", "Females", "Overall survival",
          "Cohort 1",
          "CD4+ T cells", "Placebo", "Training set", "Validation", "Cortex", "Hippocampus", "Stage III", "n = 24",
          "miR-21")

TERMS = ("immune response", "cell cycle", "apoptotic process", "RNA processing", "signal transduction", "cell adhesion",
         "protein folding", "lipid metabolism", "DNA repair", "angiogenesis", "oxidative phosphorylation",
         "translation",
         "response to hypoxia", "MAPK signaling pathway", "ECM-receptor interaction", "spliceosome", "chemotaxis")


@dataclass(frozen=True)
class Style:
    """How one figure is drawn: sizes in pixels, and the colours of its series."""

    size: float
    line: float
    marker: float
    colours: tuple[str, ...]
    edge: bool
    titled: bool
    named: bool
    legend: str


Plot = Callable[[Axes, Rng, Style], None]


def words(rng: Rng, options: Sequence[str], count: int) -> list[str]:
    """So many different words, or repeated ones where there are fewer."""
    order = rng.permutation(max(count, len(options)))[:count]
    return [options[int(i) % len(options)] for i in order]


def _settings(rng: Rng, size: float, line: float, bold: bool) -> dict[str, Any]:
    family = str(rng.choice(["DejaVu Sans", "STIXGeneral", "DejaVu Serif"], p=[0.78, 0.17, 0.05]))
    weight = "bold" if bold else "normal"
    inward = pick(rng, ("out", "out", "out", "in", "inout"))
    ticks = float(pick(rng, (0, 2, 3, 4, 5)))
    return {
        "font.family": family, "font.size": size, "font.weight": weight, "axes.labelweight": weight,
        "axes.titlesize": size * rng.uniform(1, 1.25), "axes.titleweight": pick(rng, ("normal", "bold")),
        "axes.labelsize": size * rng.uniform(1, 1.2), "legend.fontsize": size * rng.uniform(0.8, 1),
        "axes.linewidth": line,
        "xtick.labelsize": size * 0.95, "ytick.labelsize": size * 0.95, "axes.unicode_minus": False,
        "hatch.linewidth": 0.7,
        "xtick.major.width": line, "ytick.major.width": line, "xtick.major.size": ticks, "ytick.major.size": ticks,
        "xtick.direction": inward, "ytick.direction": inward, "legend.frameon": bool(rng.random() < 0.35),
        "xtick.major.pad": 2, "ytick.major.pad": 2, "axes.labelpad": 2, "axes.titlepad": float(rng.uniform(2, 6)),
        "legend.handlelength": 1.2, "legend.handletextpad": 0.4, "legend.borderpad": 0.3, "legend.labelspacing": 0.25,
        "axes.axisbelow": True, "axes.prop_cycle": _cycle(("#1f77b4",)), **_ground(rng),
    }


def _cycle(colours: tuple[str, ...]) -> Any:
    from cycler import cycler

    return cycler(color=list(colours))


def _ground(rng: Rng) -> dict[str, Any]:
    """Frame, grid and background: bare axes mostly, a full frame often, grey grounds now and then."""
    draw = rng.random()
    bare, framed = {"axes.spines.top": False, "axes.spines.right": False}, {"axes.grid": bool(rng.random() < 0.25),
                                                                         "grid.color": "#dddddd", "grid.linewidth": 0.7}
    none = {**bare, "axes.spines.left": False, "axes.spines.bottom": False}
    if draw < 0.52:
        return bare
    if draw < 0.84:
        return framed
    if draw < 0.9:
        return {**none, "axes.facecolor": "#ebebeb", "axes.grid": True, "grid.color": "white"}
    if draw < 0.93:
        return {**none, "axes.facecolor": "#eaeaf2", "axes.grid": True, "grid.color": "white"}
    if draw < 0.96:
        return {**none, "axes.grid": True, "grid.color": "#d5d5d5", "grid.linewidth": 0.6}
    tint = str(pick(rng, ("#f7f7fc", "#fdf6ec", "#f0f6f0", "#eef4fb")))
    return {**bare, "figure.facecolor": tint, "axes.facecolor": tint}


def _style(rng: Rng, size: float, line: float) -> Style:
    colours = PALETTES[int(rng.integers(len(PALETTES)))]
    if rng.random() < 0.4:
        colours = tuple(colours[i] for i in rng.permutation(len(colours)))
    return Style(size, line, float(rng.uniform(1.5, 6)), colours, bool(rng.random() < 0.55), bool(rng.random() < 0.3),
                 bool(rng.random() < 0.85), str(pick(rng, ("none", "none", "best", "right", "top", "best"))))


def canvas(rng: Rng, width: int, height: int, fill: Callable[[Any, Rng, Style], None], *, rows: int = 1,
           columns: int = 1) -> Image:
    """A matplotlib figure of (width, height) pixels in a random style; `fill(figure, rng, style)` draws into it.

    Letters suit the size of one of its `rows` x `columns` plots.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    small = min(width, height)
    size = float(np.clip(min(width / columns, height / rows) * rng.uniform(0.032, 0.065), 5.5, 17))
    line = float(pick(rng, (0.6, 0.8, 1, 1, 1.3, 1.8))) * (0.7 + small / 900)
    with matplotlib.rc_context(_settings(rng, size, line, bool(rng.random() < 0.2))):
        figure = Figure(figsize=(width / 72, height / 72), dpi=72,
                        layout=ConstrainedLayoutEngine(w_pad=2 / 72, h_pad=2 / 72))
        agg = FigureCanvasAgg(figure)
        fill(figure, rng, _style(rng, size, line))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="constrained_layout not applied")  # tiny, crowded: as they are
            agg.draw()
        return np.ascontiguousarray(np.asarray(agg.buffer_rgba())[:height, :width, :3])


def finish(axes: Axes, rng: Rng, style: Style, x: str = "", y: str = "") -> None:
    """Titles of axes and plot, few ticks, the legend where the style has it."""
    from matplotlib.ticker import MaxNLocator

    if style.named:
        axes.set_xlabel(x)
        axes.set_ylabel(y)
    if style.titled:
        axes.set_title(pick(rng, TITLES))
    for axis in (axes.xaxis, axes.yaxis):
        if type(axis.get_major_locator()).__name__ == "AutoLocator":
            axis.set_major_locator(MaxNLocator(nbins=int(rng.integers(3, 7))))
    handles, _ = axes.get_legend_handles_labels()
    if len(handles) > 1 and style.legend != "none":
        place = {"best": {"loc": pick(rng, ("upper right", "upper left", "lower right"))},
                 "right": {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)},
                 "top": {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2}}[style.legend]
        axes.legend(**place)


def chart(plot: Plot, projection: str | None = None) -> Draw:
    """The draw of one plot on one pair of axes."""

    def draw(rng: Rng, width: int, height: int) -> Image:
        def fill(figure: Any, rng: Rng, style: Style) -> None:
            plot(figure.add_subplot(projection=projection), rng, style)

        return canvas(rng, width, height, fill)

    return draw


def charts(plots: Sequence[Plot], alike: bool) -> Draw:
    """The draw of several plots that stand under one letter: all of one sort (`alike`), or mixed."""

    def draw(rng: Rng, width: int, height: int) -> Image:
        wide = width / height
        columns = int(np.clip(round(wide * rng.uniform(1, 2)), 1, 5))
        rows = int(np.clip(round(columns / wide * rng.uniform(0.6, 1)), 1 if columns > 1 else 2, 4))

        def fill(figure: Any, rng: Rng, style: Style) -> None:
            only = pick(rng, plots)
            for place in range(rows * columns):
                axes = figure.add_subplot(rows, columns, place + 1)
                (only if alike else pick(rng, plots))(axes, rng, style)

        return canvas(rng, width, height, fill, rows=rows, columns=columns)

    return draw
