"""The forecast beside what then happens."""

from __future__ import annotations

import re

import pytest

from tests.stages.bucket import ARTICLES, Article, changed, write_bucket
from tests.stages.conftest import SPEC, SmallBuild

CRAWL = ("snapshot", "articles", "figures", "screen", "media")


def estimate(small: SmallBuild, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, tuple[str, str]]:
    """Row of the forecast -> (still to fetch, whole build); "basis" -> (first line, "")."""
    capsys.readouterr()
    assert small.command("estimate", *options) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    rows = (re.fullmatch(r"  +(\w+) {2,}(\S.*?) {2,}(\S.*)", line) for line in lines)
    return {"basis": (first, ""), **{row[1]: (row[2], row[3]) for row in rows if row}}


def counts(told: dict[str, tuple[str, str]]) -> list[tuple[str, str]]:
    return [told[name] for name in ("JSON", "XML", "images")]


def test_before_anything_is_fetched_it_goes_by_typical_values(
    small: SmallBuild, capsys: pytest.CaptureFixture[str]
) -> None:
    told = estimate(small, capsys)
    assert "4 of 4 article versions selected; from typical values" in told["basis"][0]
    assert told["JSON"] == ("4", "4") and told["requests"][0] == told["requests"][1] != "0"
    assert small.open().state.records("articles") == {}
    wide = estimate(small, capsys, "--set", "select.licenses=any", "--set", "screen.terms=none")
    assert wide["XML"] == ("4", "4") and wide["images"] == ("20", "20")


def test_a_url_is_limited_by_the_rate_and_a_folder_is_not(
    small: SmallBuild, capsys: pytest.CaptureFixture[str]
) -> None:
    assert estimate(small, capsys)["time"] == ("no limit", "no limit")
    from pmcoa_build.sample import serve

    with serve(small.root / "bucket") as server:
        settings = ("--set", f"source.url={server.url}", "--set", "source.requests_per_second=0.3")
        told = estimate(small, capsys, *settings)
    assert "0.3 requests/s allowed" in told["basis"][0] and told["time"][1].endswith("min")


def test_another_spec_is_foretold_from_what_was_read(small: SmallBuild, capsys: pytest.CaptureFixture[str]) -> None:
    assert small.run(*CRAWL) == 0
    assert counts(estimate(small, capsys)) == [("0", "4"), ("0", "3"), ("0", "6")]
    wide = estimate(small, capsys, "--set", "select.licenses=any")
    assert counts(wide) == [("0", "4"), ("1", "4"), ("2", "8")]
    assert small.run(*CRAWL, "--set", "select.licenses=any") == 0
    capsys.readouterr()
    assert small.command("report") == 0
    report = capsys.readouterr().out
    assert re.search(r"articles, requests +1 +1\n +images, requests +2 +2\n", report), report
    assert "0 objects were on disk already." in report


def test_terms_are_foretold_from_the_captions(
    small: SmallBuild, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    terms = small.root / "terms.txt"
    terms.write_text("radiograph\n")
    assert small.run(*CRAWL, "--set", f"screen.terms={terms}") == 0
    assert estimate(small, capsys, "--set", f"screen.terms={terms}")["images"] == ("0", "3")
    assert estimate(small, capsys, "--set", "screen.terms=none")["images"] == ("3", "6")


def test_an_update_is_foretold_by_what_changed(small: SmallBuild, capsys: pytest.CaptureFixture[str]) -> None:
    assert small.run(*CRAWL) == 0
    fifth = Article(2000005, "Fifth article", "CC BY", 5)
    write_bucket(small.root / "bucket", (*changed(2000001, title="Corrected"), fifth), date="2026-10-02")
    assert small.run("snapshot", "--update") == 0
    told = estimate(small, capsys)
    assert told["JSON"] == ("2", "5")
    assert small.run(*CRAWL) == 0
    assert estimate(small, capsys)["requests"][0] == "0"


def test_means_of_another_build(small: SmallBuild, capsys: pytest.CaptureFixture[str]) -> None:
    other = small.spec.with_name("other.toml")
    other.write_text(SPEC.replace("small", "other"))
    from stages.__main__ import main

    assert main(["estimate", str(other), "--like", str(small.spec)]) == 2
    assert "has measured nothing yet" in capsys.readouterr().err
    assert small.run(*CRAWL) == 0
    capsys.readouterr()
    assert main(["estimate", str(other), "--like", str(small.spec)]) == 0
    out = capsys.readouterr().out
    assert "from what the build small measured on 4 article versions" in out
    assert re.search(r"JSON +4 +4\n +XML +3 +3\n +images +6 +6\n", out), out


def test_a_forecast_stands_until_snapshot_or_spec_change(
    small: SmallBuild, capsys: pytest.CaptureFixture[str]
) -> None:
    assert small.run(*CRAWL) == 0
    path = small.open().state.folder / "forecast.json"
    first = path.read_text()
    assert small.run(*CRAWL) == 0 and path.read_text() == first
    path.write_text("torn")
    assert small.command("report") == 0
    write_bucket(small.root / "bucket", ARTICLES[:3], date="2026-10-02")
    assert small.run(*CRAWL, "--update") == 0 and path.read_text() not in (first, "torn")


@pytest.mark.parametrize("stage", ["articles", "figures", "media"])
@pytest.mark.parametrize("ending", [".parquet", ".units.parquet"])
def test_a_lost_file_does_not_stop_a_crawl(small: SmallBuild, stage: str, ending: str) -> None:
    assert small.run(*CRAWL) == 0
    before = small.contents("media")
    [record] = small.open().state.records(stage).values()
    path = small.open().state.path(record["output" if ending == ".parquet" else "ledger"]["path"])
    path.unlink()
    assert small.run(*CRAWL, "--set", "select.retracted=flag") == 0
    assert path.parent.exists() and small.contents("media") == before
