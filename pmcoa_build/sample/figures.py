"""Whole figures: panels chosen, laid out, lettered and drawn, with the truth about each box and label."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pmcoa_build.figures.synth.blots import BLOTS
from pmcoa_build.figures.synth.clinical import CLINICAL
from pmcoa_build.figures.synth.imagery import Image, Modality, Rng, pick
from pmcoa_build.figures.synth.microscopy import MICROSCOPY
from pmcoa_build.figures.synth.plots import PLOTS
from pmcoa_build.figures.synth.radiology import RADIOLOGY
from pmcoa_build.figures.synth.text import extent, write
from pmcoa_build.sample.layout import Box, place

MODALITIES: tuple[Modality, ...] = (*RADIOLOGY, *MICROSCOPY, *CLINICAL, *BLOTS, *PLOTS)
_FINDINGS = tuple(m for m in MODALITIES if m.diagnostic or m.kind == "blot")
_DRAWINGS = tuple(m for m in MODALITIES if m not in _FINDINGS)
_COUNTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12)
_SHARES = (0.10, 0.15, 0.12, 0.23, 0.08, 0.16, 0.03, 0.06, 0.04, 0.01, 0.02)
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_HEADINGS = ("Control", "Treated", "Rescue", "Overlay", "Sham", "Recovery", "Baseline", "Day 7", "Day 14",
             "Day 28", "WT", "KO")
_LARGEST = 380
"""Panels are drawn at most so wide and high, and enlarged beyond."""


@dataclass(frozen=True)
class Panel:
    """One panel: what it shows, and the clause that says so (no full stop)."""

    modality: Modality
    attributes: dict[str, str]
    clause: str


@dataclass(frozen=True)
class Page:
    """How a figure is laid out and lettered.

    `labels`: bare strings in reading order; `printed`: whether they stand on the picture; `style`: how a label is
    written, such as "({})"; `where`: "inside", "boxed" (on white) or "above". `headings` stand over the columns,
    outside all panels; `scale_bars`: micrographs carry one.
    """

    width: int
    layout: str
    gutter: int
    background: int
    labels: tuple[str, ...]
    printed: bool
    style: str
    where: str
    face: str
    size: int
    headings: tuple[str, ...] = ()
    scale_bars: bool = False


@dataclass(frozen=True)
class Drawing:
    """A drawn figure: RGB uint8 (height, width, 3), and one box a panel (x0, y0, x1, y1) with its printed label."""

    image: Image
    boxes: tuple[Box, ...]
    labels: tuple[str | None, ...]


def choose_panels(rng: Rng, theme: str | None = None, count: int | None = None) -> list[Panel]:
    """1-12 panels. Themes: `same` (one modality), `mixed` (two to four, plots among them), `drawings` (no image)."""
    number = count or int(rng.choice(_COUNTS, p=_SHARES))
    theme = theme or str(rng.choice(["same", "mixed", "drawings"], p=[0.46, 0.45, 0.09]))
    if theme == "same":
        pool = [pick(rng, _FINDINGS)]
    elif theme == "drawings":
        pool = [pick(rng, _DRAWINGS) for _ in range(min(2, number))]
    else:
        pool = [pick(rng, _FINDINGS) for _ in range(min(3, number))] + [pick(rng, _DRAWINGS)]
    order = [pool[0]] + [pick(rng, pool) for _ in range(number - 1)]
    if theme == "mixed":
        order.sort(key=pool.index)
    return _distinct(rng, order)


def _distinct(rng: Rng, order: Sequence[Modality]) -> list[Panel]:
    """Panels that show different things, as far as a modality has so many."""
    panels: list[Panel] = []
    for modality in order:
        chosen = modality.choose(rng)
        for _ in range(20):
            if all(p.modality is not modality or p.attributes != chosen for p in panels):
                break
            chosen = modality.choose(rng)
        panels.append(Panel(modality, chosen, modality.describe(chosen, rng)))
    return panels


def labels_of(style: str, count: int) -> tuple[str, ...]:
    """`upper` A, B, C · `lower` a, b, c · `roman` i, ii, iii · `digit` 1, 2, 3."""
    sources: dict[str, Sequence[str]] = {"upper": string.ascii_uppercase, "lower": string.ascii_lowercase,
                                         "roman": _ROMAN,
                                         "digit": [str(i) for i in range(1, 13)]}
    return tuple(sources[style][:count])


def choose_page(rng: Rng, panels: Sequence[Panel], alphabet: str) -> Page:
    """A page for these panels; single panels carry no label, and letters stand above where plots leave no room."""
    count = len(panels)
    drawn = any(p.modality.kind in ("plot", "diagram", "table", "blot") for p in panels)
    space = str(rng.choice(["wide", "thin", "none", "dark"], p=[0.68, 0.16, 0.08, 0.08]))
    if drawn and space != "wide":
        space = "wide" if space == "dark" else "thin"
    gutter = {"wide": int(rng.integers(10, 24)), "thin": int(rng.integers(2, 5)), "none": 0,
              "dark": int(rng.integers(4, 10))}[space]
    where = "above" if drawn and rng.random() < 0.75 else str(rng.choice(["inside", "boxed", "above"],
                                                                         p=[0.55, 0.2, 0.25]))
    if space != "wide" and not drawn:
        where = "inside" if where == "above" else where
    low, high = {1: (420, 640), 2: (560, 860), 3: (600, 1000)}.get(count, (640, 1000))
    return Page(
        width=int(rng.integers(low, high)),
        layout=str(rng.choice(["grid", "ragged", "span"], p=[0.5, 0.35, 0.15])),
        gutter=gutter,
        background=0 if space == "dark" else 255,
        labels=labels_of(alphabet, count),
        printed=count > 1 and rng.random() > 0.08,
        style=str(rng.choice(["{}", "({})", "{})", "{}."], p=[0.66, 0.2, 0.07, 0.07])),
        where=where,
        headings=_HEADINGS[:count] if space == "wide" and count > 1 and rng.random() < 0.12 else (),
        scale_bars=bool(rng.random() < 0.6),
        face=str(rng.choice(["sans-bold", "sans", "serif-bold", "serif"], p=[0.6, 0.2, 0.12, 0.08])),
        size=int(rng.integers(14, 31)),
    )


def draw(rng: Rng, panels: Sequence[Panel], page: Page) -> Drawing:
    """Draw the figure. A box holds the panel's ink with its printed letter, and never leaves the picture."""
    head = page.size + 4 if page.printed and page.where == "above" else 0
    boxes, height = place(rng, page.layout, [p.modality.aspect for p in panels], page.width, page.gutter, head)
    top = 30 if page.headings else 0
    boxes = [(x0, y0 + top, x1, y1 + top) for x0, y0, x1, y1 in boxes]
    image: Image = np.full((max(height + top, 40), page.width, 3), page.background, np.uint8)
    first_row = [box for box in boxes if box[1] == boxes[0][1]]
    for word, (x0, _, x1, _) in zip(page.headings, first_row, strict=False):
        write(image, word, ((x0 + x1) // 2 - extent(word, "sans", 17)[2] // 2, 8), size=17)
    found: list[Box] = []
    for panel, (x0, y0, x1, y1) in zip(panels, boxes, strict=True):
        picture = _panel(rng, panel, x1 - x0, y1 - y0)
        if page.scale_bars and panel.modality.kind == "microscopy":
            _scale_bar(picture)
        image[y0:y1, x0:x1] = picture
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        ink = _ink(image, (x0, y0, x1, y1)) if page.background else (x0, y0, x1, y1)
        if page.printed:
            ink = _union(ink, _letter(image, page, page.style.format(page.labels[index]), (x0, y0, x1, y1)))
        found.append(ink)
    return Drawing(image, tuple(found), page.labels if page.printed else (None,) * len(panels))


def _panel(rng: Rng, panel: Panel, width: int, height: int) -> Image:
    import cv2

    shrink = min(1.0, _LARGEST / max(width, height))
    picture = panel.modality.draw(panel.attributes, rng, max(40, round(width * shrink)),
                                  max(40, round(height * shrink)))
    if picture.shape[:2] != (height, width):
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR)
    return picture


def _scale_bar(picture: Image) -> None:
    """A bar in the lower right corner, black on light ground and white on dark, in place."""
    height, width = picture.shape[:2]
    low = height - height // 12
    part = picture[low - max(3, height // 60) : low, width - width // 4 : width - width // 16]
    part[:] = 0 if part.mean() > 125 else 255


def _ink(image: Image, box: Box) -> Box:
    """The box shrunk to what is not white."""
    x0, y0, x1, y1 = box
    part = image[y0:y1, x0:x1]
    dark = np.minimum(np.minimum(part[:, :, 0], part[:, :, 1]), part[:, :, 2]) < 245
    columns, rows = np.flatnonzero(dark.any(axis=0)), np.flatnonzero(dark.any(axis=1))
    if not len(columns):
        return box
    return x0 + int(columns[0]), y0 + int(rows[0]), x0 + int(columns[-1]) + 1, y0 + int(rows[-1]) + 1


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _letter(image: Image, page: Page, text: str, box: Box) -> Box:
    """Print one label; returns its ink's box."""
    x0, y0, _, y1 = box
    size = min(page.size, (y1 - y0) // 4)
    ink = extent(text, page.face, size)
    wide, tall = ink[2] - ink[0], ink[3] - ink[1]
    if page.where == "above":
        return write(image, text, (x0, y0 - 4 - tall), size=size, face=page.face, colour=(0, 0, 0))
    pad = 4 + size // 6
    at = (x0 + pad, y0 + pad)
    if page.where == "boxed":
        image[y0 : at[1] + tall + pad, x0 : at[0] + wide + pad] = 255
        write(image, text, at, size=size, face=page.face, colour=(0, 0, 0))
        return x0, y0, at[0] + wide + pad, at[1] + tall + pad
    under = image[at[1] : at[1] + tall, at[0] : at[0] + wide].mean()
    return write(image, text, at, size=size, face=page.face, colour=(0, 0, 0) if under > 125 else (255, 255, 255))
