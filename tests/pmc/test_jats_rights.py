"""Rights of figures, sentences that mention them, and what an article says about itself."""

from __future__ import annotations

import pytest

from pmcoa_build.pmc.jats import parse_article, to_parse_record
from tests.pmc.jats_xml import XLINK, document, figure, parse

# --- rights ------------------------------------------------------------------------------------------------------

NC = "<license xlink:href='http://creativecommons.org/licenses/by-nc/4.0/'><license-p>NC figure</license-p></license>"


def test_figure_permissions_belong_to_the_figure_alone() -> None:
    article = parse(
        f"<fig id='f'><permissions>{NC}</permissions></fig><fig id='g'><graphic><permissions>"
        f"<copyright-statement>© 2001 X"
        "</copyright-statement></permissions></graphic></fig><fig id='h'/>",
        meta="<article-meta><permissions><license xlink:href='http://creativecommons.org/licenses/by/4.0/'/></permissions>"
        "</article-meta>",
    )
    assert (article.license_code, article.license_url) == ("CC BY", "https://creativecommons.org/licenses/by/4.0/")
    assert [(f.license, f.rights_note, f.reprint) for f in article.figures] == [
        ("CC BY-NC", "NC figure", False),
        (None, "© 2001 X", False),
        (None, None, False),
    ]


def test_children_inherit_group_permissions() -> None:
    article = parse(
        "<fig-group><caption><title>Group</title></caption><permissions><copyright-statement>© 2001 Elsevier"
        "</copyright-statement></permissions><fig id='a'><caption><p>A.</p></caption></fig><fig id='b'><caption><p>B. "
        "Reprinted from Smith 2001 with permission.</p></caption><attrib>Own note</attrib></fig></fig-group>"
        "<fig id='c'/>"
    )
    assert [(f.caption, f.rights_note, f.reprint) for f in article.figures] == [
        ("A.", "© 2001 Elsevier", False),
        ("B. Reprinted from Smith 2001 with permission.", "Own note © 2001 Elsevier", True),
        (None, None, False),
    ]


def test_reprint_in_permissions_and_attrib() -> None:
    assert figure(
        "<permissions><license><license-p>Reproduced with permission from Wiley.</license-p></license></permissions>"
    ).reprint
    assert figure("<attrib>Adapted from Smith et al. (2001).</attrib>").reprint
    assert not figure("<attrib>Fonte: elaborado pelos autores.</attrib>").reprint


def test_superscript_citations_are_seen() -> None:
    ref = "<sup><xref ref-type='bibr' rid='r3'>3</xref></sup>"
    assert figure(f"<caption><p>Growth curves. Image taken from{ref}.</p></caption>").reprint
    assert not figure(f"<caption><p>Growth curves as in{ref}.</p></caption>").reprint


# --- mentions ----------------------------------------------------------------------------------------------------


def mentions(body: str) -> dict[str | None, tuple[list[str], int]]:
    figs = "".join(f"<fig id='f{n}'><label>Figure {n}</label></fig>" for n in range(1, 6))
    return {f.xml_id: (f.mentions, f.n_mentions) for f in parse(body + figs).figures}


def xref(rid: str, text: str = "Fig. 1", kind: str = "fig") -> str:
    return f"<xref ref-type='{kind}' rid='{rid}'>{text}</xref>"


def test_the_sentence_around_the_reference() -> None:
    found = mentions(f"<p>First one. The cells (e.g. HeLa, {xref('f1')}A) of Smith et al. grew. Last.</p>")
    assert found["f1"] == (["The cells (e.g. HeLa, Fig. 1A) of Smith et al. grew."], 1)
    assert found["f2"] == ([], 0)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("It grew. (@). Last.", "It grew. (@)."),
        ("It grew. (see @, left) Last.", "It grew. (see @, left) Last."),
        ("Seen before.3,4 We grew it (@).12 Last.", "We grew it (@).12"),
        ("At pH 7.5 Tris was used (@). Last.", "At pH 7.5 Tris was used (@)."),
        ("Did it? It did (@)! Last.", "It did (@)!"),
        ("First [1]. “Quoted (@).” Last.", "“Quoted (@).”"),
        ("No end. None @", "None @"),
        ("Dr. E. Roe and vs. St. Doe (cf. @) in spp. nov. Last.", "Dr. E. Roe and vs. St. Doe (cf. @) in spp. nov."),
    ],
)
def test_where_sentences_end(text: str, sentence: str) -> None:
    found = mentions(f"<p>{text.replace('@', xref('f1'))}</p>")
    assert found["f1"][0] == [sentence.replace("@", "Fig. 1")]


