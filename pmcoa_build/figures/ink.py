"""The page under a figure: what is paper, what is ink, and what a straight cut would cross."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pmcoa_build.figures.boxes import Box, shrink_to_ink

_INK = 26
"""Largest channel difference from the paper that still counts as paper: JPEG rings and faint shadows stay below it."""
_TINT, _TINT_SIDE = 5, 9
"""Fainter differences count as ink where they fill squares of so many pixels: the tinted ground of a panel."""
_BLACK = 70
"""Paper whose brightest channel is below this is dark."""
_FRAME = 0.005
"""Greatest thickness of a frame round the figure, as a share of its longest side."""
_EDGE = 40
"""Grey step between neighbouring pixels that counts as an edge: abutting pictures differ by more along their seam."""


@dataclass(frozen=True)
class Page:
    """`grey` uint8 (H, W); `ink` bool (H, W); `dark`: the paper is black;
    `ink_sum` int32 (H + 1, W + 1): ink above and left of each point;
    `down` int32 (H + 1, W): what a vertical cut left of column x crosses above row y;
    `along` int32 (H, W + 1): what a horizontal cut above row y crosses left of column x."""

    grey: np.ndarray
    ink: np.ndarray
    dark: bool
    ink_sum: np.ndarray
    down: np.ndarray
    along: np.ndarray

    @property
    def box(self) -> Box:
        """The whole page."""
        return (0, 0, self.grey.shape[1], self.grey.shape[0])

    @property
    def content(self) -> Box:
        """The ink of the page; a dark page is all content, its panels have no visible edge."""
        return self.box if self.dark else shrink_to_ink(self.ink, self.box) or self.box

    def shrunk(self, part: Box) -> Box | None:
        """A part of the page shrunk to its ink, None without any; on a dark page the part itself."""
        box = shrink_to_ink(self.ink, part)
        return part if self.dark and box is not None else box

    def count(self, box: Box) -> int:
        """Ink pixels in a box."""
        x0, y0, x1, y1 = box
        if x0 >= x1 or y0 >= y1:
            return 0
        table = self.ink_sum
        return int(table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0])

    def counts(self, boxes: np.ndarray) -> np.ndarray:
        """Ink pixels in each of boxes (n, 4)."""
        x0, y0, x1, y1 = boxes.T
        table = self.ink_sum
        found = table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0]
        return np.where((x0 < x1) & (y0 < y1), found, 0)

    def vertical_costs(self, box: Box) -> np.ndarray:
        """Ink crossed by a vertical cut at each x of x0 … x1 - 1 inside `box`, in pixels."""
        x0, y0, x1, y1 = box
        return np.asarray(self.down[y1, x0:x1] - self.down[y0, x0:x1])

    def horizontal_costs(self, box: Box) -> np.ndarray:
        """Ink crossed by a horizontal cut at each y of y0 … y1 - 1 inside `box`, in pixels."""
        x0, y0, x1, y1 = box
        return np.asarray(self.along[y0:y1, x1] - self.along[y0:y1, x0])


def paper_colour(rgb: np.ndarray) -> np.ndarray:
    """The ground of the page, float (3,): white where there is any to speak of, else what most of the border shows."""
    sample = rgb[:: max(1, rgb.shape[0] // 200), :: max(1, rgb.shape[1] // 200)].reshape(-1, 3)
    if (sample.min(axis=1) >= 244).mean() > 0.08:
        return np.array([255.0, 255.0, 255.0])
    border = np.concatenate((rgb[0], rgb[-1], rgb[:, 0], rgb[:, -1])).astype(np.int64)
    codes = (border // 16 * np.array([256, 16, 1])).sum(axis=1)
    values, counts = np.unique(codes, return_counts=True)
    if counts.max() < 0.35 * len(border):
        return np.array([255.0, 255.0, 255.0])
    return np.asarray(np.median(border[codes == values[counts.argmax()]], axis=0))


def read_page(rgb: np.ndarray) -> Page:
    """Paper, ink and cut costs of a figure (uint8, H x W x 3). About 40 bytes a pixel at its peak."""
    import cv2

    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    paper = paper_colour(rgb)
    away = [cv2.absdiff(plane, np.full_like(plane, level)) for plane, level in zip(cv2.split(rgb), paper, strict=True)]
    most = cv2.max(cv2.max(*away[:2]), away[2])  # ten times as fast as max(axis=2)
    square = np.ones((_TINT_SIDE, _TINT_SIDE), np.uint8)
    tint = cv2.morphologyEx((most >= _TINT).view(np.uint8), cv2.MORPH_OPEN, square)
    ink = (most > _INK) | (tint > 0)
    return _page(grey, without_frame(ink), bool(paper.max() < _BLACK))


def without_frame(ink: np.ndarray) -> np.ndarray:
    """The ink (bool, H x W) without a thin frame round the whole figure; where panels touch the frame, it stays."""
    content = shrink_to_ink(ink, (0, 0, ink.shape[1], ink.shape[0]))
    if content is None:
        return ink
    x0, y0, x1, y1 = content
    most = max(2, round(_FRAME * max(ink.shape)))
    cleared = ink.copy()
    sides = [np.rot90(cleared[y0:y1, x0:x1], turn) for turn in range(4)]  # views, each turned to be the upper side
    ends = [_line_end(side, most) for side in sides]
    thin = [(side, end) for side, end in zip(sides, ends, strict=True) if 0 < end < min(2 * most + 2, len(side) - 3)]
    if 0 in ends or len(thin) < 2:
        return ink
    for side, end in thin * 2:  # the second time for the corners
        side[:end, ~side[end : end + 3].any(axis=0)] = False
    return cleared if cleared.any() else ink


def _line_end(side: np.ndarray, most: int) -> int:
    """Row at which a line along the upper edge ends; 0 where there is none. It begins within `most` rows."""
    long = side[: 2 * most + 2].mean(axis=1) > 0.9
    first = int(long.argmax())
    if not long[first] or first > most:
        return 0
    return len(long) if long[first:].all() else first + int((~long[first:]).argmax())


def _page(grey: np.ndarray, ink: np.ndarray, dark: bool) -> Page:
    """A page with its sums and cut costs."""
    import cv2

    ink_sum = cv2.integral(ink.view(np.uint8), sdepth=cv2.CV_32S)
    height, width = grey.shape
    down, along = np.zeros((height + 1, width), np.int32), np.zeros((height, width + 1), np.int32)
    if width > 1:
        flat = cv2.absdiff(grey[:, 1:], grey[:, :-1]) < _EDGE
        table = cv2.integral((ink[:, 1:] & ink[:, :-1] & flat).view(np.uint8), sdepth=cv2.CV_32S)
        np.subtract(table[:, 1:], table[:, :-1], out=down[:, 1:])  # four times as fast as cumsum
    if height > 1:
        flat = cv2.absdiff(grey[1:], grey[:-1]) < _EDGE
        table = cv2.integral((ink[1:] & ink[:-1] & flat).view(np.uint8), sdepth=cv2.CV_32S)
        np.subtract(table[1:], table[:-1], out=along[1:])
    return Page(grey, ink, dark, ink_sum, down, along)


def all_ink(page: Page) -> Page:
    """The page with its ground counted as ink: only edges can be cut along."""
    return _page(page.grey, np.ones_like(page.ink), page.dark)
