"""Split a figure caption into its preamble, the clauses of each panel label, and a tail that belongs to all.

Exact, verbatim and repeatable: every text is made of slices of the caption, nothing is rewritten. Where the authors of
PMC-OA asked a language model (arXiv 2303.07240), rules of the trade do it here: find the markers (markers.py,
brackets.py), believe the sequence of labels that explains them (sequence.py), hand each sentence to its labels
(clauses.py, assign.py), and share it out where it names several (sharing.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pmcoa_build.captions import markers, sequence
from pmcoa_build.captions.assign import assign
from pmcoa_build.captions.clauses import Clauses, Span, trim
from pmcoa_build.captions.positions import by_place

LONGEST = 20_000
"""Characters looked at; what stands behind goes to the tail (the longest captions of PMC have some 10,000)."""

_APPENDED = re.compile(r"10\.\d{4,9}/\S{1,40}?Fig(?:ure|\.) ?\d")
"""The legend of a source-data file run into the caption: its letters are not this figure's panels (eLife)."""


@dataclass(frozen=True)
class Part:
    """The clauses of one label group. `text` is the slices at `spans`, in order, joined by a blank."""

    labels: tuple[str, ...]
    spans: list[tuple[int, int]]
    text: str


@dataclass(frozen=True)
class SplitCaption:
    """A divided caption; all of it is preamble where no labels were found."""

    preamble: str
    parts: list[Part] = field(default_factory=list)
    tail: str = ""

    @property
    def labels(self) -> tuple[str, ...]:
        """Distinct labels in the order of the caption."""
        return tuple(dict.fromkeys(label for part in self.parts for label in part.labels))

    def for_label(self, *labels: str) -> str:
        """All clauses that apply to a label, or to one of several, in order ("" for unknown ones)."""
        return " ".join(part.text for part in self.parts if not set(labels).isdisjoint(part.labels))


def split_caption(text: str) -> SplitCaption:
    """Divide a caption. Never raises on any text; without believable labels the whole caption is the preamble."""
    appended = _APPENDED.search(text)
    looked = text[: min(LONGEST, appended.start() if appended else LONGEST)]
    starts = markers.boundaries(looked)
    believed = sequence.believe(looked, markers.candidates(looked, starts))
    if not believed.labels:
        believed = by_place(looked, starts)
    if not believed.labels:
        return SplitCaption(text.strip())
    clauses = assign(looked, starts, believed)
    if len(text) > len(looked):
        clauses.tail.append((len(looked), len(text)))
    labels = _implied_first(believed, clauses, text) + believed.labels
    groups: dict[tuple[Span, ...], list[str]] = {}
    for label in labels:
        groups.setdefault(tuple(sorted(clauses.of.get(label, []))), []).append(label)
    parts = [Part(tuple(group), list(spans), _joined(text, spans)) for spans, group in groups.items()]
    return SplitCaption(_block(text, clauses.preamble), parts, _block(text, clauses.tail))


def _implied_first(believed: sequence.Sequence, clauses: Clauses, text: str) -> tuple[str, ...]:
    """ "A" for the last sentence before an opening "(B)" where "(A)" was forgotten and a title stands before it."""
    first, *others = believed.labels
    if first not in ("B", "b") or not others or len(clauses.preamble) < 2:
        return ()
    if not any(m.opens and m.start == believed.homes[first] for m in believed.markers):
        return ()
    label = "A" if first == "B" else "a"
    clauses.give((label,), *clauses.preamble.pop(), text)
    return (label,)


def _joined(text: str, spans: tuple[Span, ...]) -> str:
    return " ".join(text[start:end] for start, end in spans)


def _block(text: str, spans: list[Span]) -> str:
    """Preamble or tail: neighbouring sentences as they stand, without loose separators at the ends."""
    if not spans:
        return ""
    pieces: list[Span] = []
    for start, end in sorted(spans):
        if pieces and pieces[-1][1] == start:
            pieces[-1] = (pieces[-1][0], end)
        else:
            pieces.append((start, end))
    trimmed = [trim(text, start, end) for start, end in pieces]
    return " ".join(text[span[0] : span[1]] for span in trimmed if span)


def to_split_record(record_id: str, caption: object) -> dict[str, Any]:
    """The line of `split-captions`: {"id", "preamble", "tail", "parts": [{"labels", "text"}]}, or {"id", "error"}."""
    if not isinstance(caption, str):
        return {"id": record_id, "error": "caption is not a text"}
    split = split_caption(caption)
    parts: list[Mapping[str, Any]] = [{"labels": list(part.labels), "text": part.text} for part in split.parts]
    return {"id": record_id, "preamble": split.preamble, "tail": split.tail, "parts": parts}
