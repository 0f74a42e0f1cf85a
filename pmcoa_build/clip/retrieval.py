"""Retrieval scores from features, and the pools of pairs they are taken over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pmcoa_build.errors import RunFailed

Features = NDArray[np.floating]
Ties = Literal["average", "argsort"]
KS = (1, 5, 10)
MIN_ARTICLES = 15
ROCO_POOL = 2000
ROCO_BATCH = 128
"""The released evaluation draws 2,000 pairs and drops the last, incomplete batch of 128: 1,920 are scored."""


def retrieval(image: Features, text: Features, ties: Ties = "average", scale: float = 1.0) -> dict[str, float]:
    """R@1/5/10, median and mean rank both ways, of unit rows (N, D) that belong together by position.

    Ranks start at 1. `average`: among equal similarities each order is equally likely, and the expectation is given.
    `argsort`: the released `training/evaluate.py` (`get_metrics`) to the last bit: 32-bit logits of `scale`, and among
    equal ones the order that torch's sort leaves. Raises RunFailed for features that are not numbers: compared with
    them, everything would rank first.
    """
    if not (np.isfinite(image).all() and np.isfinite(text).all()):
        raise RunFailed("The model gives features that are not numbers: it cannot be scored.")
    scores: dict[str, float] = {}
    places = _sorted_places(image, text, scale) if ties == "argsort" else _even_places(image, text)
    for way, (better, equal) in zip(("image_to_text", "text_to_image"), places, strict=True):
        for k in KS:
            scores[f"{way}_R@{k}"] = float(np.clip((k - better) / equal, 0, 1).mean())
        rank = better + (equal - 1) / 2
        scores[f"{way}_median_rank"] = float(np.floor(np.median(rank)) + 1)
        scores[f"{way}_mean_rank"] = float(rank.mean() + 1)
    return scores


Places = tuple[Features, Features]
"""How many answers beat a query's own, and how many equal it (itself included); (N,) each."""


def _sorted_places(image: Features, text: Features, scale: float) -> tuple[Places, Places]:
    import torch

    rows, columns = (torch.from_numpy(np.asarray(part, np.float32)) for part in (image, text))
    logits = torch.tensor(scale, dtype=torch.float32) * rows @ columns.t()

    def places(table: torch.Tensor) -> Places:
        order = torch.argsort(table, descending=True).numpy()
        return np.argmax(order == np.arange(len(order))[:, None], axis=1).astype(float), np.ones(len(order))

    return places(logits), places(logits.t())


def _even_places(image: Features, text: Features) -> tuple[Places, Places]:
    # of equal rows one product only: a matrix product may round the same sum differently in another place
    (rows, row), (columns, column) = _distinct(image), _distinct(text)
    table = (rows @ columns.T)[np.ix_(row, column)]
    own = np.diagonal(table)

    def places(table: Features) -> Places:
        return (table > own[:, None]).sum(1).astype(float), (table == own[:, None]).sum(1).astype(float)

    return places(table), places(table.T)


def _distinct(features: Features) -> tuple[Features, list[int]]:
    """The distinct rows, and which of them each row is."""
    rows = np.ascontiguousarray(features, np.float64)
    place: dict[bytes, int] = {}
    which = [place.setdefault(row.tobytes(), len(place)) for row in rows]
    return rows[np.unique(which, return_index=True)[1]], which


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
