"""Every way to separate a page, judged by one measure: by its letters, by the network, by its gutters, or not at all.

A letter says which panel it names and where that panel starts; gutters and seams give edges exact to the pixel; the
network has seen what panels look like; the caption says which labels there are. Each makes answers of its own. An
answer is worth the log-odds of its letters, less what its cuts cross, plus how well the network agrees with its boxes,
less what it misses of the labels that the caption names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pmcoa_build.figures import edges, gutters, ink, letters, partition
from pmcoa_build.figures.boxes import Box, area, intersection, iou, shrink_to_ink, union
from pmcoa_build.figures.glyphs import Glyphs
from pmcoa_build.figures.network import Candidate

_PER_SIDE, _WORST = 10.0, 4.0
"""What crossed ink takes from a set of letters' log-odds: per longest side of the page, and at most."""
_DOUBT, _RELATIVE = 0.5, 0.12
"""Log-odds that cuts may cost where no caption vouches for the letters: so much, or this share of the letters' own."""
_ELSEWHERE = 1.0
"""Log-odds by which the likeliest place of the letters in their panels is believed before the others."""
_FREE = 0.02
"""Crossed ink, per longest side of the page, that makes no doubt."""
_AGREE = 10.0
"""Log-odds between an answer that the network confirms box by box and one of which it sees nothing."""
_SURE, _OVERLAP = 0.5, 0.5
"""Score of a network's box that counts by itself, and the share of the smaller of two boxes that they may have in
common."""
_CLAIM = 0.3
"""Score from which a box of the network says that what lies in it is no shared legend."""
_SECOND_WAY = 4.0
"""Log-odds by which the page cut around letters is believed before the network's boxes with the same letters."""
_UNCOVERED = 12.0
"""What these boxes lose for the ink that they leave out, if that were all of the page's."""
_GUTTERS, _NETWORK, _WHOLE = 2.0, -3.5, -4.5
"""Log-odds of answers without letters before anything is known of them: gutters rarely lie, the network may, and a
figure is rarely one panel where something can be found in it."""
_SLIVER = 0.004
"""Share of the longest side that counts as a sliver."""
_COUNT = 2.2
"""Log-odds for each panel more or fewer than the caption names, up to four."""
_SURPLUS = 3.0
"""Log-odds for each panel without a letter, up to three, where all are read that the caption names: a piece of one."""


@dataclass(frozen=True)
class Found:
    """A panel before its kind is known: box in pixels of the page, scores 0 to 1."""

    box: Box
    score: float
    label: str | None = None
    label_score: float | None = None


@dataclass(frozen=True)
class Answer:
    """`panels` of a page, `source`: what found them (letters, network, gutters, whole), `worth` in log-odds."""

    source: str
    panels: list[Found]
    worth: float


def agreement(boxes: Sequence[Box], proposals: Sequence[Candidate]) -> float:
    """How far the network confirms the boxes, 0 to 1: a soft F1 in which a hit counts its score and its IoU above 0.5.

    Each proposal confirms at most one box. 0 without proposals.
    """
    hits = sum(value for _, value in _confirmed(boxes, proposals).values())
    return 2 * hits / (len(boxes) + sum(score for _, score in proposals)) if proposals else 0.0


def _confirmed(boxes: Sequence[Box], proposals: Sequence[Candidate]) -> dict[int, tuple[int, float]]:
    """Index of a box -> (index of the one proposal that confirms it, its score times twice the IoU above 0.5)."""
    pairs = sorted(((score * (2 * shared - 1), i, k) for i, box in enumerate(boxes)
                    for k, (other, score) in enumerate(proposals) if (shared := iou(box, other)) > 0.5), reverse=True)
    found: dict[int, tuple[int, float]] = {}
    used = set[int]()
    for value, i, k in pairs:
        if i not in found and k not in used:
            found[i] = (k, value)
            used.add(k)
    return found


def distinct(proposals: Sequence[Candidate]) -> list[Candidate]:
    """The network's boxes, best first, without those that share more than half of the smaller one with a better one."""
    kept: list[Candidate] = []
    for box, score in sorted(proposals, key=lambda pair: -pair[1]):
        if all(intersection(box, other) <= _OVERLAP * min(area(box), area(other)) for other, _ in kept):
            kept.append((box, score))
    return kept


