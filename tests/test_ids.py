"""Identifiers are made from content and can be taken apart again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build import ids

PMCIDS, VERSIONS = st.integers(1, 10**10 - 1), st.integers(1, 9999)


@given(PMCIDS, VERSIONS)
def test_article_ids_round_trip(pmcid: int, version: int) -> None:
    article = ids.article_id(pmcid, version)
    assert ids.parse_article_id(article) == (pmcid, version)
    image = ids.image_id(article, "odd #name/1.jpg")
    panel = ids.panel_id(image, (12, 30, 422, 418))
    assert panel == f"{image}#xywh=12,30,410,388"
    assert ids.image_of(panel) == image and ids.article_of(panel) == ids.article_of(image) == article


@pytest.mark.parametrize("text", [
    "", "PMC1", "PMC0.1", "PMC1.0", "pmc1.1", "PMC1.1 ", "PMC01.1", "PMC1.1/x", "PMC１.1",
])
def test_what_is_no_article_id(text: str) -> None:
    with pytest.raises(ValueError, match="not an article id"):
        ids.parse_article_id(text)


@pytest.mark.parametrize(("xml_ids", "expected"), [
    ([], []),
    (["F1", "F2"], ["F1", "F2"]),
    (["F1", None, "F1", ""], ["fig1~", "fig2~", "fig3~", "fig4~"]),
    ([None, "fig1"], ["fig1~", "fig1"]),
])
def test_the_position_stands_in_for_a_missing_or_repeated_id(xml_ids: list[str | None], expected: list[str]) -> None:
    assert ids.figure_ids("PMC1.1", xml_ids) == [f"PMC1.1/{name}" for name in expected]


@given(st.lists(st.none() | st.sampled_from(["F1", "F2", "fig1", "fig2", "f-3", ""]), max_size=8))
def test_figure_ids_never_repeat(xml_ids: list[str | None]) -> None:
    made = ids.figure_ids("PMC1.1", xml_ids)
    assert len(set(made)) == len(xml_ids)


def test_unit_interval_is_even_and_fixed() -> None:
    values = [ids.unit_interval(f"PMC{n}.1") for n in range(2000)]
    assert all(0 <= value < 1 for value in values)
    assert all(150 < sum(low / 10 <= value < (low + 1) / 10 for value in values) < 250 for low in range(10))
    assert ids.unit_interval("PMC1.1") != ids.unit_interval("PMC1.1", "salt")
    assert f"{ids.unit_interval('PMC1.1'):.6f}" == "0.773065"
