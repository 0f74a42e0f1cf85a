"""Licences: codes, URLs and words; what each allows; the attribution line."""

from __future__ import annotations

import pytest

from pmcoa_build.licenses import (
    DEFAULT_CODES,
    LICENSES,
    attribution,
    codes_in_words,
    license_of,
    most_restrictive,
    urls_in,
)
from pmcoa_build.spec import SelectKeys

OPEN = {"CC0", "PDM", "CC BY", "CC BY-SA"}


def test_what_each_code_allows() -> None:
    allows = {code: (entry.redistribution, entry.adaptation, entry.commercial) for code, entry in LICENSES.items()}
    assert allows == {
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
    assert {code for code, entry in LICENSES.items() if entry.open} == OPEN


def test_the_default_selection_keeps_only_what_allows_all() -> None:
    assert set(SelectKeys().licenses) == set(DEFAULT_CODES)
    assert all(LICENSES[code].open for code in DEFAULT_CODES)


@pytest.mark.parametrize(
    ("text", "code", "spdx"),
    [
        ("CC BY", "CC BY", "CC-BY-4.0"),
        ("cc by-nc-nd", "CC BY-NC-ND", "CC-BY-NC-ND-4.0"),
        ("CC0", "CC0", "CC0-1.0"),
        ("TDM", "TDM", None),
        ("CC-BY-SA-4.0", "CC BY-SA", "CC-BY-SA-4.0"),
        ("http://creativecommons.org/licenses/by/2.0", "CC BY", "CC-BY-2.0"),
        ("https://www.creativecommons.org/licenses/by-nc-sa/3.0/igo/", "CC BY-NC-SA", "CC-BY-NC-SA-3.0"),
        ("https://creativecommons.org/licenses/by-nd-nc/1.0/", "CC BY-NC-ND", "CC-BY-NC-ND-1.0"),
        ("creativecommons.org/licence/by/4.0", "CC BY", "CC-BY-4.0"),
        ("https://creativecommons.org/licenses/by/", "CC BY", "CC-BY-4.0"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0", "CC0-1.0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "PDM", None),
    ],
)
def test_license_of(text: str, code: str, spdx: str | None) -> None:
    entry = license_of(text)
    assert entry is not None
    assert (entry.code, entry.spdx) == (code, spdx)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "  ",
        "NO-CC CODE",
        "open-access",
        "https://creativecommons.org/licenses/",
        "https://creativecommons.org/licenses/nc/1.0/",
        "https://www.elsevier.com/tdm/userlicense/1.0/",
    ],
)
def test_no_known_licence(text: str | None) -> None:
    assert license_of(text) is None


def test_every_code_reads_as_itself() -> None:
    assert all(license_of(code) is entry and license_of(entry.url or code) == entry for code, entry in LICENSES.items())


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        ("under the Creative Commons Attribution License", ["CC BY"]),
        ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0", ["CC BY-NC-ND"]),
        ("Creative Commons Attribution Non Commercial, Share Alike", ["CC BY-NC-SA"]),
        ("Creative Commons License (Attribution Noncommercial)", ["CC BY-NC"]),
        ("CC BY-NC 4.0", ["CC BY-NC"]),
        ("ccbynclicense", ["CC BY-NC"]),
        ("cc_by", ["CC BY"]),
        ("cc0license", ["CC0"]),
        ("the Creative Commons public domain dedication", ["CC0"]),
        ("Creative Commons Attribution‐NonCommercial‐NoDerivs License", ["CC BY-NC-ND"]),
        ("creativeCommonsBy-nc", ["CC BY-NC"]),
        ("the terms of the Creative Commons Public Domain declaration", ["CC0"]),
        ("Creative Commons Public Domain Mark 1.0", []),
        ("CC BY in one place, (CC BY-NC) in another", ["CC BY", "CC BY-NC"]),
        ("open access", []),
        ("acc by", []),
        ("cc bystander", []),
    ],
)
def test_words(words: str, codes: list[str]) -> None:
    assert codes_in_words(words) == codes


def test_urls_in_text() -> None:
    text = (
        "(http://creativecommons.org/licenses/by/2.0), and http://creativecommons.org/publicdomain/zero/1.0/ for data"
    )
    assert urls_in(text) == [
        ("CC BY", "https://creativecommons.org/licenses/by/2.0/"),
        ("CC0", "https://creativecommons.org/publicdomain/zero/1.0/"),
    ]


def test_most_restrictive() -> None:
    assert most_restrictive(["CC0", "CC BY"]) == "CC BY"
    assert most_restrictive(["CC BY", "CC BY-NC-ND", "CC BY-NC"]) == "CC BY-NC-ND"
    assert most_restrictive([]) is None
    assert most_restrictive(["nonsense"]) is None


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
