"""Sheets of like tiles: rows are cases, columns what was made of them, mostly on black and mostly without letters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pmcoa_build.figures.boxes import Box, union
from pmcoa_build.figures.synth.furniture import Furniture, draw_furniture
from pmcoa_build.figures.synth.imagery import Colour, Field, Image, Rng, noise, pick
from pmcoa_build.figures.synth.labels import INSIDE, Style, choose_style, corner, measure, stamp, words
from pmcoa_build.figures.synth.layout import Arrangement, Gaps, shares
from pmcoa_build.figures.synth.paper import Sheet, Source, Truth, blank, cover, divided, is_light
from pmcoa_build.figures.synth.text import extent, write
from pmcoa_build.figures.synth.texture import false_colour

_KINDS = ("radiology", "radiology", "radiology", "radiology", "microscopy", "render", "photo")
_SHAPES = ((1, 2), (1, 3), (1, 4), (1, 5), (2, 2), (2, 3), (2, 4), (3, 3), (3, 4), (3, 5), (4, 3), (4, 4))
"""Rows and columns; the last are rarer."""
_GROUNDS: tuple[Colour, ...] = ((0, 0, 0), (0, 0, 0), (0, 0, 0), (255, 255, 255), (255, 255, 255), (20, 20, 24))
_COLOURS: tuple[Colour, ...] = ((220, 30, 30), (20, 200, 60), (40, 90, 230), (250, 170, 60), (240, 130, 180),
                                (120, 60, 170), (80, 220, 220), (245, 235, 225))

View = Callable[[Image], Image]


def draw_sheet(rng: Rng, source: Source, width: int) -> tuple[Image, list[Truth]]:
    """A sheet about `width` pixels wide (uint8 RGB) and its panels in reading order.

    Without letters each tile is a panel; with them each row is one, for the letters name rows.
    """
    kind, ground, (found, size) = pick(rng, _KINDS), pick(rng, _GROUNDS), _grid(rng, width)
    style = _row_style(rng, len(found.rows), found) if 1 < len(found.rows) < 5 and rng.random() < 0.45 else None
    named = style is None or style.place not in INSIDE  # else the names would stand outside the panels
    inside, own = rng.random() < 0.15, style is None and rng.random() < 0.15
    what = Furniture(size, heads=not own and rng.random() < 0.7,
                     names=pick(rng, ("", "upright", "plain")) if named and len(found.rows) > 1 else "", axis=False,
                     legend="right" if rng.random() < 0.12 else "", note="above" if rng.random() < 0.12 else "")
    beside = measure("M", style)[0] * 2 if style and style.place not in INSIDE else 0
    rim = round(width * pick(rng, (0, 0, 0.01, 0.025)))
    left, top, right, bottom = (side + rim for side in what.margins)
    x, y = left + beside, top + (2 * size if own else 0)
    sheet = blank(x + found.width + right, y + found.height + bottom, ground)
    draw_furniture(sheet, rng, what, found, (x, y))
    tiles = [(a + x, b + y, c + x, d + y) for ((a, b, c, d),) in found.cells]
    kinds = _draw_tiles(sheet, rng, source, tiles, (len(found.columns), kind))
    if own or inside:
        _name_tiles(sheet, rng, tiles, size, inside)
    if style is None:
        return sheet.image, [Truth(box, None, None, each) for box, each in zip(tiles, kinds, strict=True)]
    across = len(found.columns)
    rows = [union(tiles[i : i + across]) for i in range(0, len(tiles), across)]
    return sheet.image, [_letter_row(sheet, style, index, (row, rim), kinds[index * across])
                         for index, row in enumerate(rows)]


def _grid(rng: Rng, width: int) -> tuple[Arrangement, int]:
    """The tiles, and the size of the words round them, pixels."""
    chances = np.linspace(1.6, 0.4, len(_SHAPES))
    rows, columns = _SHAPES[int(rng.choice(len(_SHAPES), p=chances / chances.sum()))]
    gaps = _gaps(rng, width)
    inner = width - round(width * rng.uniform(0, 0.15))
    wide = (inner - gaps[0] * (columns - 1)) / columns
    tall = wide / rng.uniform(0.72, 1.4)
    height = round(min(rows * tall, 1.8 * width)) + gaps[1] * (rows - 1)
    across, down = shares(rng, inner, columns, gaps[0], 0.0), shares(rng, height, rows, gaps[1], 0.0)
    cells = tuple(((a, c, b, d),) for c, d in down for a, b in across)
    size = int(np.clip(wide * rng.uniform(0.08, 0.15), 9, 26))
    return Arrangement(cells, inner, height, tuple(down), tuple(across)), size


def _gaps(rng: Rng, width: int) -> Gaps:
    """None, a line, or wider; mostly the same both ways."""
    across = round(float(pick(rng, (0, 1, 2, 3, width * 0.006, width * 0.012, width * 0.03))))
    down = across if rng.random() < 0.6 else round(float(pick(rng, (0, 2, width * 0.01, width * 0.03))))
    return across, down


def _draw_tiles(sheet: Sheet, rng: Rng, source: Source, tiles: list[Box], what: tuple[int, str]) -> list[str]:
    """A case a row, seen in `what`'s (number of columns, kind) ways; returns the kinds of the tiles drawn."""
    columns, kind = what
    views = [_plain, *(_VIEWS[int(rng.integers(len(_VIEWS)))](rng) for _ in range(columns - 1))]
    views = views if rng.random() < 0.7 else [views[int(rng.integers(columns))]] * columns
    alike, again, found = rng.random() < 0.75, rng.random() < 0.2, []
    case, each = _whole(rng, source, kind, tiles[0])
    for index, (x0, y0, x1, y1) in enumerate(tiles):
        if index and not again and (index % columns == 0 or not alike):
            case, each = _whole(rng, source, kind, tiles[0])
        sheet.image[y0:y1, x0:x1] = views[index % columns](cover(case, x1 - x0, y1 - y0))
        found.append(each)
    return found


