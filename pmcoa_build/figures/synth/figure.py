"""Compound figures with their truth: panels on a page, lettered, then brought to the size and quality of the web."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from pmcoa_build.figures.boxes import Box, area, union
from pmcoa_build.figures.synth.furniture import choose_furniture, draw_arrows, draw_furniture, draw_link
from pmcoa_build.figures.synth.imagery import Image, Rng
from pmcoa_build.figures.synth.labels import Lettering, choose_style, stamp, words
from pmcoa_build.figures.synth.layout import Arrangement, Cell, arrange
from pmcoa_build.figures.synth.pages import Plan, choose_plan
from pmcoa_build.figures.synth.panels import Content, Place, fill
from pmcoa_build.figures.synth.paper import Sheet, Source, Truth, blank, is_light
from pmcoa_build.figures.synth.sheets import draw_sheet
from pmcoa_build.figures.synth.text import write

_SHEETS = 0.07
"""Share of figures that are sheets of like tiles."""


@dataclass(frozen=True)
class DrawnFigure:
    """A figure as a paper shows it (uint8 RGB) and its panels in reading order."""

    image: Image
    panels: tuple[Truth, ...]


def draw_figure(rng: Rng, bank: Source) -> DrawnFigure:
    """A figure with at least one panel; `rng` alone decides, as far as the bank lets it."""
    plan = choose_plan(rng)
    if rng.random() < _SHEETS:
        return _finish(rng, *draw_sheet(rng, bank, plan.width), plan.scale)
    found = arrange(rng, len(plan.kinds), plan.width, plan.gaps, plan.aspect)
    light = is_light(plan.ground)
    what = choose_furniture(rng, found, light)
    left, top, right, bottom = (a + b for a, b in zip(plan.surround, what.margins, strict=True))
    sheet = blank(left + found.width + right, top + found.height + bottom, plan.ground)
    draw_furniture(sheet, rng, what, found, (left, top))
    if light and len(found.cells) > 1 and plan.gaps[0] > 14 and rng.random() < 0.1:
        draw_arrows(sheet, rng, found, (left, top), plan.gaps[0])
    panels = _draw_panels(sheet, rng, bank, plan, found, (left, top))
    if not panels:
        return draw_figure(rng, bank)
    if len(panels) > 1 and rng.random() < 0.04:
        draw_link(sheet, rng, [panel.box for panel in panels])
    if light and min(left, top, right, bottom) > 3 and rng.random() < 0.06:
        sheet.image[[0, -1]] = sheet.image[:, [0, -1]] = 0
    return _finish(rng, sheet.image, panels, plan.scale)


def _draw_panels(sheet: Sheet, rng: Rng, bank: Source, plan: Plan, found: Arrangement, origin: tuple[int, int]
                 ) -> list[Truth]:
    style = choose_style(rng, len(found.cells), plan.width, plan.pictures)
    least = min(min(x1 - x0, y1 - y0) for cell in found.cells for x0, y0, x1, y1 in cell)
    style = replace(style, size=max(8, min(style.size, round(least / 2.2))))
    panels = []
    for index, cell in enumerate(found.cells):
        moved = tuple((a + origin[0], b + origin[1], c + origin[0], d + origin[1]) for a, b, c, d in cell)
        lettering = Lettering(style, style.text(index), style.names[index]) if plan.lettered[index] else None
        for areas in [moved] if lettering else [(part,) for part in moved]:
            drawn = _draw_content(sheet, rng, bank, plan, (areas, plan.kinds[index], lettering))
            if drawn is None:
                continue
            whole, first, near = drawn
            panels.append(Truth(whole.box, None, None, whole.kind) if lettering is None else
                          _letter(sheet, rng, lettering, whole, (first, near)))
    return panels


def _draw_content(sheet: Sheet, rng: Rng, bank: Source, plan: Plan, what: tuple[Cell, str, Lettering | None]
                  ) -> tuple[Content, Box, Box] | None:
    """A panel without its letter; the ink of the area that the letter stands by, and that area inside its frame."""
    cell, kind, lettering = what
    ground, pad, own = plan.ground, 0, []
    if plan.dress and len(cell) == 1:
        x0, y0, x1, y1 = own_box = cell[0]
        own, pad = [own_box], max(3, plan.width // 120)
        if plan.dress == "tint":
            ground = plan.tint
            sheet.image[y0:y1, x0:x1] = ground
        else:
            sheet.image[[y0, y1 - 1], x0:x1] = sheet.image[y0:y1, [x0, x1 - 1]] = 60
    place = Place(sheet, bank, ground, plan.gaps[0], plan.habit)
    near = lettering.part(cell) if lettering else cell[0]
    drawn: list[Content] = []
    first, area_inside = None, near
    for part in cell:
        inner = (part[0] + pad, part[1] + pad, part[2] - pad, part[3] - pad)
        room = lettering.room(inner, kind) if lettering and part == near else inner
        area_inside = inner if part == near else area_inside
        if min(room[2] - room[0], room[3] - room[1]) < 4:
            continue
        content = fill(place, rng, room, kind, simple=lettering is None)
        if content:
            drawn.append(content)
            first = content.box if part == near else first
    if not drawn:
        return None
    largest = max(drawn, key=lambda content: area(content.box))
    return Content(union([content.box for content in drawn] + own), largest.kind), first or largest.box, area_inside


def _letter(sheet: Sheet, rng: Rng, lettering: Lettering, whole: Content, near: tuple[Box, Box]) -> Truth:
    """Print a panel's label, and the words after it, where the style has them."""
    style, (ink, part) = lettering.style, near
    box = stamp(sheet.image, lettering.text, lettering.at(ink, part, whole.kind), style)
    inked = [whole.box, box]
    side = lettering.side(whole.kind)
    if style.title and side in ("above", "below") and "middle" not in style.place:
        size = max(8, round(style.size * 0.85))
        face = style.face.removesuffix("-bold")
        said = words(rng, face, size, part[2] - box[2] - size)
        colour = style.colour if sheet.light else (255, 255, 255)
        if said:
            inked.append(write(sheet.image, said, (box[2] + size // 2, box[1]), size=size, colour=colour, face=face))
    return Truth(union(inked), lettering.label, box, whole.kind)


def _finish(rng: Rng, image: Image, panels: list[Truth], scale: float) -> DrawnFigure:
    """Scale down to the web, sometimes blur or grey it, press it as JPEG does."""
    import cv2

    height, width = (max(1, round(side / scale)) for side in image.shape[:2])
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) if scale > 1 else image
    if rng.random() < 0.25:
        small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.3, 0.8)))
    if rng.random() < 0.08:
        small = np.repeat(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)[:, :, None], 3, axis=2)
    if rng.random() < 0.85:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 96))]
        pressed = cv2.imencode(".jpg", small[:, :, ::-1], quality)[1]
        small = np.asarray(cv2.imdecode(pressed, cv2.IMREAD_COLOR))[:, :, ::-1]
    ratio = (width / image.shape[1], height / image.shape[0])
    return DrawnFigure(np.ascontiguousarray(small), tuple(
        replace(panel, box=_scaled(panel.box, ratio), label_box=panel.label_box and _scaled(panel.label_box, ratio))
        for panel in panels))


def _scaled(box: Box, ratio: tuple[float, float]) -> Box:
    """Outward to whole pixels, but by less than a tenth of one not at all."""
    x0, y0 = (math.floor(v * r + 0.1) for v, r in zip(box[:2], ratio, strict=True))
    x1, y1 = (math.ceil(v * r - 0.1) for v, r in zip(box[2:], ratio, strict=True))
    return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)
