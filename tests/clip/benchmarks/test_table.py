"""The table of scores beside the paper's."""

from __future__ import annotations

import re
from typing import Any

from pmcoa_build.clip.benchmarks import paper
from pmcoa_build.clip.benchmarks.catalogue import BENCHMARKS
from pmcoa_build.clip.benchmarks.table import markdown


def row(metric: str, value: float, **other: Any) -> dict[str, Any]:
    return {"model": "small", "weights_sha256": "a" * 64, "dataset_id": f"breastmnist_64:{'b' * 64}",
            "protocol": "fine-tune", "metric": metric, "value": value, "n": 156, "seed": 0} | other


def cells(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]


def test_ours_stand_below_the_paper_s_in_the_same_columns() -> None:
    found = cells(markdown([row("AUC", 0.9), row("ACC", 0.8), row("AUC", 0.8, seed=4), row("ACC", 0.9, seed=4)]))
    assert found[0] == ["", "protocol", "AUC", "ACC", "n", "seeds", "weights", "data"]
    assert found[-2] == ["PMC-CLIP, from the paper", "", "94.56", "91.35", "", "", "", ""]
    assert found[-1] == ["small", "fine-tune", "85.00", "85.00", "156", "0, 4", "aaaaaaaa", "bbbbbbbb"]


def test_other_weights_data_and_protocols_have_lines_of_their_own() -> None:
    rows = [row("AUC", 0.9), row("AUC", 0.8, weights_sha256="c" * 64), row("AUC", 0.7, dataset_id="breastmnist_64:d"),
            row("AUC", 0.6, protocol="zero-shot"), row("AUC", 0.5, dataset_id="octmnist:e")]
    text = markdown(rows)
    assert [line[2] for line in cells(text) if line[0] == "small"] == ["90.00", "80.00", "70.00", "60.00", "50.00"]
    assert re.findall("^## (.*)", text, re.MULTILINE) == ["breastmnist_64", "octmnist"]


def test_ranks_and_counts_are_no_shares() -> None:
    text = markdown([row("image_to_text_R@1", 0.25), row("image_to_text_mean_rank", 7.5),
                     row("captions_without_image", 3, n=2000)])
    assert cells(text)[-1][-7:-3] == ["25.00", "7.50", "3.00", "156"]


def test_a_score_that_is_not_a_number_says_so() -> None:
    assert cells(markdown([row("AUC", float("nan"))]))[-1][2] == "nan"


def test_the_paper_s_numbers_go_with_the_benchmarks() -> None:
    assert paper.numbers("roco")["PMC-CLIP"]["text_to_image_R@10"] == 69.69
    assert paper.numbers("pneumoniamnist") == paper.numbers("pneumoniamnist_224")
    assert paper.numbers("octmnist") == {}
    for name in set(BENCHMARKS) - {"medmnist"}:
        assert "PMC-CLIP" in paper.numbers(name)
