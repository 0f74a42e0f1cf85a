"""A folder of PMC's old packages behind the protocol of a bucket."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pmcoa_build.errors import SourceUnreachable, UnitLost, UsageError
from pmcoa_build.pmc import archives as module
from pmcoa_build.pmc.archives import ArchiveBucket
from pmcoa_build.pmc.bucket import Bucket, FolderBucket, open_bucket
from pmcoa_build.pmc.inventory import read_inventory, resolve
from pmcoa_build.pmc.metadata import parse_metadata
from tests.pmc.packages import THUMBNAIL, TITLES, package

BY = ('<permissions><license><ali:license_ref xmlns:ali="http://www.niso.org/schemas/ali/1.0/">'
      "https://creativecommons.org/licenses/by/4.0/</ali:license_ref></license></permissions>")
XML = """<!DOCTYPE article PUBLIC "-//NLM//DTD Journal Archiving and Interchange DTD v2.3//EN" "archivearticle.dtd">
<article article-type="{kind}">{pi}<front><journal-meta><journal-title>J Tests</journal-title></journal-meta>
<article-meta><article-id pub-id-type="pmc">{pmcid}</article-id><article-id pub-id-type="pmid">77</article-id>
<article-id pub-id-type="doi">10.1/x</article-id>{ids}<title-group><article-title>On <italic>tests</italic>
</article-title></title-group><pub-date pub-type="epub"><year>2001</year></pub-date>{meta}</article-meta></front>
<body><p>Text</p></body></article>"""
JPG = bytes(range(256)) * 20


def xml(pmcid: int = 13900, kind: str = "research-article", pi: str = "", ids: str = "", meta: str = BY) -> bytes:
    return XML.format(pmcid=pmcid, kind=kind, pi=pi, ids=ids, meta=meta).encode()


def files(**fields: Any) -> dict[str, bytes]:
    return {
        "bcr-3-1-055.nxml": xml(**fields), "bcr-3-1-055.pdf": b"%PDF", "bcr-3-1-055-1.jpg": JPG,
        "bcr-3-1-055-1.gif": THUMBNAIL, "bcr-3-1-055-s1.gif": THUMBNAIL, "bcr-3-1-055-s1.pdf": b"%PDF supplement",
    }


def opened(folder: Path) -> Bucket:
    return open_bucket(str(folder), connections=1, requests_per_second=0, contact="", cache=None)


def record(folder: Path, pmcid: int = 13900) -> dict[str, Any]:
    got: dict[str, Any] = json.loads(opened(folder).get(f"metadata/PMC{pmcid}.1.json"))
    return got


def lost(bucket: Bucket, key: str, md5: str | None = None) -> str:
    with pytest.raises(UnitLost) as error:
        bucket.get(key, md5)
    return error.value.reason.code


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def listed(folder: Path, license_: str, retracted: str = "no", pmid: str = "11250746") -> None:
    (folder / "oa_file_list.csv").write_text(
        f"{TITLES}oa_package/08/e0/PMC13900.tar.gz,Breast Cancer Res. 2001,PMC13900,2019-11-05 11:56:12,{pmid},"
        f"{license_},{retracted}\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    package(tmp_path / "oa_package/08/e0/PMC13900.tar.gz", files())
    return tmp_path


# --- the JSON ----------------------------------------------------------------------------------------------------


def test_the_json_is_that_of_the_bucket(folder: Path) -> None:
    listed(folder, "CC BY")
    where = "s3://pmc-oa-opendata/PMC13900.1"
    assert record(folder) == {
        "pmcid": "PMC13900", "version": 1, "pmid": 11250746, "doi": "10.1/x", "mid": None, "title": "On tests",
        "citation": "Breast Cancer Res. 2001", "is_pmc_openaccess": True, "is_manuscript": False,
        "is_historical_ocr": False, "is_retracted": False, "license_code": "CC BY",
        "pdf_url": f"{where}/PMC13900.1.pdf?md5={md5(b'%PDF')}", "xml_url": f"{where}/PMC13900.1.xml?md5={md5(xml())}",
        "media_urls": [
            f"{where}/bcr-3-1-055-1.jpg?md5={md5(JPG)}", f"{where}/bcr-3-1-055-s1.gif?md5={md5(THUMBNAIL)}",
            f"{where}/bcr-3-1-055-s1.pdf?md5={md5(b'%PDF supplement')}",
        ],
    }
    metadata = parse_metadata(opened(folder).get("metadata/PMC13900.1.json"))
    assert (metadata.article, len(metadata.media), metadata.unsafe) == ("PMC13900.1", 3, ())


@pytest.mark.parametrize(("word", "code"), [
    ("CC BY-NC", "CC BY-NC"), ("CC0", "CC0"), ("cc by-nd", "CC BY-ND"), ("NO-CC CODE", None), ("none", None),
    ("", "CC BY"), ("CC-BY", "CC BY"),
])
def test_the_licence_is_the_lists_and_else_the_xmls(folder: Path, word: str, code: str | None) -> None:
    listed(folder, word)
    assert record(folder)["license_code"] == code


@pytest.mark.parametrize(("fields", "retracted"), [
    ({}, False),
    ({"kind": "retracted-article"}, True),
    ({"meta": BY + '<related-article related-article-type="retraction-forward"/>'}, True),
    ({"kind": "retraction", "meta": BY + '<related-article related-article-type="retracted-article"/>'}, False),
    ({"kind": "retraction", "meta": BY + '<related-article related-article-type="retraction-forward"/>'}, False),
    ({"meta": BY + '<related-article related-article-type="correction-forward"/>'}, False),
])
def test_retracted_says_the_list_or_the_xml(tmp_path: Path, fields: dict[str, str], retracted: bool) -> None:
    package(tmp_path / "PMC13900.tar.gz", files(**fields))
    assert record(tmp_path)["is_retracted"] is retracted
    listed(tmp_path, "CC BY")
    assert record(tmp_path)["is_retracted"] is retracted
    listed(tmp_path, "CC BY", "yes")
    assert record(tmp_path)["is_retracted"] is True


@pytest.mark.parametrize(("fields", "mid", "manuscript"), [
    ({"ids": '<article-id pub-id-type="manuscript">NIHMS5</article-id>'}, "NIHMS5", True),
    ({"ids": '<article-id pub-id-type="manuscript-id">X-1</article-id>'}, None, False),
    ({"pi": "<?properties manuscript?>"}, None, True),
    ({"pi": "<?properties open_access?>"}, None, False),
    ({"meta": "<custom-meta-group><custom-meta><meta-name>pmc-prop-manuscript</meta-name><meta-value>yes</meta-value>"
              "</custom-meta></custom-meta-group>"}, None, True),
])
def test_author_manuscripts(tmp_path: Path, fields: dict[str, str], mid: str | None, manuscript: bool) -> None:
    package(tmp_path / "PMC13900.tar.gz", files(**fields))
    got = record(tmp_path)
    assert (got["mid"], got["is_manuscript"]) == (mid, manuscript)


def test_without_a_list_the_xml_says_all(folder: Path) -> None:
    got = record(folder)
    assert (got["pmid"], got["citation"], got["license_code"]) == (77, "J Tests. 2001.", "CC BY")


@pytest.mark.parametrize("names", [["PMC13900.tar.gz"], ["a b/ü/PMC13900.TGZ"], ["x.tar.gz", "y/pmc13900.tar.gz"]])
def test_any_nesting(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        package(tmp_path / name, files(), folder="PMC13900")
    assert [entry.key for entry in opened(tmp_path).list("metadata/").keys] == ["metadata/PMC13900.1.json"]
    assert record(tmp_path)["title"] == "On tests"


def test_the_list_may_lie_beside_oa_package(folder: Path) -> None:
    listed(folder, "CC BY-NC")
    assert record(folder / "oa_package")["license_code"] == "CC BY-NC"
    assert record(folder / "oa_package/08")["license_code"] == "CC BY"


@pytest.mark.parametrize(("content", "code"), [
    ({"a.jpg": JPG}, "xml-missing"), ({}, "xml-missing"), ({"a.nxml": xml(), "b.nxml": xml()}, "package-damaged"),
    ({"a.nxml": xml(5)}, "package-damaged"), ({"a.nxml": b"<html/>"}, "xml-not-jats"), ({"a.nxml": b""}, "xml-empty"),
    ({"a.nxml": xml()[:-9]}, "xml-malformed"),
])
def test_packages_without_an_article(tmp_path: Path, content: dict[str, bytes], code: str) -> None:
    package(tmp_path / "PMC13900.tar.gz", content)
    assert lost(opened(tmp_path), "metadata/PMC13900.1.json") == code


# --- objects -----------------------------------------------------------------------------------------------------


def test_objects(folder: Path) -> None:
    bucket = opened(folder)
    for name, data in {"PMC13900.1.xml": xml(), "PMC13900.1.pdf": b"%PDF", "bcr-3-1-055-1.jpg": JPG,
                       "bcr-3-1-055-s1.pdf": b"%PDF supplement"}.items():
        key = f"PMC13900.1/{name}"
        assert bucket.get(key) == bucket.get(key, md5(data)) == b"".join(bucket.stream(key)) == data
        assert lost(bucket, key, "0" * 32) == "md5-mismatch"
        assert bucket.cached(key, md5(data)) is None
    json_ = bucket.get("metadata/PMC13900.1.json")
    assert bucket.get("PMC13900.1/PMC13900.1.json", md5(json_)) == json_
    assert opened(folder).get("metadata/PMC13900.1.json") == json_
    for key in ("PMC13900.1/none.jpg", "PMC13900.2/PMC13900.2.xml", "metadata/PMC13900.2.json", "PMC13900.1",
                "metadata", "metadata/PMC139.1.json", "README.txt", "PMC13900.1/a/bcr-3-1-055-1.jpg"):
        assert lost(bucket, key) == "http-404", key
    assert lost(bucket, "PMC13900.1/../PMC13900.1/x") == "name-unsafe"


def test_a_package_is_opened_once_for_all_its_files_by_all_threads(folder: Path) -> None:
    bucket = opened(folder)
    keys = ["metadata/PMC13900.1.json", "PMC13900.1/PMC13900.1.xml", "PMC13900.1/bcr-3-1-055-1.jpg"] * 8
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(bucket.get, keys))) == 3
    assert bucket.stats.requests == 1
    bucket.get("PMC13900.1/bcr-3-1-055-s1.pdf")  # no stage asks for supplements: their bytes are not kept
    assert bucket.stats.requests == 2


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for pmcid in range(1, 9):
        package(tmp_path / f"PMC{pmcid}.tar.gz", files(pmcid=pmcid))
    bucket = opened(tmp_path)
    first, second = "PMC1.1/PMC1.1.xml", "PMC2.1/PMC2.1.xml"
    monkeypatch.setattr(module, "KEPT", 30_000)  # two of them
    for key in (first, second, first, second):
        bucket.get(key)
    assert bucket.stats.requests == 2
    for pmcid in range(2, 9):
        bucket.get(f"PMC{pmcid}.1/PMC{pmcid}.1.xml")
    bucket.get(first)
    assert bucket.stats.requests == 9
    monkeypatch.setattr(module, "KEPT", 1)
    monkeypatch.setattr(module, "KEPT_PACKAGE", 3000)  # the XML, not the image
    for key, data in {"PMC3.1/PMC3.1.xml": xml(3), "PMC3.1/bcr-3-1-055-1.jpg": JPG}.items():
        assert bucket.get(key) == data
    monkeypatch.setattr(module, "KEPT_PACKAGE", 0)
    assert parse_metadata(bucket.get("metadata/PMC4.1.json")).pmcid == 4
    monkeypatch.setattr(module, "MAX_BODY", 4000)
    assert lost(bucket, "PMC4.1/bcr-3-1-055-1.jpg") == "package-too-large"


def test_a_broken_package_is_read_anew_when_it_is_asked_for_again(folder: Path) -> None:
    path, bucket = folder / "oa_package/08/e0/PMC13900.tar.gz", opened(folder)
    sound = path.read_bytes()
    path.write_bytes(sound[:-100])
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: lost(bucket, "PMC13900.1/PMC13900.1.xml"), range(8))) == {"package-damaged"}
    path.write_bytes(sound)
    assert bucket.get("PMC13900.1/PMC13900.1.xml") == xml()
    path.write_bytes(sound[:-100])
    assert lost(bucket, "PMC13900.1/bcr-3-1-055-s1.pdf") == "package-damaged"
    package(path, {**files(), "bcr-3-1-055-s1.pdf": b"another"})
    assert lost(bucket, "PMC13900.1/bcr-3-1-055-s1.pdf") == "md5-mismatch"


# --- the listing -------------------------------------------------------------------------------------------------


def etag(folder: Path) -> str:
    [entry] = opened(folder).list("metadata/").keys
    return entry.etag


def test_the_listing_opens_nothing_and_makes_a_snapshot(folder: Path) -> None:
    package(folder / "oa_package/08/PMC9.tar.gz", {})
    os.utime(folder / "oa_package/08/PMC9.tar.gz", (1_000_000_000.5, 1_000_000_000.5))
    with opened(folder) as bucket:
        assert isinstance(bucket, ArchiveBucket)
        entries = bucket.list("metadata/").keys
        assert [(entry.key, len(entry.etag)) for entry in entries] == [
            ("metadata/PMC13900.1.json", 32), ("metadata/PMC9.1.json", 32)]
        assert entries[1].last_modified == "2001-09-09T01:46:40.000Z"
        assert entries[1].size == (folder / "oa_package/08/PMC9.tar.gz").stat().st_size
        assert bucket.list("", "/").prefixes == ["PMC13900.1/", "PMC9.1/", "metadata/"]
        assert bucket.list("", "/").keys == []
        assert bucket.list("PMC9.", "/").prefixes == ["PMC9.1/"] and bucket.list("PMC9.1/", "/").prefixes == []
        assert [entry.key for entry in bucket.list("metadata/PMC9.").keys] == ["metadata/PMC9.1.json"]
        name = resolve(bucket, "latest")
        table = read_inventory(bucket, name)
        assert name.startswith("listing-") and resolve(opened(folder), "latest") == name
        assert table["article"].to_pylist() == ["PMC9.1", "PMC13900.1"]
        assert table["etag"].to_pylist() == [entries[1].etag, entries[0].etag]
        assert bucket.stats.requests == 0


def test_the_etag_changes_with_the_package_and_with_what_the_list_says(folder: Path) -> None:
    path = folder / "oa_package/08/e0/PMC13900.tar.gz"
    os.utime(path, (1_000_000_000, 1_000_000_000))
    tags = [etag(folder)]
    os.utime(path, (1_000_000_001, 1_000_000_001))
    tags.append(etag(folder))
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, (1_000_000_001, 1_000_000_001))
    tags.append(etag(folder))
    for said in (("CC BY",), ("CC BY-NC",), ("CC BY-NC", "yes")):
        listed(folder, *said)
        tags.append(etag(folder))
    assert len(set(tags)) == len(tags)
    other = "PMC7,,,CC0"
    with (folder / "oa_file_list.csv").open("a") as file:
        file.write(f"x,y,{other},no\n")
    (folder / "elsewhere").mkdir()
    shutil.move(path, folder / "elsewhere")  # keeps the time
    assert etag(folder) == tags[-1]


def test_of_several_packages_the_one_changed_last_is_taken(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number, name in enumerate(["a/PMC13900.tar.gz", "b/PMC13900.tar.gz", "c/PMC13900.tar.gz"]):
        package(folder / name, {"x.nxml": xml(), f"{name[0]}.jpg": JPG})
        os.utime(folder / name, (9_000_000_000 + number % 2, 9_000_000_000 + number % 2))
    with caplog.at_level(logging.WARNING):
        assert [url.split("/")[-1][:5] for url in record(folder)["media_urls"]] == ["b.jpg"]
    assert "1 article(s) have more than one package, such as PMC13900" in caplog.text
    os.utime(folder / "c/PMC13900.tar.gz", (9_000_000_001, 9_000_000_001))
    assert [url.split("/")[-1][:5] for url in record(folder)["media_urls"]] == ["c.jpg"]


# --- what is no folder of packages -------------------------------------------------------------------------------


def test_a_folder_that_is_neither_says_so(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("archive.tar.gz", "PMC1.zip", "PMC1.tar.gz.part", "xPMC1.tar.gz", "PMC0.tar.gz", "._PMC1.tar.gz"):
        (tmp_path / "sub" / name).write_bytes(b"")
    (tmp_path / "PMC5.tar.gz").mkdir()
    with pytest.raises(SourceUnreachable, match=r"neither a bucket in PMC's .* nor a folder of PMC's old packages"):
        opened(tmp_path)


def test_a_bucket_with_packages_in_it_is_a_bucket(folder: Path) -> None:
    (folder / "metadata").mkdir()
    assert isinstance(opened(folder), FolderBucket)


def test_a_folder_that_goes_away_loses_no_article(folder: Path) -> None:
    bucket = opened(folder)
    bucket.list("metadata/")
    shutil.rmtree(folder / "oa_package/08")
    assert lost(bucket, "metadata/PMC13900.1.json") == "http-404" and bucket.list("metadata/").keys == []
    shutil.rmtree(folder)
    with pytest.raises(SourceUnreachable, match="no longer there"):
        bucket.get("metadata/PMC13900.1.json")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_not_taken_for_an_empty_one(folder: Path) -> None:
    (folder / "oa_package/09").mkdir(mode=0)
    with pytest.raises(SourceUnreachable, match="cannot be read"):
        opened(folder).list("metadata/")
    (folder / "oa_package/09").chmod(0o700)
    (folder / "oa_package/08/e0/PMC13900.tar.gz").chmod(0)
    assert lost(opened(folder), "metadata/PMC13900.1.json") == "http-403"


def test_a_list_that_cannot_be_read_stops_the_run(folder: Path) -> None:
    (folder / "oa_file_list.csv").write_text("")
    with pytest.raises(UsageError, match=r"oa_file_list\.csv cannot be read"):
        opened(folder).list("metadata/")
