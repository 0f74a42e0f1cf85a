"""PMC's JSON beside each article version: fields that may be absent, unsafe keys, and which version to keep."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build.errors import UnitLost
from pmcoa_build.pmc.metadata import Metadata, Object, best_versions, parse_metadata

MD5 = "7e7e95a91dedf32760eda1032d632d24"
ROOT = "s3://pmc-oa-opendata/PMC7.1/"


def record(**fields: Any) -> bytes:
    return json.dumps({"pmcid": "PMC7", "version": 1, **fields}).encode()


def test_a_whole_record() -> None:
    got = parse_metadata(
        record(
            pmid=41623473,
            doi="10.1016/j.isci.2025.114581",
            mid=None,
            title="Study on  sodium",
            citation="iScience. 2025",
            is_pmc_openaccess=True,
            is_manuscript=False,
            is_historical_ocr=False,
            is_retracted=True,
            license_code="CC BY",
            pdf_url=f"{ROOT}PMC7.1.pdf?md5={MD5}",
            xml_url=f"{ROOT}PMC7.1.xml?md5={MD5}",
            media_urls=[f"{ROOT}fx1.jpg?md5={MD5.upper()}", f"{ROOT}mmc1.pdf"],
        )
    )
    assert got == Metadata(
        7,
        1,
        41623473,
        "10.1016/j.isci.2025.114581",
        "Study on sodium",
        "iScience. 2025",
        True,
        False,
        False,
        True,
        "CC BY",
        Object("PMC7.1.xml", "PMC7.1/PMC7.1.xml", MD5),
        (Object("fx1.jpg", "PMC7.1/fx1.jpg", MD5), Object("mmc1.pdf", "PMC7.1/mmc1.pdf", None)),
        (),
    )
    assert got.article == "PMC7.1"


OPTIONAL = [
    "pmid",
    "doi",
    "mid",
    "title",
    "citation",
    "is_pmc_openaccess",
    "is_manuscript",
    "is_historical_ocr",
    "is_retracted",
    "license_code",
    "pdf_url",
    "xml_url",
    "text_url",
    "media_urls",
]


@pytest.mark.parametrize("empty", [None, []])
def test_absent_null_and_empty_are_alike(empty: object) -> None:
    bare = parse_metadata(record())
    assert parse_metadata(record(**dict.fromkeys(OPTIONAL, empty))) == bare
    assert (bare.pmid, bare.doi, bare.license_code, bare.xml, bare.media, bare.is_retracted) == (
        None,
        None,
        None,
        None,
        (),
        False,
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 1}',
        b'{"pmcid": "PMC7"}',
        b'{"pmcid": "7x", "version": 1}',
        b'{"pmcid": "PMC7", "version": 0}',
        b'{"pmcid": "PMC7", "version": true}',
        b'{"pmcid": "../7", "version": 1}',
        b'{"pmcid": "PMC7", "version": "one"}',
        b"<html>",
    ],
    ids=lambda data: repr(data[:30]),
)
def test_no_record(data: bytes) -> None:
    with pytest.raises(UnitLost) as lost:
        parse_metadata(data)
    assert lost.value.reason.code == "json-malformed"


@pytest.mark.parametrize(
    "url",
    [
        "s3://pmc-oa-opendata/PMC8.1/x.jpg",
        "s3://pmc-oa-opendata/PMC7.10/x.jpg",
        "s3://other-bucket/PMC7.1/x.jpg",
        "https://evil.example/PMC7.1/x.jpg",
        "file:///etc/passwd",
        f"{ROOT}../PMC8.1/x.jpg",
        f"{ROOT}a/../../x",
        f"{ROOT}sub/x.jpg",
        f"{ROOT}a\\b.jpg",
        f"{ROOT}C:x.jpg",
        f"{ROOT}a\0b.jpg",
        f"{ROOT}a\nb.jpg",
        f"{ROOT}{'x' * 300}.jpg",
        f"{ROOT}.hidden",
        f"{ROOT}CON.jpg",
        ROOT,
        f"{ROOT}x.jpg?md5={MD5}#f",
        7,
        None,
        {"key": "x"},
        f"{ROOT}\ud800.jpg",
    ],
)
def test_unsafe_media_are_dropped_and_listed(url: object) -> None:
    got = parse_metadata(record(media_urls=[url, f"{ROOT}ok.jpg?md5={MD5}"]))
    assert [entry.name for entry in got.media] == ["ok.jpg"]
    assert len(got.unsafe) == 1
    got.unsafe[0].encode()


def test_names_equal_ignoring_case() -> None:
    got = parse_metadata(
        record(media_urls=[f"{ROOT}{name}?md5={MD5}" for name in ("a.jpg", "A.JPG", "a.jpg", "b.jpg")])
    )
    assert [entry.name for entry in got.media] == ["b.jpg"]
    assert got.unsafe == (f"{ROOT}a.jpg?md5={MD5}", f"{ROOT}A.JPG?md5={MD5}")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
        max_leaves=8,
    ),
    st.sampled_from(OPTIONAL),
)
def test_a_field_of_any_type_breaks_nothing(value: object, name: str) -> None:
    got = parse_metadata(record(**{name: value}))
    assert all(entry.key.startswith("PMC7.1/") for entry in got.media)
    json.dumps(dataclasses.asdict(got)).encode()


def version(number: int, pmcid: int = 7, **fields: Any) -> Metadata:
    return dataclasses.replace(parse_metadata(record()), pmcid=pmcid, version=number, **fields)


@pytest.mark.parametrize(
    ("policy", "kept"),
    [("best", [2]), ("latest", [10]), ("all", [1, 2, 9, 10])],
)
def test_policies(policy: Literal["best", "latest", "all"], kept: list[int]) -> None:
    versions = [
        version(10, is_retracted=True),
        version(9, is_manuscript=True),
        version(1, citation="bioRxiv. 2020"),
        version(2),
    ]
    assert [one.version for one in best_versions(versions, policy)] == kept


def test_best_prefers_the_highest_number_numerically_and_keeps_articles_apart() -> None:
    versions = [version(2), version(10), version(9), version(1, pmcid=3), version(1, pmcid=12, is_retracted=True)]
    assert [one.article for one in best_versions(versions, "best")] == ["PMC3.1", "PMC7.10", "PMC12.1"]
    assert best_versions([], "best") == []


@given(
    st.permutations(
        [
            version(1),
            version(2, is_manuscript=True),
            version(3, citation="medRxiv. 2021"),
            version(4, is_retracted=True),
        ]
    )
)
def test_order_of_input_does_not_matter(versions: list[Metadata]) -> None:
    assert best_versions(versions, "best") == [version(1)]
