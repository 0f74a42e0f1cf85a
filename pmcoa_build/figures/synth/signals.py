"""Traces: spectra, chromatograms, recordings, sequencing peaks, rasters, genome tracks."""

from __future__ import annotations

from typing import Any

import numpy as np

from pmcoa_build.figures.synth.charts import GENES, GROUPS, TIMES, Style, finish, words
from pmcoa_build.figures.synth.imagery import Rng, noise, pick


def _peaks(rng: Rng, x: Any, count: int, width: float) -> Any:
    places, heights = rng.uniform(0.04, 0.96, count), rng.exponential(0.35, count) + 0.03
    return (heights[:, None] * np.exp(-(((x[None] - places[:, None]) / width) ** 2))).sum(axis=0)


def spectrum(axes: Any, rng: Rng, style: Style) -> None:
    """Sharp or broad peaks over a base line, some with numbers: NMR, mass spectra, HPLC, absorbance, diffraction."""
    x = np.linspace(0, 1, 900)
    sharp, stacked = pick(rng, (0.002, 0.004, 0.01, 0.05)), int(pick(rng, (1, 1, 2, 4)))
    for i in range(stacked):
        y = _peaks(rng, x, int(rng.integers(3, 30)), sharp) + np.abs(rng.normal(0, 0.006, x.size))
        colour = "black" if style.colours[i] == "#ffffff" else style.colours[i]
        axes.plot(x * 800, y + i * 1.1, color=colour, lw=style.line * 0.9, label=words(rng, GROUPS, 1)[0])
        if rng.random() < 0.5:
            for at in np.argsort(-y)[:: 90][: int(rng.integers(1, 5))]:
                axes.text(x[at] * 800, y[at] + i * 1.1, f"{x[at] * 800:.1f}", fontsize=style.size * 0.8,
                          rotation=pick(rng, (0, 90)),
                          ha="center", va="bottom")
    if rng.random() < 0.3:
        axes.set_yticks([])
    finish(axes, rng, style,
           pick(rng, ("m/z", "Retention time (min)", "Wavelength (nm)", "ppm", "2θ (degrees)", "Wavenumber (cm-1)")),
           pick(rng, ("Intensity", "mAU", "Relative abundance (%)", "Absorbance")))


def traces(axes: Any, rng: Rng, style: Style) -> None:
    """Recordings one above the other, with or without axes, with a scale bar where there are none."""
    count, steps = int(rng.integers(1, 9)), 500
    t, spiky = np.linspace(0, 1, steps), rng.random() < 0.5
    for i in range(count):
        y = noise(rng, steps, 2, pick(rng, (3, 8, 25)))[0] * (0.08 if spiky else 0.25)
        if spiky:
            y += _peaks(rng, t, int(rng.integers(3, 25)), 0.003) * 1.2
        axes.plot(t, y - 1.1 * i, lw=style.line * 0.7,
                  color="black" if style.edge or style.colours[i % 6] == "#ffffff" else style.colours[i % 6])
        if rng.random() < 0.3:
            axes.text(-0.02, -1.1 * i, words(rng, GROUPS, 1)[0], ha="right", va="center")
    if rng.random() < 0.5:
        axes.axis("off")
        axes.plot([0.8, 0.95, 0.95], [-1.1 * count, -1.1 * count, -1.1 * count + 0.6], color="black",
                  lw=style.line * 1.6)
        axes.text(0.87, -1.1 * count - 0.05, pick(rng, ("100 ms", "5 s", "20 pA", "1 s")), ha="center", va="top")
        axes.text(0.96, -1.1 * count + 0.3, pick(rng, ("1 mV", "50 pA", "20 mV", "ΔF/F")), va="center")
    else:
        finish(axes, rng, style, pick(rng, TIMES), pick(rng, ("mV", "ΔF/F", "Current (pA)", "Signal")))


def transient(axes: Any, rng: Rng, style: Style) -> None:
    """Averages around an event with a shaded stimulus and bands."""
    t = np.linspace(-1, 3, 300)
    for i in range(int(rng.integers(1, 4))):
        y = rng.uniform(0.4, 1) * np.exp(-np.clip(t, 0, None) * rng.uniform(0.5, 3)) * (t > 0)
        y = y + noise(rng, 300, 2, 6)[0] * 0.03
        colour = "black" if style.colours[i] == "#ffffff" else style.colours[i]
        axes.plot(t, y, color=colour, lw=style.line * 1.2, label=words(rng, GROUPS, 1)[0])
        axes.fill_between(t, y - 0.06, y + 0.06, color=colour, alpha=0.25, lw=0)
    axes.axvspan(0, rng.uniform(0.1, 1), color=pick(rng, ("#dddddd", "#ffe9a8", "#cfe2ff")), lw=0)
    axes.axvline(0, color="black", ls="--", lw=style.line * 0.8)
    finish(axes, rng, style, "Time from onset (s)", pick(rng, ("ΔF/F0", "Z-score", "Amplitude (µV)")))


