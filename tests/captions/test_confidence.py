from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.captions.confidence import ORDERED, PRINTED, SINGLE, WHOLE, text_right
from pmcoa_build.captions.split import split_caption

WHOLE_SENTENCES = "Mice. (A) Heart of a control animal. (B) Lung of a control animal."


def test_shares() -> None:
    shares = [sum(PRINTED), *ORDERED.values(), *SINGLE.values(), *WHOLE.values()]
    assert all(0 < share <= 1 for share in shares)
    assert sum(PRINTED) > PRINTED[0] >= max(ORDERED.values()) - 0.05
    assert max(WHOLE.values()) < min(ORDERED.values())


@pytest.mark.parametrize(
    ("surer", "less", "label"),
    [
        (WHOLE_SENTENCES, "Mice. Heart (A) and lung (B) of a control animal.", "A"),  # cut inside a sentence
        (WHOLE_SENTENCES, f"{WHOLE_SENTENCES} Scale bars, 5 mm. Data are means. n = 5 mice, *p < 0.05.", "B"),
        (WHOLE_SENTENCES, WHOLE_SENTENCES.replace("(B)", "(B) Much longer is this one, with all of its words. (C)"),
         "A"),
    ],
)  # fmt: skip
def test_what_makes_clauses_doubtful(surer: str, less: str, label: str) -> None:
    first, second = (text_right(split_caption(text), (label,), text) for text in (surer, less))
    assert 1 > first > second > 0


def test_no_clauses_are_never_right() -> None:
    assert text_right(split_caption(WHOLE_SENTENCES), ("Z",), WHOLE_SENTENCES) == 0
    assert text_right(split_caption("A lesion."), ("A",), "A lesion.") == 0


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=30))
def test_any_caption(one: str, two: str, tail: str) -> None:
    caption = f"{one} (A) {two}. (B) {one}. {tail}"
    split = split_caption(caption)
    for label in split.labels:
        assert 0 <= text_right(split, (label,), caption) <= 1
