"""Printed panel labels: how they run, how they look, where they stand; and the words beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pmcoa_build.figures.boxes import Box
from pmcoa_build.figures.synth.imagery import Colour, Image, Rng, pick
from pmcoa_build.figures.synth.paper import FILLING
from pmcoa_build.figures.synth.text import extent, write

_CONTENT = 28
"""Side in pixels that content keeps beside a label; where less would be left, the label stands on it."""
ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii", "xiii", "xiv", "xv", "xvi", "xvii",
          "xviii", "xix", "xx", "xxi", "xxii", "xxiii", "xxiv", "xxv", "xxvi")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

INSIDE = ("top left", "bottom left", "bottom right", "top right")
"""Places on the panel's picture; the others are in the margin beside it."""
_ON_PICTURES: Mapping[str, float] = {
    "top left": 0.29, "bottom left": 0.26, "bottom right": 0.07, "top right": 0.04, "above": 0.17, "left": 0.05,
    "below": 0.06, "below left": 0.03, "above middle": 0.02,
}
_ON_DRAWINGS: Mapping[str, float] = {
    "top left": 0.22, "above": 0.46, "left": 0.14, "below": 0.08, "below left": 0.09, "above middle": 0.02,
    "top right": 0.02,
}
_WORDS = (
    "Control", "Treated", "WT", "KO", "siRNA", "Merge", "DAPI", "GFP", "Day 7", "24 h", "HeLa", "Lot 1", "Vehicle",
    "Baseline", "Patient", "Sham", "Tumour", "Liver", "Axial", "T2", "10 mg/kg", "Relative expression", "Cohort",
    "Survival", "Before", "After", "of genes", "in vitro", "response", "Cell viability", "Group 2", "Overall", "Study",
    "Ground truth", "U-Net",
    "Image", "Reader 1", "Error", "FLAIR", "CT", "T1", "Coronal",
    "analysis", "mRNA level", "Input", "IgG", "high", "low", "n = 24", "p < 0.05", "Frontal", "Gene A", "Dose",
)


@dataclass(frozen=True)
class Style:
    """How the labels of one figure look.

    `pattern` holds the label at {}; `size` is the font's in pixels; `place` one of `INSIDE` or "above", "above middle",
    "left", "below", "below left"; `plate` is what lies under a label on a picture: "", "white", "black" or "disc".
    `title`: words follow the label.
    """

    names: tuple[str, ...]
    pattern: str
    face: str
    size: int
    place: str
    plate: str
    colour: Colour
    title: bool

    def text(self, index: int) -> str:
        """What is printed for panel `index`."""
        return self.pattern.format(self.names[index])


def choose_style(rng: Rng, count: int, width: int, pictures: bool) -> Style:
    """A style for `count` labels (at most 26) of a page `width` pixels wide; `pictures`: most panels are pictures."""
    table = _ON_PICTURES if pictures else _ON_DRAWINGS
    weights = np.array(list(table.values()))
    cap = float(np.clip(np.exp(rng.normal(np.log(0.028), 0.32)), 0.016, 0.06)) * width
    return Style(
        names=_sequence(rng, count),
        pattern=_weighted(rng, {"{}": 0.72, "({})": 0.17, "{})": 0.05, "{}.": 0.04, "{}:": 0.02}),
        face=_weighted(rng, {"sans-bold": 0.47, "sans": 0.28, "times-bold": 0.1, "times": 0.07, "serif-bold": 0.05,
                             "serif": 0.03}),
        size=max(round(cap / 0.73), 10),
        place=str(rng.choice(list(table), p=weights / weights.sum())),
        plate=_weighted(rng, {"": 0.72, "white": 0.15, "black": 0.08, "disc": 0.05}),
        colour=pick(rng, ((0, 0, 0), (0, 0, 0), (0, 0, 0), (20, 20, 20), (60, 60, 60), (30, 60, 140), (190, 20, 20))),
        title=bool(rng.random() < 0.12),
    )


def words(rng: Rng, face: str, size: int, room: int) -> str:
    """Up to four words that fit in `room` pixels; empty where none does."""
    said = ""
    for _ in range(int(rng.integers(1, 5))):
        longer = f"{said} {pick(rng, _WORDS)}".strip()
        x0, _, x1, _ = extent(longer, face, size)
        if x1 - x0 > room:
            break
        said = longer
    return said