@pytest.mark.parametrize("stray", ["\ufdd0", "\ufdd1", "\ufdd1\ufdd0", "\ufdd2"])
def test_the_parsers_own_marks_in_a_file_do_no_harm(stray: str) -> None:
    found = mentions(f"<p>One{stray}. Two {stray} {xref('f1')}. {stray}</p><p>{stray}</p><p>Seen in {xref('f2')}.</p>")
    assert found["f1"][1] == 1
    assert found["f2"] == (["Seen in Fig. 1."], 1)


def test_several_ids_case_and_other_kinds() -> None:
    found = mentions(
        f"<p>{xref('f1  f2', 'Figs', 'FIG')} and {xref('f1 f1')}; {xref('F1')}, {xref('f1', 'r', 'bibr')}"
        "<xref ref-type='fig'>none</xref>.</p>"
    )
    assert found["f1"] == (["Figs and Fig. 1; Fig. 1, rnone."], 2)
    assert found["f2"][1] == 1


@pytest.mark.parametrize(
    "range_",
    [
        xref("f2", "Figs 2") + "–" + xref("f4", "4"),
        xref("f2", "Figs. 2–4"),
        xref("f2", "Figs 2") + " to " + xref("f4", "Fig 4"),
        xref("f2", "Figures 2") + " through " + xref("f4", "4"),
    ],
)
def test_ranges_reach_the_figures_between(range_: str) -> None:
    found = mentions(f"<p>Before. This is shown in {range_}. After.</p>")
    assert [len(found[f"f{n}"][0]) for n in range(1, 6)] == [0, 1, 1, 1, 0]
    assert found["f3"][1] == 0


def test_list_of_two_is_no_range() -> None:
    found = mentions(f"<p>Shown in {xref('f2', 'Figs 2')} and {xref('f4', '4')}.</p>")
    assert found["f3"] == ([], 0)


def test_floats_inside_the_cited_paragraph_are_left_out() -> None:
    found = mentions(
        f"<p>We saw ({xref('f1')}<fig id='x'><caption><p>Swallowed. {xref('f2')} cited.</p></caption></fig>) growth"
        "<table-wrap><table><tr><td>cell</td></tr></table></table-wrap> indeed. Next.</p>"
    )
    assert found["f1"][0] == ["We saw (Fig. 1) growth indeed."]
    assert found["f2"] == (["Fig. 1 cited."], 1)


def test_one_sentence_counts_once_but_each_reference_counts() -> None:
    found = mentions(f"<p>Both {xref('f1', '1A')} and {xref('f1', '1B')} agree.</p>")
    assert found["f1"] == (["Both 1A and 1B agree."], 2)


def test_references_outside_the_body_do_not_count() -> None:
    article = parse(
        "<fig id='f'/>", after=f"<back><p>{xref('f')}</p></back><floats-group><p>{xref('f')}</p></floats-group>"
    )
    assert article.figures[0].n_mentions == 0


# --- the article -------------------------------------------------------------------------------------------------


def test_front_matter() -> None:
    article = parse_article(
        f"<article {XLINK} article-type='review-article' xml:lang='PT-br'><front><journal-meta><journal-title-group>"
        "<journal-title>A  Journal</journal-title></journal-title-group></journal-meta><article-meta>"
        "<article-id pub-id-type='pmcaid'>9</article-id><article-id pub-id-type='pmc'>123</article-id>"
        "<article-id pub-id-type='pmid'>45</article-id><article-id pub-id-type='doi'>10.1/x</article-id><title-group>"
        "<article-title>On <italic>E. coli</italic> H<sub>2</sub><xref ref-type='fn' rid='n'>*</xref></article-title>"
        "</title-group><contrib-group><contrib contrib-type='author'><name><surname>Roe</surname><given-names>Jane A."
        "</given-names></name></contrib><contrib contrib-type='editor'><name><surname>Ed</surname></name></contrib>"
        "<contrib><collab>The Group<contrib-group><contrib><name><surname>Member</surname></name></contrib>"
        "</contrib-group>"
        "</collab></contrib></contrib-group><pub-date pub-type='epub'><year>2012</year></pub-date><pub-date "
        "pub-type='ppub'><year>2011</year></pub-date><pub-date pub-type='pmc-release'><year>2009</year></pub-date>"
        "</article-meta></front><body/></article>".encode()
    )
    assert (article.pmcid, article.pmid, article.doi, article.title) == ("PMC123", 45, "10.1/x", "On E. coli H2")
    assert (article.authors, article.journal, article.year) == (["Jane A. Roe", "The Group"], "A Journal", 2011)
    assert (article.article_type, article.language, article.is_scanned) == ("review-article", "pt", False)


