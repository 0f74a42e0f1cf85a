"""Every error that pmcoa-build raises on purpose: one sentence each, one small tree.

    PmcoaError                  exit code
    ├── UsageError              2   the spec, an argument or the build folder is not usable
    ├── StaleUpstream           3   an earlier stage has to run first
    ├── RunFailed               4   too many failures, or unusable data
    │   ├── SourceUnreachable   4   the bucket does not answer, or answers as something else
    │   └── DiskFull            4   no room for the next block
    ├── LockHeld                5   another run works on this build
    ├── Interrupted       130/143   SIGINT or SIGTERM: safe to run again
    └── UnitLost                -   one unit (article, figure, image, panel) is left out, with a reason

`UnitLost` never ends a run: the engine books it in the stage's lost table.
"""

from __future__ import annotations

from pmcoa_build import reasons


class PmcoaError(Exception):
    """Base of all deliberate errors; `str(error)` is one sentence for the user."""

    exit_code = 1


class UsageError(PmcoaError):
    """The spec, an argument or the build folder is not usable."""

    exit_code = 2


class StaleUpstream(PmcoaError):
    """An earlier stage has to run first; the sentence names the command."""

    exit_code = 3


class RunFailed(PmcoaError):
    """Too many failures, or data that cannot be used."""

    exit_code = 4


class SourceUnreachable(RunFailed):
    """The source does not answer, or what answers is not a bucket in PMC's layout."""


class DiskFull(RunFailed):
    """No room to write: nothing was recorded, the run can be repeated."""


class LockHeld(PmcoaError):
    """Another run holds the build's lock."""

    exit_code = 5


class Interrupted(PmcoaError):
    """The run was asked to stop (SIGINT: 130, SIGTERM: 143)."""

    def __init__(self, message: str, exit_code: int = 130) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class UnitLost(PmcoaError):
    """One unit is left out. `reason` is a code of `reasons.py`; `detail` at most 500 characters."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reasons.get(reason)
        self.detail = detail[:500]
        super().__init__(f"{reason}: {detail}" if detail else reason)