def sanger(axes: Any, rng: Rng, style: Style) -> None:
    """A sequencing chromatogram with its letters above."""
    count = int(rng.integers(10, 34))
    x = np.linspace(0, count, count * 16)
    bases = rng.integers(0, 4, count)
    for base, colour in enumerate(("#00a000", "#0000ff", "#000000", "#ff0000")):
        places = np.flatnonzero(bases == base) + 0.5
        y = (rng.uniform(0.6, 1, len(places))[:,
                                              None] * np.exp(-(((x[None] - places[:, None]) / 0.33) ** 2))).sum(axis=0)
        axes.plot(x, y, color=colour, lw=style.line)
        for place in places:
            axes.text(place, 1.12, "ACGT"[base], color=colour, ha="center")
    axes.set_ylim(0, 1.35)
    axes.axis("off")


def raster(axes: Any, rng: Rng, style: Style) -> None:
    """Spikes of many trials as small strokes, a stimulus shaded."""
    rows = int(rng.integers(8, 40))
    axes.eventplot([np.sort(rng.uniform(-1, 2, int(rng.integers(3, 25)))) for _ in range(rows)],
                   colors=pick(rng, ("black", style.colours[3])),
                   linewidths=style.line, linelengths=0.8)
    axes.axvspan(0, 0.5, color="#ffe9a8", lw=0)
    finish(axes, rng, style, "Time (s)", pick(rng, ("Trial", "Neuron", "Cell #")))


def tracks(axes: Any, rng: Rng, style: Style) -> None:
    """Genome browser tracks with names at the left and genes below."""
    x = np.linspace(0, 1, 600)
    count = int(rng.integers(2, 9))
    places = rng.uniform(0.05, 0.95, 7)
    for i in range(count):
        y = (rng.uniform(0, 0.8, 7)[:, None] * np.exp(-(((x[None] - places[:, None]) / 0.012) ** 2))).sum(axis=0)
        axes.fill_between(x, -i, np.clip(y + np.abs(rng.normal(0, 0.03, 600)), 0, 0.95) - i,
                          color=style.colours[i % 5] if
                          style.colours[i % 5] != "#ffffff" else "black", lw=0)
        axes.text(-0.01, -i + 0.3, pick(rng, ("H3K27ac", "Input", "ATAC", "RNA-seq", "CTCF", "WT", "KO", "H3K4me3")),
                  ha="right")
    for start in rng.uniform(0, 0.8, 3):
        axes.plot([start, start + 0.18], [-count + 0.5] * 2, color="#000080", lw=style.line)
        for exon in rng.uniform(start, start + 0.17, 5):
            axes.plot([exon, exon + 0.012], [-count + 0.5] * 2, color="#000080", lw=style.size * 0.6,
                      solid_capstyle="butt")
        axes.text(start + 0.09, -count + 0.2, pick(rng, GENES), ha="center", va="top", style="italic")
    axes.axis("off")


def ecg(axes: Any, rng: Rng, style: Style) -> None:
    """An electrocardiogram of several leads on its red paper."""
    leads, beats = int(pick(rng, (1, 2, 3, 6))), float(rng.uniform(3, 9))
    t = np.linspace(0, beats, 900)
    phase = np.mod(t + 0.1 * np.sin(t * rng.uniform(0, 2)), 1)
    for lead in range(leads):
        high, wave = rng.uniform(0.3, 1.1), rng.uniform(-0.2, 0.3)
        waves = ((0.1, 0.2, 0.03), (high, 0.4, 0.014), (-0.2, 0.44, 0.016), (wave, 0.66, 0.05))
        y = np.sum([tall * np.exp(-(((phase - at) / wide) ** 2)) for tall, at, wide in waves], axis=0)
        axes.plot(t, y - 1.6 * lead, color="black", lw=style.line * 0.8)
        axes.text(0, 0.5 - 1.6 * lead, ("I", "II", "V1", "aVR", "V5", "aVF")[lead])
    axes.set_xlim(0, beats)
    axes.set_facecolor(pick(rng, ("#fff0ee", "white", "#fbe9e7")))
    axes.set_xticks(np.arange(0, beats, 0.2), minor=False)
    axes.set_yticks(np.arange(1, -1.6 * leads, -0.4))
    axes.tick_params(length=0, labelleft=False, labelbottom=False)
    axes.grid(True, color="#f3b8b8", lw=0.6)
