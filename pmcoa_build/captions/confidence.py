"""How sure a pair is: the share of pairs like it that are right, as measured.

Two things can fail, and each has its factor: the panel may be another than the label says, and the clauses may be cut
wrongly. The first was counted on real figures whose letters were taken away or misread on purpose, the second fitted
to 335 real captions divided by hand (cross-validated by article); `bench/align.py` shows both on real figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pmcoa_build.captions.split import SplitCaption

PRINTED = (0.95, 0.04)
"""A label that is read: this, and this much more for a label score of 1."""
ORDERED = {"anchored": 0.97, "counted": 0.87, "unread": 0.8, "looks": 0.75, "inherited": 0.5, "placed": 0.5}
"""By reading order: as many panels as labels, some letters read; other counts, between letters that are read; as many
as labels, no letter read; where a panel's looks told; unlabelled, next to a panel with a letter; by its place (left,
right) in the figure."""
SINGLE = {"plain": 0.85, "one-label": 0.7, "labels": 0.3}
"""The only panel: of a caption without labels, with one, with several that it does not show."""
WHOLE = {"plain": 0.15, "labels": 0.1}
"""The whole caption for one of several panels: where the caption has no labels; where it has, and another part fits."""

_RIGHT = 2.26
_LAST, _INSIDE, _OPEN, _SHARE = -1.06, -1.07, -1.07, 2.1
"""Log-odds that the clauses are right: at the start; where they are the last before a tail; cut inside a sentence; open
at the end; for their share (0 to 1) of the caption."""


def text_right(split: SplitCaption, labels: Sequence[str], caption: str) -> float:
    """How often clauses like those of these labels are what belongs to them, 0 to 1."""
    spans = sorted({span for part in split.parts if not set(labels).isdisjoint(part.labels) for span in part.spans})
    if not spans:
        return 0.0
    end = max(end for part in split.parts for _, end in part.spans)
    odds = _RIGHT + _SHARE * sum(end - start for start, end in spans) / len(caption)
    odds += _LAST if split.tail and spans[-1][1] == end else 0.0
    odds += _INSIDE if any(not _closed(caption[:cut], ".;)") for _, cut in spans[:-1]) else 0.0
    odds += _OPEN if not _closed(caption[: spans[-1][1]], ".;") else 0.0
    return 1 / (1 + math.exp(-odds))


def _closed(text: str, marks: str) -> bool:
    return text[-8:].rstrip().endswith(tuple(marks))
