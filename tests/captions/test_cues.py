"""Words of captions that tell what panels show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.captions.cues import FAIR, STRONG, WEAK, cues_of, kind_cues
from pmcoa_build.captions.split import split_caption
from pmcoa_build.figures.kinds import KINDS


@pytest.mark.parametrize(("text", "kind"), [
    ("Axial T2-weighted MRI of the brain", "radiology"), ("Chest radiograph on admission", "radiology"),
    ("Contrast-enhanced CT scan", "radiology"), ("Ultrasound of the left kidney", "radiology"),
    ("Haematoxylin and eosin, x200", "microscopy"), ("H&E staining of the liver", "microscopy"),
    ("SEM images of the particles", "microscopy"), ("Confocal images; scale bar, 20 µm", "microscopy"),
    ("Clinical photograph of the lesion", "photo"), ("Intraoperative view", "photo"),
    ("Western blot of p53", "blot"), ("Cell lysates were immunoblotted for LC3", "blot"),
    ("Agarose gel electrophoresis of PCR products", "blot"),
    ("Crystal structure of the complex as ribbons", "render"), ("Volume rendering of the skull", "render"),
    ("Kaplan-Meier survival curves", "plot"), ("Quantification of band intensity", "plot"),
    ("Flow chart of the study", "diagram"), ("Schematic of the device", "diagram"), ("Phylogenetic tree", "diagram"),
    ("Table of primers", "table"),
])
def test_words_speak_for_a_kind(text: str, kind: str) -> None:
    cues = cues_of(text)
    assert max(cues, key=lambda name: cues[name]) == kind
    assert cues[kind] >= FAIR


@pytest.mark.parametrize(("text", "kind"), [
    ("Data are mean ± SEM", "microscopy"), ("The octave of the call", "radiology"), ("Photomicrograph", "photo"),
    ("as listed (see Table 2)", "table"), ("a ct value", "radiology"),
])
def test_words_that_only_look_like_it(text: str, kind: str) -> None:
    assert cues_of(text).get(kind, 0.0) < FAIR


def test_the_strongest_word_of_a_kind_counts() -> None:
    assert cues_of("MRI scan, axial slice, MRI") == {"radiology": STRONG}
    assert cues_of("") == cues_of("Results of the second experiment") == {}


def test_own_words_count_in_full_and_the_title_by_half() -> None:
    caption = "Electron microscopy of the fibres. (A) Untreated. (B) Histogram of the width. (C) Band at 40 kDa."
    cues = kind_cues(split_caption(caption), caption)
    assert cues["A"] == {"microscopy": STRONG / 2}
    assert cues["B"] == {"microscopy": STRONG / 2, "plot": STRONG}
    assert cues["C"]["blot"] == FAIR > WEAK
    assert cues[""] == {"blot": FAIR / 2, "microscopy": STRONG / 2, "plot": STRONG / 2}


def test_without_labels_all_of_the_caption_is_the_panel_s_own() -> None:
    caption = "Chest radiograph of the patient."
    assert kind_cues(split_caption(caption), caption) == {"": {"radiology": STRONG}}


@given(st.text(max_size=300))
def test_any_text_gives_kinds_and_log_odds(text: str) -> None:
    for cues in kind_cues(split_caption(text), text).values():
        assert set(cues) <= set(KINDS)
        assert all(0 < weight <= STRONG for weight in cues.values())
