"""Which label of the caption belongs to which panel: printed letters and reading order weighed in one assignment.

Reading order speaks through the best monotone walk over panels and labels (as in sequence alignment: a panel or a
label may be passed over at a cost), tried row by row and column by column. What it says adds to what is printed, and
the labels are then given out for the greatest sum, so that one misread letter does not shift all the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pmcoa_build.captions.labels import base

Box = tuple[float, float, float, float]

SURE = 0.5
"""Label score from which a printed label that the caption does not name is taken at its word."""

_READ = 0.3
_ORDER = 0.4
_PASSED = 0.25
_LOOKS = 0.2
"""Worth of a letter that is read, beside its score (0 to 1); of the place that order gives; cost of passing over one
panel or one label; the most that a likeness is worth."""
_TIE = 0.05


@dataclass(frozen=True)
class PanelView:
    """What alignment needs of a panel: its box (pixels x0, y0, x1, y1), the letter read on it, how surely (0..1), and
    which of the figure's images it is on."""

    box: Box
    printed_label: str | None = None
    label_score: float | None = None
    page: int = 0


def named(label: str | None, labels: Sequence[str]) -> str | None:
    """The caption's own spelling of a printed label ("a" for "A"; "A" for the sub-label "A1"), or None."""
    if not label:
        return None
    for wanted in (label, base(label)):
        for same in (str, str.lower):
            for spelt in labels:
                if same(spelt) == same(wanted):
                    return spelt
    return None


def rank(label: str | None, labels: Sequence[str]) -> int | None:
    """The place of a printed label in the caption, from 0; None where the caption does not name it."""
    spelt = named(label, labels)
    return None if spelt is None else labels.index(spelt)


def match(
    panels: Sequence[PanelView], labels: Sequence[str], looks: Sequence[Sequence[float]] | None = None
) -> list[int | None]:
    """For each panel the place of its label in the caption, or None. Each label is given once, but to all panels with
    sub-labels of its own ("A1", "A2"). `panels` come in reading order, row by row. `looks` (panels x labels): the
    shares (0 to 1, a panel's sum to 1) at which a panel looks like what each label's clauses say; they are heard where
    no letter of the caption was read."""
    read = [rank(panel.printed_label, labels) for panel in panels]
    shares = [_first_of(panels, read, labels, i) for i in range(len(panels))]
    heads = [i for i, first in enumerate(shares) if first == i]
    places: list[int | None] = [None] * len(panels)
    evidence = [_evidence(panels[i], labels, read[i]) for i in heads]
    for row, i in zip(evidence, heads, strict=True):
        if looks is not None and read[i] is None:
            row[:] = [seen + _look(share * len(labels)) for seen, share in zip(row, looks[i], strict=True)]
    for i, place in zip(heads, _matched([panels[i] for i in heads], evidence, [read[i] for i in heads]), strict=True):
        places[i] = place
    return [places[first] for first in shares]


def _first_of(panels: Sequence[PanelView], read: Sequence[int | None], labels: Sequence[str], i: int) -> int:
    """The first panel with a sub-label of the same letter, the letter being all that the caption names."""

    def is_sub(k: int) -> bool:
        label, place = panels[k].printed_label or "", read[k]
        return place is not None and label.lower() != labels[place].lower()

    if not is_sub(i):
        return i
    return next(k for k in range(i + 1) if read[k] == read[i] and is_sub(k))


def _matched(
    panels: Sequence[PanelView], evidence: Sequence[Sequence[float]], read: Sequence[int | None]
) -> list[int | None]:
    if None not in read and len(set(read)) == len(read):
        return list(read)
    order = _by_order(panels, evidence)
    worth = [
        [seen + (_ORDER if order[i] == j else 0.0) for j, seen in enumerate(row)] for i, row in enumerate(evidence)
    ]
    return best_assignment(worth)


def _evidence(panel: PanelView, labels: Sequence[str], read: int | None) -> list[float]:
    """What the print on a panel says for (or against) each label."""
    score = 0.5 if panel.label_score is None else panel.label_score
    if read is not None:
        return [_READ + score if place == read else -_READ * score for place in range(len(labels))]
    printed = panel.printed_label
    alike = bool(printed) and len(printed or "") == 1 and (printed or "").isalpha() and len(labels[0]) == 1
    return [-_READ * score if alike and score >= SURE else 0.0] * len(labels)


