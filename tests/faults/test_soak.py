"""A crawl of 2,000 articles over a network where one reply in twenty goes wrong, beside a clean one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pmcoa_build.sample import Fault
from tests.faults.network import TABLES, crawling, play_time
from tests.faults.tiny import write_tiny

ARTICLES = 2000
KINDS = (
    Fault("*", "cut", at=40), Fault("*", "flip"), Fault("*", "429"), Fault("*", "503"), Fault("*", "reset"),
    Fault("*", "drip", at=1, interval=0.0005),
)
"""One reply each, then the key is served well."""


def test_soak_one_faulty_reply_in_twenty_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clean crawl is one from the folder: it would ask once for each object, and for what a snapshot needs."""
    root = write_tiny(tmp_path / "bucket", ARTICLES)
    play_time(monkeypatch)
    with crawling(tmp_path / "clean", root) as clean:
        assert clean.run(f"--set=source.url={root}") == 0
    clean_asked = 4 + ARTICLES + sum(clean.open().table(stage).num_rows for stage in ("articles", "media"))
    with crawling(tmp_path / "soak", root) as soak:
        soak.server.faults.rules = [
            Fault(**{**vars(rule), "share": 0.05 / len(KINDS), "seed": seed}) for seed, rule in enumerate(KINDS)
        ]
        assert soak.run() == 0
    for stage in TABLES:
        assert soak.hashes()[stage] == clean.hashes()[stage] and len(soak.hashes()[stage]) > 3
    assert not any(reason[0] == "dead" for stage in TABLES for reason in soak.lost(stage).values())
    played = {kind: sum(n for (rule, _), n in soak.server.faults.played.items() if rule.kind == kind.kind)
              for kind in KINDS}
    faulty = sum(played.values())
    assert all(played.values()) and 0.05 < faulty / clean_asked < 0.065
    assert clean_asked < soak.asked() <= clean_asked + faulty, "more was asked for than the faults explain"
    soak.check_sound()
