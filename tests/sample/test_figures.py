from __future__ import annotations

import re

import numpy as np
import pytest

from pmcoa_build.figures.synth.imagery import Modality, rng_of
from pmcoa_build.sample.captions import STYLES, compose, plain
from pmcoa_build.sample.cast import cast
from pmcoa_build.sample.figures import MODALITIES, choose_page, choose_panels, draw

KINDS = {"radiology", "microscopy", "photo", "blot", "render", "plot", "diagram", "table"}


@pytest.mark.parametrize("modality", MODALITIES, ids=[m.name for m in MODALITIES])
def test_a_modality_draws_every_value_and_says_it(modality: Modality) -> None:
    assert modality.kind in KINDS
    width, height = round(96 * max(modality.aspect, 1)), round(96 / min(modality.aspect, 1))
    base = modality.choose(rng_of(0, modality.name))
    for name, values in modality.attributes.items():
        drawn, said = [], []
        for value in values:
            chosen = {**base, name: value}
            image = modality.draw(chosen, rng_of(0, "draw"), width, height)
            assert image.shape == (height, width, 3) and image.dtype == np.uint8
            drawn.append(image.astype(np.int16))
            said.append(modality.describe(chosen, rng_of(0, "say")))
        for i in range(len(values)):
            for j in range(i):
                assert np.abs(drawn[i] - drawn[j]).max() > 40, f"{name}: {values[i]} looks like {values[j]}"
                assert said[i] != said[j]


@pytest.mark.parametrize("modality", MODALITIES, ids=[m.name for m in MODALITIES])
def test_clauses_are_sentences(modality: Modality) -> None:
    rng = rng_of(1, modality.name)
    for _ in range(30):
        clause = modality.describe(modality.choose(rng), rng)
        assert clause[0].isupper() or clause[0].isdigit()
        assert "{" not in clause and not clause.endswith(".")
        assert not re.search(r"\ba [aeio]\w|\bone (?:[\w-]+ )?(?:lesions|foci|cells|polyps|signals)\b", clause), clause


def test_figures_have_one_to_twelve_panels_with_a_box_each() -> None:
    counts = set()
    for i in range(60):
        rng = rng_of(5, i)
        panels = choose_panels(rng)
        page = choose_page(rng, panels, "upper")
        drawing = draw(rng, panels, page)
        counts.add(len(panels))
        assert len(drawing.boxes) == len(drawing.labels) == len(panels)
        assert drawing.image.shape[1] == page.width and 100 <= drawing.image.shape[0] <= 1900
        assert (drawing.labels == page.labels) is page.printed
    assert counts <= set(range(1, 13)) and {1, 2, 4, 6} <= counts


def test_the_printed_letter_is_in_the_box_and_on_the_page() -> None:
    from dataclasses import replace

    rng = rng_of(0, "letters")
    panels = choose_panels(rng, "same", 4)
    for where in ("inside", "boxed", "above"):
        page = replace(choose_page(rng_of(0, "page"), panels, "upper"), printed=True, where=where, gutter=16,
                       background=255)
        with_letters = draw(rng_of(0, "d"), panels, page)
        without = draw(rng_of(0, "d"), panels, replace(page, labels=("I",) * 4))
        changed = (with_letters.image != without.image).any(axis=2) if (
            with_letters.image.shape == without.image.shape) else np.zeros((1, 1), bool)
        assert changed.any()
        for row, column in np.argwhere(changed):
            assert any(x0 <= column < x1 and y0 <= row < y1 for x0, y0, x1, y1 in with_letters.boxes)


@pytest.mark.parametrize("style", STYLES)
def test_caption_styles_hold_each_clause_once_in_order(style: str) -> None:
    from dataclasses import replace

    for i in range(12):
        rng = rng_of(7, style, i)
        panels = choose_panels(rng, "mixed", 2 + i % 5)
        page = replace(choose_page(rng, panels, "upper"), printed=True)
        caption = compose(rng, panels, page, style)
        text = plain(f"{caption.title} {caption.body}")
        at = 0
        for panel, pieces in zip(panels, caption.pieces, strict=True):
            assert any(panel.clause in piece for piece in pieces)
            at = text.index(panel.clause, at) + 1
        assert text.startswith(caption.preamble) and text.endswith(caption.tail)
        assert all(label in text for label in page.labels)


def test_plain_text_is_what_a_parser_reads() -> None:
    assert plain("10<sup>6</sup> Na<sub>2</sub>  <italic>p</italic> &lt; 1") == "106 Na2 p < 1"
    assert plain("<alternatives><tex-math>$x$</tex-math><mml:math><mml:mi>x</mml:mi></mml:math></alternatives>") == "x"


def test_the_full_cast_keeps_most_and_breaks_few() -> None:
    parts = cast(150)
    kept = {part.pmcid for part in parts if part.outcome == "kept"}
    broken = {part.pmcid for part in parts if part.outcome in ("xml-malformed", "http-404", "json-malformed")}
    assert len({part.pmcid for part in parts}) == 150
    assert len(kept) >= 110 and 3 <= len(broken) < 0.04 * 150
    assert {part.license for part in parts} == {"CC BY", "CC0", "CC BY-SA", "CC BY-ND", "CC BY-NC", "CC BY-NC-SA",
                                                "CC BY-NC-ND", "TDM", None}
    assert len({part.dialect for part in parts}) == 7
    assert len({part.article for part in parts}) == len(parts)


def test_a_small_cast_is_the_head_of_a_large_one() -> None:
    small, large = cast(20), cast(60)
    assert large[: len(small)] == small
