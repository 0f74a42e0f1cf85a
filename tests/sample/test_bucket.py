from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, UnidentifiedImageError

from pmcoa_build import reasons
from pmcoa_build.errors import UsageError
from pmcoa_build.ids import parse_article_id
from pmcoa_build.sample import truth, write_sample

FOLDER = "inventory-reports/pmc-oa-opendata/metadata"


def files(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
            for path in sorted(root.rglob("*")) if path.is_file()}


def inventory(root: Path, date: str) -> dict[str, str]:
    """Key to ETag of one date."""
    manifest = json.loads((root / FOLDER / f"{date}T01-00Z/manifest.json").read_text())
    rows: dict[str, str] = {}
    for part in manifest["files"]:
        text = gzip.decompress((root / part["key"]).read_bytes()).decode()
        for bucket_name, key, when, etag in csv.reader(io.StringIO(text)):
            assert bucket_name == "pmc-oa-opendata" and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z", when)
            assert key not in rows
            rows[key] = etag
    return rows


def metadata(root: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in (root / "metadata").glob("*.json")}


def test_the_same_call_gives_the_same_bytes_and_another_seed_gives_others(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_sample(tmp_path / name, articles=3, seed=seed)
    a, b, c = (files(tmp_path / name) for name in "abc")
    assert a == b
    assert a != c


def test_another_process_writes_the_same_bytes(bucket: Path, tmp_path: Path) -> None:
    code = "import sys, pathlib; from pmcoa_build.sample import write_sample; " \
           "write_sample(pathlib.Path(sys.argv[1]), articles=1)"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], check=True, env=environment,
                   cwd=Path(__file__).parents[2])
    written = {key: md5 for key, md5 in files(tmp_path / "a").items() if key.startswith("PMC")}
    assert len(written) > 8
    assert written.items() <= files(bucket).items()


def test_a_sample_that_is_there_is_left_alone_until_another_is_asked_for(tmp_path: Path) -> None:
    write_sample(tmp_path, articles=1)
    (tmp_path / "README.txt").write_text("touched")
    write_sample(tmp_path, articles=1)
    assert (tmp_path / "README.txt").read_text() == "touched"
    write_sample(tmp_path, articles=2)
    assert (tmp_path / "README.txt").read_text() != "touched"


def test_a_sample_that_was_cut_off_is_written_again(tmp_path: Path) -> None:
    write_sample(tmp_path, articles=1)
    whole = files(tmp_path)
    (tmp_path / ".sample.json").write_text('{"artic')
    (tmp_path / "truth.jsonl").unlink()
    write_sample(tmp_path, articles=1)
    assert files(tmp_path) == whole


def test_a_folder_with_something_else_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="empty folder"):
        write_sample(tmp_path, articles=1)
    assert files(tmp_path).keys() == {"thesis.txt"}


def test_there_is_no_third_edition(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="editions 1 and 2"):
        write_sample(tmp_path, articles=1, edition=3)


def test_inventory_lists_the_json_with_their_md5_and_manifest_the_parts_with_theirs(bucket: Path) -> None:
    manifest = json.loads((bucket / FOLDER / "2026-11-02T01-00Z/manifest.json").read_text())
    assert len(manifest["files"]) >= 2
    for part in manifest["files"]:
        data = (bucket / part["key"]).read_bytes()
        assert (part["size"], part["MD5checksum"]) == (len(data), hashlib.md5(data).hexdigest())
        assert data[4:8] == b"\0\0\0\0", "gzip must not carry the time"
    found = {f"metadata/{path.name}": hashlib.md5(path.read_bytes()).hexdigest()
             for path in (bucket / "metadata").iterdir()}
    assert inventory(bucket, "2026-11-02") == found


