"""Which of the lone glyphs on a page are its panel letters, or pairs of glyphs where labels are longer (A1, iv, 10).

Panel letters of one figure have one size and case, one for each label, follow the reading order, and line up with
their neighbours. The best chain of candidates under these rules is found by dynamic programming, once for each size and
case that the page suggests. The labels that the caption names, where known, say what to look for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pmcoa_build.figures.boxes import Box
from pmcoa_build.figures.glyphs import CLASSES, Glyphs
from pmcoa_build.figures.ink import Page

_SAME_SHAPE = "cosvwxzkpu"
_ALSO = {"o": "0", "i": "1l", "l": "1i", "s": "5", "b": "8", "z": "2", "g": "9", "q": "9"}
_DIGIT_ALSO = {"0": "oO", "1": "lI", "2": "zZ", "5": "sS", "8": "B"}
_ROMAN = {tens + name: 10 * bool(tens) + value for tens in ("", "x") for value, name in enumerate(
    ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x"), start=1)}
_LONG = re.compile(r"[a-z]?\d{1,2}|[a-z]{2}|[ivx]{3,5}")
_GAPS = {2: (-0.1, 0.45), 3: (0.3, 1.15), 4: (0.7, 1.9), 5: (1.0, 2.6)}
"""Least and widest gap between the first and the last character of a label of so many, in cap heights."""
_TALL = dict.fromkeys("bdfhkl", 1.0) | dict.fromkeys("gpqy", 1.0) | {"i": 1.0, "j": 1.28, "t": 0.92}
_SMALL = 0.76
_FLOOR = 0.04
"""Probability that counts as no evidence: below it a candidate costs more than a missing letter."""
_MISSING = 1.2
_ENOUGH = 2.2
_EXTRA = 2
"""Labels looked for beyond the last that the caption names: captions forget some."""
_UNNAMED = 1.5
"""What a letter that the caption does not name has to be worth more."""
_SURE = 0.8
_MOST_PAIRED = 800
_SIZES = 12
_ALTERNATIVES = 4


@dataclass(frozen=True)
class Letter:
    """A panel letter: the caption's (or the read) label, its box in pixels, how sure (0 to 1), cap height in pixels."""

    label: str
    box: Box
    score: float
    em: float


@dataclass(frozen=True)
class _Marks:
    """What may be a label: every glyph, then pairs (m, 2) of the first and last glyph of something longer.

    `boxes` int (n + m, 4); `place` (n,): what its surroundings take from a glyph's log-odds.
    """

    glyphs: Glyphs
    pairs: np.ndarray
    boxes: np.ndarray
    place: np.ndarray


@dataclass(frozen=True)
class _Nodes:
    """Candidates for labels: mark, label index, own score, cap height if it is that label, probability."""

    mark: np.ndarray
    label: np.ndarray
    own: np.ndarray
    em: np.ndarray
    prob: np.ndarray


def _relative_heights(letter: str, upper: bool) -> tuple[float, ...]:
    """Height of a glyph in cap heights (Helvetica, Arial and Times agree within 5 %, but for the tails of J and Q)."""
    if upper or letter.isdigit():
        return (1.0, 1.25) if letter in "jq" and upper else (1.0,)
    return (_TALL.get(letter, _SMALL),)


def _probability(probs: np.ndarray, letter: str, upper: bool) -> np.ndarray:
    """How likely each glyph is this letter, allowing for what looks the same."""
    if letter.isdigit():
        total = probs[:, CLASSES.index(letter)]
        twins, share = _DIGIT_ALSO.get(letter, ""), 0.3
    else:
        wanted, other = (letter.upper(), letter) if upper else (letter, letter.upper())
        share = 1.0 if letter in _SAME_SHAPE else 0.3
        total = probs[:, CLASSES.index(wanted)] + share * probs[:, CLASSES.index(other)]
        twins, share = _ALSO.get(letter, ""), 0.5
    for twin in twins:
        total = total + share * probs[:, CLASSES.index(twin)]
    return np.asarray(np.minimum(total, 1.0))


def _pairs(glyphs: Glyphs) -> np.ndarray:
    """Indices (m, 2) of legible glyphs that may begin and end one label: side by side on one line, of like height."""
    rows = np.flatnonzero(glyphs.probs[:, -1] < 0.7)
    rows = rows[np.argsort(glyphs.probs[rows, -1], kind="stable")][:_MOST_PAIRED]
    x0, y0, x1, y1 = glyphs.boxes[rows].T.astype(float)
    height = np.maximum((y1 - y0)[:, None], y1 - y0)
    gap = (x0 - x1[:, None]) / height
    fits = (gap > _GAPS[2][0]) & (gap < _GAPS[5][1]) & (np.abs(y1 - y1[:, None]) < 0.3 * height)
    fits &= np.minimum((y1 - y0)[:, None], y1 - y0) > 0.55 * height
    fits &= glyphs.light[rows] == glyphs.light[rows][:, None]
    first, last = np.nonzero(fits)
    return np.stack((rows[first], rows[last]), axis=1)


