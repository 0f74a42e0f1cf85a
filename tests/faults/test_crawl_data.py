"""Faults 26, 28 and 31 at the level of whole stages: hostile names, what comes twice, a spec that changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from stages import figures as figures_stage
from stages.pipeline import NAMES
from tests.faults.network import CRAWL, Crawl, crawling
from tests.faults.tiny import BUCKET, png, write_article, write_inventory, write_tiny, xml

MD5 = "0" * 32

# 26: names

HOSTILE = [
    "../x.png", "../../x.png", "/etc/x.png", "a\\b.png", "..\\x.png", "C:\\x.png", "a\0b.png", "a\nb.png",
    "x" * 300 + ".png", ".hidden.png", "CON.jpg", "sub/../../x.png",
]


@pytest.mark.parametrize("keep_raw", [False, True])
@pytest.mark.parametrize("name", HOSTILE)
def test_26_a_hostile_name_is_refused_and_nothing_is_written_elsewhere(
    name: str, keep_raw: bool, tmp_path: Path
) -> None:
    root, outer = tmp_path / "bucket", tmp_path / "outer"
    href = name.replace("\0", "").replace("\n", "&#10;")
    urls = [f"{BUCKET}/PMC1.1/{name}?md5={MD5}", f"{BUCKET}/{name}?md5={MD5}", f"s3://elsewhere/PMC1.1/x.png?md5={MD5}"]
    write_article(root, "PMC1.1", xml([("F1", href), ("F2", "g.png")]), {"g.png": png(1)}, urls=urls)
    write_inventory(root)
    outer.mkdir()
    (outer / "beside").write_text("stays")
    with crawling(outer / "build", root) as crawl:
        assert crawl.run(f"--set=source.keep_raw={str(keep_raw).lower()}") == 0
        table = {row["figure_id"]: row["reasons"] for row in crawl.open().table("screen").to_pylist()}
        assert table["PMC1.1/F2"] == []
        assert table["PMC1.1/F1"] == ["name-unsafe" if "\0" not in name else "media-missing"]
        assert [row["media_name"] for row in crawl.open().table("media").to_pylist()] == ["g.png"]
        assert crawl.asked("*.png") == 1 and crawl.asked("*x*png") == 0
        crawl.check_sound()
    assert sorted(path.name for path in outer.iterdir()) == ["beside", "build"]
    assert sorted(path.name for path in (outer / "build").iterdir()) == ["crawl.toml", "data", "state"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bucket", "outer"]


def test_26_of_two_names_equal_ignoring_case_neither_is_taken(tmp_path: Path) -> None:
    """Which of the two a figure means is not sure, and not every file system tells them apart."""
    root = tmp_path / "bucket"
    write_article(root, "PMC1.1", xml([("F1", "G.png"), ("F2", "g.PNG"), ("F3", "h.png")]),
                  {"G.png": png(1), "g.PNG": png(2), "h.png": png(3)})
    write_inventory(root)
    with crawling(tmp_path / "build", root) as crawl:
        assert crawl.run() == 0
        assert [row["media_name"] for row in crawl.open().table("media").to_pylist()] == ["h.png"]


def test_26_an_article_in_the_inventory_with_a_hostile_key_is_none(tmp_path: Path) -> None:
    root = tmp_path / "bucket"
    write_article(root, "PMC1.1", xml([("F1", "g.png")]), {"g.png": png(1)})
    write_inventory(root)
    record = json.loads((root / "metadata/PMC1.1.json").read_text())
    for url in (f"{BUCKET}/PMC1.1/../../x.xml?md5={MD5}", f"{BUCKET}/PMC2.1/PMC2.1.xml?md5={MD5}", "file:///etc/passwd"):
        (root / "metadata/PMC1.1.json").write_text(json.dumps({**record, "xml_url": url}))
        with crawling(tmp_path / "build", root) as crawl:
            assert crawl.run("snapshot", "articles", "--update") == 0
            assert crawl.lost("articles") == {"PMC1.1": ("dead", "xml-missing", False)}
            assert crawl.asked("*.xml") == 0 and crawl.asked("*passwd*") == 0
        write_inventory(root, f"2026-10-0{len(url) % 8 + 2}")


# 28: what comes twice


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    """Two versions of an article, the second a manuscript with one figure id three times, each row listed twice."""
    root = tmp_path / "bucket"
    write_article(root, "PMC1.1", xml([("F1", "a.png"), ("F2", "b.png")]), {"a.png": png(1), "b.png": png(2)})
    same = xml([("F1", "a.png"), ("F1", "b.png"), ("F1", "a.png"), ("F2", "c.png")])
    media = {"a.png": png(3), "b.png": png(4), "c.png": png(5)}
    write_article(root, "PMC1.2", same, media, is_manuscript=True)
    write_inventory(root, times=2)
    return root


@pytest.mark.parametrize(("policy", "kept"), [
    ("best", ["PMC1.1"]), ("latest", ["PMC1.2"]), ("all", ["PMC1.1", "PMC1.2"]),
])
def test_28_ids_stay_unique_and_versions_are_chosen(policy: str, kept: list[str], twice: Path, tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        with crawling(tmp_path / name, twice) as crawl:
            assert crawl.run(f"--set=select.versions={policy}") == 0
            build = crawl.open()
            assert sorted(build.table("articles")["article"].to_pylist()) == kept
            assert set(build.lost("articles")["unit"].to_pylist()) == {"PMC1.1", "PMC1.2"} - set(kept)
            figures = build.table("figures")["figure_id"].to_pylist()
            assert len(set(figures)) == len(figures) == sum(2 * int(one[-1]) for one in kept)
            images = build.table("media")["image_id"].to_pylist()
            assert len(set(images)) == len(images) == sum(int(one[-1]) + 1 for one in kept)
            if "PMC1.2" in kept:
                assert {"PMC1.2/fig1~", "PMC1.2/fig2~", "PMC1.2/fig3~", "PMC1.2/F2"} <= set(figures)
                assert "shared-graphic" in {reason for _, reason, _ in crawl.lost("media").values()}
            assert crawl.asked("metadata/*.json") == (1 if policy == "latest" else 2)
            assert crawl.asked("*.xml") == len(kept)
            found.append(crawl.hashes())
            assert crawl.run(f"--set=select.versions={policy}") == 0 and crawl.hashes() == found[0]
    assert found[0] == found[1]


# 31: the spec changes


@pytest.fixture
def crawl(tmp_path: Path) -> Iterator[Crawl]:
    with crawling(tmp_path / "build", write_tiny(tmp_path / "bucket", 60)) as made:
        yield made


def _due(crawl: Crawl, capsys: pytest.CaptureFixture[str], *settings: str) -> list[str]:
    """Stages of the crawl that a run with these settings would find due."""
    capsys.readouterr()
    assert crawl.run(*NAMES, "--dry-run", *settings) == 0
    return sorted({line.split()[0] for line in capsys.readouterr().out.splitlines()[1:] if "nothing" not in line}
                  & set(CRAWL))


@pytest.mark.parametrize("change", ["train.lr=0.5", "panels.quality=50", "run.max_dead_fraction=0.5",
                                    "source.requests_per_second=7", "source.connections=3"])
def test_31_a_key_that_no_stage_of_the_crawl_declares_costs_no_block_and_no_request(
    change: str, crawl: Crawl, capsys: pytest.CaptureFixture[str]
) -> None:
    assert crawl.run() == 0
    asked = crawl.asked("PMC*") + crawl.asked("metadata/*")
    assert _due(crawl, capsys, f"--set={change}") == []
    assert crawl.run(f"--set={change}") == 0
    assert crawl.asked("PMC*") + crawl.asked("metadata/*") == asked


def test_31_other_terms_screen_anew_and_parse_nothing(
    crawl: Crawl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Only the images that are kept beside the others are fetched; none that is there is fetched again."""
    terms = tmp_path / "terms.txt"
    terms.write_text("CT 0\n")
    assert crawl.run(f"--set=screen.terms={terms}") == 0
    some, text = crawl.asked("*.png"), crawl.asked("*.xml")
    monkeypatch.setattr(figures_stage, "parse_article", lambda xml: pytest.fail("an XML was parsed again"))
    assert _due(crawl, capsys, "--set=screen.terms=none") == ["media", "screen"]
    assert crawl.run("--set=screen.terms=none") == 0
    every = crawl.open().table("media").num_rows
    assert 0 < some < every == crawl.asked("*.png") and crawl.asked("*.xml") == text
    assert crawl.run(f"--set=screen.terms={terms}") == 0
    assert crawl.open().table("media").num_rows == some and crawl.asked("*.png") == every


def test_31_another_sample_fetches_only_what_comes(crawl: Crawl) -> None:
    def have() -> set[str]:
        return set(crawl.open().table("articles")["article"].to_pylist())

    assert crawl.run("--set=select.sample=20") == 0
    few, asked = have(), crawl.asked("metadata/PMC*")
    assert crawl.run("--set=select.sample=50") == 0
    assert few < have() and crawl.asked("metadata/PMC*") <= 60
    assert asked < crawl.asked("metadata/PMC*")
    keys = [key for method, key, _, _ in crawl.server.log if key.startswith(("metadata/PMC", "PMC"))]
    assert len(keys) == len(set(keys)), "an object was fetched twice"
    assert crawl.run("--set=select.sample=20") == 0 and have() == few
    assert len(keys) == crawl.asked("metadata/PMC*") + crawl.asked("PMC*"), "what goes costs nothing"