def test_every_url_of_every_json_names_an_object_with_that_md5(bucket: Path) -> None:
    missing = []
    for article, record in metadata(bucket).items():
        assert (bucket / article / f"{article}.json").read_bytes() == (bucket / f"metadata/{article}.json").read_bytes()
        assert f"{record['pmcid']}.{record['version']}" == article
        urls = [record["xml_url"], record["text_url"], record.get("pdf_url"), *record.get("media_urls", ())]
        for url in filter(None, urls):
            match = re.fullmatch(r"s3://pmc-oa-opendata/([^?]+)\?md5=([0-9a-f]{32})", url)
            assert match
            path = bucket / match[1]
            if path.exists():
                assert hashlib.md5(path.read_bytes()).hexdigest() == match[2]
            else:
                missing.append(path.name)
    assert len(missing) == 1 and missing[0].endswith(".xml"), "one XML is missing on purpose, nothing else"


def test_every_object_of_an_article_is_named_by_its_json(bucket: Path) -> None:
    for article, record in metadata(bucket).items():
        named = {url.split("?")[0].rsplit("/", 1)[1] for url in
                 (record["xml_url"], record["text_url"], record.get("pdf_url") or "/", *record.get("media_urls", ()))}
        there = {path.name for path in (bucket / article).iterdir()} - {f"{article}.json"}
        assert there <= named


def test_metadata_come_in_all_the_shapes_that_pmc_serves(bucket: Path) -> None:
    records = list(metadata(bucket).values())
    assert {r["license_code"] for r in records} >= {"CC BY", "CC0", "CC BY-SA", "CC BY-NC", "TDM"}
    assert any("media_urls" not in r for r in records) and any(r.get("media_urls") == [] for r in records)
    assert any("pdf_url" not in r for r in records) and any(r.get("pdf_url", 0) is None for r in records)
    assert any(r["is_retracted"] for r in records) and any(r["is_manuscript"] for r in records)
    assert any(r["version"] == 2 for r in records)
    assert any(r["pmid"] is None for r in records) and any(r["doi"] is None for r in records)
    assert list(records[0])[:4] == ["pmcid", "version", "pmid", "doi"]


def test_tdm_articles_have_no_media(bucket: Path) -> None:
    for article, record in metadata(bucket).items():
        if record["license_code"] == "TDM":
            assert {path.suffix for path in (bucket / article).iterdir()} <= {".json", ".xml", ".txt", ".pdf"}


def test_truth_boxes_lie_inside_the_pictures_and_do_not_pile_up(bucket: Path) -> None:
    boxes = 0
    for row in truth(bucket):
        for panel in row["panels"]:
            x0, y0, x1, y1 = panel["box"]
            assert 0 <= x0 < x1 <= row["width"] and 0 <= y0 < y1 <= row["height"]
            assert min(x1 - x0, y1 - y0) >= 60
            boxes += 1
        for i, a in enumerate(row["panels"]):
            for b in row["panels"][:i]:
                across = min(a["box"][2], b["box"][2]) - max(a["box"][0], b["box"][0])
                down = min(a["box"][3], b["box"][3]) - max(a["box"][1], b["box"][1])
                assert across <= 1 or down <= 1, (row["figure_id"], a["box"], b["box"])
    assert boxes > 150


def test_truth_sizes_are_those_of_the_files(bucket: Path) -> None:
    formats = set()
    for row in truth(bucket):
        if row["media"] and (bucket / row["article"]).exists() and row["outcome"] not in ("image-not-image",
                                                                                          "no-media"):
            with Image.open(bucket / row["article"] / row["media"]) as picture:
                assert picture.size == (row["width"], row["height"])
                formats.add((picture.format, picture.mode))
    assert formats >= {("JPEG", "RGB"), ("JPEG", "L"), ("JPEG", "CMYK"), ("PNG", "RGB"), ("PNG", "P")}


def test_captions_contain_their_parts_verbatim(bucket: Path) -> None:
    told = 0
    for row in truth(bucket):
        assert row["preamble"] in (row["caption"] or "")
        assert row["tail"] in (row["caption"] or "")
        for panel in row["panels"]:
            assert all(piece in row["caption"] for piece in panel["pieces"])
            assert panel["subcaption"] == (" ".join(panel["pieces"]) or None)
            told += panel["subcaption"] is not None
    assert told > 120


