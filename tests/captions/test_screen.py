from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.captions.screen import Screen, modalities, screen_terms
from pmcoa_build.errors import UsageError


@pytest.mark.parametrize(
    ("caption", "found"),
    [
        ("Axial CT of the chest.", ["CT"]),
        ("He told us of mr Smith's cats; ct, pet and oct are words.", []),
        ("US of the thyroid", ["US"]),
        ("Two CTs and three X-rays", ["CT", "X ray"]),
        ("T2\u2010weighted image", ["T2 weighted"]),
        ("Biopsies were stained with H&E.", ["biopsy", "biopsies", "H&E"]),
        ("The ECG shows atrial fibrillation.", ["ECG"]),
        ("Electrocardiograms of both", ["electrocardiogram"]),
        ("Selection of sites in the factory (CTX, MRIs)", ["MRI"]),
        ("A map of the study area.", []),
        ("", []),
    ],
)
def test_diagnostic_terms(caption: str, found: list[str]) -> None:
    assert Screen("diagnostic").find(caption) == found


def test_none_keeps_everything() -> None:
    screen = screen_terms("none")
    assert screen.find("CT of the chest") == []
    assert screen.keeps("nothing medical at all")


def test_diagnostic_keeps_only_what_it_finds() -> None:
    screen = screen_terms("diagnostic")
    assert screen.keeps("Ultrasound of the liver")
    assert not screen.keeps("Map of the study area")


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "terms.txt"
    path.write_text("# mine\n\nsnow leopard\nNMR\n", "utf-8")
    screen = Screen(str(path))
    assert screen.find("A snow-leopard, two Snow Leopards, an nmr") == ["snow leopard"]
    assert screen.find("NMR of snow") == ["NMR"]


@pytest.mark.parametrize("content", ["", "# only a comment\n", "fine\n---\n"])
def test_a_bad_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "terms.txt"
    path.write_text(content, "utf-8")
    with pytest.raises(UsageError, match=r"terms\.txt"):
        Screen(str(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gone"):
        Screen(str(tmp_path / "gone"))


@pytest.mark.parametrize(
    ("caption", "kinds"),
    [
        ("(A) Axial CT. (B) MRI of the same plane. (C) H&E stain.", ["ct", "mri", "histology"]),
        ("Chest radiograph", ["xray"]),
        ("Western blots of p53 and their quantification", ["blot", "plot"]),
        ("Workflow of the trial", ["diagram"]),
        ("Fundus photograph", ["fundus", "photo"]),
        ("It let us plot a course", ["plot"]),
        ("nothing", []),
    ],
)
def test_modalities(caption: str, kinds: list[str]) -> None:
    assert modalities(caption) == kinds


@given(st.text())
def test_any_text(text: str) -> None:
    found = Screen("diagnostic").find(text)
    assert len(found) == len(set(found))
    assert len(modalities(text)) == len(set(modalities(text)))
