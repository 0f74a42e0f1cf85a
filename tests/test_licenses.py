"""Licences: codes, URLs and words; what each allows; the attribution line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.licenses import (
    LICENSES,
    OTHERS,
    attribution,
    codes_in_words,
    figure_license,
    license_of,
    most_restrictive,
    stated_license,
    urls_in,
    with_changes,
)
from pmcoa_build.spec import SelectKeys

CC = "https://creativecommons.org"
OPEN = {"CC0", "PDM", "CC BY", "CC BY-SA"}
SIX = ["CC BY", "CC BY-SA", "CC BY-ND", "CC BY-NC", "CC BY-NC-SA", "CC BY-NC-ND"]
ALLOWS = {
    # code: (redistribution, adaptation, commercial)
    "CC0": (True, True, True),
    "PDM": (True, True, True),
    "CC BY": (True, True, True),
    "CC BY-SA": (True, True, True),
    "CC BY-ND": (True, False, True),
    "CC BY-NC": (True, True, False),
    "CC BY-NC-SA": (True, True, False),
    "CC BY-NC-ND": (True, False, False),
    "TDM": (False, False, False),
}


@pytest.mark.parametrize("code", ALLOWS)
@pytest.mark.parametrize(("number", "what"), list(enumerate(("redistribution", "adaptation", "commercial"))))
def test_what_each_code_allows(code: str, number: int, what: str) -> None:
    assert getattr(LICENSES[code], what) is ALLOWS[code][number]


def test_there_is_no_other_code() -> None:
    assert set(LICENSES) == set(ALLOWS)
    assert {code for code, entry in LICENSES.items() if entry.open} == OPEN


def test_the_default_selection_keeps_only_what_allows_all() -> None:
    assert set(SelectKeys().licenses) == OPEN - {"PDM"}, "the codes that PMC gives"


@pytest.mark.parametrize(("url", "code", "allows"), [
    ("http://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/", "OGL", (True, True, True)),
    ("https://www.nationalarchives.gov.uk/doc/open-government-licence/version/2/", "OGL", (True, True, True)),
    ("http://pubs.acs.org/page/policy/authorchoice_termsofuse.html", "ACS AuthorChoice", (True, True, False)),
    ("http://www.elsevier.com/open-access/userlicense/1.0/", "Elsevier user license", (False, False, False)),
])
def test_other_terms_are_known_but_never_selected(url: str, code: str, allows: tuple[bool, bool, bool]) -> None:
    entry = license_of(url)
    assert entry is not None and entry.code == code
    assert (entry.redistribution, entry.adaptation, entry.commercial) == allows
    assert code not in LICENSES and urls_in(url) == [] and codes_in_words(url) == []
    assert entry.url is not None and license_of(entry.url) == entry


@pytest.mark.parametrize("text", [
    None, "", "  ", "NO-CC CODE", "open-access", "Open Access", "OpenAccess", "creative-commons", "all rights reserved",
    "This article is a US Government work and is in the public domain in the USA.",
    f"{CC}/licenses/", f"{CC}/", "https://www.elsevier.com/tdm/userlicense/1.0/",
    f"{CC}/licenses/nc/1.0/", f"{CC}/licenses/nd/1.0", f"{CC}/licenses/sa/1.0/", f"{CC}/licenses/nc-sa/1.0/",
    f"{CC}/licenses/sampling/1.0/", f"{CC}/licenses/sampling+/1.0/", f"{CC}/licenses/nc-sampling+/1.0/",
    f"{CC}/licenses/devnations/2.0/", f"{CC}/licenses/GPL/2.0/", f"{CC}/licenses/by-nd-sa/4.0/",
    f"{CC}/licenses/by-xx/4.0/", f"{CC}/licenses/by~nc/4.0/", f"{CC}/by the authors",
])  # fmt: skip
def test_no_known_licence(text: str | None) -> None:
    assert license_of(text) is None


# --- codes, SPDX ids, URLs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "code", "spdx", "version"), [
    ("CC BY", "CC BY", "CC-BY-4.0", None),
    ("cc by-nc-nd", "CC BY-NC-ND", "CC-BY-NC-ND-4.0", None),
    ("CC-BY", "CC BY", "CC-BY-4.0", None),
    ("CC0", "CC0", "CC0-1.0", "1.0"),
    ("CC0-1.0", "CC0", "CC0-1.0", "1.0"),
    ("PDM", "PDM", "CC-PDM-1.0", "1.0"),
    ("TDM", "TDM", None, None),
    ("CC-BY-SA-4.0", "CC BY-SA", "CC-BY-SA-4.0", "4.0"),
    ("CC-BY-NC-SA-2.0-UK", "CC BY-NC-SA", "CC-BY-NC-SA-2.0-UK", "2.0 UK"),
    ("CC BY 3.0", "CC BY", "CC-BY-3.0", "3.0"),
    ("http://creativecommons.org/licenses/by/2.0", "CC BY", "CC-BY-2.0", "2.0"),
    ("http://www.creativecommons.org/licenses/by/2.5/", "CC BY", "CC-BY-2.5", "2.5"),
    ("https://creativecommons.org/licenses/by/4.0/legalcode", "CC BY", "CC-BY-4.0", "4.0"),
    ("https://creativecommons.org/licenses/by/4.0/deed.de", "CC BY", "CC-BY-4.0", "4.0"),
    ("https://creativecommons.org/licenses/by/4.0/deed.pt_BR", "CC BY", "CC-BY-4.0", "4.0"),
    ("https://creativecommons.org/licenses/by/3.0/igo/", "CC BY", "CC-BY-3.0-IGO", "3.0 IGO"),
    ("https://creativecommons.org/licenses/by/3.0/igo/legalcode", "CC BY", "CC-BY-3.0-IGO", "3.0 IGO"),
    ("https://www.creativecommons.org/licenses/by-nc-sa/3.0/igo/", "CC BY-NC-SA", "CC-BY-NC-SA-3.0-IGO", "3.0 IGO"),
    ("http://creativecommons.org/licenses/by-nc-nd/3.0/igo/", "CC BY-NC-ND", "CC-BY-NC-ND-3.0-IGO", "3.0 IGO"),
    ("http://creativecommons.org/licenses/by/2.0/uk/", "CC BY", None, "2.0 UK"),
    ("http://creativecommons.org/licenses/by-nc/2.0/uk/", "CC BY-NC", None, "2.0 UK"),
    ("http://creativecommons.org/licenses/by-nc-sa/2.0/uk/", "CC BY-NC-SA", "CC-BY-NC-SA-2.0-UK", "2.0 UK"),
    ("http://creativecommons.org/licenses/by/3.0/us/deed.en_US", "CC BY", "CC-BY-3.0-US", "3.0 US"),
    ("http://creativecommons.org/licenses/by/2.1/jp/", "CC BY", None, "2.1 JP"),
    ("http://creativecommons.org/licenses/by-sa/2.1/jp/", "CC BY-SA", "CC-BY-SA-2.1-JP", "2.1 JP"),
    ("http://creativecommons.org/licenses/by/2.1/", "CC BY", None, "2.1"),
    ("http://creativecommons.org/licenses/by/2.5/scotland/", "CC BY", None, "2.5 SCOTLAND"),
    ("http://creativecommons.org/licenses/by/3.0/en/", "CC BY", "CC-BY-3.0", "3.0"),
    ("https://creativecommons.org/licenses/by/4.0/us/", "CC BY", "CC-BY-4.0", "4.0"),
    ("https://creativecommons.org/licenses/by-nc-sa/2.5/", "CC BY-NC-SA", "CC-BY-NC-SA-2.5", "2.5"),
    ("https://creativecommons.org/licenses/by-nd-nc/1.0/", "CC BY-NC-ND", "CC-BY-NC-ND-1.0", "1.0"),
    ("https://creativecommons.org/licenses/by/", "CC BY", "CC-BY-4.0", None),
    ("https://creativecommons.org/licenses/by/5.0/", "CC BY", "CC-BY-4.0", None),
    ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0", "CC0-1.0", "1.0"),
    ("http://creativecommons.org/publicdomain/zero/1.0/legalcode", "CC0", "CC0-1.0", "1.0"),
    ("https://creativecommons.org/about/cc0", "CC0", "CC0-1.0", "1.0"),
    ("https://creativecommons.org/publicdomain/mark/1.0/", "PDM", "CC-PDM-1.0", "1.0"),
    ("http://creativecommons.org/licenses/publicdomain/", "PDM", "CC-PDDC", None),
    # slips
    ("creativecommons.org/licence/by/4.0", "CC BY", "CC-BY-4.0", "4.0"),
    ("https://creativecommons.org/license/by/4.0", "CC BY", "CC-BY-4.0", "4.0"),
    ("https://creativecommons.org/by-nc/4.0/", "CC BY-NC", "CC-BY-NC-4.0", "4.0"),
    ("https://creativecommon.org/licenses/by-nc/4.0/", "CC BY-NC", "CC-BY-NC-4.0", "4.0"),
    ("https://creativecommons.org/ licenses/by-sa/4.0/", "CC BY-SA", "CC-BY-SA-4.0", "4.0"),
    ("https://creativecommons.org/licenses/by-nc- nd/4.0/", "CC BY-NC-ND", "CC-BY-NC-ND-4.0", "4.0"),
    ("https://creativecommons.org/licenses/by_nc/4.0/", "CC BY-NC", "CC-BY-NC-4.0", "4.0"),
    ("https://creativecommons.org/licenses/by/nc/4.0/", "CC BY-NC", "CC-BY-NC-4.0", "4.0"),
    ("https://creativecommons.org/licenses/bync/4.0", "CC BY-NC", "CC-BY-NC-4.0", "4.0"),
    ("https://creativecommons.org/licenses/by\u2010nc\u2010nd/4.0/", "CC BY-NC-ND", "CC-BY-NC-ND-4.0", "4.0"),
    ("https://creativecommons.org/licenses/by\u00ad-\u200bnc/4.0/", "CC BY-NC", "CC-BY-NC-4.0", "4.0"),
    ("https://creativecommons.org/licenses/cc-by-nc/4.0/", "CC BY-NC", "CC-BY-NC-4.0", "4.0"),
    ("https://creativecommons.org/licenses/by-4.0", "CC BY", "CC-BY-4.0", "4.0"),
    ("https://i.creativecommons.org/l/by-nc/4.0/88x31.png", "CC BY-NC", "CC-BY-NC-4.0", "4.0"),
])  # fmt: skip
def test_license_of(text: str, code: str, spdx: str | None, version: str | None) -> None:
    entry = license_of(text)
    assert entry is not None
    assert (entry.code, entry.spdx, entry.version) == (code, spdx, version)
    assert (entry.redistribution, entry.adaptation, entry.commercial) == ALLOWS[code]


def test_a_url_is_given_as_creative_commons_writes_it() -> None:
    assert urls_in("HTTP://WWW.CREATIVECOMMONS.ORG/LICENSES/BY/2.0/UK/DEED.EN") == [
        ("CC BY", f"{CC}/licenses/by/2.0/uk/")]
    assert urls_in(f"{CC}/licenses/by-nc-nd/1.0/") == [("CC BY-NC-ND", f"{CC}/licenses/by-nd-nc/1.0/")]


def test_urls_in_text() -> None:
    text = (
        "(http://creativecommons.org/licenses/by/2.0), and http://creativecommons.org/publicdomain/zero/1.0/ for data; "
        "<ext-link href=\"http://creativecommons.org/licenses/by/3.0/\">in it</ext-link> at "
        "creativecommons.org/licenses/by-nd/3.0/ in us, or creativecommons.org/licenses/by."
    )
    assert urls_in(text) == [
        ("CC BY", f"{CC}/licenses/by/2.0/"), ("CC0", f"{CC}/publicdomain/zero/1.0/"),
        ("CC BY", f"{CC}/licenses/by/3.0/"), ("CC BY-ND", f"{CC}/licenses/by-nd/3.0/"), ("CC BY", f"{CC}/licenses/by/"),
    ]


def test_every_entry_reads_as_itself() -> None:
    for code, entry in LICENSES.items():
        assert license_of(code) is entry
        if entry.url:
            again = license_of(entry.url)
            assert again is not None and (again.code, again.spdx, again.url) == (code, entry.spdx, entry.url)
    assert all(license_of(entry.url) == entry == license_of(part) for part, entry in OTHERS.items())


@given(
    scheme=st.sampled_from(["http://", "https://", "", "HTTP://"]), host=st.sampled_from(["", "www."]),
    order=st.permutations(["nc", "nd"]), code=st.sampled_from(SIX),
    version=st.sampled_from(["1.0", "2.0", "2.5", "3.0", "4.0"]),
    tail=st.sampled_from(["", "/", "/legalcode", "/deed.fr", "/legalcode.txt", ").", "\">", "/</p>", "&quot;", " in"]),
)  # fmt: skip
def test_all_forms_of_a_url_say_the_same(
    scheme: str, host: str, order: list[str], code: str, version: str, tail: str
) -> None:
    parts = code[3:].lower()
    if parts == "by-nc-nd":
        parts = "-".join(["by", *order])
    entry = license_of(f"{scheme}{host}creativecommons.org/licenses/{parts}/{version}{tail}")
    assert entry is not None
    assert (entry.code, entry.spdx, entry.name) == (code, f"CC-{code[3:]}-{version}", f"{code} {version}")


@given(st.text(alphabet="byndsac-_/+. 0123456789\u2010", max_size=20))
def test_what_follows_the_name_never_makes_a_licence_freer(rest: str) -> None:
    """Whatever comes after `by-nc`, it is CC BY-NC or stricter, or unknown."""
    for code, _ in urls_in(f"{CC}/licenses/by-nc{rest}"):
        assert not LICENSES[code].commercial


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "codes"), [
    ("under the Creative Commons Attribution License", ["CC BY"]),
    ("Creative Commons Attribution 4.0 International License", ["CC BY"]),
    ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0", ["CC BY-NC-ND"]),
    ("Creative Commons Attribution\u2010NonCommercial\u2010NoDerivs License", ["CC BY-NC-ND"]),
    ("Creative Commons Attribution \u2013 Non\u2011Commercial", ["CC BY-NC"]),
    ("Creative Commons Attribution Non Commercial, Share Alike", ["CC BY-NC-SA"]),
    ("Creative Commons Attribution (BY) Non Commercial", ["CC BY-NC"]),
    ("Creative Commons Attribution 4.0 NonCommercial", ["CC BY-NC"]),
    ("Creative Commons License (Attribution Noncommercial)", ["CC BY-NC"]),
    ("Creative Commons Attribution License, which permits noncommercial use", ["CC BY"]),
    ("Licença Creative Commons Atribuição Não Comercial", ["CC BY-NC"]),
    ("Licencia Creative Commons Atribución-NoComercial-SinDerivadas 4.0", ["CC BY-NC-ND"]),
    ("Creative Commons Reconocimiento-NoComercial-CompartirIgual", ["CC BY-NC-SA"]),
    ("Creative Commons Atribuição-CompartilhaIgual", ["CC BY-SA"]),
    ("Creative Commons Attribution - Pas d’Utilisation Commerciale - Pas de Modification", ["CC BY-NC-ND"]),
    ("Creative Commons Attribution - Partage dans les mêmes conditions", ["CC BY-SA"]),
    ("Creative Commons Namensnennung 4.0 International Lizenz", ["CC BY"]),
    ("Creative Commons Namensnennung - Nicht kommerziell - Keine Bearbeitung", ["CC BY-NC-ND"]),
    ("Creative Commons Namensnennung - Weitergabe unter gleichen Bedingungen", ["CC BY-SA"]),
    ("Creative Commons Attribuzione - Non commerciale - Condividi allo stesso modo", ["CC BY-NC-SA"]),
    ("Creative Commons Attribuzione - Non opere derivate", ["CC BY-ND"]),
    ("CC BY-NC 4.0", ["CC BY-NC"]),
    ("CC BY - NC - ND", ["CC BY-NC-ND"]),
    ("CC\u2010BY\u2010NC", ["CC BY-NC"]),
    ("ccbynclicense", ["CC BY-NC"]),
    ("cc_by", ["CC BY"]),
    ("cc0license", ["CC0"]),
    ("the Creative Commons public domain dedication", ["CC0"]),
    ("the terms of the Creative Commons Public Domain declaration", ["CC0"]),
    ("Creative Commons Public Domain Mark 1.0", []),
    ("Creative Commons Attribution‐NonCommercial‐NoDerivs License", ["CC BY-NC-ND"]),
    ("creativeCommonsBy-nc", ["CC BY-NC"]),
    ("CC BY in one place, (CC BY-NC) in another", ["CC BY", "CC BY-NC"]),
    ("open access", []),
    ("acc by", []),
    ("cc bystander", []),
])  # fmt: skip
def test_words(words: str, codes: list[str]) -> None:
    assert codes_in_words(words) == codes


# --- what is meant -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stated", "code"), [
    (["CC BY", "CC BY-NC"], "CC BY-NC"),
    (["CC BY-NC", "CC BY", None], "CC BY-NC"),
    (["CC BY", "CC BY-NC-ND", "CC BY-NC"], "CC BY-NC-ND"),
    (["CC0", "CC BY"], "CC BY"),
    (["PDM", "CC BY"], "CC BY"),
    (["CC0", "PDM"], "PDM"),
    (["CC BY-ND", "CC BY-NC"], "CC BY-NC-ND"),
    (["CC BY-SA", "CC BY-NC"], "CC BY-NC-SA"),
    (["CC BY-SA", "CC BY-ND"], "CC BY-ND"),
    (["TDM", "CC BY"], "TDM"),
    (["CC BY", "nonsense"], "CC BY"),
    ([None, "NO-CC CODE"], None),
    ([], None),
])
def test_most_restrictive(stated: list[str | None], code: str | None) -> None:
    assert most_restrictive(stated) == code


@given(st.lists(st.sampled_from(list(LICENSES)), min_size=1))
def test_the_safe_reading_allows_no_more_than_any_statement(stated: list[str]) -> None:
    code = most_restrictive(stated)
    assert code is not None and most_restrictive([code, *stated]) == code
    allowed = LICENSES[code]
    for other in map(LICENSES.__getitem__, stated):
        assert allowed.redistribution <= other.redistribution
        assert allowed.adaptation <= other.adaptation
        assert allowed.commercial <= other.commercial


@pytest.mark.parametrize(("code", "url", "name", "link"), [
    ("CC BY", "http://creativecommons.org/licenses/by/2.0", "CC BY 2.0", f"{CC}/licenses/by/2.0/"),
    ("CC BY", "http://creativecommons.org/licenses/by/3.0/igo", "CC BY 3.0 IGO", f"{CC}/licenses/by/3.0/igo/"),
    ("CC BY", None, "CC BY", f"{CC}/licenses/by/4.0/"),
    ("CC BY-NC", "http://creativecommons.org/licenses/by/2.0", "CC BY-NC", f"{CC}/licenses/by-nc/4.0/"),
    (None, "http://creativecommons.org/licenses/by/2.0", "CC BY 2.0", f"{CC}/licenses/by/2.0/"),
    ("TDM", "http://creativecommons.org/licenses/by/2.0", "TDM", None),
])
def test_the_version_comes_from_a_url_of_the_same_licence(code: str, url: str, name: str, link: str) -> None:
    entry = stated_license(code, url)
    assert entry is not None and (entry.name, entry.url) == (name, link)


def test_nothing_stated() -> None:
    assert stated_license(None, None) is None
    assert stated_license("odd", "https://example.org/terms") is None


@pytest.mark.parametrize(("own", "notice", "article", "code"), [
    (None, None, "CC BY", "CC BY"),
    (None, "Fonte: elaborado pelos autores.", "CC BY", "CC BY"),
    (None, "© 2020 The Author(s)", "CC BY", "CC BY"),
    (None, "Copyright © 2020, the authors.", "CC BY", "CC BY"),
    (None, "Photo by the authors", None, ""),
    ("CC BY-NC", None, "CC BY", "CC BY-NC"),
    ("CC BY", "© 2016 eLife", "CC BY-NC", "CC BY"),
    ("PDM", "", "CC BY", "PDM"),
    (None, "© 2016 eLife. All rights reserved", "CC BY", ""),
    (None, "© 2001 Elsevier", "CC BY", ""),
    (None, "Copyright Wiley", "CC BY", ""),
    (None, "(c) 1999 J. Smith", "CC BY", ""),
    ("CC BY", "© 2015 Nature. This panel is exempt from the CC-BY 4.0 licence.", "CC BY", ""),
    ("CC BY", "This figure is not covered by the Creative Commons licence.", "CC BY", ""),
    (None, "Alle Rechte vorbehalten", "CC BY", ""),
])
def test_what_a_figure_stands_under(own: str | None, notice: str | None, article: str | None, code: str) -> None:
    assert figure_license(own, notice, article) == code


# --- the attribution line ----------------------------------------------------------------------------------------


def test_attribution_line() -> None:
    line = attribution(
        authors=["A One", "B Two", "C Three", "D Four"],
        title="A  title",
        journal="J Res",
        year=2020,
        doi="10.1/x",
        license=license_of("http://creativecommons.org/licenses/by-sa/3.0/"),
    )
    assert line == (
        "A One, B Two, C Three et al. A title. J Res (2020). https://doi.org/10.1/x Licence: CC BY-SA 3.0 "
        "(https://creativecommons.org/licenses/by-sa/3.0/)."
    )


def test_attribution_leaves_out_what_is_unknown() -> None:
    assert (
        attribution(authors=[], title="Is it?", journal=None, year=None, doi=None, license=None)
        == "Is it? Licence not stated."
    )
    assert attribution(
        authors=["A", "B", "C"], title="T", journal=None, year=2001, doi=None, license=license_of("TDM")
    ) == ("A, B, C. T. (2001). Licence: TDM.")


def test_attribution_names_no_version_that_nobody_stated() -> None:
    line = attribution(authors=[], title="T", journal=None, year=None, doi=None, license=license_of("CC BY"))
    assert line == "T. Licence: CC BY (https://creativecommons.org/licenses/by/4.0/)."


def test_attribution_without_doi_links_to_the_article_and_keeps_the_notice() -> None:
    line = attribution(authors=["A"], title="T", journal="J", year=2001, doi=None, license=None,
                       source_url="https://pmc.ncbi.nlm.nih.gov/articles/PMC1/", notice="© 2001  X")
    assert line == "A. T. J (2001). https://pmc.ncbi.nlm.nih.gov/articles/PMC1/ Notice: © 2001 X. Licence not stated."


def test_changes_are_told() -> None:
    assert with_changes("A. T.", "") == "A. T."
    assert with_changes("A. T.", "cut out") == "A. T. Changes: cut out."
