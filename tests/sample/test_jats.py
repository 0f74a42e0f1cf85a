"""The XML of the sample, read with lxml alone: the sample's own word is the truth file."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from pmcoa_build.ids import figure_ids
from pmcoa_build.sample import truth

HREF = "{http://www.w3.org/1999/xlink}href"


def tree(bucket: Path, article: str) -> etree._Element:
    return etree.fromstring((bucket / article / f"{article}.xml").read_bytes(), etree.XMLParser(load_dtd=False))


def article(index: int, version: int = 1) -> str:
    return f"PMC{98_000_001 + 13 * index}.{version}"


def test_figures_stand_in_the_order_and_with_the_ids_of_the_truth(bucket: Path) -> None:
    told: dict[str, list[str]] = {}
    for row in truth(bucket):
        ids = told.setdefault(row["article"], [])
        if not ids or ids[-1] != row["figure_id"]:
            ids.append(row["figure_id"])
    checked = 0
    for name, ids in told.items():
        path = bucket / name / f"{name}.xml"
        if not path.exists() or name == article(8):
            continue
        figures = tree(bucket, name).xpath("//fig[not(ancestor::sub-article)]")
        assert figure_ids(name, [fig.get("id") for fig in figures]) == ids
        checked += 1
    assert checked >= 12


def test_one_article_is_not_well_formed(bucket: Path) -> None:
    with pytest.raises(etree.XMLSyntaxError):
        tree(bucket, article(8))


def test_every_xref_names_a_figure_that_is_there(bucket: Path) -> None:
    root = tree(bucket, article(0))
    ids = {fig.get("id") for fig in root.iter("fig")}
    rids = [rid for xref in root.iter("xref") if xref.get("ref-type") == "fig" for rid in xref.get("rid").split()]
    assert len(rids) > 5 and set(rids) <= ids


CASES = [
    (0, "count(//sub-article//fig) = 1", "sub-article with a figure of its own"),
    (0, "count(//fig//fig) = 1 or count(//fig-group/fig) = 2", "figure supplement"),
    (0, "contains(string(//fig), 'permission') or contains(string(//body), 'permission')",
     "reprint notice in a caption"),
    (1, "count(//fig/permissions) = 1", "rights of a figure"),
    (2, "count(//abstract[@abstract-type='graphical']//fig[not(@id='')]/graphic) = 1", "graphical abstract"),
    (2, "count(//floats-group/fig) >= 4", "figures in floats-group"),
    (2, "count(//floats-group/fig[not(label)]) = 1", "figure without a label"),
    (3, "count(//fig[count(graphic) = 2]) = 1", "two graphics in one figure"),
    (3, "count(//fig/media) = 1", "video"),
    (3, "count(//table-wrap/graphic) = 1 and count(//inline-graphic) = 1", "pictures that are no figures"),
    (4, "count(//license//ext-link) = 2", "CC0 waiver beside CC BY"),
    (4, "count(//fig/alternatives/graphic) = 1", "alternatives"),
    (5, "count(//p/fig) >= 4", "figures inside paragraphs"),
    (5, "count(//fig[not(@id)]) = 1", "figure without id"),
    (5, "count(//fig[@id='fig1']) = 2", "repeated id"),
    (5, "count(//fig[not(caption)]) = 1", "figure without a caption"),
    (5, "count(//fig/caption[not(p)]) >= 3", "caption text without a paragraph"),
    (12, "string(/article/@xml:lang) = 'es'", "another language"),
    (14, "count(//fig) = 0", "no figures"),
]


@pytest.mark.parametrize(("index", "xpath", "what"), CASES, ids=[case[2] for case in CASES])
def test_special_cases_are_in_the_xml(bucket: Path, index: int, xpath: str, what: str) -> None:
    assert tree(bucket, article(index)).xpath(xpath) is True, what


def test_hrefs_without_extension_and_in_another_case_mean_files_that_are_there(bucket: Path) -> None:
    for index in (1, 5):
        names = {path.stem for path in (bucket / article(index)).iterdir()}
        hrefs = [graphic.get(HREF) for graphic in tree(bucket, article(index)).iterfind(".//fig/graphic")]
        assert hrefs and all(href.lower() in names for href in hrefs)
    assert any(href != href.lower() for href in hrefs)
