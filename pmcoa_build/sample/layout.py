"""Where panels lie on the page: grids, ragged rows, and a tall panel beside rows, as (x0, y0, x1, y1) in pixels."""

from __future__ import annotations

from collections.abc import Sequence

from pmcoa_build.figures.synth.imagery import Rng

Box = tuple[int, int, int, int]
_TALLEST = 1200
"""Pixels that the rows of a page share."""


def place(rng: Rng, style: str, aspects: Sequence[float], width: int, gutter: int, head: int) -> tuple[list[Box], int]:
    """One box a panel in reading order, and the height of the page.

    `aspects`: width / height that suit the panels; `head`: room kept above each panel for its label, in pixels,
    not in the boxes. Styles: `grid` (equal cells), `ragged` (rows justified to the width), `span` (the first panel
    stands beside the rows of the others).
    """
    if style == "span" and 3 <= len(aspects) <= 7:
        return _span(rng, aspects, width, gutter, head)
    rows = _rows(rng, len(aspects), even=style == "grid" or len(aspects) > 7)
    if style == "grid" or len(aspects) > 7:
        return _grid(aspects, rows, width, gutter, head)
    boxes: list[Box] = []
    top, taken = gutter, 0
    for count in rows:
        row = aspects[taken : taken + count]
        taken += count
        room = width - gutter * (count + 1)
        height = max(90, min(round(room / sum(row)), 420, _TALLEST // len(rows)))
        share = [room * aspect / sum(row) for aspect in row]
        left = float(gutter)
        for part in share:
            boxes.append((round(left), top + head, round(left + part), top + head + height))
            left += part + gutter
        top += head + height + gutter
    return boxes, top


def _rows(rng: Rng, count: int, *, even: bool) -> list[int]:
    """Panels a row."""
    if even:
        columns = {1: 1, 2: 2, 3: 3, 4: int(rng.choice([2, 4])), 5: 3, 6: int(rng.choice([2, 3])), 7: 4, 8: 4,
                   9: 3}.get(count, 4)
        return [min(columns, count - taken) for taken in range(0, count, columns)]
    rows: list[int] = []
    while sum(rows) < count:
        rows.append(min(int(rng.integers(1, 5)), count - sum(rows)))
    if rows[-1] == 1 and len(rows) > 1 and rows[-2] < 4:
        rows[-2:] = [rows[-2] + 1]
    return rows


def _grid(aspects: Sequence[float], rows: Sequence[int], width: int, gutter: int, head: int) -> tuple[list[Box], int]:
    columns = max(rows)
    cell = (width - gutter * (columns + 1)) / columns
    height = max(90, min(round(cell * len(aspects) / sum(aspects)), 440, _TALLEST // len(rows)))
    boxes: list[Box] = []
    for row, count in enumerate(rows):
        top = gutter + row * (head + height + gutter) + head
        for column in range(count):
            left = gutter + column * (cell + gutter)
            boxes.append((round(left), top, round(left + cell), top + height))
    return boxes, gutter + len(rows) * (head + height + gutter)


def _span(rng: Rng, aspects: Sequence[float], width: int, gutter: int, head: int) -> tuple[list[Box], int]:
    wide = round(width * float(rng.uniform(0.34, 0.46)))
    others = len(aspects) - 1
    rows = [1] * others if others <= 3 else [2] * (others // 2) + [1] * (others % 2)
    right, height = [], gutter
    room = width - wide - 2 * gutter
    tall = max(100, min(round(room / max(rows) / 1.15), 260))
    for count in rows:
        cell = (room - gutter * (count - 1)) / count
        for column in range(count):
            left = wide + 2 * gutter + column * (cell + gutter)
            right.append((round(left), height + head, round(left + cell), height + head + tall))
        height += head + tall + gutter
    right = [(x0, y0, min(x1, width - gutter), y1) for x0, y0, x1, y1 in right]
    return [(gutter, gutter + head, gutter + wide, height - gutter), *right], height
