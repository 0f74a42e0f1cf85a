from __future__ import annotations

import hashlib
import http.client
import xml.etree.ElementTree as ET
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from pmcoa_build.sample import SampleServer

NS = "{http://s3.amazonaws.com/doc/2006-03-01/}"


def listing(server: SampleServer, **query: str | int) -> ET.Element:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    names = {name.replace("_", "-"): value for name, value in query.items()}
    connection.request("GET", "/?" + urlencode({"list-type": 2, **names}))
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    assert reply.status == 200, body
    return ET.fromstring(body)


def keys(page: ET.Element) -> list[str]:
    return [str(node.text) for node in page.iterfind(f"{NS}Contents/{NS}Key")]


def prefixes(page: ET.Element) -> list[str]:
    return [str(node.text) for node in page.iterfind(f"{NS}CommonPrefixes/{NS}Prefix")]


def served(bucket: Path) -> list[str]:
    found = (path.relative_to(bucket).as_posix() for path in bucket.rglob("*") if path.is_file())
    return sorted(key for key in found if key not in ("truth.jsonl", ".sample.json"))


def test_versions_of_an_article(server: SampleServer) -> None:
    page = listing(server, prefix="PMC98000118.", delimiter="/")
    assert prefixes(page) == ["PMC98000118.1/", "PMC98000118.2/"]
    assert keys(page) == [] and page.findtext(f"{NS}IsTruncated") == "false"
    assert page.findtext(f"{NS}Prefix") == "PMC98000118."


def test_objects_of_an_article_with_size_and_etag(server: SampleServer, bucket: Path) -> None:
    page = listing(server, prefix="PMC98000001.1/")
    assert keys(page) == [key for key in served(bucket) if key.startswith("PMC98000001.1/")]
    for entry in page.iterfind(f"{NS}Contents"):
        data = (bucket / str(entry.findtext(f"{NS}Key"))).read_bytes()
        assert entry.findtext(f"{NS}ETag") == f'"{hashlib.md5(data).hexdigest()}"'
        assert entry.findtext(f"{NS}Size") == str(len(data))
        assert [child.tag.removeprefix(NS) for child in entry] == ["Key", "LastModified", "ETag", "Size",
                                                                   "StorageClass"]
        assert entry.findtext(f"{NS}LastModified") == "2026-11-01T01:00:00.000Z"


def test_an_unknown_prefix_is_an_empty_listing(server: SampleServer) -> None:
    for prefix in ("PMC1.", "nothing/", "../", "truth"):
        page = listing(server, prefix=prefix)
        assert (keys(page), page.findtext(f"{NS}KeyCount")) == ([], "0")


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("delimiter", ["", "/"])
def test_pages_together_are_the_whole(server: SampleServer, bucket: Path, size: int, delimiter: str) -> None:
    if size == 1 and not delimiter:
        size = 3
    query: dict[str, str | int] = {"max_keys": size, "delimiter": delimiter}
    got: list[str] = []
    while True:
        page = listing(server, **query)
        batch = keys(page) + prefixes(page)
        assert len(batch) <= size
        got += batch
        if page.findtext(f"{NS}IsTruncated") == "false":
            break
        query["continuation_token"] = str(page.findtext(f"{NS}NextContinuationToken"))
    whole = served(bucket)
    if delimiter:
        whole = sorted({key.split("/")[0] + "/" * ("/" in key) for key in whole})
    assert sorted(got) == whole and len(set(got)) == len(got)


def test_start_after(server: SampleServer, bucket: Path) -> None:
    at = served(bucket)[5]
    assert keys(listing(server, start_after=at)) == served(bucket)[6:][:1000]


def test_names_can_be_asked_for_url_encoded(server: SampleServer) -> None:
    page = listing(server, prefix="README", encoding_type="url")
    assert page.findtext(f"{NS}EncodingType") == "url" and keys(page) == ["README.txt"]


@pytest.mark.parametrize("query", ["max-keys=many", "continuation-token=%FF", "continuation-token=a"])
def test_bad_parameters_are_refused(server: SampleServer, query: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=20)
    connection.request("GET", f"/?list-type=2&{query}")
    reply = connection.getresponse()
    assert (reply.status, b"InvalidArgument" in reply.read()) == (400, True)
    connection.close()
