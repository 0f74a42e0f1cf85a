"""Retrieval scores from features, and the pools of pairs they are taken over. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.floating]
Ties = Literal["average", "argsort"]
KS = (1, 5, 10)
MIN_ARTICLES = 15
ROCO_POOL = 2000
ROCO_BATCH = 128
"""The released evaluation draws 2,000 pairs and drops the last, incomplete batch of 128: 1,920 are scored."""


def retrieval(image: Features, text: Features, ties: Ties = "average") -> dict[str, float]:
    """R@1/5/10, median and mean rank both ways, of unit rows (N, D) that belong together by position.

    Ranks start at 1. `average`: among equal similarities each order is equally likely, and the expectation is given;
    `argsort`: the order that a sort leaves them in, as in the released `training/evaluate.py` (`get_metrics`).
    """
    scores: dict[str, float] = {}
    similarity = np.asarray(image, np.float64) @ np.asarray(text, np.float64).T
    for way, table in (("image_to_text", similarity), ("text_to_image", similarity.T)):
        better, equal = _places(table, ties)
        for k in KS:
            scores[f"{way}_R@{k}"] = float(np.clip((k - better) / equal, 0, 1).mean())
        rank = better + (equal - 1) / 2
        scores[f"{way}_median_rank"] = float(np.floor(np.median(rank)) + 1)
        scores[f"{way}_mean_rank"] = float(rank.mean() + 1)
    return scores


def _places(table: Features, ties: Ties) -> tuple[Features, Features]:
    """How many columns of each row beat the diagonal, and how many equal it (itself included)."""
    if ties == "argsort":
        order = np.argsort(-table, axis=1, kind="stable")
        return np.argmax(order == np.arange(len(table))[:, None], axis=1).astype(float), np.ones(len(table))
    own = np.diagonal(table)[:, None]
    return (table > own).sum(1).astype(float), (table == own).sum(1).astype(float)


def clean_pool(texts: Sequence[str], articles: Sequence[str], n: int, seed: int) -> list[int]:
    """At most `n` rows, drawn without replacement, no two with the same text (case and spacing apart).

    The draw begins with one row of each of 15 articles, where there are so many.
    """
    order = np.random.default_rng(seed).permutation(len(texts)).tolist()
    first: dict[str, int] = {}
    for row in order:
        if len(first) < MIN_ARTICLES:
            first.setdefault(articles[row], row)
    heads = list(first.values())
    chosen: dict[str, int] = {}
    for row in [*heads, *(row for row in order if row not in set(heads))]:
        key = " ".join(texts[row].casefold().split())
        if key and len(chosen) < n:
            chosen.setdefault(key, row)
    return list(chosen.values())


def roco_pool(count: int, seed: int) -> list[int]:
    """The authors' pool: 2,000 of `count` rows drawn with replacement, cut to whole batches of 128."""
    drawn = np.random.RandomState(seed).choice(count, ROCO_POOL)
    return [int(row) for row in drawn[: ROCO_POOL // ROCO_BATCH * ROCO_BATCH]]
