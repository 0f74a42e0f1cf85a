"""Answers as the field compares them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.clip.benchmarks.answers import normalise


@pytest.mark.parametrize(("answer", "same"), [
    ("Yes", "yes"),
    (" superficial to the patient's skin", "superficial to patient's skin"),
    (4, "4"),
    (2.5, "2.5"),
    ("four", "4"),
    ("None", "0"),
    ("The extremities", "extremities"),
    ("X-Ray", "xray"),
    ("x ray", "xray"),
    ("Chest X-ray", "chest xray"),
    ("MRI Diffusion Weighted.", "mri diffusion weighted"),
    ("3.4 cm", "3.4 cm"),
    ("Left Lung, Right", "left lung right"),
    ("left,right", "left right"),
    ("1,000", "1000"),
    ("CT - with contrast", "ct  with contrast".replace("  ", " ")),
    ("T2-weighted", "t2 weighted"),
    ("yes/no", "yes no"),
    ("5-10 mm", "5 10 mm"),
    ("", ""),
])
def test_spellings_of_one_answer_are_one(answer: object, same: str) -> None:
    assert normalise(answer) == same


@given(st.text(alphabet="ab1, .-/?()THEthe", max_size=20))
def test_case_and_spaces_around_do_not_count(answer: str) -> None:
    assert normalise(answer) == normalise(answer.upper()) == normalise(answer).strip()
