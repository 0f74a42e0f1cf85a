"""The vocabulary of losses: whole, and the only one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pmcoa_build.reasons import REASONS, Reason, get

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("reason", REASONS.values(), ids=lambda reason: reason.code)
def test_every_reason_is_complete(reason: Reason) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", reason.code) and get(reason.code) is reason
    assert reason.outcome in ("filtered", "dead")
    assert reason.advice[0].isupper() and reason.advice.endswith(".")
    assert not (reason.retryable and reason.outcome == "filtered"), "what is left out on purpose is not tried again"


def test_advice_names_keys_that_exist() -> None:
    from pmcoa_build.spec import SECTIONS

    for reason in REASONS.values():
        for section, keys in re.findall(r"\[(\w+)\] ((?:\w+(?:, )?)+)", reason.advice):
            name = keys.split()[0].rstrip(",")
            assert name in SECTIONS[section].__dataclass_fields__, reason.code


def test_code_uses_no_other_reasons() -> None:
    used = set()
    for path in [*(ROOT / "pmcoa_build").rglob("*.py"), *(ROOT / "stages").glob("*.py")]:
        used |= set(re.findall(r"(?:UnitLost|Loss)\(\s*\"([a-z0-9-]+)\"", path.read_text("utf-8")))
    assert len(used) > 10 and used <= set(REASONS)
