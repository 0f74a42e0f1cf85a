"""What stands under one letter: a picture, a drawing, or several of them with gaps, names and headings between."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pmcoa_build.figures.boxes import Box, area, union
from pmcoa_build.figures.kinds import IMAGES
from pmcoa_build.figures.synth.imagery import Colour, Image, Rng, grey, noise, pick
from pmcoa_build.figures.synth.labels import ROMAN, words
from pmcoa_build.figures.synth.layout import LEAST, shares, split_box
from pmcoa_build.figures.synth.paper import FILLING, Sheet, Source, cover, fit, is_light, paste, put
from pmcoa_build.figures.synth.text import extent, write

_LONG = 2.4
"""Width in heights from which one picture seldom fills a lettered panel alone."""


_BRIGHT: tuple[Colour, ...] = ((0, 160, 0), (210, 0, 160), (0, 70, 220), (220, 30, 30), (0, 0, 0))


class Content(NamedTuple):
    """The ink that a panel's content left, without its letter, and the kind of its largest piece."""

    box: Box
    kind: str


class Place(NamedTuple):
    """Where content is drawn, and on what; panels of one `habit` (a seed) are made up alike."""

    sheet: Sheet
    source: Source
    ground: Colour
    gap: int
    habit: int | None = None

    @property
    def ink(self) -> Colour:
        """What words are printed in."""
        return (0, 0, 0) if is_light(self.ground) else (255, 255, 255)

    def structure(self, rng: Rng) -> Rng:
        """What decides how a panel is made up."""
        return rng if self.habit is None else np.random.default_rng(self.habit)