def test_outcomes_are_reasons_and_every_special_case_is_there(bucket: Path) -> None:
    outcomes = {row["outcome"] for row in truth(bucket)}
    assert outcomes - {"kept"} <= reasons.REASONS.keys()
    assert outcomes >= {"kept", "license-not-allowed", "retracted", "version-superseded", "xml-malformed", "http-404",
                        "figure-rights", "no-caption", "no-graphic", "media-missing", "image-truncated",
                        "image-not-image"}


def test_broken_pictures_are_broken_as_the_truth_says(bucket: Path) -> None:
    seen = set()
    for row in truth(bucket):
        path = bucket / row["article"] / str(row["media"])
        if row["outcome"] == "image-truncated":
            with Image.open(path) as picture, pytest.raises(OSError, match="truncated"):
                picture.load()
            seen.add("truncated")
        if row["outcome"] == "image-not-image":
            with pytest.raises(UnidentifiedImageError):
                Image.open(path)
            seen.add("html")
    assert seen == {"truncated", "html"}


def test_one_picture_is_in_two_articles_and_nearly_in_a_third(bucket: Path) -> None:
    seen: dict[str, list[str]] = {}
    for path in sorted(bucket.glob("PMC*/*.*g")):
        seen.setdefault(hashlib.md5(path.read_bytes()).hexdigest(), []).append(path.parent.name)
    twice = [articles for articles in seen.values() if len(set(articles)) > 1 and "PMC98000118" not in articles[0]]
    assert twice == [["PMC98000014.1", "PMC98000040.1"]]


def test_edition_two_changes_what_it_says_and_nothing_else(bucket: Path, next_day: Path) -> None:
    before, after = files(bucket), files(next_day)
    touched = {re.split(r"[/]|\.json", key.removeprefix("metadata/"))[0] for key in before.keys() | after.keys()
               if before.get(key) != after.get(key) and key.startswith(("PMC", "metadata/"))}
    pmcids = [98_000_001 + 13 * index for index in range(18)]
    assert {parse_article_id(article)[0] for article in touched} == {
        pmcids[index] for index in (0, 1, 2, 4, 5, 10, 15, 16, 17)}
    old, new = inventory(next_day, "2026-11-02"), inventory(next_day, "2026-11-03")
    assert old == inventory(bucket, "2026-11-02")
    assert len(new.keys() - old.keys()) == 4, "three new articles and one new version"
    assert old.keys() - new.keys() == {f"metadata/PMC{pmcids[10]}.1.json"}
    assert sum(old[key] != new[key] for key in old.keys() & new.keys()) == 4


def test_edition_two_means_what_it_says(bucket: Path, next_day: Path) -> None:
    first, second = metadata(bucket), metadata(next_day)
    assert second["PMC98000001.2"]["version"] == 2 and first["PMC98000001.1"] == second["PMC98000001.1"]
    assert (first["PMC98000053.1"]["is_retracted"], second["PMC98000053.1"]["is_retracted"]) == (False, True)
    assert (first["PMC98000066.1"]["license_code"], second["PMC98000066.1"]["license_code"]) == ("CC0", "CC BY-NC")
    assert not (next_day / "PMC98000131.1").exists()
    text, image = "PMC98000014.1", "PMC98000027.1"
    assert first[text]["xml_url"] != second[text]["xml_url"] and first[text]["media_urls"] == second[text]["media_urls"]
    assert first[image]["media_urls"] != second[image]["media_urls"]
    outcomes = {row["article"]: row["outcome"] for row in truth(next_day)}
    assert outcomes["PMC98000053.1"] == "retracted" and outcomes["PMC98000001.1"] == "version-superseded"


def test_edition_two_from_scratch_is_edition_two_of_edition_one(tmp_path: Path) -> None:
    write_sample(tmp_path / "a", articles=2)
    write_sample(tmp_path / "a", articles=2, edition=2)
    write_sample(tmp_path / "b", articles=2, edition=2)
    assert files(tmp_path / "a") == files(tmp_path / "b")
    write_sample(tmp_path / "b", articles=2, edition=1)
    write_sample(tmp_path / "c", articles=2)
    assert files(tmp_path / "b") == files(tmp_path / "c")