def _whole(rng: Rng, source: Source, kind: str, tile: Box) -> tuple[Image, str]:
    """A picture that nothing divides, where the source has one."""
    aspect = (tile[2] - tile[0]) / max(tile[3] - tile[1], 1)
    taken = source.take(rng, kind, aspect, whole=True)
    for _ in range(4):
        if not divided(taken[0]):
            break
        taken = source.take(rng, kind, aspect, whole=True)
    return taken


def _name_tiles(sheet: Sheet, rng: Rng, tiles: list[Box], size: int, inside: bool) -> None:
    """A name in the top of each tile, or above each of the upper row; in place."""
    for x0, y0, x1, y1 in tiles if inside else [tile for tile in tiles if tile[1] == tiles[0][1]]:
        said = words(rng, "sans", size, x1 - x0)
        x = x0 + 3 if inside else (x0 + x1 - extent(said, "sans", size)[2]) // 2
        dark = sheet.image[y0 : y0 + size, x0:x1].mean() < 118 if inside else not is_light(sheet.ground)
        if said and y1 - y0 > 3 * size:
            write(sheet.image, said, (x, y0 + 3 if inside else y0 - round(1.4 * size)), size=size,
                  colour=(255, 255, 255) if dark else (0, 0, 0))


def _row_style(rng: Rng, rows: int, found: Arrangement) -> Style:
    """Letters that name rows: in the corner of the first tile, or left of it."""
    style = choose_style(rng, rows, found.width, pictures=True)
    least = min(b - a for a, b in (*found.rows, *found.columns))
    place = style.place if style.place in INSIDE and style.place.endswith("left") and rng.random() < 0.5 else "left"
    return replace(style, size=max(8, min(style.size, round(least / 3))), place=place)


