"""Diagrams: flow charts, pathways, cells, networks, Venn circles, timelines, maps, drawn with OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from pmcoa_build.figures.synth.charts import GENES, GROUPS, TERMS
from pmcoa_build.figures.synth.imagery import Image, Rng, pick
from pmcoa_build.figures.synth.pen import Colour, arrow, box, disc, fresh, palette, polygon, say, stroke, tint
from pmcoa_build.figures.synth.text import extent
from pmcoa_build.figures.synth.texture import borders, clouds, step, territories

_STEPS = ("Records identified (n = 1,204)", "Assessed for eligibility", "Excluded (n = 87)", "Randomised (n = 240)",
          "Allocated",
          "Lost to follow-up", "Analysed (n = 112)", "Full-text articles", "Duplicates removed", "Enrolled",
          "Discontinued",
          "Screening", "Included in synthesis", "Data collection", "Feature extraction", "Model training",
          "Validation", "Biopsy",
          "Sequencing", "Input layer", "Conv 3x3", "Max pooling", "Output", "Preprocessing",
          "Not meeting criteria (n = 41)")
_SCENES = ("Nucleus", "Cytoplasm", "ER", "Lysosome", "Mitochondria", "Membrane", "Tumor", "T cell", "Macrophage",
           "Gut", "Liver",
           "Brain", "Virus", "Blood vessel", "Epithelium", "Injection", "Surgery", "Sacrifice", "Antibody", "Ligand",
           "Receptor")


def _size(rng: Rng, width: int, height: int) -> int:
    return int(np.clip(min(width, height) * rng.uniform(0.03, 0.06), 7, 17))


def _shape(rng: Rng, image: Image, frame: tuple[int, int, int, int], fill: Colour, edge: Colour | None) -> None:
    if rng.random() < 0.3:
        disc(image, frame, fill, edge)
    else:
        box(image, frame, fill, edge, rounded=bool(rng.random() < 0.5))


def flow_chart(rng: Rng, width: int, height: int) -> Image:
    """Boxes of words in rows joined by straight or bent arrows, as study flows and methods are drawn."""
    image, size, colours = fresh(rng, width, height), _size(rng, width, height), palette(rng)
    rows = max(2, min(int(rng.integers(2, 7)), height // (size * 4)))
    edge: Colour | None = (40, 40, 40) if rng.random() < 0.75 else None
    above: list[tuple[int, int]] = []
    for row in range(rows):
        columns = int(rng.integers(1, max(2, min(4, width // (size * 9)) + 1)))
        top, bottom = round((row + 0.12) * height / rows), round((row + 0.7) * height / rows)
        feet = []
        for column in range(columns):
            left, right = (round((column + d) * width / columns) for d in (0.08, 0.92))
            if columns == 1 and rng.random() < 0.6:
                left, right = round(width * 0.22), round(width * 0.78)
            fill = (255, 255, 255) if rng.random() < 0.4 else colours[row % len(colours)]
            box(image, (left, top, right, bottom), fill, edge, rounded=edge is None)
            text = pick(rng, _STEPS if rng.random() < 0.7 else TERMS)
            say(image, text, ((left + right) // 2, (top + bottom) // 2), size, wrap=right - left - 6)
            feet.append(((left + right) // 2, bottom))
            for x, y in above if len(above) == 1 or columns == 1 else above[column : column + 1]:
                if abs(x - feet[-1][0]) > 4:
                    stroke(image, [(x, y), (x, (y + top) // 2), (feet[-1][0], (y + top) // 2)], (40, 40, 40))
                    arrow(image, (feet[-1][0], (y + top) // 2), (feet[-1][0], top))
                else:
                    arrow(image, (x, y), (feet[-1][0], top))
        above = feet
    return image


def pathway(rng: Rng, width: int, height: int) -> Image:
    """Named ovals and boxes with activating and blocking arrows, within or across a cell's membrane."""
    image, size, colours = fresh(rng, width, height), _size(rng, width, height), palette(rng)
    if rng.random() < 0.6:
        _membrane(rng, image, colours[-1])
    count = int(rng.integers(4, 13))
    places = _apart(rng, count, width, height, size * 4)
    for a, b in pairwise(places):
        colour = pick(rng, ((30, 30, 30), (30, 30, 30), (190, 30, 30), (30, 110, 60)))
        near, far = np.array(a) * 0.72 + np.array(b) * 0.28, np.array(a) * 0.28 + np.array(b) * 0.72
        arrow(image, _whole(near), _whole(far), colour, thick=int(rng.integers(1, 4)), blunt=bool(rng.random() < 0.25))
    for x, y in places:
        name = pick(rng, (*GENES, *_SCENES))
        wide = extent(name, "sans", size)[2] // 2 + size
        _shape(rng, image, (x - wide, y - size, x + wide, y + size), pick(rng, colours),
               (60, 60, 60) if rng.random() < 0.6 else None)
        say(image, name, (x, y), size)
    return image