def separate(page: ink.Page, glyphs: Glyphs, labels: Sequence[str], proposals: Sequence[Candidate] = ()) -> Answer:
    """The best answer for a page. `labels`: those that the caption names; `proposals`: a network's scored boxes.

    A page in which nothing is found is one panel of source "whole", least sure where the caption names several.
    """
    proposals = distinct(proposals)
    exact = [edges.snapped(page, box) for box, _ in proposals]
    sets = [pair for pair in letters.find_letters(page, glyphs, labels) if len(pair[1]) >= 2]
    answers = [*_of_letters(page, sets, labels, proposals, exact),
               *_of_letters_and_network(page, sets, labels, proposals, exact),
               *_of_network(labels, proposals, exact), *_of_gutters(page, labels)]
    whole = page.shrunk(page.box) or page.box
    answers.append(Answer("whole", [Found(whole, 0.2 if len(labels) > 1 else 0.5)], _WHOLE))
    best = max(answers, key=lambda answer: _judged(answer, labels, proposals))
    return replace(best, panels=[_seconded(f, proposals) for f in best.panels])


def _judged(answer: Answer, labels: Sequence[str], proposals: Sequence[Candidate]) -> float:
    """Worth of an answer with what the network and the caption say about it, in log-odds."""
    counted = _COUNT * min(abs(len(answer.panels) - len(labels)), 4) if len(labels) > 1 else 0.0
    read = [f.label for f in answer.panels if f.label is not None]
    if labels and set(labels) <= set(read):
        counted += _SURPLUS * min(len(answer.panels) - len(read), 3)
    return answer.worth - counted + _AGREE * agreement([f.box for f in answer.panels], proposals)


def _of_letters(page: ink.Page, sets: Sequence[tuple[float, list[letters.Letter]]], labels: Sequence[str],
                proposals: Sequence[Candidate], exact: Sequence[Box]) -> list[Answer]:
    """The page cut around each set of letters that may be worth most, once for each place in their panels."""
    out: list[Answer] = []
    for score, read in sets:
        if out and score <= max(answer.worth for answer in out):  # no cut is better than a free one
            break
        for worth, panels in _weighed(page, score, read, labels):
            if labels or worth >= score - max(_DOUBT, _RELATIVE * score):  # else letters of a flow chart or a table
                out.append(Answer("letters", _without_shared(page, panels, read, proposals, exact), worth))
    return out


def _without_shared(page: ink.Page, panels: list[Found], read: Sequence[letters.Letter],
                    proposals: Sequence[Candidate], exact: Sequence[Box]) -> list[Found]:
    """Lettered panels without what a sure box of the network leaves out of them and no other of its boxes claims."""
    anchors = {letter.label: letter.box for letter in read}
    out = list(panels)
    for i, (k, _) in _confirmed([f.box for f in panels], proposals).items():
        label = panels[i].label
        if proposals[k][1] >= _SURE and label in anchors:
            others = [box for n, (box, score) in enumerate(proposals) if n != k and score >= _CLAIM]
            out[i] = replace(out[i], box=edges.trimmed(page, out[i].box, exact[k], [anchors[label], *others]))
    return out


def _of_network(labels: Sequence[str], proposals: Sequence[Candidate], exact: Sequence[Box]) -> list[Answer]:
    """The network's sure boxes, and as many as the caption names labels, two at least; `exact`: at the gutters."""
    sure = sum(score >= _SURE for _, score in proposals)
    counts = {sure, min(len(labels), len(proposals))} if len(labels) > 1 else {sure}
    found = [Found(box, score) for box, (_, score) in zip(exact, proposals, strict=True)]
    return [Answer("network", found[:count], _NETWORK) for count in sorted(counts) if count > 1]


