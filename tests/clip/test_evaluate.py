"""Retrieval scores against brute force, the pools, and the rows of a trained model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pmcoa_build import schema
from pmcoa_build.clip.evaluate import draw_pool, embed, evaluate, evaluate_split, sampling_of
from pmcoa_build.clip.retrieval import clean_pool, retrieval, roco_pool
from pmcoa_build.clip.train import train
from pmcoa_build.errors import RunFailed
from pmcoa_build.spec import TrainKeys


def brute_force(image: np.ndarray, text: np.ndarray) -> dict[str, float]:
    scores: dict[str, float] = {}
    for way, queries, answers in (("image_to_text", image, text), ("text_to_image", text, image)):
        ranks = []
        for at, query in enumerate(queries):
            values = [float(query @ answer) for answer in answers]
            ranks.append(sorted(values, reverse=True).index(values[at]))
        scores |= {f"{way}_R@{k}": float(np.mean([rank < k for rank in ranks])) for k in (1, 5, 10)}
        scores[f"{way}_median_rank"] = float(np.floor(np.median(ranks)) + 1)
        scores[f"{way}_mean_rank"] = float(np.mean(ranks) + 1)
    return scores


@pytest.mark.parametrize("ties", ["average", "argsort"])
@pytest.mark.parametrize("n", [2, 17, 60])
def test_scores_equal_brute_force_where_nothing_ties(ties: str, n: int) -> None:
    rng = np.random.default_rng(n)
    image = rng.normal(size=(n, 8))
    text = image + rng.normal(size=(n, 8))
    assert retrieval(image, text, ties) == pytest.approx(brute_force(image, text))  # type: ignore[arg-type]


def test_equal_features_score_as_chance_not_as_perfect() -> None:
    same = np.ones((40, 4)) / 2
    scores = retrieval(same, same)
    assert scores["image_to_text_R@1"] == pytest.approx(1 / 40)
    assert scores["text_to_image_R@10"] == pytest.approx(10 / 40)
    assert scores["image_to_text_mean_rank"] == pytest.approx(20.5)


@pytest.mark.parametrize("ties", ["average", "argsort"])
def test_features_that_are_not_numbers_have_no_score(ties: str) -> None:
    broken = np.full((20, 4), np.nan)
    with pytest.raises(RunFailed, match="not numbers"):
        retrieval(np.eye(20), broken, ties)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [37, 200, 1920])
def test_repeated_pairs_tie_wherever_they_stand(n: int) -> None:
    rng = np.random.default_rng(n)
    drawn = rng.integers(0, n // 2, n)
    features = rng.normal(size=(n // 2, 768))[drawn]
    scores = retrieval(features, features)
    twins = np.bincount(drawn)[drawn]
    assert scores["image_to_text_R@1"] == pytest.approx(np.mean(1 / twins))
    assert scores["text_to_image_mean_rank"] == pytest.approx(np.mean((twins + 1) / 2))


def test_the_released_ranks_among_equals_are_their_places() -> None:
    image = np.repeat(np.eye(4), 3, axis=0)  # three equal pairs each: ranks 0, 1, 2
    scores = retrieval(image, image, "argsort", 100.0)
    assert scores["image_to_text_R@1"] == pytest.approx(1 / 3)
    assert scores["text_to_image_mean_rank"] == 2 and scores["text_to_image_median_rank"] == 2
    assert scores["image_to_text_R@5"] == 1


TEXTS = st.lists(st.sampled_from(["a", "A ", "b", "c  d", "C d", "", "e"]), min_size=1, max_size=40)


@given(texts=TEXTS, n=st.sampled_from(range(1, 11)), seed=st.sampled_from(range(6)))
def test_clean_pools_hold_distinct_texts(texts: list[str], n: int, seed: int) -> None:
    rows = clean_pool(texts, [f"PMC{at % 7}" for at in range(len(texts))], n, seed)
    chosen = [" ".join(texts[row].casefold().split()) for row in rows]
    assert len(set(chosen)) == len(chosen) == min(n, len({" ".join(t.casefold().split()) for t in texts} - {""}))
    assert "" not in chosen
    assert rows == clean_pool(texts, [f"PMC{at % 7}" for at in range(len(texts))], n, seed)


def test_clean_pools_reach_15_articles_even_where_one_dominates() -> None:
    articles = ["PMC1"] * 2000 + [f"PMC{at}" for at in range(2, 18)]
    rows = clean_pool([f"text {at}" for at in range(len(articles))], articles, 30, 0)
    assert len(rows) == 30
    assert len({articles[row] for row in rows}) >= 15


def test_the_roco_pool_repeats_rows_and_drops_the_remainder() -> None:
    rows = roco_pool(8000, 1)
    assert len(rows) == 1920
    assert len(set(rows)) < 1920
    assert rows == roco_pool(8000, 1) != roco_pool(8000, 2)


@pytest.fixture(scope="module")
def trained(toy: Path, small_keys: TrainKeys, tmp_path_factory: pytest.TempPathFactory) -> Path:
    keys = dataclasses.replace(small_keys, epochs=1)
    return train(toy, tmp_path_factory.mktemp("out"), keys, progress=lambda _: None, stop=lambda: False).model


def test_evaluate_gives_rows_of_the_schema(toy: Path, trained: Path) -> None:
    rows = evaluate(toy, trained, n=20, seed=4)
    table = pa.Table.from_pylist(rows, schema=schema.EVALUATE)
    assert table.num_rows == len(rows) == 11
    assert set(rows[0]) == set(schema.EVALUATE.names)
    assert {(row["n"], row["seed"], row["dataset_id"], row["model"]) for row in rows} == {(20, 4, "toy-0", "small")}
    values = {row["metric"]: row["value"] for row in rows}
    assert values["pool_articles"] >= 10
    assert rows == evaluate(toy, trained, n=20, seed=4)


@pytest.mark.parametrize(("pool", "found"), [
    (61, ["retrieval-clean-test"]), (60, ["retrieval-clean-test", "retrieval-roco-test"]),
])
def test_large_splits_are_scored_as_roco_is(
    pool: int, found: list[str], toy: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pmcoa_build.clip.evaluate.ROCO_POOL", pool)
    rows = evaluate_split(toy, trained, seed=4)
    assert list(dict.fromkeys(row["protocol"] for row in rows)) == found
    assert {row["n"] for row in rows if "roco" in row["protocol"]} <= {1920}
    assert [row for row in rows if "clean" in row["protocol"]] == evaluate(toy, trained, n=pool, seed=4)


def test_features_do_not_depend_on_the_order_of_the_pool(toy: Path, trained: Path) -> None:
    from pmcoa_build.clip.checkpoint import load_exported

    net, about = load_exported(trained)
    pool = draw_pool(toy, "test", about, 20, 0, "clean")
    image, text = embed(net, pool, sampling_of(about))
    back = dataclasses.replace(pool, rows=[*pool.rows[::-1], pool.rows[0]])
    image_back, text_back = embed(net, back, sampling_of(about))
    assert np.allclose(image_back[:-1][::-1], image, atol=1e-6)
    assert np.allclose(text_back[-1], text[0], atol=1e-6)


def test_splits_that_are_too_small_are_refused(toy: Path, trained: Path) -> None:
    with pytest.raises(RunFailed, match="2000"):
        evaluate(toy, trained, protocol="roco")
    with pytest.raises(RunFailed, match="too few"):
        evaluate(toy, trained, split="nothing")