def _letter_row(sheet: Sheet, style: Style, index: int, where: tuple[Box, int], kind: str) -> Truth:
    """Print the letter of a row of tiles; `where` is the row's box and the page's rim."""
    row, rim = where
    text = style.text(index)
    at = corner(row, measure(text, style), style.place, max(2, style.size // 3)) if style.place in INSIDE else (
        min(rim, row[0]), row[1])
    box = stamp(sheet.image, text, at, style)
    return Truth(union([row, box]), style.names[index], box, kind)


def _plain(tile: Image) -> Image:
    return tile


def _levels(tile: Image, count: int) -> np.ndarray:
    """Regions of like brightness, 0 the darkest (height x width)."""
    import cv2

    side = min(tile.shape[:2])
    smooth = cv2.GaussianBlur(np.ascontiguousarray(tile[:, :, 1]), (0, 0), max(1.0, side / 40)).astype(np.float32)
    smooth += np.linspace(0, 1e-3, smooth.size, dtype=np.float32).reshape(smooth.shape)
    bright = smooth[smooth > 12]
    cuts = np.quantile(bright, np.linspace(0.15, 0.9, count)) if bright.size > count else np.arange(count) * 50.0
    return np.asarray(np.digitize(smooth, cuts))


def _overlay(rng: Rng) -> View:
    """Regions of the picture tinted, as segmentations are shown."""
    colours = np.array([_COLOURS[i] for i in rng.permutation(len(_COLOURS))[:4]], np.float32)
    share, kept = rng.uniform(0.35, 1), int(rng.integers(1, 4))

    def view(tile: Image) -> Image:
        level = _levels(tile, 4)
        chosen = (level > 4 - kept) | ((level == 2) & (kept > 1))
        mixed = tile * (1 - share) + colours[level % 4] * share
        return np.where(chosen[:, :, None], mixed, tile).astype(np.uint8)

    return view


def _segments(rng: Rng) -> View:
    """Regions in flat colours, the picture itself not shown."""
    colours = np.array([(0, 0, 0), *(_COLOURS[i] for i in rng.permutation(len(_COLOURS))[:6])], np.uint8)
    count = int(rng.integers(1, 7))
    return lambda tile: colours[_levels(tile, count)]


def _outlines(rng: Rng) -> View:
    """The borders of regions drawn on the picture."""
    colour, count = np.array(pick(rng, _COLOURS), np.uint8), int(rng.integers(1, 4))

    def view(tile: Image) -> Image:
        level = _levels(tile, count)
        edge = np.zeros(level.shape, bool)
        edge[:-1] = level[:-1] != level[1:]
        edge[:, :-1] |= level[:, :-1] != level[:, 1:]
        return np.where(edge[:, :, None], colour, tile).astype(np.uint8)

    return view


def _map(rng: Rng) -> View:
    """The picture in false colours."""
    name = pick(rng, ("JET", "HOT", "VIRIDIS", "INFERNO", "BONE"))
    return lambda tile: false_colour((tile[:, :, 1] / 255).astype(np.float32), name)


def _activity(rng: Rng) -> View:
    """Spots in hot colours on the picture, as maps of activity are."""
    seed, share = int(rng.integers(2**32)), rng.uniform(0.6, 1.6)

    def view(tile: Image) -> Image:
        height, width = tile.shape[:2]
        field: Field = noise(np.random.default_rng(seed), width, height, max(3.0, min(width, height) / 9))
        hot: Field = np.clip(field / 3, 0, 1).astype(np.float32)
        return np.where(((field > share) & (tile[:, :, 1] > 25))[:, :, None], false_colour(hot, "HOT"), tile)

    return view


def _coarse(rng: Rng) -> View:
    """The picture at a poor resolution, or noisy."""
    import cv2

    step = int(rng.integers(2, 9))

    def view(tile: Image) -> Image:
        height, width = tile.shape[:2]
        small = cv2.resize(tile, (max(width // step, 2), max(height // step, 2)), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)

    return view


_VIEWS: tuple[Callable[[Rng], View], ...] = (_overlay, _overlay, _segments, _outlines, _map, _activity, _coarse,
                                             lambda rng: _plain)