def _of_letters_and_network(page: ink.Page, sets: Sequence[tuple[float, list[letters.Letter]]], labels: Sequence[str],
                            proposals: Sequence[Candidate], exact: Sequence[Box]) -> list[Answer]:
    """For each set of letters that stand in different boxes of the network: its best boxes, with these letters."""
    sure = sum(score >= _SURE for _, score in proposals)
    out = []
    for score, read in sets:
        for count in sorted({len(read), len(labels), sure}):
            chosen = proposals[:count]
            owners = _owners([f.box for f in read], [f.em for f in read], [box for box, _ in chosen])
            if owners is not None:
                panels = [_lettered(exact[k], sure_, read[owners.index(k)] if k in owners else None)
                          for k, (_, sure_) in enumerate(chosen)]
                lost = _UNCOVERED * _uncovered(page, [f.box for f in panels])
                out.append(Answer("letters", panels, score - _SECOND_WAY - lost))
    return out


def _uncovered(page: ink.Page, boxes: Sequence[Box]) -> float:
    """Share of the page's ink that lies in none of the boxes."""
    left = page.ink.copy()
    for x0, y0, x1, y1 in boxes:
        left[y0:y1, x0:x1] = False
    return float(left.sum()) / max(page.count(page.box), 1)


def _lettered(box: Box, score: float, letter: letters.Letter | None) -> Found:
    """A panel of the network's, with the letter that stands in it."""
    if letter is None:
        return Found(box, score)
    return Found(union([box, letter.box]), 0.6 * score + 0.4 * letter.score, letter.label, letter.score)


def _owners(anchors: Sequence[Box], ems: Sequence[float], boxes: Sequence[Box]) -> list[int] | None:
    """Index of the box of each letter, in it or at most two cap heights away; None where two letters share one."""
    found = []
    for anchor, em in zip(anchors, ems, strict=True):
        x, y = (anchor[0] + anchor[2]) / 2, (anchor[1] + anchor[3]) / 2
        away = [np.hypot(max(x0 - x, x - x1, 0), max(y0 - y, y - y1, 0)) for x0, y0, x1, y1 in boxes]
        nearest = int(np.argmin(away)) if away else 0
        if not away or away[nearest] > 2 * em:
            return None
        found.append(nearest)
    return found if len(set(found)) == len(found) else None


def _of_gutters(page: ink.Page, labels: Sequence[str]) -> list[Answer]:
    """Panels by gutters and seams alone: as many as the caption names, else what the page falls into; [] for one."""
    printed = [label for label in labels if len(label) < 4]  # not "left", "bottom right"
    if len(printed) > 1:
        ways = (gutters.seamed, gutters.exactly) if page.dark else (gutters.exactly, gutters.seamed)
        boxes = ways[0](page, len(printed)) or ways[1](page, len(printed))
    else:
        boxes = gutters.unlabelled(page) or (gutters.exactly(page, len(labels)) if len(labels) > 1 else None)
    return [Answer("gutters", [Found(box, 0.5) for box in boxes], _GUTTERS)] if boxes else []


def _seconded(found: Found, proposals: Sequence[Candidate]) -> Found:
    """A panel whose score also counts what the network says about its box; unchanged without a network."""
    if not proposals:
        return found
    seen = max(iou(found.box, box) * score for box, score in proposals)
    return replace(found, score=0.7 * found.score + 0.3 * seen)


def _weighed(page: ink.Page, score: float, read: list[letters.Letter],
             labels: Sequence[str]) -> list[tuple[float, list[Found]]]:
    """(worth in log-odds, panels) of one set of letters, the likeliest first: doubtful letters that cut badly go,
    missing ones are guessed; then, less likely, all letters at the other places where they may stand."""
    side = max(page.grey.shape)
    (cost, panels), *others = by_letters(page, read)
    rest = [(score - _ELSEWHERE - _PER_SIDE * cut / side, other) for cut, other in others]
    while len(read) > 2 and cost > _FREE * side:
        fewer = letters.without_weakest(read)
        less, remaining = next(by_letters(page, fewer))
        lost = letters.evidence(min(f.score for f in read))
        if len(fewer) == len(read) or less > 0.5 * cost or _PER_SIDE * (cost - less) / side < lost:
            break
        read, cost, panels = fewer, less, remaining
    worth = score - min(_PER_SIDE * cost / side, _WORST)
    guesses = letters.guess_missing(read, labels)
    if guesses:
        more, guessed = next(by_letters(page, [*read, *guesses]))
        if more - cost <= _FREE * side and len(guessed) == len(read) + len(guesses):
            return [(worth + len(guesses), guessed), *rest]
    return [(worth, panels), *rest]


