"""What one panel shows, of every kind that papers print: `PAINTERS`, each a sort of content with its weight."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pmcoa_build.figures.synth import (
    cells,
    comparisons,
    diagrams,
    electron,
    electrophoresis,
    fields,
    molecules,
    montages,
    overlays,
    photos,
    relations,
    renders,
    samples,
    scans,
    signals,
    slices,
    specimens,
    tables,
    tissue,
)
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
_ANY, _WIDE, _TALL = (0.5, 2.0), (0.8, 3.0), (0.4, 1.0)


@dataclass(frozen=True)
class Painter:
    """One sort of content: `draw(rng, width, height)` fills so many pixels (uint8 RGB, height x width x 3).

    `kind` is one of those of the panels table; `aspect` the (lowest, highest) width / height that suits; `weight` its
    share of all drawn panels. `single`: one picture without words, which may be mirrored, cropped and marked.
    """

    name: str
    kind: str
    draw: Draw
    aspect: tuple[float, float]
    weight: float
    single: bool = False


def _drawn(modality: Modality, rng: Rng, width: int, height: int) -> Image:
    return modality.draw(modality.choose(rng), rng, width, height)


def _of_sample(modalities: Sequence[Modality], weight: float, *, worn: bool = False) -> list[Painter]:
    """The modalities of the embedded sample, as they are or `worn` as scans of many machines are."""
    draw = scans.worn if worn else _drawn
    return [Painter(f"sample-{m.name}", m.kind, partial(draw, m), (m.aspect * 0.75, m.aspect * 1.35), weight,
                    worn) for m in modalities]


def _plots(plots: Sequence[tuple[Plot, float]], projection: str | None = None) -> list[Painter]:
    return [Painter(plot.__name__, "plot", chart(plot, projection), (0.6, 1.9), weight) for plot, weight in plots]


def _sorts(kind: str, aspect: tuple[float, float], *sorts: tuple[Draw, float]) -> list[Painter]:
    single = kind in ("microscopy", "radiology", "photo")
    return [Painter(draw.__name__, kind, draw, aspect, weight, single) for draw, weight in sorts]


def _real() -> list[Painter]:
    """Parts of real pictures, of those kinds that installed packages hold."""
    found = {kind: samples.sources(kind) for kind in ("microscopy", "radiology", "photo")}
    return [Painter(f"real-{kind}", kind, samples.part_of(kind), (0.6, 1.8), 0.25 * count, single=True)
            for kind, count in found.items() if count]


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
_SLICES: tuple[Draw, ...] = (scans.head, scans.trunk, scans.profile, scans.sonogram, scans.vessels, scans.skeleton,
                             slices.weighted, slices.skull_base, overlays.segmented, overlays.mapped)
_SECTIONS: tuple[Draw, ...] = (tissue.haematoxylin_eosin, tissue.immunohistochemistry, tissue.special_stain)
_CULTURES: tuple[Draw, ...] = (cells.culture, cells.violet_culture, tissue.smear, cells.transmission, cells.scanning,
                               electron.particles, electron.ultrastructure, electron.spread_cells)

_DRAWN: tuple[Painter, ...] = (
    *_plots(_SINGLE), *_plots(((comparisons.radar, 0.7),), "polar"), *_plots(((fields.surface, 1.5),), "3d"),
    Painter("clustermap", "plot", fields.clustermap, (0.5, 1.3), 3),
    Painter("charts-alike", "plot", charts(_SEVERAL, alike=True), (0.5, 3.0), 12),
    Painter("charts-mixed", "plot", charts(_SEVERAL, alike=False), (0.5, 3.0), 4),
    *_real(), *_of_sample(PLOTS, 0.4), *_of_sample(BLOTS, 0.5), *_of_sample(CLINICAL, 1, worn=True),
    *_of_sample(RADIOLOGY, 1, worn=True), *_of_sample(MICROSCOPY, 0.5, worn=True),
    *_sorts("microscopy", _ANY, (tissue.haematoxylin_eosin, 6), (tissue.immunohistochemistry, 4),
            (tissue.special_stain, 3),
            (tissue.smear, 0.7), (cells.fluorescence, 6), (cells.culture, 1.5), (cells.violet_culture, 1),
            (cells.transmission, 2.5),
            (cells.scanning, 1.5), (cells.calcium_map, 0.7), (electron.particles, 3), (electron.rough_ground, 1.5),
            (electron.fibres, 1.5), (electron.ultrastructure, 4), (electron.nanoparticles, 2.5),
            (electron.force_map, 1), (electron.metal, 1), (electron.spread_cells, 3),
            (electron.metaphase, 1)),
    Painter("channels", "microscopy", montages.channels, (0.5, 3.0), 6),
    Painter("sections", "microscopy", montages.montage(_SECTIONS, dark=False), (0.5, 3.0), 2.5),
    Painter("cultures", "microscopy", montages.montage(_CULTURES, dark=False), (0.5, 3.0), 1.5),
    *_sorts("radiology", _ANY, (scans.head, 4), (scans.trunk, 4), (scans.profile, 2), (scans.sonogram, 2.5),
            (scans.vessels, 1.5),
            (scans.film, 2.5), (overlays.segmented, 3), (overlays.mapped, 2), (overlays.tinted, 1.5),
            (overlays.retina_vessels, 0.7), (slices.skull_base, 3), (slices.weighted, 4), (slices.chest, 3)),
    *_sorts("radiology", _WIDE, (scans.retina_layers, 1)), *_sorts("radiology", _TALL, (scans.skeleton, 1)),
    Painter("slices", "radiology", montages.montage(_SLICES, dark=True), (0.5, 3.0), 3),
    *_sorts("photo", _ANY, (photos.organs, 2), (photos.wells, 2), (photos.dish, 1), (photos.plants, 1),
            (photos.skin, 1.5),
            (photos.animal, 1), (photos.apparatus, 1), (specimens.insect, 2), (specimens.blossom, 2),
            (specimens.hardware, 2), (specimens.outdoors, 1)),
    Painter("wells-named", "photo", montages.montage((specimens.well,), dark=True), (0.7, 2.0), 3),
    Painter("photo-grid", "photo", montages.montage((photos.skin, photos.organs, photos.dish), dark=True), (0.5, 3.0),
            1),
    *_sorts("blot", (0.5, 2.5), (electrophoresis.western, 8), (electrophoresis.whole_membrane, 2),
            (electrophoresis.dark_gel, 1.5),
            (electrophoresis.dot_blot, 0.7), (electrophoresis.tinted_gel, 4)),
    *_sorts("diagram", (0.6, 2.5), (diagrams.flow_chart, 3), (diagrams.pathway, 2.5), (diagrams.network, 1.5),
            (diagrams.timeline, 1),
            (diagrams.schematic, 3.5), (diagrams.region_map, 0.8), (molecules.gene_map, 1.5), (molecules.domains, 1),
            (molecules.alignment, 1), (molecules.skeletal_formula, 1.2), (molecules.phylogeny, 1),
            (molecules.words_and_formulae, 0.5)),
    *_sorts("diagram", (0.8, 1.3), (diagrams.venn, 1.2), (molecules.plasmid, 0.7)),
    *_sorts("table", (0.6, 3.0), (tables.table, 4), (tables.lists, 0.8)),
    *_sorts("render", (0.6, 1.8), (renders.ribbon, 2), (renders.spheres, 1), (renders.sticks, 1), (renders.mesh, 2),
            (renders.neurons, 1), (renders.simulation, 0.7),
            (renders.bundles, 1.5)),
)


def _weighed(painters: Sequence[Painter]) -> tuple[Painter, ...]:
    """The same painters, their weights scaled so that the kinds have their shares."""
    total = {kind: sum(p.weight for p in painters if p.kind == kind) for kind in SHARES}
    return tuple(replace(p, weight=p.weight / total[p.kind] * SHARES[p.kind]) for p in painters)


PAINTERS: tuple[Painter, ...] = _weighed(_DRAWN)
