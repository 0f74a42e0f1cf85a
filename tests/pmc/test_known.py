"""What is remembered of an article version, and what is said to have changed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.errors import UnitLost
from pmcoa_build.pmc.known import KINDS, Seen, changes, dump, load, saw

ARTICLE = "PMC7.1"


def record(**fields: Any) -> bytes:
    told = {"pmcid": "PMC7", "version": 1, "license_code": "CC BY", "is_retracted": False,
            "xml_url": f"s3://pmc-oa-opendata/PMC7.1/PMC7.1.xml?md5={'a' * 32}",
            "media_urls": [f"s3://pmc-oa-opendata/PMC7.1/g1.jpg?md5={'b' * 32}"]}
    return json.dumps(told | fields).encode()


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def seen(*states: bytes) -> Seen:
    """A version that was fetched in each of these states, one after the other."""
    found = None
    for data in states:
        found = saw(found, ARTICLE, md5(data), data)
    assert found is not None
    return found


OTHER_XML = {"xml_url": f"s3://pmc-oa-opendata/PMC7.1/PMC7.1.xml?md5={'c' * 32}"}


@pytest.mark.parametrize(("before", "after", "kinds"), [
    ({}, {"is_retracted": True}, ["retracted"]),
    ({"is_retracted": True}, {}, ["retraction lifted"]),
    ({}, {"license_code": "CC BY-NC"}, ["licence"]),
    ({}, {"license_code": None}, ["licence"]),
    ({}, {"media_urls": None}, ["media"]),
    ({}, {"media_urls": [f"s3://pmc-oa-opendata/PMC7.1/g1.jpg?md5={'d' * 32}"]}, ["media"]),
    ({}, OTHER_XML, ["text"]),
    ({}, {"doi": "10.1/x"}, ["other metadata"]),
    ({}, {**OTHER_XML, "is_retracted": True, "license_code": "CC0"}, ["retracted", "licence", "text"]),
])
def test_what_changed(before: dict[str, Any], after: dict[str, Any], kinds: list[str]) -> None:
    old, new = record(**before), record(**after)
    assert changes(seen(old, new), md5(old), md5(new)) == kinds
    assert set(kinds) <= set(KINDS)


def test_states_between_are_skipped_and_unread_ones_are_said_to_be() -> None:
    old, middle, new = record(), record(license_code="CC0"), record(doi="10.1/x")
    known = seen(old, middle, new)
    assert changes(known, md5(old), md5(new)) == ["other metadata"]
    assert changes(known, md5(old), "0" * 32) == ["not read"] == changes(None, md5(old), md5(new))


def test_a_version_that_was_newer_than_its_snapshot_answers_for_both() -> None:
    newer = record(license_code="CC0")
    known = saw(None, ARTICLE, "1" * 32, newer)
    assert known.answers("1" * 32) and known.answers(md5(newer)) and not known.answers("2" * 32)
    later = record(is_retracted=True)
    assert changes(saw(known, ARTICLE, md5(later), later), md5(newer), md5(later)) == ["retracted", "licence"]


def test_a_new_text_forgets_the_language_of_the_old() -> None:
    from dataclasses import replace

    known = replace(seen(record()), language="de")
    assert saw(known, ARTICLE, "1" * 32, record(doi="10.1/x")).language == "de"
    assert saw(known, ARTICLE, "1" * 32, record(**OTHER_XML)).language == ""


@pytest.mark.parametrize("data", [b"", b"[]", record(version=2), record(pmcid="PMC8")])
def test_what_does_not_describe_the_article(data: bytes) -> None:
    with pytest.raises(UnitLost, match="json-malformed"):
        saw(None, ARTICLE, "1" * 32, data)


@given(st.lists(st.sampled_from([record(), record(doi="10.1/ü"), record(license_code=None), record(**OTHER_XML)]),
                min_size=1, max_size=60))
def test_a_memo_is_read_as_it_was_written(states: list[bytes]) -> None:
    known = {ARTICLE: seen(*states)}
    assert load(dump(known)) == known
    assert len({state.etag for state in known[ARTICLE].states}) == len(known[ARTICLE].states) == len(set(states))
    assert known[ARTICLE].etag == md5(states[-1])


def test_nothing_known_is_nothing_written() -> None:
    assert dump({}) == b"" and load(b"") == {}