def _marks(page: Page, glyphs: Glyphs, wanted: Sequence[str]) -> _Marks:
    """The glyphs of a page, and their pairs if a wanted label has several characters."""
    pairs = _pairs(glyphs) if any(len(label) > 1 for label in wanted) else np.zeros((0, 2), int)
    first, last = glyphs.boxes[pairs[:, 0]], glyphs.boxes[pairs[:, 1]]
    joined = np.concatenate((np.minimum(first, last)[:, :2], np.maximum(first, last)[:, 2:]), axis=1)
    return _Marks(glyphs, pairs, np.concatenate((glyphs.boxes, joined)), _clear_left(page, glyphs))


def _single(marks: _Marks, letter: str, upper: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(marks, probabilities, log-odds) of the glyphs as one letter."""
    prob = _probability(marks.glyphs.probs, letter, upper)
    own = np.log(np.maximum(prob, 1e-6) / _FLOOR) - 1.2 * marks.glyphs.crowded + marks.place
    return np.arange(len(prob)), prob, own


def _several(marks: _Marks, label: str, upper: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(marks, probabilities, log-odds) of the pairs as a longer label: its first and last character, so far apart."""
    low, high = _GAPS[len(label)]
    first, last = marks.pairs.T
    boxes, probs = marks.glyphs.boxes, marks.glyphs.probs
    height = np.maximum(boxes[first, 3] - boxes[first, 1], boxes[last, 3] - boxes[last, 1])
    gap = (boxes[last, 0] - boxes[first, 2]) / height
    rows = np.flatnonzero((gap >= low) & (gap <= high))
    ends = [_probability(probs, label[-1], case) for case in (True, False)]
    prob = np.sqrt(_probability(probs, label[0], upper)[first] * np.maximum(*ends)[last])[rows]
    own = np.log(np.maximum(prob, 1e-6) / _FLOOR) + marks.place[first[rows]]
    return rows + len(marks.glyphs), prob, own


def _clear_left(page: Page, glyphs: Glyphs) -> np.ndarray:
    """-1 for a glyph on paper with ink left of it at its own height (a word, an axis; a bracket is nearer), else 0."""
    x0, y0, x1, y1 = glyphs.boxes.T
    h = y1 - y0
    near, upper = np.maximum(x0 - h // 3, 0), np.maximum(y0 - h // 3, 0)
    around = page.counts(np.stack((near, upper, x1, y0), axis=1)) > 0.5 * (x1 - x0 + h // 3) * (h // 3)
    left = page.counts(np.stack((np.maximum(x0 - 2 * h, 0), y0, np.maximum(x0 - (3 * h) // 4, 0), y1), axis=1))
    return np.where(~glyphs.light & ~around & (left > 0), -1.0, 0.0)


def _nodes(marks: _Marks, labels: Sequence[str], named: int, upper: bool) -> _Nodes:
    """Every mark that may be one of the labels; the first `named` of them are in the caption."""
    parts = []
    heights = np.concatenate((marks.glyphs.boxes, marks.glyphs.boxes[marks.pairs[:, 0]])) @ np.array([0, -1, 0, 1])
    for index, label in enumerate(labels):
        place, prob, own = (_single if len(label) == 1 else _several)(marks, label, upper)
        own = own - _UNNAMED * (index >= named)
        rows = np.flatnonzero((own > -0.5) & ((index < named) | (prob > _SURE)))
        rows = rows[np.argsort(-own[rows], kind="stable")][:14]
        for relative in _relative_heights(label[0], upper):
            em = heights[place[rows]] / relative
            parts.append(np.stack((place[rows], np.full(len(rows), index), own[rows], em, prob[rows]), axis=1))
    table = np.concatenate(parts) if parts else np.zeros((0, 5))
    return _Nodes(table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2], table[:, 3], table[:, 4])


def _transition(a: np.ndarray, b: np.ndarray, em: float) -> np.ndarray:
    """How well boxes b (n, 4) follow boxes a (m, 4) as the next letter: (m, n), 0.8 at best."""
    dx = (b[None, :, 0] - a[:, None, 0]) / em
    dy = (b[None, :, 3] - a[:, None, 3]) / em
    out = np.full(dx.shape, -0.6)
    row, column = np.abs(dy) < 0.6, np.abs(dx) < 0.8
    out[row & (dx > 1.2)] = 0.8
    out[~row & column & (dy > 0)] = 0.6
    out[~row & ~column & (dy > 0) & (dx < 0)] = 0.2
    out[~row & ~column & (dy < 0) & (dx > 0)] = -0.6
    out[(dy < -0.6) & (dx < 0.8)] = -3.0
    out[(np.abs(dy) < 1.0) & (np.abs(dx) <= 1.2)] = -9.0
    out[row & (dx < -1.2)] = -3.0
    return out


def _best_chain(nodes: _Nodes, boxes: np.ndarray, em: float, named: int) -> tuple[float, list[int]]:
    """(score, node indices) of the best chain at one cap height; labels ascend, skipped ones cost _MISSING.

    Labels from number `named` on, which no caption vouches for, have to stand where the next letter is expected.
    """
    off = np.abs(np.log(nodes.em / em))
    usable = np.flatnonzero(off < 0.2)
    if not len(usable):
        return 0.0, []
    label, place = nodes.label[usable], boxes[nodes.mark[usable]]
    own = nodes.own[usable] - 5 * off[usable]
    follow = _transition(place, place, em)
    follow[:, label >= named] = np.where(follow[:, label >= named] > 0, follow[:, label >= named], -9.0)
    total, back = own - _MISSING * label, np.full(len(usable), -1)
    for n in range(len(usable)):
        before = np.flatnonzero(label < label[n])
        if len(before):
            gains = total[before] + follow[before, n] - _MISSING * (label[n] - label[before] - 1)
            best = int(gains.argmax())
            if gains[best] + own[n] > total[n]:
                total[n], back[n] = gains[best] + own[n], before[best]
    end = int(total.argmax())
    score, chain = float(total[end]), []
    while end >= 0:
        chain.append(int(usable[end]))
        end = int(back[end])
    return score, chain[::-1]


def in_order(labels: Sequence[str]) -> list[str]:
    """Different labels, lower case, in the order of their alphabet: i ii iii iv, 1 2 10, a a1 a2 b."""
    names = {label.lower() for label in labels}
    if names <= _ROMAN.keys() and any(len(name) > 1 for name in names):
        return sorted(names, key=lambda name: _ROMAN[name])
    return sorted(names, key=lambda name: (re.sub(r"\d+", "", name), int(re.sub(r"\D+", "", name) or 0), name))


def _wanted(labels: Sequence[str]) -> tuple[list[str], int]:
    """(labels to look for in order, lower case; how many of them the caption names).

    Single letters that follow the caption's last are looked for too. Nothing is looked for where most labels are none
    that can be read.
    """
    if all(len(label) >= 4 and label.lower() not in _ROMAN for label in labels):  # none, or positions such as "left"
        return list("abcdefghijklmnopqrst"), 0
    named = [label for label in in_order(labels) if label in CLASSES or _LONG.fullmatch(label)]
    if len(named) < 0.6 * len(labels):
        return [], 0
    if any(len(label) > 1 for label in named):
        return named, len(named)
    alphabet = "123456789" if named[-1].isdigit() else "abcdefghijklmnopqrstuvwxyz"
    rest = alphabet[alphabet.index(named[-1]) + 1 :] if named[-1] in alphabet else ""
    return named + list(rest[:_EXTRA]), len(named)


def _sizes(nodes: _Nodes) -> list[float]:
    """Cap heights worth trying, in pixels: those at which most different letters may be there."""
    likely = nodes.prob > 0.3
    steps = np.round(np.log(nodes.em[likely]) / 0.08).astype(int)
    found = [(-len(np.unique(nodes.label[likely][np.abs(steps - step) <= 2])), -step) for step in np.unique(steps)]
    return [float(np.exp(-0.08 * step)) for _, step in sorted(found)[:_SIZES]]


def find_letters(page: Page, glyphs: Glyphs, labels: Sequence[str] = ()) -> list[tuple[float, list[Letter]]]:
    """Up to _ALTERNATIVES sets of panel letters, each in label order with its score, best first; [] without any.

    With `labels` (as the caption prints them) those are looked for, and a missing one is left out. Without, an
    unbroken and well legible run from A is asked for, at least two letters long. Scores are log-odds; a set that
    cuts the page badly should give way to the next.
    """
    wanted, named = _wanted(labels)
    if not len(glyphs) or not wanted:
        return []
    marks = _marks(page, glyphs, wanted)
    printed = {label.lower(): label for label in reversed(labels)}
    found: dict[tuple[int, ...], tuple[float, list[Letter]]] = {}
    for upper in (True, False):
        nodes = _nodes(marks, wanted, named or len(wanted), upper)
        for em in _sizes(nodes):
            score, chain = _best_chain(nodes, marks.boxes, em, named or len(wanted))
            score += 0.3 * np.log(em)
            if score < _ENOUGH or (not named and not _unbroken(nodes, chain)):
                continue
            key = tuple(nodes.mark[chain].tolist())
            if key not in found or score > found[key][0]:
                found[key] = (score, [_letter(nodes, node, marks, wanted, printed, upper) for node in chain])
    return sorted(found.values(), key=lambda pair: -pair[0])[:_ALTERNATIVES]


def _unbroken(nodes: _Nodes, chain: Sequence[int]) -> bool:
    """True for a run A, B, … of two or more letters, well legible and alone on their spots."""
    own = [float(nodes.own[n]) for n in chain]
    return (len(chain) > 1 and [int(nodes.label[n]) for n in chain] == list(range(len(chain)))
            and float(np.mean(own)) > 2.4 and min(own) > 0.8)


def _letter(nodes: _Nodes, node: int, marks: _Marks, wanted: Sequence[str], printed: dict[str, str],
            upper: bool) -> Letter:
    x0, y0, x1, y1 = (int(v) for v in marks.boxes[nodes.mark[node]])
    letter = wanted[nodes.label[node]]
    label = printed.get(letter, letter.upper() if upper else letter)
    return Letter(label, (x0, y0, x1, y1), float(nodes.prob[node]), float(nodes.em[node]))


def with_bracket(page: Page, letter: Letter) -> Box:
    """The letter's box with the opening bracket before it, where there is one."""
    x0, y0, x1, y1 = letter.box
    left = max(int(x0 - letter.em), 0)
    columns = np.asarray(page.ink[y0:y1, left : max(x0 - 1, left)].any(axis=0))[::-1]
    if not columns.any():
        return letter.box
    start = int(columns.argmax())
    beyond = columns[start:]
    width = int((~beyond).argmax()) if not beyond.all() else len(beyond)
    clear = not beyond[width : width + max(int(0.25 * letter.em), 1)].any()
    clear &= not page.ink[max(y0 - int(0.6 * letter.em), 0) : max(y0 - int(0.35 * letter.em), 0), left:x0].any()
    if start <= 0.4 * letter.em and width <= 0.45 * letter.em and clear:
        return (x0 - 1 - start - width, y0, x1, y1)
    return letter.box


def evidence(score: float) -> float:
    """What a letter of that score adds to the log-odds of a set, beside a set in which it is missing."""
    return float(np.log(max(score, 1e-6) / _FLOOR)) + _MISSING


def without_weakest(found: Sequence[Letter]) -> list[Letter]:
    """The letters without the least legible one; all of them where each is read beyond doubt."""
    weakest = min(range(len(found)), key=lambda i: found[i].score)
    return [f for i, f in enumerate(found) if i != weakest or f.score > _SURE]


def guess_missing(found: Sequence[Letter], labels: Sequence[str]) -> list[Letter]:
    """Letters that the caption names but nobody read, where the others leave one place for them.

    Such a place is at the height of one read letter and in the column of another, follows the letter before it, and is
    followed by the letter after it, as panels of a grid do. Its score is 0.
    """
    printed = {label.lower(): label for label in labels}
    order = [printed[label] for label in in_order(labels) if label in CLASSES or _LONG.fullmatch(label)]
    by_label = {letter.label: letter for letter in found}
    guesses = []
    for at, label in enumerate(order):
        before = by_label.get(order[at - 1]) if at else None
        after = by_label.get(order[at + 1]) if at + 1 < len(order) else None
        if label in by_label or (before is None and after is None):
            continue
        spots = _free_spots(found, before, after)
        if len(spots) > 1 and before is not None:  # the next one to the right, if any
            spots = [s for s in spots if abs(s[3] - before.box[3]) < before.em and s[0] > before.box[0]][:1]
        if len(spots) == 1:
            guesses.append(Letter(label, spots[0], 0.0, found[0].em))
    return guesses


def _free_spots(found: Sequence[Letter], before: Letter | None, after: Letter | None) -> list[Box]:
    """Free crossings of the letters' rows and columns between two letters in reading order."""
    em = found[0].em
    columns = _levels([letter.box[0] for letter in found], em)
    rows = _levels([letter.box[3] for letter in found], em)
    spots = []
    for bottom in rows:
        for x in columns:
            box = (x, int(bottom - em), int(x + 0.7 * em), bottom)
            taken = any(abs(f.box[0] - x) < 2 * em and abs(f.box[3] - bottom) < 2 * em for f in found)
            place = np.array([box])
            fits = all(float(_transition(a, b, em)[0, 0]) >= 0.2 for a, b in (
                (np.array([before.box]) if before else None, place), (place, np.array([after.box]) if after else None))
                if a is not None and b is not None)
            if not taken and fits:
                spots.append(box)
    return spots


def _levels(values: Sequence[int], em: float) -> list[int]:
    """Positions that differ by more than a cap height, each by its smallest member."""
    levels: list[int] = []
    for value in sorted(values):
        if not levels or value - levels[-1] > em:
            levels.append(value)
    return levels
