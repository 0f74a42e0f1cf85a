"""The same articles from the bucket and from PMC's old packages give the same tables."""

from __future__ import annotations

from pathlib import Path

from pmcoa_build import Build
from pmcoa_build.engine.state import State
from pmcoa_build.sample import write_sample
from tests.end_to_end.conftest import CRAWL, ROOT, Cli
from tests.pmc.packages import pack_bucket

TABLES = ("figures", "screen", "media")


def _hashes(out: Path) -> dict[str, list[str]]:
    state = State(out / "data", out / "state")
    return {stage: [record["content"] for record in state.records(stage).values()] for stage in TABLES}


def _build(out: Path) -> Build:
    return Build.open(ROOT / "manifests/mirror.toml", [f"build.out={out / 'data'}", f"build.state={out / 'state'}"])


def _run_both(bucket: Path, tmp_path: Path, cli: Cli, *, but: list[str]) -> None:
    """All four tables and what each left out, but for those columns of `articles`."""
    pmcids = pack_bucket(bucket, tmp_path / "packages")
    out = {"bucket": tmp_path / "from bucket", "packages": tmp_path / "from packages"}
    keys = {"run.max_dead_fraction": 1, "select.articles": f"{pmcids}"}
    cli(*CRAWL, out=out["bucket"], **{"source.url": bucket, **keys})
    cli(*CRAWL, out=out["packages"], **{"source.url": tmp_path / "packages", **keys})
    assert len(pmcids) >= 10 and _hashes(out["packages"]) == _hashes(out["bucket"])
    builds = [_build(folder) for folder in out.values()]
    expected, found = (build.table("articles").drop_columns(but).to_pylist() for build in builds)
    assert found == expected and len(found) >= 10
    for stage in ("articles", *TABLES):
        lost, also = (build.lost(stage).select(["unit", "reason"]).to_pylist() for build in builds)
        assert lost == also, stage
    again = cli(*CRAWL, "--update", out=out["packages"], **{"source.url": tmp_path / "packages", **keys})
    assert again.stdout.count("nothing due") == len(CRAWL) - 1


def test_drawn_articles(tmp_path: Path, cli: Cli) -> None:
    """The ETag is the MD5 of PMC's own JSON there, of one made here; the sample's XML does not say `manuscript`."""
    write_sample(tmp_path / "sample", articles=24)
    _run_both(tmp_path / "sample", tmp_path, cli, but=["etag", "is_manuscript"])


def test_real_articles(tmp_path: Path, cli: Cli, shared: Path) -> None:
    _run_both(shared / "mirror", tmp_path, cli, but=["etag"])