def fill(place: Place, rng: Rng, box: Box, kind: str, simple: bool) -> Content | None:
    """Draw the content of one panel into a box, in place; None where it left no ink.

    `simple`: one picture or drawing alone, as in figures without letters.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    roomy = min(width, height) > 2.2 * LEAST and max(width, height) > 4 * LEAST
    if simple:
        return _content(*put(place.sheet, rng, place.source, box, kind, place.ground, whole=True))
    if not roomy:
        return _one(place, rng, box, kind)
    habit = place.structure(rng)
    if kind in IMAGES and not 1 / _LONG < width / height < _LONG and habit.random() < 0.7:
        return (_strips if kind == "blot" and width < height else _tiles)(place, rng, box, kind)
    ways = _WAYS.get(kind, _WAYS["diagram"])
    weights = np.array([weight for weight, _ in ways])
    return ways[int(habit.choice(len(ways), p=weights / weights.sum()))][1](place, rng, box, kind)


def _one(place: Place, rng: Rng, box: Box, kind: str) -> Content | None:
    return _content(*put(place.sheet, rng, place.source, box, kind, place.ground))


def _content(ink: Box | None, kind: str) -> Content | None:
    return None if ink is None else Content(ink, kind)


def _joined(pieces: list[tuple[Box | None, str]], texts: list[Box]) -> Content | None:
    """The content made of some pieces and the words round them."""
    inked = [(box, kind) for box, kind in pieces if box is not None]
    if not inked:
        return None
    kind = max(inked, key=lambda piece: area(piece[0]))[1]
    return Content(union([box for box, _ in inked] + [box for box in texts if area(box) > 0]), kind)


def _inner_gap(rng: Rng, place: Place) -> int:
    """Gaps under one letter are as often wider than those between letters as narrower."""
    return round(float(pick(rng, (1, 2, 3, place.gap * 0.5, place.gap, place.gap * 1.3, rng.uniform(2, 16)))))


def _tiles(place: Place, rng: Rng, box: Box, kind: str) -> Content | None:
    """Rows and columns of like pictures or plots, often with headings above and names beside."""
    width, height, habit = box[2] - box[0], box[3] - box[1], place.structure(rng)
    gap, size = _inner_gap(habit, place), int(np.clip(min(width, height) // 16, 9, 16))
    headed, named = habit.random() < 0.4, habit.random() < 0.35
    left, top = (size + 5 if named else 0), (size + 5 if headed else 0)
    most_across, most_down = max((width - left) // (LEAST + gap), 1), max((height - top) // (LEAST + gap), 1)
    ratio = width / height
    across = min(most_across, max(1, round(ratio * habit.uniform(0.7, 2.2))), 7)
    down = min(most_down, max(1, round(across / ratio * habit.uniform(0.7, 1.4))), 6)
    columns = shares(rng, width - left, across, gap, 0.0)
    rows = shares(rng, height - top, down, gap, 0.0)
    pieces, texts = _tiled(place, rng, [(box[0] + left + a, box[1] + top + c, box[0] + left + b, box[1] + top + d)
                                        for c, d in rows for a, b in columns], kind), []
    light = is_light(place.ground)
    colour = (0, 0, 0) if light else (255, 255, 255)
    if habit.random() < 0.12:
        _number(place.sheet.image, [box for box, found in pieces if box and found in FILLING], size)
    bright = habit.random() < 0.25
    for a, b in columns if headed else ():
        said = words(rng, "sans", size, b - a)
        x = box[0] + left + (a + b - extent(said, "sans", size)[2]) // 2
        tone = pick(habit, _BRIGHT) if bright and light else colour
        texts.append(write(place.sheet.image, said, (x, box[1]), size=size, colour=tone))
    for c, d in rows if named else ():
        said = words(rng, "sans", size, d - c)
        y = box[1] + top + (c + d - extent(said, "sans", size)[2]) // 2
        texts.append(write(place.sheet.image, said, (box[0], y), size=size, colour=colour, upright=True))
    return _joined(pieces, texts)


def _number(image: Image, boxes: list[Box], size: int) -> None:
    """Small numerals on the pictures under one letter, which make no panels of them; in place."""
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        colour = (0, 0, 0) if image[y0 : y0 + size, x0 : x0 + size].mean() > 118 else (255, 255, 255)
        if min(x1 - x0, y1 - y0) > 2 * size:
            write(image, ROMAN[index % len(ROMAN)], (x0 + 3, y0 + 3), size=size, colour=colour)


def _tiled(place: Place, rng: Rng, boxes: list[Box], kind: str) -> list[tuple[Box | None, str]]:
    """Like content in each box; few pictures, turned over and cut out anew, serve for many."""
    aspect = (boxes[0][2] - boxes[0][0]) / max(boxes[0][3] - boxes[0][1], 1)
    few = int(place.structure(rng).integers(1, 4)) if kind in FILLING else 4
    taken = [place.source.take(rng, kind, aspect) for _ in range(min(len(boxes), few))]
    pieces: list[tuple[Box | None, str]] = []
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        picture, found = taken[index % len(taken)]
        if found in FILLING and index >= len(taken):
            picture = _cut_out(rng, picture)
        pieces.append((paste(place.sheet, fit(picture, found, x1 - x0, y1 - y0), (x0, y0), place.ground), found))
    return pieces


def _cut_out(rng: Rng, picture: Image) -> Image:
    """Another part of a picture, perhaps mirrored."""
    height, width = picture.shape[:2]
    share = rng.uniform(0.55, 0.95)
    tall, wide = max(round(height * share), 1), max(round(width * share), 1)
    y, x = int(rng.integers(0, height - tall + 1)), int(rng.integers(0, width - wide + 1))
    return picture[y : y + tall, x : x + wide][:: int(pick(rng, (1, -1))), :: int(pick(rng, (1, -1)))]


def _mixed(place: Place, rng: Rng, box: Box, kind: str) -> Content | None:
    """A picture beside its chart, or several things of unlike sizes."""
    gap = _inner_gap(rng, place)
    boxes = split_box(rng, box, int(pick(rng, (2, 2, 3, 4))), (gap, gap))
    kinds = [kind, *(str(pick(rng, (kind, "plot", "plot", "microscopy"))) for _ in boxes[1:])]
    pieces = [put(place.sheet, rng, place.source, part, each, place.ground)
              for part, each in zip(boxes, kinds, strict=True)]
    return _joined(pieces, [])


def _strips(place: Place, rng: Rng, box: Box, kind: str) -> Content | None:
    """Blot strips below each other with their names at one side, lane names above."""
    width, height = box[2] - box[0], box[3] - box[1]
    count = max(1, min(height // 30, int(rng.integers(2, 8))))
    size = int(np.clip(height // count // 3, 9, 14))
    margin, top, at_left = min(width // 4, 6 * size), (2 * size if rng.random() < 0.6 else 0), rng.random() < 0.5
    x0 = box[0] + (margin if at_left else 0)
    x1, lanes = x0 + width - margin, int(rng.integers(2, 9))
    pieces, texts = [], []
    for a, b in shares(rng, height - top, count, max(2, height // 60), 0.25):
        y0, y1 = box[1] + top + a, box[1] + top + b
        pieces.append((paste(place.sheet, _strip(rng, x1 - x0, y1 - y0, lanes), (x0, y0), place.ground), kind))
        said = str(pick(rng, ("p53", "β-actin", "GAPDH", "ERK1/2", "p-AKT", "LC3-II", "HSP90", "Myc", "Tubulin")))
        wide = extent(said, "sans", size)[2]
        if wide < margin - 4:
            x = x0 - 4 - wide if at_left else x1 + 4
            texts.append(write(place.sheet.image, said, (x, (y0 + y1 - size) // 2), size=size))
    for lane in range(lanes if top else 0):
        said = str(pick(rng, ("+", "-", "WT", "KO", str(lane + 1))))
        wide = extent(said, "sans", size)[2]
        if wide < (x1 - x0) // lanes:
            x = x0 + round((lane + 0.5) * (x1 - x0) / lanes - wide / 2)
            texts.append(write(place.sheet.image, said, (x, box[1]), size=size))
    return _joined(pieces, texts)


def _strip(rng: Rng, width: int, height: int, lanes: int) -> Image:
    """One strip of a blot with a dark edge: bands of chance strength on pale grey."""
    pitch, thick = width / lanes, height * rng.uniform(0.15, 0.3)
    across = np.exp(-(((np.arange(width) % pitch) / pitch - 0.5) / 0.32) ** 4)
    strength = (rng.uniform(0, 1, lanes) ** 0.6)[np.minimum(np.arange(width) // pitch, lanes - 1).astype(int)]
    down = np.exp(-(((np.arange(height) - height * rng.uniform(0.35, 0.65)) / thick) ** 2))
    level = rng.uniform(205, 240) - 190 * down[:, None] * (across * strength)[None, :]
    strip = grey((level + 4 * noise(rng, width, height, 3)).astype(np.float32))
    strip[[0, -1]] = strip[:, [0, -1]] = 40
    return strip


def _zoom(place: Place, rng: Rng, box: Box, kind: str) -> Content | None:
    """A picture, and a part of it enlarged beside it or in its corner."""
    import cv2

    x0, y0, x1, y1 = box
    width, height, gap = x1 - x0, y1 - y0, max(1, _inner_gap(rng, place))
    inset = rng.random() < 0.4
    if inset:
        first, second = box, (x1 - width // 3, y1 - height // 3, x1, y1)
    elif width > height:
        first, second = (x0, y0, x0 + (width - gap) // 2, y1), (x0 + (width - gap) // 2 + gap, y0, x1, y1)
    else:
        first, second = (x0, y0, x1, y0 + (height - gap) // 2), (x0, y0 + (height - gap) // 2 + gap, x1, y1)
    piece = put(place.sheet, rng, place.source, first, kind, place.ground)
    wide, tall = (first[2] - first[0]) // 4, (first[3] - first[1]) // 4
    x, y = first[0] + int(rng.integers(0, wide * 2)), first[1] + int(rng.integers(0, tall * 2))
    part = place.sheet.image[y : y + tall, x : x + wide].copy()
    larger = cover(part, second[2] - second[0], second[3] - second[1])
    pale = part.mean() > 150
    colour = pick(rng, ((0, 0, 0), (180, 0, 0)) if pale else ((255, 255, 255), (255, 220, 0), (220, 30, 30)))
    cv2.rectangle(place.sheet.image, (x, y), (x + wide - 1, y + tall - 1), colour, 1)
    framed = (x, y, x + wide, y + tall)
    if inset:
        larger[[0, -1]] = larger[:, [0, -1]] = colour
        place.sheet.image[second[1] : second[3], second[0] : second[2]] = larger
        return _joined([piece], [framed, second])
    return _joined([piece, (paste(place.sheet, larger, second[:2], place.ground), kind)], [framed])


def _captioned(place: Place, rng: Rng, box: Box, kind: str) -> Content | None:
    """One thing with its name below or above it."""
    x0, y0, x1, y1 = box
    size, below = int(np.clip((y1 - y0) // 14, 9, 16)), rng.random() < 0.7
    room, line = round(1.5 * size), y1 - size - size // 4
    piece = put(place.sheet, rng, place.source, (x0, y0, x1, y1 - room) if below else (x0, y0 + room, x1, y1), kind,
                place.ground)
    if piece[0] is None:
        return None
    said = words(rng, "sans", size, x1 - x0)
    wide = extent(said, "sans", size)[2]
    x = max(min((piece[0][0] + piece[0][2] - wide) // 2, x1 - wide), x0)
    y = min(piece[0][3] + size // 4, line) if below else y0
    return _joined([piece], [write(place.sheet.image, said, (x, y), size=size, colour=place.ink)])


def _called(place: Place, rng: Rng, box: Box, kind: str) -> Content | None:
    """A picture or drawing with words beside it, and lines from them to what they name."""
    import cv2

    (x0, y0, x1, y1), size = box, int(np.clip(min(box[2] - box[0], box[3] - box[1]) // 14, 9, 16))
    room, right = round((x1 - x0) * rng.uniform(0.25, 0.45)), rng.random() < 0.6
    piece = put(place.sheet, rng, place.source, (x0, y0, x1 - room, y1) if right else (x0 + room, y0, x1, y1), kind,
                place.ground)
    if piece[0] is None:
        return None
    a, top, b, bottom = piece[0]
    texts, lines = [], rng.random() < 0.75
    colour = pick(rng, (place.ink, place.ink, (190, 30, 30), (110, 110, 110)))
    for y in np.linspace(top, max(bottom - size, top), int(rng.integers(2, 6))).astype(int):
        said = words(rng, "sans", size, room - 2 * size)
        wide, tall = extent(said, "sans", size)[2:]
        if not said or y + tall > y1:
            continue
        x = b + round(1.5 * size) if right else a - round(1.5 * size) - wide
        texts.append(write(place.sheet.image, said, (x, y), size=size, colour=place.ink))
        into, down = round((b - a) * rng.uniform(0.1, 0.6)), y + round((bottom - top) * rng.uniform(-0.25, 0.25))
        ends = ((x - 2 if right else x + wide + 2, y + size // 2),
                (b - into if right else a + into, min(max(down, top + 1), bottom - 2)))  # a smooth line is 3 px wide
        if lines:
            cv2.line(place.sheet.image, *ends, colour, 1, cv2.LINE_AA)
    return _joined([piece], texts)


_Way = Callable[[Place, Rng, Box, str], Content | None]
_WAYS: dict[str, tuple[tuple[float, _Way], ...]] = {
    "radiology": ((0.66, _one), (0.2, _tiles), (0.06, _zoom), (0.06, _captioned), (0.02, _called)),
    "microscopy": ((0.44, _one), (0.31, _tiles), (0.1, _zoom), (0.08, _mixed), (0.05, _captioned), (0.02, _called)),
    "photo": ((0.6, _one), (0.16, _tiles), (0.06, _zoom), (0.08, _captioned), (0.1, _called)),
    "render": ((0.62, _one), (0.16, _tiles), (0.04, _mixed), (0.1, _captioned), (0.08, _called)),
    "blot": ((0.29, _one), (0.53, _strips), (0.15, _mixed), (0.03, _captioned)),
    "plot": ((0.68, _one), (0.2, _tiles), (0.08, _mixed), (0.04, _captioned)),
    "diagram": ((0.76, _one), (0.1, _mixed), (0.04, _tiles), (0.06, _captioned), (0.04, _called)),
}
"""How panels of a kind are made up, with weights; other kinds as diagrams."""
