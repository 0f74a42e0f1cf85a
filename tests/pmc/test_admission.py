"""Which versions a selection admits: a table of JSON, XML and what is wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.errors import UnitLost
from pmcoa_build.licenses import LICENSES
from pmcoa_build.pmc.admission import admit, is_admitted, license_code
from pmcoa_build.pmc.known import Text
from tests.pmc.test_known import record, seen

OPEN = {"licenses": ["CC0", "CC BY"], "languages": [], "retracted": "drop"}


@pytest.mark.parametrize(("fields", "text", "wanted", "reason"), [
    ({}, None, {}, None),
    ({"is_retracted": True}, None, {}, "retracted"),
    ({"is_retracted": True}, None, {"retracted": "flag"}, None),
    ({"license_code": "CC BY-NC"}, None, {}, "license-not-allowed"),
    ({"license_code": "CC BY-NC"}, None, {"licenses": ["any"]}, None),
    ({"license_code": None}, None, {}, "license-not-allowed"),
    ({"license_code": None}, Text("en", "CC BY"), {}, "license-not-allowed"),
    ({"license_code": "cc-by"}, None, {}, None),
    ({}, Text("en", "CC BY-NC"), {}, "license-not-allowed"),
    ({}, Text("en", None), {}, None),
    ({"license_code": "CC0"}, Text("", "CC BY"), {}, None),
    ({}, Text("de", "CC BY"), {"languages": ["en"]}, "language-not-allowed"),
    ({}, Text("", "CC BY"), {"languages": ["en"]}, None),
    ({}, None, {"languages": ["en"]}, None),
    ({"xml_url": None}, None, {}, "xml-missing"),
    ({"xml_url": "s3://pmc-oa-opendata/PMC7.1/PMC7.1.xml"}, None, {}, "md5-missing"),
])
def test_who_passes(fields: dict[str, Any], text: Text | None, wanted: dict[str, Any], reason: str | None) -> None:
    one = replace(seen(record(**fields)), text=text)
    assert is_admitted(one, {**OPEN, **wanted}) is (reason is None)
    if reason:
        with pytest.raises(UnitLost) as lost:
            admit(one, {**OPEN, **wanted})
        assert lost.value.reason.code == reason


CODES = st.sampled_from([None, *LICENSES])


@given(CODES, CODES, st.lists(st.sampled_from(sorted(LICENSES))))
def test_what_was_read_before_never_admits_more(stated: str | None, told: str | None, licenses: list[str]) -> None:
    fresh = seen(record(license_code=stated))
    known = replace(fresh, text=Text("en", told))
    wanted = {**OPEN, "licenses": licenses}
    assert is_admitted(fresh, wanted) or not is_admitted(known, wanted)
    code = license_code(known)
    if code and stated and stated != "CC0":
        assert LICENSES[code].commercial <= LICENSES[stated].commercial
        assert LICENSES[code].adaptation <= LICENSES[stated].adaptation
