"""Media names: which file a figure means, and which names may become files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.pmc.media import RASTER_EXTENSIONS, is_raster, is_safe_href, is_safe_name, match_media


@pytest.mark.parametrize(
    ("href", "names", "found"),
    [
        ("gr1.jpg", ["gr1.jpg", "gr2.jpg"], "gr1.jpg"),
        (
            "pone.0000308.g001",
            ["pone.0000308.g002.jpg", "pone.0000308.g001.jpg", "pone.0000308.s001.doc"],
            "pone.0000308.g001.jpg",
        ),
        ("JCB9806103.f1", ["jcb9806103.f10.jpg", "jcb9806103.f1.jpg"], "jcb9806103.f1.jpg"),
        ("JCB.29208f3", ["jcb.29208f3.jpg"], "jcb.29208f3.jpg"),
        ("fig1.tif", ["fig1.gif", "fig1.jpg"], "fig1.jpg"),
        ("fig1.tif", ["fig1.bmp", "fig1.png", "fig1.jpeg"], "fig1.jpeg"),
        ("fig1.GIF", ["fig1.jpg", "fig1.gif"], "fig1.gif"),
        ("F1.jpg", ["f1.jpg", "F1.jpg"], "F1.jpg"),
        ("images/a%20b.jpg", ["a b.jpg"], "a b.jpg"),
        ("https://host/x/fig1.jpg?download=1#top", ["fig1.jpg"], "fig1.jpg"),
        ("folder\\fig1.jpg", ["fig1.jpg"], "fig1.jpg"),
        ("%2Fetc%2Fpasswd", ["passwd.png"], "passwd.png"),
        ("s001", ["s001.pdf"], None),
        ("x.f1", ["x.jpg"], None),
        ("x", ["x.f1.jpg"], None),
        ("clip.mp4", ["clip.mp4"], "clip.mp4"),
        ("clip.mp4", ["clip.jpg"], None),
        ("", ["a.jpg"], None),
        ("folder/", ["a.jpg"], None),
        ("gr1_lrg.jpg", ["gr1.jpg"], None),
        ("a.jpg", [], None),
    ],
)
def test_match(href: str, names: list[str], found: str | None) -> None:
    assert match_media(href, names) == found


@given(st.text(max_size=30), st.lists(st.text(max_size=20), max_size=5))
def test_a_match_is_one_of_the_names(href: str, names: list[str]) -> None:
    assert match_media(href, names) in (None, *names)


@given(st.permutations(["x.jpg", "x.jpeg", "x.png", "x.tif", "x.tiff", "x.gif", "x.webp", "x.bmp"]), st.integers(0, 7))
def test_the_preferred_extension_wins_in_any_order(names: list[str], drop: int) -> None:
    left = names[drop:]
    assert match_media("X", left) == min(left, key=lambda name: RASTER_EXTENSIONS.index(name[2:]))


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "../x",
        "a/b.jpg",
        "/etc/passwd",
        "a\\b.jpg",
        "C:x.jpg",
        "a\0b",
        "a\nb",
        "a\x7f",
        "a\x85b",
        "x" * 252 + ".jpg",
        "é" * 126 + ".jpg",
        "CON",
        "con.jpg",
        "Aux.tar.gz",
        "LPT1.png",
        "com¹.jpg",
        "x.",
        "x ",
        " x",
        "a?b",
        "a\u202egpj.exe",
        "a\ud800",
    ],
)
def test_unsafe_names(name: str) -> None:
    assert not is_safe_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "gr1.jpg",
        "pone.0000308.g001.jpg",
        "x" * 251 + ".jpg",
        "-rf",
        "$(touch x)",
        "console.jpg",
        "com.jpg",
        "com10.jpg",
        "naïve é.png",
        "a..b.jpg",
    ],
)
def test_safe_names(name: str) -> None:
    assert is_safe_name(name)


@pytest.mark.parametrize(
    ("name", "raster"), [("a.JPG", True), ("a.webp", True), ("a.pdf", False), ("a.g001", False), ("jpg", False)]
)
def test_raster(name: str, raster: bool) -> None:
    assert is_raster(name) is raster


@pytest.mark.parametrize(("href", "safe"), [
    ("gr1.jpg", True), ("gr1", True), ("pone.0000308.g001", True), ("images/gr1.jpg", True), ("a%20b.jpg", True),
    ("https://journal.example/fig/gr1.jpg", True), ("../gr1.jpg", False), ("a/../gr1.jpg", False), ("/gr1.jpg", False),
    ("a\\gr1.jpg", False), ("C:gr1.jpg", False), (".gr1.jpg", False), ("CON.jpg", False), ("a%2F..%2F.x", False),
    ("x" * 300, False), ("a%00b.jpg", False), ("", False), ("folder/", False),
])
def test_hrefs_that_lead_elsewhere(href: str, safe: bool) -> None:
    assert is_safe_href(href) is safe
