"""The bar over real articles with an oracle; runs only where PMCOA_SHARED names their folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pmcoa_build.pmc.jats import parse_article, to_parse_record

pytestmark = pytest.mark.skipif(
    "PMCOA_SHARED" not in os.environ, reason="PMCOA_SHARED names no folder of real articles"
)


def test_real_articles_reach_the_bar(tmp_path: Path) -> None:
    shared = Path(os.environ["PMCOA_SHARED"]).resolve()
    lines = tmp_path / "p.jsonl"
    records = [to_parse_record(path.name, path.read_bytes()) for path in sorted((shared / "jats/xml").glob("*.xml"))]
    lines.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    scorer = [sys.executable, str(shared / "score/score.py"), "parse", str(lines), str(shared / "jats/oracle.jsonl")]
    words = subprocess.run(scorer, check=True, capture_output=True, text=True).stdout.split()
    score = {name: float(value) for name, value in zip(words[::2], words[1::2], strict=True)}
    assert (score["errors"], score["found"], score["extra"]) == (0, 1, 0)
    assert min(score["caption"], score["graphics"], score["label"]) >= 0.998
    assert min(score["mentions"], score["license"]) >= 0.99
    assert score["reprint-F1"] >= 0.85


def test_oddities_of_the_oracle() -> None:
    folder = Path(os.environ["PMCOA_SHARED"]) / "jats"
    for want in json.loads((folder / "synth/expected.json").read_text("utf-8")):
        article = parse_article((folder / "synth" / want["file"]).read_bytes())
        got = [(f.xml_id, f.label, f.caption, f.graphics, f.n_mentions) for f in article.figures]
        assert got == [
            (f["id"], f["label"], f["caption_text"], f["graphics"], f["n_mentions"]) for f in want["figures"]
        ]
        assert [f.media for f in article.figures] == [f.get("media", []) for f in want["figures"]]
    for want in json.loads((folder / "bad/expected.json").read_text("utf-8")):
        record = to_parse_record(want["file"], (folder / "bad" / want["file"]).read_bytes())
        assert "CANARY" not in json.dumps(record)
        if want["outcome"] == "figures":
            assert record.get("figures"), want["file"]
        elif want["outcome"] in ("error", "no_fulltext"):
            assert "error" in record, want["file"]