def by_letters(page: ink.Page, read: Sequence[letters.Letter]) -> Iterator[tuple[float, list[Found]]]:
    """(cost of the cuts in ink pixels, one panel a letter) for each way to cut the page, the likeliest first."""
    ems = [f.em for f in read]
    anchors = [letters.with_bracket(page, f) for f in read]
    for plan in partition.arrange(page, anchors, ems):
        yield plan.cost, _panels(page, read, anchors, plan)


def _panels(page: ink.Page, read: Sequence[letters.Letter], anchors: Sequence[Box], plan: partition.Plan
            ) -> list[Found]:
    parts, corners = _without_void(page, plan.parts) if page.dark else plan.parts, plan.corners
    out = []
    for index, whole in sorted(parts.items()):
        part = whole
        for owner, corner in corners.items():
            if owner != index and intersection(corner, part) == area(corner):
                part = (part[0], corner[3], part[2], part[3])
        box = page.shrunk(_without_heading(page, part, anchors[index], read[index].em, anchors))
        if box is not None:
            box = _trimmed(page, box)
            box = union([box, corners[index]]) if index in corners else box
            out.append(Found(box, 0.6 + 0.4 * read[index].score, read[index].label, read[index].score))
    return out


def _without_void(page: ink.Page, parts: dict[int, Box]) -> dict[int, Box]:
    """Parts of a dark page without the empty places of an unfinished row: of median size where no ink is lost."""
    width = int(np.median([x1 - x0 for x0, _, x1, _ in parts.values()]))
    height = int(np.median([y1 - y0 for _, y0, _, y1 in parts.values()]))
    out = {}
    for index, (x0, y0, x1, y1) in parts.items():
        content = shrink_to_ink(page.ink, (x0, y0, x1, y1)) or (x0, y0, x1, y1)
        right = max(content[2], x0 + width) if x1 - x0 > 1.4 * width else x1
        bottom = max(content[3], y0 + height) if y1 - y0 > 1.4 * height else y1
        out[index] = (x0, y0, min(x1, right), min(y1, bottom))
    return out


def _without_heading(page: ink.Page, part: Box, anchor: Box, em: float, anchors: Sequence[Box]) -> Box:
    """A part of the top row without what stands above its letter and a clean gap: headings, shared legends."""
    x0, y0, x1, y1 = part
    lower = anchor[1] > min(other[1] for other in anchors) + 2 * em or anchor[3] > y0 + 0.5 * (y1 - y0)
    if page.dark or lower or anchor[1] - y0 < 0.8 * em:
        return part
    clean = np.flatnonzero(~page.ink[y0 : anchor[1], x0:x1].any(axis=1))
    if not len(clean) or clean[-1] < anchor[1] - y0 - 0.6 * em:
        return part
    return (x0, y0 + int(clean[-1]) + 1, x1, y1)


def _trimmed(page: ink.Page, box: Box) -> Box:
    """A box without slivers of its neighbours: a few pixels of ink along an edge, then a clean gap."""
    if page.dark:
        return box
    thin = max(3, round(_SLIVER * max(page.grey.shape)))
    x0, y0, x1, y1 = box
    part = page.ink[y0:y1, x0:x1]
    rows, columns = np.asarray(part.any(axis=1)), np.asarray(part.any(axis=0))
    top, bottom = _sliver(rows, thin), _sliver(rows[::-1], thin)
    left, right = _sliver(columns, thin), _sliver(columns[::-1], thin)
    return page.shrunk((x0 + left, y0 + top, x1 - right, y1 - bottom)) or box


def _sliver(line: np.ndarray, thin: int) -> int:
    """Pixels to leave out at the start of a line of ink flags: at most `thin` set ones, then twice as many clear."""
    if len(line) < 20 * thin or line[: thin + 1].all():
        return 0
    first = int((~line).argmax())
    clear = int(line[first:].argmax())
    return first + clear if first > 0 and clear >= 2 * thin else 0
