"""The page about a model: what it says, that it escapes, credits and describes; and the curves."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from pmcoa_build.clip.evaluate import evaluate
from pmcoa_build.clip.report import draw_curves, score_tables, smoothed, write_report
from pmcoa_build.clip.train import train
from pmcoa_build.spec import TrainKeys


@pytest.fixture(scope="module")
def trained(toy: Path, small_keys: TrainKeys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    keys = dataclasses.replace(small_keys, epochs=1)
    return train(toy, tmp_path_factory.mktemp("run"), keys, progress=lambda row: None, stop=lambda: False).model


@pytest.fixture(scope="module")
def page(toy: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> BeautifulSoup:
    out = tmp_path_factory.mktemp("page") / "report.html"
    rows = evaluate(toy, trained, n=20)
    write_report(toy, trained, rows, out, curves=trained.parent / "curves.png")
    return BeautifulSoup(out.read_text("utf-8"), "lxml")


def test_scores_stand_both_ways_beside_chance(page: BeautifulSoup) -> None:
    table = page.find("table")
    assert table is not None
    lines = [[cell.get_text(strip=True) for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")]
    assert lines[0] == ["metric", "image → text", "text → image", "chance"]
    assert [line[0] for line in lines[1:]] == ["R@1", "R@5", "R@10", "median rank", "mean rank"]
    assert lines[1][3] == "0.050" and lines[4][3] == "10.5"
    assert "20 pairs from" in page.get_text()


def test_ten_examples_with_five_pictures_and_three_texts(page: BeautifulSoup) -> None:
    sections = page.find_all("section")
    assert len(sections) == 10
    for section in sections:
        assert len(section.find_all("img")) == 5 and len(section.find_all("li")) == 3
        assert len(section.select("figure.own")) <= 1
        rank = int(re.search(r"own image at rank (\d+)", section.get_text())[1])  # type: ignore[index]
        assert bool(section.select("figure.own")) == (rank <= 5)


def test_every_picture_is_described_and_credited(page: BeautifulSoup) -> None:
    pictures = page.select("figure img")
    assert all(re.fullmatch(r"a (small|large) \w+ \w+ on the (left|right) side", str(img["alt"])) for img in pictures)
    cited = [link["href"] for link in page.select("figcaption a")]
    listed = [f"#{item['id']}" for item in page.select("ol.credit li")]
    assert len(cited) == len(pictures) and set(cited) == set(listed) and len(listed) == len(set(listed))
    assert all(item.get_text(strip=True).endswith("drawn") for item in page.select("ol.credit li"))


def test_nothing_is_loaded_from_elsewhere(page: BeautifulSoup) -> None:
    assert all(str(img["src"]).startswith("data:image/") for img in page.find_all("img"))
    assert not page.find_all(["script", "link", "iframe"])
    assert page.find("meta", {"name": "viewport"})


def test_markup_in_texts_is_shown_as_text(
    trained: Path, make_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = '"><script>x</script>'
    monkeypatch.setattr("pmcoa_build.clip.evaluate.text_of", lambda row, text: f"{bad} {row['subcaption']}")
    rows = [{"protocol": bad, "metric": bad, "value": 0.25, "n": 4, "seed": 0}]
    write_report(make_dataset(test=30), trained, rows, tmp_path / "report.html")
    page = BeautifulSoup((tmp_path / "report.html").read_text("utf-8"), "lxml")
    assert not page.find_all("script")
    assert str(page.select("figure img")[0]["alt"]).startswith(bad)
    assert bad in page.find("table").get_text()  # type: ignore[union-attr]


def test_the_gallery_of_the_dataset_is_linked_where_there_is_one(
    trained: Path, make_dataset: Callable[..., Path], tmp_path: Path
) -> None:
    dataset = make_dataset(test=30)
    for there in (False, True):
        if there:
            (dataset / "gallery.html").touch()
        out = tmp_path / "evaluate" / "report.html"
        write_report(dataset, trained, [], out)
        links = [str(link["href"]) for link in BeautifulSoup(out.read_text("utf-8"), "lxml").select("h1 + p a")]
        assert [(out.parent / link).resolve() for link in links] == [(dataset / "gallery.html").resolve()] * there


def test_a_metric_with_one_direction_or_none_is_a_plain_line() -> None:
    rows = [{"protocol": "p", "metric": name, "value": value, "n": 4, "seed": 0}
            for name, value in (("AUC", 0.91234), ("image_to_text_R@1", 12.3456))]
    assert score_tables(rows) == [{
        "protocol": "p", "n": 4, "seed": 0, "articles": 0, "columns": ["value"],
        "lines": [{"metric": "AUC", "values": ["0.912"]}, {"metric": "image_to_text_R@1", "values": ["12.35"]}],
    }]


@pytest.mark.parametrize("count", [1, 2, 99, 100, 1000])
def test_smoothing_is_the_mean_of_the_neighbours(count: int) -> None:
    values = np.random.default_rng(count).normal(size=count)
    reach = max(1, count // 100)
    means = [values[max(0, at - reach) : at + reach + 1].mean() for at in range(count)]
    assert np.allclose(smoothed(values), means)


@pytest.mark.parametrize("steps", [0, 1, 300])
def test_curves_are_drawn_of_any_number_of_steps(steps: int, tmp_path: Path) -> None:
    lines = [{"step": step, "contrastive": 1.0, "mlm": 2.0, "lr": 1e-3, "temperature": 14.3} for step in range(steps)]
    draw_curves([*lines, {"step": steps, "validation_recall": 0.5}], tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.format == "PNG" and image.width > 1000
