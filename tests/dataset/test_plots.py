from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from pmcoa_build.dataset.plots import draw_funnel, draw_plots, short_number
from pmcoa_build.dataset.stats import Statistics

KEYS = ("license", "kind", "method", "journal", "year", "modality", "flag")


def stage(name: str, unit: str, came: int, done: int, **lost: dict[str, int]) -> dict[str, Any]:
    return {"stage": name, "unit": unit, "in": came, "done": done, "filtered": {}, "dead": {}, **lost}


def test_the_funnel_narrows_and_begins_again() -> None:
    drawn = draw_funnel([
        stage("snapshot", "article", 1_000_000, 200, filtered={"not-open": 999_800}),
        stage("articles", "article", 200, 100, filtered={"retracted": 60}, dead={"timeout": 40}),
        stage("figures", "article", 100, 50),
        stage("panels", "panel", 400, 0, dropped={"panel-too-small": 3}),
    ])
    assert [(s["again"], s["top"], s["bottom"]) for s in drawn] == [
        (True, 100, 0.02), (True, 100, 50), (False, 50, 25), (True, 100, 0)]
    assert drawn[1]["lost"] == [("retracted", 60, "filtered"), ("timeout", 40, "dead")]
    assert drawn[3]["lost"] == [("panel-too-small", 3, "filtered")]


def test_numbers_are_columns_and_names_are_bars() -> None:
    by = {key: Counter[str]() for key in KEYS}
    by["license"].update({"CC0": 1, "CC BY": 3})
    by["year"].update({"2019": 2, "2021": 1, "unknown": 5})
    statistics = Statistics(by=by, words=Counter({"≤ 10": 4}), panels_per_figure=Counter({1: 4, 3: 2, 20: 2}))
    plots = {plot["title"]: (plot["form"], plot["bars"]) for plot in draw_plots(statistics)}
    assert list(plots) == ["Panels a figure", "Words a subcaption", "Year", "Licence"]
    assert plots["Panels a figure"] == ("columns", [
        ("1", 4, 100), ("2", 0, 0), ("3", 2, 50), *((str(n), 0, 0) for n in range(4, 12)), ("more", 2, 50)])
    assert plots["Year"] == ("columns", [("2019", 2, 100), ("2020", 0, 0), ("2021", 1, 50)])
    assert plots["Licence"] == ("bars", [("CC BY", 3, 100), ("CC0", 1, 33.3)])
    assert ("≤ 10", 4, 100) in plots["Words a subcaption"][1]


def test_old_years_are_one_column() -> None:
    by = {**{key: Counter[str]() for key in KEYS}, "year": Counter({str(year): 1 for year in range(1990, 2026)})}
    (plot,) = draw_plots(Statistics(by=by))
    assert [bar[:2] for bar in plot["bars"][:2]] == [("≤ 2006", 17), ("2007", 1)] and len(plot["bars"]) == 20


@pytest.mark.parametrize(("n", "text"), [(0, "0"), (999, "999"), (1234, "1.2k"), (34567, "35k"), (5_600_000, "5.6M")])
def test_short_numbers(n: int, text: str) -> None:
    assert short_number(n) == text