def _whole(point: np.ndarray) -> tuple[int, int]:
    return int(point[0]), int(point[1])


def _apart(rng: Rng, count: int, width: int, height: int, gap: int) -> list[tuple[int, int]]:
    """So many places that keep clear of the rim and, where there is room, of each other."""
    rim = min(width, height) // 8
    places: list[tuple[int, int]] = []
    for _ in range(count):
        tries = [(int(rng.integers(rim, width - rim)), int(rng.integers(rim, height - rim))) for _ in range(8)]
        places.append(max(tries,
                          key=lambda p: min((abs(p[0] - q[0]) / 2 + abs(p[1] - q[1]) for q in places), default=gap)))
    return places


def _membrane(rng: Rng, image: Image, colour: Colour) -> None:
    """A double line across the panel, or round a cell, in place."""
    height, width = image.shape[:2]
    if rng.random() < 0.5:
        y = height // 4
        stroke(image, [(0, y), (width, y)], colour, 3)
        stroke(image, [(0, y + 7), (width, y + 7)], colour, 3)
    else:
        disc(image, (width // 20, height // 8, width - width // 20, height - height // 30), tint(colour, 0.3), colour)
        disc(image, (width // 3, height // 2, 2 * width // 3, height - height // 9), tint(colour, 0.6), colour)


def network(rng: Rng, width: int, height: int) -> Image:
    """Nodes joined by lines: protein interactions, hubs with leaves, or layers of a neural net."""
    image, size, colours = fresh(rng, width, height), max(6, _size(rng, width, height) - 2), palette(rng)
    sort = pick(rng, ("cloud", "hubs", "layers"))
    links: list[tuple[int, int]] = []
    if sort == "layers":
        depths = [int(n) for n in rng.integers(2, 7, int(rng.integers(3, 6)))]
        places = [(round((i + 0.5) * width / len(depths)), round((j + 0.5) * height / n)) for i,
                  n in enumerate(depths) for j in range(n)]
        starts = np.cumsum([0, *depths])
        for i in range(len(depths) - 1):
            links += [(a, b) for a in range(starts[i], starts[i + 1]) for b in range(starts[i + 1], starts[i + 2])]
    else:
        count = int(rng.integers(8, 45))
        places = _apart(rng, count, width, height, size * 3)
        hubs = max(1, count // 12) if sort == "hubs" else count
        links = [(i, int(rng.integers(0, hubs))) for i in range(count)]
        links += [(int(a), int(b)) for a, b in rng.integers(0, count, (count // 2, 2))]
    for a, b in links:
        stroke(image, [places[a], places[b]], pick(rng, ((150, 150, 150), (190, 190, 190), (220, 130, 130))))
    for x, y in places:
        reach = int(rng.integers(3, size + 3))
        disc(image, (x - reach, y - reach, x + reach, y + reach), pick(rng, colours),
             (60, 60, 60) if rng.random() < 0.5 else None)
        if sort != "layers" and rng.random() < 0.7:
            say(image, pick(rng, GENES), (x, y - reach - size // 2 - 1), size)
    return image


def venn(rng: Rng, width: int, height: int) -> Image:
    """Two to four overlapping discs with counts, shares and names."""
    count = int(pick(rng, (2, 2, 3, 3, 4)))
    canvas = np.full((height, width, 3), 255, np.float32)
    side, size, colours = min(width, height * 1.05), _size(rng, width, height), palette(rng, bold=True)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    turns = np.linspace(0, 2 * np.pi, count + 1)[:count] + (np.pi / 6 if count == 3 else np.pi / 4 if count == 4 else 0)
    radius, reach = side * rng.uniform(0.22, 0.28), side * rng.uniform(0.15, 0.19)
    centres = [(width / 2 + reach * np.cos(t), height * 0.53 + reach * np.sin(t)) for t in turns]
    rim = np.zeros((height, width), np.float32)
    for (cx, cy), colour in zip(centres, colours, strict=False):
        away = np.hypot(x - cx, y - cy)
        canvas -= 0.8 * (away < radius)[:, :, None] * (255 - np.asarray(colour, np.float32)) * 0.75
        rim = np.maximum(rim, np.abs(away - radius) < 0.9)
    image = np.clip(canvas, 25, 255).astype(np.uint8)
    if rng.random() < 0.6:
        image[rim > 0] = 30
    for (cx, cy), t in zip(centres, turns, strict=True):
        at = (round(cx + reach * 0.7 * np.cos(t)), round(cy + reach * 0.7 * np.sin(t)))
        say(image, str(int(rng.integers(2, 2600))), at, size)
        say(image, f"{pick(rng, GROUPS)} ({int(rng.integers(10, 900))})",
            (round(cx), round(cy + (radius + size) * (1 if np.sin(t) > 0.1 else -1))), size)
    say(image, str(int(rng.integers(2, 900))), (width // 2, round(height * 0.53)), size)
    return image


def timeline(rng: Rng, width: int, height: int) -> Image:
    """A design over time: a thick line or arrow with ticks, words above and below, bars of treatment."""
    image, size, colours = fresh(rng, width, height), _size(rng, width, height), palette(rng)
    rows = max(1, min(int(rng.integers(1, 4)), height // (size * 8)))
    for row in range(rows):
        y = round((row + 0.55) * height / rows)
        arrow(image, (width // 16, y), (width - width // 30, y), thick=int(rng.integers(2, 5)))
        count = max(2, min(int(rng.integers(3, 8)), width // (size * 6)))
        for i in range(count):
            x = round(width * (0.1 + 0.8 * i / (count - 1)))
            stroke(image, [(x, y - size // 2), (x, y + size // 2)], (30, 30, 30), 2)
            say(image, pick(rng, ("Day 0", "Day 7", "D14", "Week 2", "P21", "0 h", "6 weeks", "Month 3")),
                (x, y + size * 3 // 2), size)
            say(image, pick(rng, _SCENES), (x, y - size * (2 if i % 2 else 3)), size, wrap=width // count - 3)
        if rng.random() < 0.5:
            left = round(width * rng.uniform(0.1, 0.4))
            box(image, (left, y - size * 2 // 3, left + width // 3, y + size // 3), pick(rng, colours), None)
    return image


def schematic(rng: Rng, width: int, height: int) -> Image:
    """An experiment in pictures: icons of cells, vials, animals, machines between block arrows, on tinted fields."""
    image, size, colours = fresh(rng, width, height), _size(rng, width, height), palette(rng)
    columns, rows = max(2, min(5, width // 70)), max(1, min(4, height // 90))
    if rng.random() < 0.5:
        for row in range(rows):
            box(image, (4, round(row * height / rows) + 3, width - 4, round((row + 1) * height / rows) - 3),
                tint(colours[row % len(colours)], 0.3),
                None, rounded=True)
    for row in range(rows):
        for column in range(columns):
            x, y = round((column + 0.5) * width / columns), round((row + 0.45) * height / rows)
            reach = round(min(width / columns, height / rows) * 0.24)
            _icon(rng, image, (x, y), reach, colours)
            say(image, pick(rng, _SCENES), (x, y + reach + size), size, wrap=width // columns - 2)
            if column + 1 < columns:
                arrow(image, (x + reach + 5, y), (x + round(width / columns) - reach - 5, y),
                      pick(rng, ((60, 60, 60), pick(rng, colours))),
                      thick=int(rng.integers(1, 5)))
    return image


def _icon(rng: Rng, image: Image, at: tuple[int, int], reach: int, colours: Sequence[Colour]) -> None:
    """One small picture: a cell, a dish, a vial, a mouse, a screen, a helix."""
    x, y = at
    fill, dark = pick(rng, colours), (50, 50, 50)
    sort = pick(rng, ("cell", "dish", "vial", "mouse", "screen", "helix", "person"))
    if sort == "cell":
        disc(image, (x - reach, y - reach, x + reach, y + reach), fill, dark)
        disc(image, (x - reach // 3, y - reach // 3, x + reach // 3, y + reach // 3), tint(dark, 0.5), None)
    elif sort == "dish":
        disc(image, (x - reach, y - reach // 3, x + reach, y + reach // 2), fill, dark)
        disc(image, (x - reach, y - reach // 2, x + reach, y + reach // 3), (250, 250, 250), dark)
    elif sort == "vial":
        box(image, (x - reach // 3, y - reach, x + reach // 3, y + reach), (250, 250, 250), dark, rounded=True)
        box(image, (x - reach // 3, y, x + reach // 3, y + reach), fill, dark, rounded=True)
    elif sort == "mouse":
        disc(image, (x - reach, y - reach // 2, x + reach // 2, y + reach // 2), fill, dark)
        disc(image, (x + reach // 4, y - reach // 2, x + reach, y + reach // 4), fill, dark)
        stroke(image, [(x - reach, y), (x - reach - reach // 2, y + reach // 3)], dark, 2)
    elif sort == "screen":
        box(image, (x - reach, y - reach // 2, x + reach, y + reach // 2), (245, 245, 250), dark)
        wave = [(x - reach + 2 * reach * i // 12, y + round(reach * 0.3 * np.sin(i * 1.3))) for i in range(13)]
        stroke(image, wave, fill, 2)
    elif sort == "helix":
        for shift in (0.0, 3.14):
            stroke(image, [(x - reach + 2 * reach * i // 24,
                            y + round(reach * 0.5 * np.sin(i * 0.6 + shift))) for i in range(25)],
                   fill if shift else dark, 2)
    else:
        disc(image, (x - reach // 3, y - reach, x + reach // 3, y - reach // 3), fill, dark)
        polygon(image, [(x - reach // 2, y + reach), (x - reach // 3, y - reach // 4),
                        (x + reach // 3, y - reach // 4), (x + reach // 2, y + reach)], fill, dark)


def region_map(rng: Rng, width: int, height: int) -> Image:
    """A map: regions in flat colours with dark borders, a sea around, points, a scale or compass."""
    side = min(width, height)
    labels, _ = territories(rng, width, height, int(rng.integers(6, 60)))
    colours = np.array([pick(rng, palette(rng)) for _ in range(int(labels.max()) + 1)], np.uint8)
    image: Image = colours[labels]
    image[borders(labels) > 0] = pick(rng, (60, 255, 120))
    x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    land = step((0.75 - np.hypot(x, y) + 0.22 * clouds(rng, width, height, side / 4)).astype(np.float32), 0.01) > 0.5
    image[~land] = pick(rng, ((255, 255, 255), (255, 255, 255), (205, 225, 240)))
    for _ in range(int(rng.integers(0, 20))):
        px, py = int(rng.integers(0, width)), int(rng.integers(0, height))
        disc(image, (px - 3, py - 3, px + 3, py + 3), pick(rng, ((200, 30, 30), (30, 30, 30))), None)
    stroke(image, [(width // 16, height - 12), (width // 4, height - 12)], (20, 20, 20), 3)
    say(image, pick(rng, ("100 km", "N", "500 km")), (width // 6, height - 24), _size(rng, width, height))
    return image
