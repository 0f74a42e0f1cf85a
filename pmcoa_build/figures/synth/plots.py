"""Plots, tables and diagrams, drawn with OpenCV: trend, colour, number and place are said."""

from __future__ import annotations

import numpy as np

from pmcoa_build.figures.synth.imagery import COLOURS, COUNTS, Attributes, Image, Modality, Rng, noise, pick
from pmcoa_build.figures.synth.text import extent, write

Frame = tuple[int, int, int, int]
_INK = (40, 40, 40)
_SERIES = ("red", "green", "blue", "orange", "purple")


def _axes(rng: Rng, width: int, height: int, x_title: str, y_title: str, *, step: int = 0) -> tuple[Image, Frame]:
    """A white canvas with axes, ticks and titles; the frame is x0, y0, x1, y1 of the plotting area."""
    import cv2

    image = np.full((height, width, 3), 255, np.uint8)
    size = max(8, min(13, min(width, height) // 14))
    frame = (round(2.2 * size) + 14, size // 2 + 4, width - 5, height - 2 * size - 10)
    x0, y0, x1, y1 = frame
    cv2.line(image, (x0, y0), (x0, y1), _INK, 1)
    cv2.line(image, (x0, y1), (x1, y1), _INK, 1)
    step = step or int(pick(rng, (1, 2, 5, 10, 20)))
    for i in range(4):
        y = y1 - round(i * (y1 - y0) / 3.4)
        cv2.line(image, (x0 - 3, y), (x0, y), _INK, 1)
        label = str(i * step)
        write(image, label, (x0 - 5 - extent(label, "sans", size - 1)[2], y - size // 2 + 1), size=size - 1)
    write(image, x_title, ((x0 + x1) // 2 - extent(x_title, "sans", size)[2] // 2, height - size - 1), size=size)
    write(image, y_title, (1, (y0 + y1) // 2 - extent(y_title, "sans", size)[2] // 2), size=size, upright=True)
    return image, frame


def _shape(pattern: str, steps: int) -> list[float]:
    """Heights 0-1 of a rising, falling, peaked or dipping series."""
    t = np.linspace(0, 1, steps)
    curve = {"rising": 0.15 + 0.78 * t, "falling": 0.93 - 0.78 * t,
             "peaked": 0.2 + 0.72 * np.exp(-((t - 0.5) ** 2) * 18),
             "dipping": 0.92 - 0.72 * np.exp(-((t - 0.5) ** 2) * 18)}[pattern]
    return [float(v) for v in curve]


def _bars(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    import cv2

    image, (x0, y0, x1, y1) = _axes(rng, width, height, "group", pick(rng, ("level", "fold change", "score")))
    count = COUNTS[a["count"]]
    pitch = (x1 - x0) / count
    for i, level in enumerate(_shape(a["trend"], count)):
        left, top = round(x0 + (i + 0.2) * pitch), round(y1 - level * (y1 - y0) * 0.92)
        cv2.rectangle(image, (left, top), (round(left + 0.6 * pitch), y1), COLOURS[a["colour"]], -1)
        cv2.rectangle(image, (left, top), (round(left + 0.6 * pitch), y1), _INK, 1)
        middle = round(left + 0.3 * pitch)
        cv2.line(image, (middle, top), (middle, max(y0, top - round(0.05 * height))), _INK, 1)
    return image


def _lines(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    import cv2

    image, (x0, y0, x1, y1) = _axes(rng, width, height, pick(rng, ("time (h)", "dose (nM)", "day")), "signal")
    count = COUNTS[a["count"]]
    for series in range(count):
        values = np.array(_shape(a["trend"], 8)) * (1 - 0.16 * series) + rng.normal(0, 0.012, 8)
        points = [(round(x0 + (x1 - x0) * (i + 0.3) / 8), round(y1 - v * (y1 - y0) * 0.95)) for i,
                  v in enumerate(values)]
        colour = COLOURS[a["colour"]] if series == 0 else COLOURS[("grey", "black")[series % 2]]
        cv2.polylines(image, [np.array(points, np.int32)], False, colour, 2, cv2.LINE_AA)
        for point in points:
            cv2.circle(image, point, max(2, min(width, height) // 60), colour, -1, cv2.LINE_AA)
    return image


def _scatter(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    import cv2

    image, (x0, y0, x1, y1) = _axes(rng, width, height, "marker A", "marker B")
    number = 26 if a["density"] == "few" else 110
    t = rng.uniform(0.06, 0.94, number)
    slope = {"positive": t, "negative": 1 - t, "no": rng.uniform(0.06, 0.94, number)}[a["correlation"]]
    heights = np.clip(slope + rng.normal(0, 0.07, number), 0.02, 0.98)
    for u, v in zip(t, heights, strict=True):
        at = (round(x0 + u * (x1 - x0)), round(y1 - v * (y1 - y0)))
        cv2.circle(image, at, max(2, min(width, height) // 55), COLOURS[a["colour"]], -1, cv2.LINE_AA)
    if a["correlation"] != "no":
        ends = ((x0, y1), (x1, y0)) if a["correlation"] == "positive" else ((x0, y0), (x1, y1))
        cv2.line(image, *ends, _INK, 1, cv2.LINE_AA)
    return image


_PALETTES = {"red-blue": ((40, 60, 190), (245, 245, 245), (200, 30, 40)),
             "green": ((250, 252, 245), (120, 195, 120), (0, 80, 30)),
             "yellow-purple": ((70, 0, 90), (35, 140, 140), (250, 230, 40))}
_CORNERS = {"upper left": (0.0, 0.0), "upper right": (1.0, 0.0), "lower left": (0.0, 1.0), "lower right": (1.0, 1.0)}


def _heatmap(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    import cv2

    cells = 8 if a["cells"] == "coarse" else 16
    cx, cy = _CORNERS[a["corner"]]
    across, down = np.meshgrid(np.linspace(0, 1, cells), np.linspace(0, 1, cells))
    value = np.exp(-((across - cx) ** 2 + (down - cy) ** 2) * 3) + rng.normal(0, 0.08, (cells, cells))
    value = np.clip(value, 0, 1)[:, :, None]
    low, middle, high = (np.asarray(c, np.float64) for c in _PALETTES[a["palette"]])
    colour = np.where(value < 0.5, low + (middle - low) * value * 2, middle + (high - middle) * (value * 2 - 1))
    bar = max(6, width // 18)
    image = np.full((height, width, 3), 255, np.uint8)
    body = cv2.resize(colour.astype(np.uint8), (width - bar * 2, height), interpolation=cv2.INTER_NEAREST)
    image[:, : width - bar * 2] = body
    ramp = np.linspace(1, 0, height)[:, None, None]
    scale = np.where(ramp < 0.5, low + (middle - low) * ramp * 2, middle + (high - middle) * (ramp * 2 - 1))
    image[:, width - bar :] = scale.astype(np.uint8)
    return image


def _survival(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    import cv2

    image, (x0, y0, x1, y1) = _axes(rng, width, height, "months", "survival (%)", step=30)
    gap = 0.52 if a["gap"] == "wide" else 0.2
    for colour, drop in ((a["better"], 0.22), (a["worse"], 0.22 + gap)):
        level, points = 1.0, [(x0, y0)]
        times = np.sort(rng.uniform(0.05, 0.97, 9))
        for t in times:
            x = round(x0 + t * (x1 - x0))
            points.append((x, points[-1][1]))
            level -= drop / 9
            points.append((x, round(y1 - level * (y1 - y0))))
        points.append((x1, points[-1][1]))
        cv2.polylines(image, [np.array(points, np.int32)], False, COLOURS[colour], 2, cv2.LINE_AA)
    return image


def _flow(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    image, (x0, y0, x1, y1) = _axes(rng, width, height, "CD4-FITC", "CD8-PE")
    for corner, share in ((a["corner"], 0.75 if a["share"] == "dominant" else 0.4), ("lower left", 0.3)):
        cx, cy = _CORNERS[corner]
        number = round(2600 * share)
        px = np.clip(rng.normal(0.25 + 0.5 * cx, 0.085, number), 0, 0.99)
        py = np.clip(rng.normal(0.25 + 0.5 * cy, 0.085, number), 0, 0.99)
        columns, rows = (x0 + px * (x1 - x0)).astype(int), (y0 + py * (y1 - y0)).astype(int)
        image[rows, columns] = COLOURS[a["colour"]]
    image[(y0 + y1) // 2, x0:x1] = _INK
    image[y0:y1, (x0 + x1) // 2] = _INK
    return image


def _ecg(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    import cv2

    image = np.full((height, width, 3), (255, 240, 238), np.uint8)
    step = max(6, min(width, height) // 20)
    image[::step] = image[:, ::step] = (245, 190, 190)
    beats = 4 if a["rate"] == "slow" else 9
    t = np.linspace(0, beats, width)
    if a["rhythm"] == "irregular":
        t = t + 0.32 * np.sin(t * 1.7) + 0.16 * np.sin(t * 4.1)
    phase = np.mod(t, 1)
    wave = 0.12 * np.exp(-(((phase - 0.2) / 0.035) ** 2)) + np.exp(-(((phase - 0.4) / 0.014) ** 2)) - 0.25 * np.exp(
        -(((phase - 0.44) / 0.016) ** 2)) + 0.22 * np.exp(-(((phase - 0.66) / 0.05) ** 2))
    shift = {"elevation": 0.34, "depression": -0.34, "no deviation": 0.0}[a["segment"]]
    wave = wave + shift * ((phase > 0.46) & (phase < 0.74))
    y = height * 0.62 - wave * height * 0.48
    points = np.stack([np.arange(width), y], axis=1).astype(np.int32)
    cv2.polylines(image, [points], False, (20, 20, 40), max(1, min(width, height) // 110), cv2.LINE_AA)
    return image


def _diagram(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    import cv2

    image = np.full((height, width, 3), 255, np.uint8)
    count, down = COUNTS[a["count"]], a["direction"] == "vertical"
    words = ("Screened", "Enrolled", "Randomised", "Treated", "Followed", "Analysed")
    long, short = (height, width) if down else (width, height)
    pitch = long / count
    for i in range(count):
        near, far = round(i * pitch + 0.12 * pitch), round((i + 1) * pitch - 0.18 * pitch)
        low, high = round(short * 0.22), round(short * 0.78)
        box = (low, near, high, far) if down else (near, low, far, high)
        fill = tuple(int(255 - (255 - c) * 0.65) for c in COLOURS[a["colour"]])
        cv2.rectangle(image, box[:2], box[2:], fill, -1)
        cv2.rectangle(image, box[:2], box[2:], _INK, 1)
        size = max(7, min(13, (box[2] - box[0]) // 8))
        write(image, words[i], (box[0] + 4, (box[1] + box[3]) // 2 - size // 2), size=size)
        if i + 1 < count:
            tip = round((i + 1) * pitch + 0.1 * pitch)
            ends = ((short // 2, far), (short // 2, tip)) if down else ((far, short // 2), (tip, short // 2))
            cv2.arrowedLine(image, *ends, _INK, 1, cv2.LINE_AA, tipLength=0.5)
    return image


def _table(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    image = np.full((height, width, 3), 255, np.uint8)
    rows, columns = COUNTS[a["rows"]] + 1, COUNTS[a["columns"]]
    size = max(8, min(14, height // (2 * rows), width // (4 * columns)))
    for row in range(rows):
        top = round((row + 0.3) * height / rows)
        if row == 0:
            image[: round(height / rows)] = tuple(int(255 - (255 - c) * 0.75) for c in COLOURS[a["colour"]])
        for column in range(columns):
            said = ("Group", "n", "mean", "SD", "p")[column] if row == 0 else (
                f"G{row}" if column == 0 else f"{rng.uniform(0, 90):.1f}")
            write(image, said, (round((column + 0.15) * width / columns), top), size=size)
    image[[0, round(height / rows), height - 1]] = _INK
    return image


def _eeg(a: Attributes, rng: Rng, width: int, height: int) -> Image:
    import cv2

    image = np.full((height, width, 3), 255, np.uint8)
    count = COUNTS[a["count"]]
    pitch = height / count
    bursts = {"left": 0.2, "middle": 0.5, "right": 0.8}[a["burst"]]
    t = np.arange(width) / width
    for channel in range(count):
        wave = noise(rng, width, 3, 5)[1] * 0.07
        envelope = np.exp(-(((t - bursts) / 0.09) ** 2))
        wave = wave + envelope * np.sin(t * (150 if a["rhythm"] == "fast" else 70)) * 0.45
        points = np.stack([np.arange(width), (channel + 0.5 - wave) * pitch], axis=1).astype(np.int32)
        cv2.polylines(image, [points], False, COLOURS[a["colour"]], 1, cv2.LINE_AA)
    return image


_TRENDS = ("rising", "falling", "peaked", "dipping")

PLOTS: tuple[Modality, ...] = (
    Modality("bars", "plot", ("Quantification of the measurements", "Group means"),
             {"count": ("three", "four", "five", "six"), "trend": _TRENDS, "colour": _SERIES},
             ("Bar chart of {count} {colour} bars, {trend}", "{trend} {colour} bar graph of {count} bars"), _bars, 1.2,
             diagnostic=False),
    Modality("lines", "plot", ("Time courses", "Dose-response relations"),
             {"count": ("one", "two", "three"), "trend": _TRENDS, "colour": _SERIES},
             ("Line graph of {count} {trend} curves, {colour}", "Time course with {count} {trend} curves, {colour}"),
             _lines, 1.25, diagnostic=False),
    Modality("scatter", "plot", ("Correlation of the markers", "Marker correlation"),
             {"correlation": ("positive", "negative", "no"), "colour": _SERIES, "density": ("few", "many")},
             ("Scatter plot of {density} {colour} points with {correlation} correlation",
              "Scatter plot shows {correlation} correlation of {density} {colour} points"), _scatter, 1.1,
              diagnostic=False),
    Modality("heatmap", "plot", ("Expression heat maps", "Heat maps"),
             {"palette": tuple(_PALETTES), "corner": tuple(_CORNERS), "cells": ("coarse", "fine")},
             ("{cells} {palette} heat map, high in the {corner}",
              "Heat map ({palette}, {cells}) with a maximum {corner}"),
             _heatmap, 1.1, diagnostic=False),
    Modality("survival", "plot", ("Kaplan-Meier analysis", "Overall survival"),
             {"better": ("red", "blue", "green"), "worse": ("orange", "black", "purple"), "gap": ("wide", "narrow")},
             ("Survival curves, {better} above {worse} by a {gap} gap",
              "Kaplan-Meier survival with a {gap} gap, {better} over {worse}"), _survival, 1.25, diagnostic=False),
    Modality("flow", "plot", ("Flow cytometry", "Flow cytometric analysis"),
             {"corner": ("upper left", "upper right", "lower right"), "share": ("dominant", "minor"),
              "colour": ("red", "green", "blue", "purple")},
             ("Flow cytometry with a {share} {colour} {corner} population",
              "Flow cytometry shows a {share} population {corner}, {colour}"), _flow, 1.05),
    Modality("ecg", "plot", ("Electrocardiography (ECG)", "Electrocardiograms"),
             {"rate": ("slow", "fast"), "rhythm": ("regular", "irregular"),
              "segment": ("elevation", "depression", "no deviation")},
             ("Electrocardiogram with {rate} {rhythm} rhythm and {segment}",
              "ECG shows {segment}, {rate} {rhythm} rhythm"), _ecg, 1.8,
             words={"irregular": ("irregular",), "elevation": ("ST elevation",), "depression": ("ST depression",),
                    "no deviation": ("normal ST",)}),
    Modality("eeg", "plot", ("Electroencephalography (EEG)", "EEG recordings"),
             {"count": tuple(COUNTS)[1:6], "burst": ("left", "middle", "right"), "rhythm": ("fast", "slow"),
              "colour": ("black", "blue", "red")},
             ("EEG of {count} {colour} channels with a {rhythm} burst {burst}",
              "Electroencephalogram, {count} channels in {colour}, {rhythm} burst {burst}"), _eeg, 1.6,
             words={"left": ("on the left",), "middle": ("in the middle",), "right": ("on the right",)}),
    Modality("diagram", "diagram", ("Study design", "Flow of participants"),
             {"count": ("three", "four", "five", "six"), "direction": ("vertical", "horizontal"), "colour": _SERIES},
             ("{direction} flow chart of {count} {colour} boxes", "Diagram of {count} {colour} steps, {direction}"),
             _diagram, 1.1, diagnostic=False),
    Modality("table", "table", ("Summary of the cohort", "Group characteristics"),
             {"rows": ("three", "four", "five", "six"), "columns": ("three", "four", "five"), "colour": _SERIES},
             ("Table of {rows} rows and {columns} columns, {colour} header",
              "Table with {columns} columns, {rows} rows and {colour} header"), _table, 1.5, diagnostic=False),
)
