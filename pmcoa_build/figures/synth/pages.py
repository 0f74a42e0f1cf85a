"""What the panels of one figure have in common: page, gaps, kinds, frames, letters; and how often each is so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pmcoa_build.figures.kinds import IMAGES
from pmcoa_build.figures.synth.imagery import Colour, Rng, pick
from pmcoa_build.figures.synth.layout import Gaps

_COUNTS = (0.15, 0.23, 0.14, 0.17, 0.08, 0.1, 0.04, 0.04, 0.02, 0.01, 0.01, 0.01)
"""Shares of figures of 1, 2, … panels: more compound ones than papers have, for they are what has to be learned."""
_MANY = 24
_PICTURES = {"radiology": 0.34, "microscopy": 0.36, "photo": 0.14, "render": 0.08, "blot": 0.08}
_DRAWINGS = {"plot": 0.78, "diagram": 0.16, "table": 0.06}
_MIXED = {"plot": 0.42, "microscopy": 0.2, "blot": 0.1, "diagram": 0.1, "radiology": 0.07, "photo": 0.04,
          "render": 0.04, "table": 0.03}
_TINTS: tuple[Colour, ...] = ((238, 243, 250), (250, 244, 232), (240, 240, 240), (236, 247, 238), (252, 240, 240))


@dataclass(frozen=True)
class Plan:
    """One figure before it is drawn; sizes in pixels of the drawing, which is `scale` times as large as the figure.

    `kinds` has one kind a panel. `lettered[i]`: panel i carries its label. `surround` is left, top, right, bottom of
    the free margin. `dress` is "" or what each panel stands in: "frame" or "tint"; `tint` its colour.
    Panels with a `habit` are made up alike.
    """

    width: int
    scale: float
    ground: Colour
    gaps: Gaps
    surround: tuple[int, int, int, int]
    kinds: tuple[str, ...]
    lettered: tuple[bool, ...]
    aspect: tuple[float, float]
    dress: str
    tint: Colour
    habit: int | None

    @property
    def pictures(self) -> bool:
        """True where most panels are pictures."""
        return 2 * sum(kind in IMAGES for kind in self.kinds) > len(self.kinds)


def choose_plan(rng: Rng) -> Plan:
    """A figure as papers have them, panels of one kind or several, on the page and with the gaps that go with them."""
    count = int(rng.choice(len(_COUNTS) + 1, p=(*_COUNTS, 1 - sum(_COUNTS)))) + 1
    if count > len(_COUNTS):
        count = int(rng.integers(count, _MANY + 1))
    theme = str(pick(rng, ("pictures", "pictures", "drawings", "mixed", "mixed")))
    kinds = _kinds(rng, theme, count)
    web = round(float(np.clip(np.exp(rng.normal(np.log(640), 0.33)), 320 if count < 5 else 420, 1300)))
    width = max(web, min(round(web * rng.uniform(1, 1.7)), 1300))
    gaps, ground = _gaps(rng, theme, width), _ground(rng, theme)
    bare = ground != (255, 255, 255) or max(gaps) <= 3
    side = width * pick(rng, (0, 0, 0.004, 0.015, 0.03)) if not bare else pick(rng, (0, 0, gaps[0]))
    dress = "" if bare or min(gaps) < 5 else str(pick(rng, ("",) * 10 + ("frame", "tint")))
    return Plan(
        width=width, scale=width / web, ground=ground, gaps=gaps,
        surround=tuple(round(side * (1 if bare else rng.uniform(0.3, 1.7))) for _ in range(4)),
        kinds=kinds, lettered=_lettered(rng, count),
        aspect=pick(rng, ((0.75, 1.6), (0.95, 1.05), (1.2, 1.5))) if theme == "pictures" else (0.8, 2.0),
        dress=dress, tint=pick(rng, _TINTS), habit=int(rng.integers(2**32)) if rng.random() < 0.35 else None,
    )


def _kinds(rng: Rng, theme: str, count: int) -> tuple[str, ...]:
    table = {"pictures": _PICTURES, "drawings": _DRAWINGS, "mixed": _MIXED}[theme]
    weights = np.array(list(table.values())) / sum(table.values())
    if theme == "pictures" or (theme == "drawings" and rng.random() < 0.7):
        return (str(rng.choice(list(table), p=weights)),) * count
    few = rng.choice(list(table), min(3, len(table)), replace=False, p=weights)
    chances = rng.dirichlet(np.ones(len(few)))
    return tuple(str(kind) for kind in rng.choice(few, count, p=chances))


def _lettered(rng: Rng, count: int) -> tuple[bool, ...]:
    """Single panels seldom carry a letter; of the others most figures have all, some miss a few, some have none."""
    if count == 1:
        return (bool(rng.random() < 0.12),)
    fate = rng.random()
    if fate < 0.1:
        return (False,) * count
    return tuple(bool(fate > 0.14 or rng.random() < 0.75) for _ in range(count))


def _gaps(rng: Rng, theme: str, width: int) -> Gaps:
    """Across and down: none, a line, or a share of the page's width."""
    line = rng.random() < (0.38 if theme == "pictures" else 0.04)
    if line:
        gap = int(pick(rng, (0, 0, 1, 2, 3, 4)))
        return gap, gap
    typical = {"pictures": 0.01, "drawings": 0.016, "mixed": 0.018}[theme]
    across = float(np.clip(typical * np.exp(rng.normal(0, 0.9)), 0.003, 0.1)) * width
    return round(across), max(2, round(across * rng.uniform(0.6, 1.8)))


def _ground(rng: Rng, theme: str) -> Colour:
    fate = rng.random()
    if theme == "pictures" and fate < 0.2:
        return pick(rng, ((0, 0, 0), (0, 0, 0), (25, 25, 25)))  # type: ignore[no-any-return]
    if theme == "pictures" and fate < 0.25:
        return pick(rng, ((128, 128, 128), (205, 205, 205)))  # type: ignore[no-any-return]
    return pick(rng, _TINTS) if fate > 0.96 else (255, 255, 255)
