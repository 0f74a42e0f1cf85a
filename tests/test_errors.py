"""Exit codes are a contract."""

from __future__ import annotations

import pytest

from pmcoa_build import errors, reasons


@pytest.mark.parametrize(("kind", "code"), [
    (errors.UsageError, 2), (errors.StaleUpstream, 3), (errors.RunFailed, 4), (errors.SourceUnreachable, 4),
    (errors.DiskFull, 4), (errors.LockHeld, 5), (errors.Interrupted, 130),
])
def test_exit_codes(kind: type[errors.PmcoaError], code: int) -> None:
    assert kind("what happened").exit_code == code and str(kind("what happened")) == "what happened"


def test_sigterm_has_its_own_code() -> None:
    assert errors.Interrupted("stop", 143).exit_code == 143


def test_a_lost_unit_has_a_reason_and_a_short_detail() -> None:
    lost = errors.UnitLost("timeout", "x" * 600)
    assert lost.reason is reasons.get("timeout") and len(lost.detail) == 500 and str(lost).startswith("timeout: x")
    assert str(errors.UnitLost("timeout")) == "timeout"
    with pytest.raises(KeyError):
        errors.UnitLost("bad luck")
