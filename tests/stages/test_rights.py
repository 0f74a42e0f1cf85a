"""What a figure may be used for: its own terms, and what the stages make of them."""

from __future__ import annotations

from typing import Any

import pytest

from pmcoa_build.engine.stage import Unit
from stages import figures, screen

CC = "https://creativecommons.org/licenses"
ARTICLE = {"authors": ["Jo Roe"], "title": "T", "journal": "J", "year": 2020, "doi": None, "license_code": "CC BY",
           "license_url": f"{CC}/by/3.0/"}


def figure(permissions: str = "", **article: Any) -> dict[str, Any]:
    """The row of one figure with these permissions, in an article under CC BY 3.0."""
    xml = (f"<article xmlns:xlink='http://www.w3.org/1999/xlink'><front><article-meta/></front><body><fig id='F1'>"
           f"<caption><p>CT.</p></caption>{permissions}<graphic xlink:href='g'/></fig></body></article>")
    unit = Unit("PMC7.1", {"xml_md5": "", **ARTICLE, **article})
    [row] = figures.process(unit, {"articles": {"xml": xml.encode()}}, None).rows
    return row


def licensed(path: str, more: str = "") -> str:
    return f"<permissions>{more}<license xlink:href='{CC}/{path}'/></permissions>"


@pytest.mark.parametrize(("permissions", "article", "code", "terms"), [
    ("", {}, "CC BY", f"Licence: CC BY 3.0 ({CC}/by/3.0/)."),
    ("", {"license_url": None}, "CC BY", f"Licence: CC BY ({CC}/by/4.0/)."),
    (licensed("by-nc/4.0/"), {}, "CC BY-NC", f"Licence: CC BY-NC ({CC}/by-nc/4.0/)."),
    (licensed("by/4.0/"), {"license_code": "CC BY-NC"}, "CC BY", f"Licence: CC BY ({CC}/by/4.0/)."),
    ("<permissions><copyright-statement>© 2001 Elsevier</copyright-statement></permissions>", {}, "",
     "Notice: © 2001 Elsevier. Licence not stated."),
    ("<attrib>Drawings: the authors.</attrib>", {}, "CC BY",
     f"Notice: Drawings: the authors. Licence: CC BY 3.0 ({CC}/by/3.0/)."),
    ("", {"license_code": None, "license_url": "http://pubs.acs.org/page/policy/authorchoice_termsofuse.html"}, "",
     "Licence: ACS AuthorChoice (https://pubs.acs.org/page/policy/authorchoice_termsofuse.html)."),
])
def test_a_figure_stands_under_its_own_terms(permissions: str, article: dict[str, Any], code: str, terms: str) -> None:
    row = figure(permissions, **article)
    assert row["license"] == code
    assert row["attribution"] == f"Jo Roe. T. J (2020). https://pmc.ncbi.nlm.nih.gov/articles/PMC7/ {terms}"


@pytest.mark.parametrize(("own", "licenses", "policy", "reasons"), [
    ("CC BY", ["CC BY"], "drop", []),
    ("CC0", ["CC BY", "CC0"], "drop", []),
    ("CC BY-NC", ["CC BY", "CC0"], "drop", ["figure-rights"]),
    ("", ["CC BY"], "drop", ["figure-rights"]),
    ("", ["CC BY"], "flag", []),
    ("", ["any"], "drop", []),
])
def test_other_terms_leave_a_figure_out(own: str, licenses: list[str], policy: str, reasons: list[str]) -> None:
    facts = {"caption": "CT.", "license": own, "rights_note": None, "reprint": False, "graphics": 1,
             "images": ["g.jpg"], "has_media": True, "article_license": "CC BY", "licenses": licenses,
             "figure_rights": policy, "terms": "none"}
    [row] = screen.process(Unit("PMC7.1/F1", facts), {}, None).rows
    assert (row["reasons"], row["keep"]) == (reasons, not reasons)
