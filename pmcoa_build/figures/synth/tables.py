"""Tables set as pictures: three rules or a full grid, shaded heads and rows, many columns or few, words or numbers."""

from __future__ import annotations

import numpy as np

from pmcoa_build.figures.synth.charts import GENES, GROUPS, TERMS
from pmcoa_build.figures.synth.imagery import Image, Rng, pick
from pmcoa_build.figures.synth.pen import palette, tint
from pmcoa_build.figures.synth.text import extent, write

_HEADS = ("Gene", "n", "Mean ± SD", "p value", "95% CI", "HR", "Group", "Age", "Sex", "log2FC", "FDR", "Total", "Dose",
          "Primer", "PMID", "Score",
          "Sensitivity", "AUC", "Stage", "Strain")
_GREY = (110, 110, 110)


def _cell(rng: Rng, sort: str) -> str:
    if sort == "number":
        return str(pick(rng, (f"{rng.uniform(0, 99):.1f}", f"{rng.uniform(0, 1):.3f}", str(int(rng.integers(1, 900))),
                              "-", "NS", "yes")))
    if sort == "interval":
        return f"{rng.uniform(0, 3):.2f} ({rng.uniform(0, 1):.2f}-{rng.uniform(3, 6):.2f})"
    return str(pick(rng, {"gene": GENES, "group": GROUPS, "term": TERMS}[sort]))


def _fit(text: str, face: str, size: int, room: int) -> str:
    while len(text) > 1 and extent(text, face, size)[2] > room:
        text = text[:-1]
    return text


def table(rng: Rng, width: int, height: int) -> Image:
    """One table that fills its picture, rows down to the lower edge."""
    image = np.full((height, width, 3), 255, np.uint8)
    size = int(np.clip(min(width, height) * rng.uniform(0.025, 0.06), 6, 15))
    line = round(size * rng.uniform(1.35, 2.2))
    top = line + 2 if rng.random() < 0.25 else 0
    rows = max(2, (height - top - 2) // line)
    columns = int(np.clip(rng.integers(2, 10), 2, max(2, width // (size * 4))))
    shares = rng.uniform(0.7, 1.3, columns)
    shares[0] *= rng.uniform(1, 2.2)
    edges = np.round(np.append(0, np.cumsum(shares / shares.sum())) * (width - 1)).astype(int)
    bottom = min(top + rows * line, height - 1)
    _shades(rng, image, (top, line, rows))
    if top:
        write(image, pick(rng, ("Patient characteristics", "Top ranked genes", "Primer sequences", "Results")), (2, 2),
              size=size, face="sans-bold")
    sorts = [pick(rng, ("gene", "group", "term")),
             *(pick(rng, ("number", "number", "interval", "group")) for _ in range(columns - 1))]
    face = pick(rng, ("sans", "sans", "serif"))
    for row in range(rows):
        for column in range(columns):
            text = pick(rng, _HEADS) if row == 0 else _cell(rng, sorts[column])
            cell_face = f"{face}-bold" if row == 0 else face
            text = _fit(text, cell_face, size, edges[column + 1] - edges[column] - 4)
            slack = edges[column + 1] - edges[column] - extent(text, cell_face, size)[2]
            write(image, text, (int(edges[column]) + (2 if column == 0 else max(2, slack // 2)),
                                top + row * line + (line - size) // 2),
                  size=size, face=cell_face)
    _rules(rng, image, edges, (top, line, bottom))
    return image


def _shades(rng: Rng, image: Image, rows: tuple[int, int, int]) -> None:
    """Background of the head and of every other row, or of all."""
    top, line, count = rows
    colour = pick(rng, palette(rng))
    if rng.random() < 0.25:
        image[top : top + count * line] = tint(colour, 0.6)
    if rng.random() < 0.35:
        image[top : top + line] = colour
    if rng.random() < 0.25:
        for row in range(2, count, 2):
            image[top + row * line : top + (row + 1) * line] = tint(colour, 0.35)


def _rules(rng: Rng, image: Image, edges: np.ndarray, frame: tuple[int, int, int]) -> None:
    """A full grid, lines below rows, or the three rules of journals, or none."""
    top, line, bottom = frame
    style = pick(rng, ("grid", "three", "three", "rows", "none"))
    if style == "grid":
        image[top:bottom, edges] = _GREY
    if style in ("grid", "rows"):
        image[np.arange(top, bottom + 1, line)] = _GREY
    if style == "three":
        image[[top, min(top + line, bottom), bottom]] = 20


def lists(rng: Rng, width: int, height: int) -> Image:
    """Coloured fields of short words under headings, as gene lists are set."""
    image = np.full((height, width, 3), 255, np.uint8)
    size = int(np.clip(min(width, height) * rng.uniform(0.035, 0.06), 7, 14))
    columns, colour = max(1, min(4, width // (size * 9))), tint(pick(rng, palette(rng)), 0.7)
    image[size * 2 :] = colour
    write(image, pick(rng, TERMS), (4, 2), size=size, face="sans-bold")
    for column in range(columns):
        y = size * 3
        while y < height - 2 * size:
            head = rng.random() < 0.2
            words = pick(rng, TERMS if head else GENES)
            face = "sans-bold" if head else "sans"
            write(image, _fit(words, face, size, width // columns - 8), (4 + column * width // columns, y), size=size,
                  face=face)
            y += round(size * 1.4)
    return image
