"""Several units at once: results come in order, and not more is taken in than is needed."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pmcoa_build.engine.compute import in_order


@pytest.mark.parametrize("at_once", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(at_once: int) -> None:
    assert list(in_order(lambda n: n * n, range(40), at_once)) == [n * n for n in range(40)]


def test_the_first_may_be_the_last_to_be_done() -> None:
    last = threading.Event()

    def one(n: int) -> int:
        assert n or last.wait(60)
        if n == 3:
            last.set()
        return n

    assert list(in_order(one, range(4), 2)) == [0, 1, 2, 3]


def test_items_are_taken_as_they_are_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for n in range(100):
            taken.append(n)
            yield n

    results = in_order(lambda n: n, items(), 2)
    assert next(results) == 0 and len(taken) == 8
    results.close()  # type: ignore[attr-defined]
    assert len(taken) == 8


def test_what_one_raises_goes_up_in_its_place() -> None:
    results = in_order(lambda n: 1 // (n - 1), range(9), 3)
    assert next(results) == -1
    with pytest.raises(ZeroDivisionError):
        next(results)