def custom(name: str, value: str) -> str:
    return (
        "<custom-meta-group><custom-meta><meta-name>"
        + name
        + "</meta-name><meta-value>"
        + value
        + "</meta-value></custom-meta></custom-meta-group>"
    )


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ("<license xlink:href='http://creativecommons.org/licenses/by/2.0'/>", "CC BY"),
        (
            "<license><license-p>See <ext-link "
            "xlink:href='https://creativecommons.org/licenses/by-nc-nd/4.0/'>it</ext-link>"
            "</license-p></license>",
            "CC BY-NC-ND",
        ),
        (
            "<license><ali:license_ref xmlns:ali='http://www.niso.org/schemas/ali/1.0/' "
            "content-type='ccbyncsalicense'/>"
            "</license>",
            "CC BY-NC-SA",
        ),
        ("<license license-type='CC-BY-NC'/>", "CC BY-NC"),
        (
            "<license license-type='open-access'><license-p>Creative Commons Attribution Non-Commercial Share "
            "Alike License."
            "</license-p></license>",
            "CC BY-NC-SA",
        ),
        (
            "<license><license-p>Creative Commons Attribution License "
            "(http://creativecommons.org/licenses/by/2.0). The "
            "waiver (http://creativecommons.org/publicdomain/zero/1.0/) applies to the data.</license-p></license>",
            "CC BY",
        ),
        ("<license xlink:href='https://creativecommons.org/publicdomain/zero/1.0/'/>", "CC0"),
        ("<license xlink:href='https://creativecommons.org/publicdomain/mark/1.0/'/>", "PDM"),
        (
            "<license xlink:href='http://creativecommons.org/licenses/by/4.0/'><license-p>"
            "http://creativecommons.org/licenses/by-nc/4.0/</license-p></license>",
            "CC BY-NC",
        ),
        (
            "<license xlink:href='http://creativecommons.org/licenses/by/4.0/'><license-p>Under a Creative Commons "
            "Attribution-NonCommercial-NoDerivatives 4.0 International License</license-p></license>",
            "CC BY-NC-ND",
        ),
        ("<license license-type='creativeCommonsBy-nc'><license-p>licenses/by-n/4.0</license-p></license>", "CC BY-NC"),
        (
            "<license><license-p>Creative Commons <bold>Attribution</bold> License</license-p></license>",
            "CC BY",
        ),
        (
            "<license license-type='open-access'><license-p>Free to read under ACS AuthorChoice.</license-p></license>",
            None,
        ),
        ("", None),
    ],
)
def test_article_licence(terms: str, code: str | None) -> None:
    assert parse("", meta=f"<article-meta><permissions>{terms}</permissions></article-meta>").license_code == code


@pytest.mark.parametrize(("terms", "url"), [
    ("<license><license-p>X <ext-link xlink:href='http://pubs.acs.org/page/policy/authorchoice_termsofuse.html'/>"
     "</license-p></license>", "https://pubs.acs.org/page/policy/authorchoice_termsofuse.html"),
    ("<license xlink:href='http://www.elsevier.com/open-access/userlicense/1.0/'/>",
     "https://www.elsevier.com/open-access/userlicense/1.0/"),
    ("<license xlink:href='http://example.org/terms'/>", None),
])  # fmt: skip
def test_other_terms_have_a_url_but_no_code(terms: str, url: str | None) -> None:
    article = parse("", meta=f"<article-meta><permissions>{terms}</permissions></article-meta>")
    assert (article.license_code, article.license_url) == (None, url)


def test_licence_from_pmc_and_from_old_dtds() -> None:
    stated = custom("pmc-license-ref", "CC BY-NC")
    assert parse("", meta=f"<article-meta>{stated}</article-meta>").license_code == "CC BY-NC"
    old = "<license license-type='open-access'><p>http://creativecommons.org/licenses/by/2.0</p></license>"
    assert parse("", meta=f"<article-meta>{old}</article-meta>").license_code == "CC BY"


def test_scanned_articles() -> None:
    assert parse("", meta=f"<article-meta>{custom('pmc-prop-is-scanned-article', 'yes')}</article-meta>").is_scanned
    assert not parse("", meta=f"<article-meta>{custom('pmc-prop-is-scanned-article', 'no')}</article-meta>").is_scanned


def test_parse_record() -> None:
    record = to_parse_record("a.xml", document("<fig id='f'><graphic xlink:href='g'/></fig>"))
    assert record == {
        "file": "a.xml",
        "pmcid": "PMC1",
        "license_code": None,
        "figures": [{"id": "f", "label": None, "caption": None, "graphics": ["g"], "reprint": False, "mentions": 0}],
    }
    assert to_parse_record("b.xml", b"")["error"].startswith("xml-empty")
