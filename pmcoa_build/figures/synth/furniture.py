"""What stands on a page and belongs to no panel: shared headings, legends, colour bars, arrows, journal marks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pmcoa_build.figures.boxes import Box, union
from pmcoa_build.figures.synth.imagery import COLOURS, Colour, Rng, pick
from pmcoa_build.figures.synth.labels import words
from pmcoa_build.figures.synth.layout import Arrangement
from pmcoa_build.figures.synth.paper import Sheet
from pmcoa_build.figures.synth.text import extent, write

_SERIES = ("red", "green", "blue", "orange", "purple", "grey", "black")


class Furniture(NamedTuple):
    """What a page has besides its panels; `size` is that of its letters in pixels, 0 in a name's place means none.

    `heads`: titles over the columns; `names`: those of the rows, at the left, "upright" or "plain"; `axis`: a title
    below all panels; `legend`: "", "below", "above", "right" or "vacant", in the place that the last row leaves free;
    `note`: "", "above" or "below"; `lines`: rows of a legend below or above.
    """

    size: int
    heads: bool
    names: str
    axis: bool
    legend: str
    note: str
    lines: int = 1

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """Room it takes at the left, top, right and bottom."""
        line = 2 * self.size
        names = {"": 0, "upright": line, "plain": 6 * self.size}[self.names]
        return (names, line * (self.heads + self.lines * (self.legend == "above") + (self.note == "above")),
                6 * self.size if self.legend == "right" else 0,
                line * (self.axis + self.lines * (self.legend == "below") + (self.note == "below")))


def choose_furniture(rng: Rng, found: Arrangement, light: bool) -> Furniture:
    """Headings only over plain grids, where they belong to several panels; `light`: the page takes black letters."""
    size = int(np.clip(found.width * rng.uniform(0.016, 0.03), 9, 28))
    titled, several = rng.random() < 0.22, len(found.cells) > 1
    return Furniture(
        size=size,
        heads=titled and len(found.rows) > 1 and rng.random() < 0.75,
        names=str(pick(rng, ("", "upright", "upright", "plain"))) if titled and len(found.columns) > 1 else "",
        axis=light and several and len(found.columns) > 1 and rng.random() < 0.06,
        legend=_legend(rng, found) if light and several else "",
        note=str(pick(rng, ("above", "below"))) if light and rng.random() < 0.05 else "",
        lines=int(pick(rng, (1, 1, 1, 2, 3))),
    )


def _legend(rng: Rng, found: Arrangement) -> str:
    """Where a shared legend stands, if there is one."""
    if found.vacant and rng.random() < 0.35:
        return "vacant"
    return str(pick(rng, ("below", "below", "above", "right"))) if rng.random() < 0.14 else ""


def draw_furniture(sheet: Sheet, rng: Rng, what: Furniture, found: Arrangement, origin: tuple[int, int]) -> None:
    """Draw it round the panels' area, whose upper left corner is at `origin`, in place."""
    x, y, size = *origin, what.size
    ink: Colour = (0, 0, 0) if sheet.light else (255, 255, 255)
    face = str(pick(rng, ("sans", "sans-bold")))
    for a, b in found.columns if what.heads else ():
        said = words(rng, face, size, b - a)
        write(sheet.image, said, (x + (a + b - extent(said, face, size)[2]) // 2, y - round(1.5 * size)), size=size,
              colour=ink, face=face)
    for a, b in found.rows if what.names else ():
        upright = what.names == "upright"
        said = words(rng, face, size, b - a if upright else 5 * size)
        middle = y + (a + b - (extent(said, face, size)[2] if upright else size)) // 2
        write(sheet.image, said, (x - (round(1.6 * size) if upright else 6 * size), middle), size=size, colour=ink,
              face=face, upright=upright)
    below = y + found.height + size // 2
    if what.axis:
        said = words(rng, face, size, found.width)
        write(sheet.image, said, (x + (found.width - extent(said, face, size)[2]) // 2, below), size=size, face=face)
        below += 2 * size
    above = y - 2 * size * (what.heads + what.lines) + size // 2
    room = (x, below if what.legend == "below" else above, x + found.width, y + found.height)
    if what.legend == "vacant" and found.vacant:
        a, b, c, d = found.vacant
        room = (x + a, y + b, x + c, y + d)
    _draw_legend(sheet, rng, what, room)
    _draw_note(sheet, rng, what)


def _draw_legend(sheet: Sheet, rng: Rng, what: Furniture, room: Box) -> None:
    """Colour keys in lines or a column, framed now and then, or a colour bar at the right."""
    if not what.legend:
        return
    if what.legend == "right" and rng.random() < 0.5:
        _draw_colour_bar(sheet, rng, what.size, room)
        return
    size, (x0, y0, x1, y1) = what.size, room
    if what.legend == "right":
        x, width, at = x1 + size, 5 * size, [(y0 + y1) // 2 + round(1.6 * size * i) for i in range(6)]
    elif what.legend == "vacant":
        x, width, at = x0 + size, x1 - x0 - 2 * size, list(range(y0 + size, y1 - 2 * size, round(1.6 * size)))[:6]
    else:
        x = x0 + round(pick(rng, (0, 0, 0.25, 0.5)) * (x1 - x0)) + size
        width, at = x1 - x, [y0 + 2 * size * i for i in range(what.lines)]
    keys = [box for y in at for box in _draw_keys(sheet, rng, (x, y, x + width, y + size), what.legend)]
    if keys and rng.random() < 0.25:
        a, b, c, d = union(keys)
        tall, wide = sheet.image.shape[:2]
        around = (a - size // 3, b - size // 3, min(c + size // 3, wide - 1), min(d + size // 3, tall - 1))
        sheet.image[[around[1], around[3]], around[0] : around[2]] = 60
        sheet.image[around[1] : around[3], [around[0], around[2]]] = 60


def _draw_keys(sheet: Sheet, rng: Rng, line: Box, legend: str) -> list[Box]:
    """Swatches and their words in one line, a single one in a column; returns their boxes."""
    import cv2

    x, y, x1, y1 = line
    size, found = y1 - y, list[Box]()
    for _ in range(1 if legend in ("right", "vacant") else int(rng.integers(2, 6))):
        said = words(rng, "sans", size, min(10 * size, x1 - x - round(1.3 * size)))
        if not said or y1 + size // 2 > sheet.image.shape[0]:
            break
        cv2.rectangle(sheet.image, (x, y), (x + size - 3, y + size - 3), COLOURS[str(pick(rng, _SERIES))], -1)
        ink: Colour = (20, 20, 20) if sheet.light else (255, 255, 255)
        found.append(union([(x, y, x + size, y + size),
                            write(sheet.image, said, (x + round(1.3 * size), y), size=size, colour=ink)]))
        x = found[-1][2] + 2 * size
    return found


def _draw_colour_bar(sheet: Sheet, rng: Rng, size: int, room: Box) -> None:
    """A colour bar right of the room, with its ends' numbers."""
    import cv2

    _, y0, x1, y1 = room
    ramp = np.linspace(255, 0, max((y1 - y0) // 2, 2)).astype(np.uint8)[:, None]
    colours = cv2.applyColorMap(ramp, int(pick(rng, (cv2.COLORMAP_JET, cv2.COLORMAP_VIRIDIS, cv2.COLORMAP_HOT))))
    bar = np.repeat(colours[:, :, ::-1], size, axis=1)
    top = max(y1 - len(bar) - size, 0)
    ink: Colour = (20, 20, 20) if sheet.light else (255, 255, 255)
    sheet.image[top : top + len(bar), x1 + size : x1 + 2 * size] = bar
    write(sheet.image, "1.0", (x1 + round(2.5 * size), top), size=size, colour=ink)
    write(sheet.image, "0", (x1 + round(2.5 * size), top + len(bar) - size), size=size, colour=ink)


def _draw_note(sheet: Sheet, rng: Rng, what: Furniture) -> None:
    """The figure's number or the journal's mark, at the page's edge."""
    if not what.note:
        return
    said = str(pick(rng, ("Figure 2", "Fig. 1", "Figure 5.", "www.journal.example", "FIGURE 3", "Supplementary 4")))
    wide, (tall, full) = extent(said, "serif", what.size)[2], sheet.image.shape[:2]
    y = what.size // 2 if what.note == "above" else tall - round(1.4 * what.size)
    x = int(pick(rng, (4, full - wide - 4, (full - wide) // 2)))
    write(sheet.image, said, (x, y), size=what.size, face="serif")


def draw_arrows(sheet: Sheet, rng: Rng, found: Arrangement, origin: tuple[int, int], gap: int) -> None:
    """Arrows in the gaps from panel to panel of a row, as work flows have; in place."""
    import cv2

    boxes = [cell[0] for cell in found.cells]
    colour, thick = pick(rng, ((0, 0, 0), (90, 90, 90), (200, 40, 40))), max(2, gap // 8)
    for a, b in pairwise(boxes):
        if 0 <= b[0] - a[2] <= 2 * gap and min(a[3], b[3]) - max(a[1], b[1]) > gap:
            y = origin[1] + (max(a[1], b[1]) + min(a[3], b[3])) // 2
            ends = (origin[0] + a[2] + thick, y), (origin[0] + b[0] - 1 - thick, y)
            cv2.arrowedLine(sheet.image, *ends, colour, thick, cv2.LINE_AA, tipLength=0.4)


def draw_link(sheet: Sheet, rng: Rng, boxes: Sequence[Box]) -> None:
    """A frame in one panel and lines from it to the next one that shows it enlarged; in place, across other panels."""
    import cv2

    first = int(rng.integers(len(boxes) - 1))
    (x0, y0, x1, y1), (a, b, c, d) = boxes[first], boxes[first + 1]
    wide, tall = (x1 - x0) // 5, (y1 - y0) // 5
    x, y = x0 + int(rng.integers(1, 4)) * wide, y0 + int(rng.integers(1, 4)) * tall
    colour, style = pick(rng, ((20, 20, 20), (210, 30, 30), (240, 200, 0))), (max(1, (x1 - x0) // 300), cv2.LINE_AA)
    cv2.rectangle(sheet.image, (x, y), (x + wide, y + tall), colour, *style)
    beside = a >= x1
    cv2.line(sheet.image, (x + wide, y) if beside else (x, y + tall), (a, b), colour, *style)
    cv2.line(sheet.image, (x + wide, y + tall), (a, d - 1) if beside else (c - 1, b), colour, *style)
