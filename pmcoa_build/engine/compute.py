"""How one unit is computed, what becomes of one that fails, and several at once with their results in order."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from pmcoa_build.engine.stage import Loss, Result, Row, Stage, Unit
from pmcoa_build.errors import PmcoaError, UnitLost

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Made = TypeVar("Made")
Compute = Callable[[Unit, Mapping[str, Row]], Result]
"""(unit, its heavy columns) -> what was made of it."""


def compute_here(stage: Stage, resource: Any) -> Compute:
    """Units computed in this process: one that kills it or never ends takes the run with it."""
    return lambda unit, heavy: guarded(stage, unit, heavy, resource)


def guarded(stage: Stage, unit: Unit, heavy: Mapping[str, Row], resource: Any) -> Result:
    """Run `process`; a unit that fails is lost with a reason, errors about the whole run go up."""
    try:
        return stage.process(unit, heavy, resource)
    except UnitLost as error:
        return lost(unit, error.reason.code, error.detail)
    except (PmcoaError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's; libraries' own (PIL) have none
            raise
        log.exception("%s: unexpected error on %s", stage.name, unit.id)
        return lost(unit, "unexpected-error", f"{type(error).__name__}: {error}")


def lost(unit: Unit, reason: str, detail: str) -> Result:
    """All members of a unit are lost."""
    return Result(lost=dict.fromkeys(unit.members, Loss(reason, detail)))


def in_order(one: Callable[[Item], Made], items: Iterable[Item], at_once: int) -> Iterator[Made]:
    """`one` of each item in the order of the items, `at_once` of them under way in threads, a few more waiting.

    Who may leave off before the end closes it: threads are waited for, and the garbage collector, which may run in the
    middle of a thread's start, would wait for ever.
    """
    if at_once <= 1:
        yield from map(one, items)
        return
    flying: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for item in items:
                flying.append(pool.submit(one, item))
                if len(flying) == at_once * 4:  # so far ahead of the one that is waited for, and no further
                    yield flying.popleft().result()
            while flying:
                yield flying.popleft().result()
        finally:
            for future in flying:
                future.cancel()