@dataclass(frozen=True)
class Lettering:
    """The label of one panel: how it is printed as `text`, and what it is called, `label`."""

    style: Style
    text: str
    label: str

    def side(self, kind: str) -> str:
        """Where it stands by content of a kind: "on", "above", "below" or "left".

        What is printed on pictures stands above or below drawings: their corners are not free.
        """
        place = self.style.place
        if place not in INSIDE:
            return place.split()[0]
        return "on" if kind in FILLING else {"top": "above", "bottom": "below"}[place.split()[0]]

    def part(self, cell: Sequence[Box]) -> Box:
        """The area of a panel that the label stands by: the upper one, the lower one for a label below."""
        if self.style.place.startswith(("below", "bottom")):
            return max(cell, key=lambda box: (box[3], -box[0]))
        return min(cell, key=lambda box: (box[1], box[0]))

    def room(self, box: Box, kind: str) -> Box:
        """What the label leaves of a box for the content, beside drawings in part only."""
        x0, y0, x1, y1 = box
        side, (wide, tall) = self.side(kind), measure(self.text, self.style)
        pad = max(2, tall // 4)
        if self.style.place in INSIDE:
            tall, pad = round(0.7 * tall), 0
        if min(x1 - x0 - wide, y1 - y0 - tall) < pad + _CONTENT:
            return box
        return {"above": (x0, y0 + tall + pad, x1, y1), "below": (x0, y0, x1, y1 - tall - pad),
                "left": (x0 + wide + pad, y0, x1, y1), "on": box}[side]

    def at(self, ink: Box, part: Box, kind: str) -> tuple[int, int]:
        """Upper left corner of the label by content with this ink in this part of the page."""
        side, (wide, tall) = self.side(kind), measure(self.text, self.style)
        if side == "on":
            return corner(ink, (wide, tall), self.style.place, max(2, self.style.size // 3))
        if side == "left":
            return part[0], part[1]
        y = part[1] if side == "above" else min(ink[3] + max(2, tall // 4), part[3] - tall)
        if self.style.place.endswith("right"):
            return max(part[2] - wide, part[0]), y
        if self.style.place in ("below", "above middle"):
            return max((ink[0] + ink[2] - wide) // 2, part[0]), y
        return part[0], y


def measure(text: str, style: Style) -> tuple[int, int]:
    """Width and height in pixels of the ink of a label."""
    x0, y0, x1, y1 = extent(text, style.face, style.size)
    return x1 - x0, y1 - y0


def stamp(image: Image, text: str, at: tuple[int, int], style: Style) -> Box:
    """Print a label on a picture or on paper, its ink's upper left corner at `at`, in place; returns the ink's box.

    On the style's plate, if it has one; otherwise white where it is dark.
    """
    import cv2

    wide, tall = measure(text, style)
    x0, y0 = max(at[0], 0), max(at[1], 0)
    pad = max(2, style.size // 6)
    under = image[y0 : y0 + tall, x0 : x0 + wide]
    light = bool(under.size and under.mean() > 118)
    plate = style.plate if style.place in INSIDE and under.size and under.min() < 225 else ""
    colour = style.colour if light else (255, 255, 255)
    if plate:
        colour = (0, 0, 0) if plate == "white" else (255, 255, 255)
    if plate == "disc":
        middle = (x0 + wide // 2, y0 + tall // 2)
        cv2.circle(image, middle, max(wide, tall) // 2 + pad, (40, 40, 40), -1, cv2.LINE_AA)
    elif plate:
        ground = (255, 255, 255) if plate == "white" else (0, 0, 0)
        cv2.rectangle(image, (x0 - pad, y0 - pad), (x0 + wide + pad, y0 + tall + pad), ground, -1)
    return write(image, text, (x0, y0), size=style.size, colour=colour, face=style.face)


def corner(box: Box, size: tuple[int, int], place: str, inset: int) -> tuple[int, int]:
    """Upper left corner of something of `size` (width, height) at a place of `INSIDE`, `inset` from the box's edges."""
    x = box[0] + inset if place.endswith("left") else box[2] - inset - size[0]
    y = box[1] + inset if place.startswith("top") else box[3] - inset - size[1]
    return max(x, box[0]), max(y, box[1])


def _sequence(rng: Rng, count: int) -> tuple[str, ...]:
    """The first `count` labels of a way to count; now and then a figure goes on where another ended."""
    kind = _weighted(rng, {"upper": 0.72, "lower": 0.18, "groups": 0.05, "digits": 0.02, "roman": 0.03})
    if kind == "groups":
        return tuple(f"{_LETTERS[i // 2]}{i % 2 + 1}" for i in range(count))
    if kind == "digits":
        return tuple(str(i + 1) for i in range(count))
    if kind == "roman":
        return ROMAN[:count]
    start = int(rng.integers(1, 6)) if rng.random() < 0.04 and count < 15 else 0
    run = _LETTERS[start : start + count]
    return tuple(run if kind == "upper" else run.lower())


def _weighted(rng: Rng, options: Mapping[str, float]) -> str:
    weights = np.array(list(options.values()))
    return str(rng.choice(list(options), p=weights / weights.sum()))