def _look(odds: float) -> float:
    """The worth of a likeness that is so many times what chance would give."""
    return max(-_LOOKS, min(_LOOKS, 0.5 * _LOOKS * math.log(max(odds, 1e-6))))


def _by_order(panels: Sequence[PanelView], evidence: Sequence[Sequence[float]]) -> list[int | None]:
    """The place that reading order gives each panel, where it gives but one."""
    best, places = _walked(evidence)
    columns = _column_order(panels)
    score, turned = _walked([evidence[i] for i in columns])
    if score <= best + _TIE:
        return places
    found: list[int | None] = [None] * len(panels)
    for i, place in zip(columns, turned, strict=True):
        found[i] = place
    return found


def _walked(evidence: Sequence[Sequence[float]]) -> tuple[float, list[int | None]]:
    """The score of the best monotone walk, and each panel's place on it: None where it is passed over, or where a walk
    about as good has it elsewhere."""
    count, width = len(evidence), len(evidence[0])
    ahead = _scores(evidence)
    back = [row[::-1] for row in _scores([row[::-1] for row in evidence[::-1]])[::-1]]
    best, places = ahead[count][width], []
    for i, row in enumerate(evidence):
        through = sorted(((ahead[i][j] + gain + back[i + 1][j + 1], j) for j, gain in enumerate(row)), reverse=True)
        passed = max(ahead[i][j] + back[i + 1][j] for j in range(width + 1)) - _PASSED
        other = max(passed, through[1][0]) if width > 1 else passed
        places.append(through[0][1] if through[0][0] > other + _TIE else None)
    return best, places


def _scores(evidence: Sequence[Sequence[float]]) -> list[list[float]]:
    """[i][j]: score of the best walk over the first i panels and the first j labels."""
    width = len(evidence[0])
    table = [[-_PASSED * j for j in range(width + 1)]]
    for row in evidence:
        above = table[-1]
        line = [above[0] - _PASSED]
        for j, gain in enumerate(row):
            line.append(max(above[j] + gain, above[j + 1] - _PASSED, line[j] - _PASSED))
        table.append(line)
    return table


def _column_order(panels: Sequence[PanelView]) -> list[int]:
    """Indices of the panels column by column, image by image; a column is what starts beside the left half of its
    leftmost panel."""
    left = sorted(range(len(panels)), key=lambda i: (panels[i].page, panels[i].box[0], panels[i].box[1], i))
    order: list[int] = []
    while left:
        seed = panels[left[0]]
        middle = (seed.box[0] + seed.box[2]) / 2
        column = [i for i in left if panels[i].page == seed.page and panels[i].box[0] < middle]
        column = column or left[:1]
        order += sorted(column, key=lambda i: (panels[i].box[1], panels[i].box[0], i))
        left = [i for i in left if i not in column]
    return order


def best_assignment(worth: Sequence[Sequence[float]]) -> list[int | None]:
    """The column of each row for the greatest sum of positive worths, each column once; None = best left alone.

    The Hungarian method with potentials, O(rows² · columns); every row has a column of its own for "none"."""
    rows, width = len(worth), len(worth[0])
    cost = [[-max(value, 0.0) for value in row] + [0.0] * rows for row in worth]
    u, v = [0.0] * (rows + 1), [0.0] * (width + rows + 1)
    owner, way = [0] * (width + rows + 1), [0] * (width + rows + 1)
    for row in range(1, rows + 1):
        owner[0], at = row, 0
        least, used = [math.inf] * (width + rows + 1), [False] * (width + rows + 1)
        while owner[at]:
            used[at], here, delta, following = True, owner[at], math.inf, 0
            for j in range(1, width + rows + 1):
                if used[j]:
                    continue
                reduced = cost[here - 1][j - 1] - u[here] - v[j]
                if reduced < least[j]:
                    least[j], way[j] = reduced, at
                if least[j] < delta:
                    delta, following = least[j], j
            for j in range(width + rows + 1):
                if used[j]:
                    u[owner[j]] += delta
                    v[j] -= delta
                else:
                    least[j] -= delta
            at = following
        while at:
            owner[at], at = owner[way[at]], way[at]
    found: list[int | None] = [None] * rows
    for j in range(1, width + 1):
        if owner[j] and worth[owner[j] - 1][j - 1] > 0:
            found[owner[j] - 1] = j - 1
    return found
