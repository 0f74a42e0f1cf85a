"""What one panel shows, of every kind that papers print: `PAINTERS`, each a sort of picture or drawing with its weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pmcoa_build.figures.synth import comparisons, fields, relations, signals
from pmcoa_build.figures.synth.blots import BLOTS
from pmcoa_build.figures.synth.charts import Plot, chart, charts
from pmcoa_build.figures.synth.clinical import CLINICAL
from pmcoa_build.figures.synth.imagery import Image, Modality, Rng
from pmcoa_build.figures.synth.microscopy import MICROSCOPY
from pmcoa_build.figures.synth.plots import PLOTS
from pmcoa_build.figures.synth.radiology import RADIOLOGY

Draw = Callable[[Rng, int, int], Image]

SHARES: dict[str, float] = {"plot": 0.40, "microscopy": 0.17, "radiology": 0.12, "diagram": 0.10, "blot": 0.07,
                            "photo": 0.06,
                            "render": 0.04, "table": 0.04}
"""How much of what is drawn is of each kind."""


@dataclass(frozen=True)
class Painter:
    """One sort of content: `draw(rng, width, height)` fills so many pixels (uint8 RGB, height x width x 3).

    `kind` is one of those of the panels table; `aspect` the (lowest, highest) width / height that suits; `weight` its
    share of all drawn panels.
    """

    name: str
    kind: str
    draw: Draw
    aspect: tuple[float, float]
    weight: float


def _of_modality(modality: Modality) -> Painter:
    def draw(rng: Rng, width: int, height: int) -> Image:
        return modality.draw(modality.choose(rng), rng, width, height)

    return Painter(modality.name, modality.kind, draw, (modality.aspect * 0.75, modality.aspect * 1.35), 1.0)


def _plots(plots: Sequence[tuple[Plot, float]], projection: str | None = None) -> list[Painter]:
    return [Painter(f"chart-{plot.__name__}", "plot", chart(plot, projection), (0.6, 1.9), weight) for plot,
            weight in plots]


_SINGLE: tuple[tuple[Plot, float], ...] = (
    (comparisons.bars, 14), (comparisons.grouped_bars, 8), (comparisons.stacked_bars, 3), (comparisons.lying_bars, 3),
    (comparisons.boxes, 7), (comparisons.violins, 4), (comparisons.strips, 6), (comparisons.histogram, 3),
    (comparisons.pie, 1.5),
    (comparisons.forest, 3), (relations.lines, 12), (relations.scatter, 7), (relations.survival, 5), (relations.roc, 3),
    (relations.volcano, 3), (relations.manhattan, 1.5), (relations.clusters, 5), (relations.dots, 3),
    (relations.funnel, 1),
    (fields.heatmap, 6), (fields.correlations, 1.5), (fields.contours, 2.5), (fields.cytometry, 3),
    (fields.cytometry_histogram, 2),
    (signals.spectrum, 3), (signals.traces, 3), (signals.transient, 2), (signals.sanger, 1), (signals.raster, 1),
    (signals.tracks, 1.5),
    (signals.ecg, 0.7),
)
_SEVERAL: tuple[Plot, ...] = (comparisons.bars, comparisons.boxes, comparisons.strips, comparisons.histogram,
                              relations.lines,
                              relations.scatter, relations.survival, fields.cytometry, fields.cytometry_histogram,
                              signals.spectrum, signals.transient)

_DRAWN: tuple[Painter, ...] = (
    *(_of_modality(modality) for modality in (*RADIOLOGY, *MICROSCOPY, *CLINICAL, *BLOTS, *PLOTS)),
    *_plots(_SINGLE), *_plots(((comparisons.radar, 0.7),), "polar"), *_plots(((fields.surface, 1.5),), "3d"),
    Painter("chart-clustermap", "plot", fields.clustermap, (0.5, 1.3), 3),
    Painter("charts-alike", "plot", charts(_SEVERAL, alike=True), (0.5, 3.0), 12),
    Painter("charts-mixed", "plot", charts(_SEVERAL, alike=False), (0.5, 3.0), 4),
)


def _weighed(painters: Sequence[Painter]) -> tuple[Painter, ...]:
    """The same painters, their weights scaled so that the kinds have their shares."""
    total = {kind: sum(p.weight for p in painters if p.kind == kind) for kind in SHARES}
    return tuple(replace(p, weight=p.weight / total[p.kind] * SHARES[p.kind]) for p in painters)


PAINTERS: tuple[Painter, ...] = _weighed(_DRAWN)
