from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.captions.align import Paired, correct, pair, undecided
from pmcoa_build.captions.corrections import Correction
from pmcoa_build.captions.matching import PanelView
from pmcoa_build.captions.split import split_caption

CAPTION = "Mice. (A) Heart. (B) Lung. (C) Liver. (D) Spleen."
SPLIT = split_caption(CAPTION)
TEXTS = {"A": "Heart.", "B": "Lung.", "C": "Liver.", "D": "Spleen."}


def views(*labels: str | None, score: float = 0.9, columns: int = 2) -> list[PanelView]:
    """Panels in a grid, row by row, 100 pixels a side."""
    return [
        PanelView((i % columns * 100, i // columns * 100, i % columns * 100 + 90, i // columns * 100 + 90), label,
                  None if label is None else score)
        for i, label in enumerate(labels)
    ]  # fmt: skip


def paired(panels: list[PanelView], caption: str = CAPTION) -> list[Paired]:
    return pair(panels, split_caption(caption), caption, width=200, height=200)


@pytest.mark.parametrize(
    ("printed", "labels", "methods"),
    [
        ("ABCD", "ABCD", "llll"),
        ("ACBD", "ACBD", "llll"),  # column by column: what is printed counts, not the order
        ("abcd", "ABCD", "llll"),
        ([None] * 4, "ABCD", "oooo"),
        (["A", None, "C", "D"], "ABCD", "loll"),
        ("AECD", "ABCD", "loll"),  # one misread letter does not shift the others
        ("ABBD", "ABCD", "llol"),  # read twice
        (["A", None, "D"], "A?D", "lwl"),  # one panel was missed, so the middle one may be B or C
        (["A", None, "C"], "ABC", "lol"),
        (["A1", None, "C", "D"], "ABCD", "loll"),
    ],
)
def test_labels_and_methods(printed: list[str | None], labels: str, methods: str) -> None:
    found = paired(views(*printed))
    full = {"l": "label", "o": "order", "w": "whole-caption"}
    assert [p.method for p in found] == [full[m] for m in methods]
    for one, label in zip(found, labels, strict=True):
        assert one.subcaption == TEXTS.get(label, CAPTION)
        assert one.label == (None if label == "?" else label)
        assert one.preamble == ("" if label == "?" else "Mice.")


def test_a_panel_whose_letter_the_caption_does_not_name() -> None:
    *_, extra = paired(views("A", "B", "C", "D", "E"))
    assert (extra.label, extra.method, extra.subcaption) == ("E", "whole-caption", CAPTION)


def test_images_without_a_letter_go_with_the_letter_before_them() -> None:
    panels = views("A", None, "B", None, "C", None, "D", None)
    assert [p.label for p in paired(panels)] == list("AABBCCDD")


def test_single_and_whole_caption() -> None:
    plain = "A round lesion in the left lobe."
    assert [(p.method, p.subcaption) for p in paired(views(None), plain)] == [("single", plain)]
    assert [p.method for p in paired(views(None, None), plain)] == ["whole-caption"] * 2
    assert [(p.method, p.subcaption) for p in paired(views(None))] == [("single", CAPTION)]
    assert [(p.method, p.subcaption) for p in paired(views("B"))] == [("label", "Lung.")]
    assert paired([]) == []


def test_places_are_found_in_the_figure() -> None:
    caption = "Hips. Left panel: before. Right panel: after."
    found = paired(views(None, None, None, None), caption)
    assert [p.label for p in found] == ["left", "right", "left", "right"]
    assert [p.subcaption for p in found[:2]] == ["before.", "after."]
    (middle,) = pair([PanelView((90, 0, 110, 90))], split_caption(caption), caption, width=200, height=100)
    assert middle.method == "single"
    across = [PanelView((0, 0, 200, 40), None), *views(None, None)]
    assert [p.method for p in paired(across, caption)] == ["whole-caption", "order", "order"]


def test_two_places_at_once() -> None:
    caption = "Hips. Left: before. Right: after. Top: men. Bottom: women."
    found = paired(views(None, None, None, None), caption)
    assert [p.label for p in found] == ["left, top", "right, top", "left, bottom", "right, bottom"]
    assert [p.subcaption for p in found[:2]] == ["before. men.", "after. men."]


def test_confidence_orders_the_methods() -> None:
    sure = paired(views(*"ABCD", score=0.95))[0].confidence
    one_missing = paired(views("A", None, "C", "D"))[1].confidence
    partial = paired(views("A", None, "C"))[1].confidence
    unread = paired(views(None, None, None, None))[0].confidence
    inherited = paired(views("A", None, "B", "C", "D"))[1].confidence
    whole = paired(views("A", None, "D"))[1].confidence
    assert 1 >= sure > one_missing > partial > unread > inherited > whole > 0
    assert paired(views(None), "One lesion.")[0].confidence > paired(views(None))[0].confidence > whole


def test_letters_follow_the_alphabet_whatever_the_caption_speaks_of_first() -> None:
    caption = "Mice. (A, C) Heart before (A) and after (C). (B, D) Lung before (B) and after (D)."
    assert [p.label for p in paired(views(None, None, None, None), caption)] == list("ABCD")
    assert [p.label for p in paired(views("A", None, "C", None), caption)] == list("ABCD")


def test_looks_are_asked_where_letters_do_not_decide() -> None:
    asked: list[list[str]] = []

    def looks(texts: Sequence[str]) -> list[list[float]]:
        asked.append(list(texts))
        return [[0.25] * 4, [0.02, 0.02, 0.94, 0.02], [0.25] * 4]

    split = split_caption(CAPTION)
    first, second, third = pair(views("A", None, "D"), split, CAPTION, width=200, height=200, looks=looks)
    assert (second.label, second.subcaption, second.method) == ("C", "Liver.", "order")
    assert first.confidence > second.confidence > 0.5 and third.label == "D"
    assert asked == [list(TEXTS.values())]
    assert pair(views(*"ABCD"), split, CAPTION, width=200, height=200, looks=looks)[0].label == "A"
    assert len(asked) == 1


def test_undecided() -> None:
    assert undecided(views("A", None), SPLIT) and undecided(views("A", "Z"), SPLIT)
    assert not undecided(views("A", "B"), SPLIT) and not undecided(views(None), SPLIT)
    assert not undecided(views(None, None), split_caption("A lesion."))
    assert not undecided(views(None, None), split_caption("Left: before. Right: after."))


def test_a_letter_stands_for_its_sub_labels_where_they_are_not_printed() -> None:
    caption = "(A1) Left. (A2) Right. (B) Heart."
    whole, heart = paired(views("A", "B"), caption)
    assert (whole.label, whole.subcaption, heart.subcaption) == ("A", "Left. Right.", "Heart.")
    assert [p.subcaption for p in paired(views("A1", "A2", "B"), caption)] == ["Left.", "Right.", "Heart."]


def test_a_persons_word_wins() -> None:
    found = paired(views("A", "B", "C", "D"))
    box = (0.0, 0.0, 1.0, 1.0)
    said = [
        Correction("i", box, label="b"),
        Correction("i", box, subcaption="By hand."),
        Correction("i", box, drop=True),
        None,
    ]
    first, second, third, fourth = correct(found, said, SPLIT)
    assert first is not None and (first.label, first.subcaption, first.method) == ("b", "Lung.", "corrected")
    assert second is not None and (second.label, second.subcaption) == ("B", "By hand.")
    assert third is None
    assert fourth == found[3]


def test_right_wrong_and_moved() -> None:
    found = paired(views("A", "B", "C", "D"))
    box = (0.0, 0.0, 1.0, 1.0)
    said = [
        Correction("i", box, "A", found[0].subcaption, verdict="right"),
        Correction("i", box, "", "Not so.", verdict="right"),
        Correction("i", box, verdict="wrong"),
        Correction("i", box, verdict="wrong", new_box=(0.0, 0.0, 2.0, 2.0)),
    ]
    first, second, third, fourth = correct(found, said, SPLIT)
    assert first == replace(found[0], confidence=1.0)
    assert second is not None and (second.label, second.subcaption, second.method) == (None, "Not so.", "corrected")
    assert third is None
    assert fourth == found[3]


LABELS = st.one_of(st.none(), st.sampled_from("ABCDEabcdi1"), st.text(max_size=2))
BOXES = st.tuples(*[st.integers(0, 50)] * 2).map(lambda p: (p[0], p[1], p[0] + 10, p[1] + 10))


PANELS = st.lists(st.builds(PanelView, BOXES, LABELS, st.one_of(st.none(), st.floats(0, 1))), max_size=9)


@given(PANELS, st.text(max_size=80))
def test_any_panels(panels: list[PanelView], noise: str) -> None:
    for caption in (CAPTION, noise):
        found = pair(panels, split_caption(caption), caption, width=60, height=60)
        assert len(found) == len(panels)
        assert all(0 <= p.confidence <= 1 for p in found)
        assert pair(panels, split_caption(caption), caption, width=60, height=60) == found
