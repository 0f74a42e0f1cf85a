"""The wording of captions: the many ways in which journals mark subcaptions, with the truth about each part.

A caption is written as XML with inline tags only; its plain text is what a parser should read from it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from pmcoa_build.figures.synth.imagery import Rng, pick
from pmcoa_build.sample.figures import Page, Panel

Body = tuple[str, tuple[tuple[str, ...], ...]]
_DROP = re.compile(r"<tex-math.*?</tex-math>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")


@dataclass(frozen=True)
class Caption:
    """A caption as XML (`title` may be empty, `body` too) and its parts as plain text.

    `pieces[i]`: the verbatim clauses of panel i, in order; empty where the caption doesn't tell panels apart.
    """

    title: str
    body: str
    preamble: str
    tail: str
    pieces: tuple[tuple[str, ...], ...]
    style: str


def plain(markup: str) -> str:
    """Text of inline XML: tags dropped without a blank, tex-math left out, entities resolved, blanks made one."""
    return " ".join(html.unescape(_TAG.sub("", _DROP.sub("", markup))).split())


_PATIENTS = ("a 54-year-old woman", "a 61-year-old man", "a 37-year-old patient", "a child aged 9 years",
             "two siblings",
             "a patient with vitamin D deficiency", "a patient with hepatitis B", "untreated controls",
             "treated animals")
_SETTINGS = ("at presentation", "after 6 months of therapy", "before treatment", "at follow-up", "on day 14",
             "in cohort 2")
_TAILS = {
    "bar": "Scale bar, 50 µm.",
    "stats": "Data are mean ± SD (<italic>n</italic> = 5 per group); *<italic>p</italic> &lt; 0.05.",
    "cells": "Doses of 10<sup>6</sup> cells were given under 5% CO<sub>2</sub>.",
    "abbreviations": "Abbreviations: CT, computed tomography; MRI, magnetic resonance imaging; "
                     "DAPI, 4′,6-diamidino-2-phenylindole.",
    "formula": "Volume was computed as <inline-formula><alternatives>"
               "<tex-math>\\documentclass{minimal}$V=abc/2$</tex-math><mml:math><mml:mi>V</mml:mi><mml:mo>=</mml:mo><mml:mi>a</mml:mi><mml:mi>b</mml:mi><mml:mi>c</mml:mi>"
               "<mml:mo>/</mml:mo><mml:mn>2</mml:mn></mml:math></alternatives></inline-formula>.",
    "arrows": "Arrows and asterisks mark the findings.",
    "source": "Source data are given in Table S1.",
}
STYLES = ("paren", "comma", "colon", "after", "shared", "bold", "period", "bars")


def compose(rng: Rng, panels: Sequence[Panel], page: Page, style: str | None = None) -> Caption:
    """A caption for these panels. Without printed labels two panels are told apart by their place, others not."""
    opening = _opening(rng, panels)
    known = [name for name in _TAILS if name != "abbreviations" or any(p.modality.diagnostic for p in panels)]
    tails = [pick(rng, known) for _ in range(int(rng.integers(0, 3)))]
    tail = " ".join(_TAILS[name] for name in dict.fromkeys(tails))
    if len(panels) == 1:
        return _single(rng, panels[0], opening, tail)
    style = style or str(rng.choice(STYLES, p=[0.34, 0.15, 0.13, 0.1, 0.1, 0.08, 0.05, 0.05]))
    if not page.printed:
        style = "sides" if len(panels) == 2 else "unmarked"
    body, pieces = _BODIES.get(style, _marked)(rng, panels, page, style)
    if style == "bars":
        bars = [f"{pick(rng, (10, 20, 50))} µm" for _ in panels]
        body += f" Scale bars: {'; '.join(f'{label}, {bar}' for label, bar in zip(page.labels, bars, strict=True))}."
        pieces = tuple((*clauses, bar) for clauses, bar in zip(pieces, bars, strict=True))
    if style == "unmarked":
        return Caption(opening, f"{body} {tail}".strip(), plain(f"{opening} {body}"), plain(tail), pieces, style)
    return Caption(opening, f"{body} {tail}".strip(), plain(opening), plain(tail), pieces, style)


def _opening(rng: Rng, panels: Sequence[Panel]) -> str:
    families = list(dict.fromkeys(panel.modality.name for panel in panels))
    heads = [pick(rng, panel.modality.heading) for panel in panels if panel.modality.name == families[0]][:1]
    others = [p.modality for p in panels if p.modality.diagnostic and p.modality.name != families[0]]
    if others:
        heads.append(pick(rng, others[0].heading))
    said = " and ".join([heads[0], *(_lowered(head) for head in heads[1:])])
    form = pick(rng, ("{0} in {1} {2}.", "{0} of {1}.", "{0} {2}.", "{0}."))
    return html.escape(form.format(said, pick(rng, _PATIENTS), pick(rng, _SETTINGS)), quote=False)


def _lowered(head: str) -> str:
    """Without its capital, unless that belongs to an abbreviation."""
    return head[0].lower() + head[1:] if head[1:2].islower() and "Kaplan" not in head else head


def _single(rng: Rng, panel: Panel, opening: str, tail: str) -> Caption:
    clause = f"{panel.clause}."
    title = opening if rng.random() < 0.5 else ""
    return Caption(title, f"{_escape(clause)} {tail}".strip(), plain(title), plain(tail), ((clause,),), "single")


def _escape(text: str) -> str:
    return html.escape(text, quote=False)


def _marked(rng: Rng, panels: Sequence[Panel], page: Page, style: str) -> Body:
    """Markers before their clauses: `(A) …`, `A, …`, `A: …`, bold `A …`, `A. …`."""
    form = {"paren": pick(rng, ("({0}) {1}", "(<bold>{0}</bold>) {1}", "<bold>({0})</bold> {1}")),
            "comma": pick(rng, ("{0}, {1}", "<bold>{0}</bold>, {1}", "<italic>{0}</italic>, {1}")),
            "colon": pick(rng, ("{0}: {1}", "<bold>{0}</bold>: {1}")), "bold": "<bold>{0}</bold> {1}",
            "period": "<bold>{0}.</bold> {1}", "bars": "({0}) {1}"}[style]
    stop = ";" if style == "paren" and rng.random() < 0.2 else "."
    parts, pieces = [], []
    for index, (label, panel) in enumerate(zip(page.labels, panels, strict=True)):
        clause = panel.clause + ("." if index == len(panels) - 1 else stop)
        parts.append(form.format(label, _escape(clause)))
        pieces.append((clause,))
    return " ".join(parts), tuple(pieces)


def _after(_rng: Rng, panels: Sequence[Panel], page: Page, _style: str) -> Body:
    """Markers behind their clauses: `… (A), … (B) and … (C).`"""
    said = [f"{_escape(p.clause)} ({label})" for label, p in zip(page.labels, panels, strict=True)]
    return "; ".join(said) + ".", tuple((panel.clause,) for panel in panels)


def _shared(rng: Rng, panels: Sequence[Panel], page: Page, _style: str) -> Body:
    """A sentence for a range or a pair of labels, then one for each: `(A–C) … (A) … (B) …`."""
    cut = max(2, len(panels) // 2) if len(panels) > 3 else len(panels)
    meant = set(range(0, len(panels), 2)) if len(panels) > 3 and rng.random() < 0.4 else set(range(cut))
    head = _head([page.labels[i] for i in sorted(meant)], pick(rng, ("–", "-")), run=max(meant) == len(meant) - 1)
    common = pick(rng, ("Findings of the first reader.", "Examples from the training cohort.",
                        "Images taken at baseline."))
    parts, pieces = [f"({head}) {common}"], []
    for index, (label, panel) in enumerate(zip(page.labels, panels, strict=True)):
        clause = f"{panel.clause}."
        parts.append(f"({label}) {_escape(clause)}")
        pieces.append((common, clause) if index in meant else (clause,))
    return " ".join(parts), tuple(pieces)


def _head(labels: Sequence[str], dash: str, *, run: bool) -> str:
    """`A–C` for a run, `A, C and E` for others, `A, B` for two."""
    if run and len(labels) > 2:
        return f"{labels[0]}{dash}{labels[-1]}"
    return ", ".join(labels) if len(labels) == 2 else f"{', '.join(labels[:-1])} and {labels[-1]}"


def _sides(rng: Rng, panels: Sequence[Panel], page: Page, _style: str) -> Body:
    """Two panels without letters, told apart by place."""
    words = ("First:", "Second:")
    if page.layout == "grid":
        words = pick(rng, (("Left panel:", "Right panel:"), ("Left:", "Right:")))
    clauses = [f"{panel.clause}." for panel in panels]
    said = " ".join(f"{word} {_escape(clause)}" for word, clause in zip(words, clauses, strict=True))
    return said, tuple((clause,) for clause in clauses)


def _unmarked(_rng: Rng, panels: Sequence[Panel], _page: Page, _style: str) -> Body:
    """One text for all panels."""
    return f"Representative findings: {_escape(panels[0].clause)}, among others.", tuple(() for _ in panels)


_BODIES = {"after": _after, "shared": _shared, "sides": _sides, "unmarked": _unmarked}
