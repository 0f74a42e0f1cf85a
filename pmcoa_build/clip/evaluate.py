"""Score a trained model: image-text retrieval on a split of a published dataset (METHOD of arXiv 2303.07240)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pmcoa_build.clip import checkpoint
from pmcoa_build.clip.images import normalise
from pmcoa_build.clip.retrieval import KS, ROCO_POOL, Features, clean_pool, retrieval, roco_pool
from pmcoa_build.clip.shards import (
    Group,
    Sampling,
    columns,
    dataset_id,
    load_samples,
    row_groups,
    text_columns,
    text_of,
)
from pmcoa_build.errors import RunFailed

Protocol = Literal["clean", "roco"]
FEW_PAIRS = 200
"""Pairs that are scored where there are too few for the paper's 2,000, and after each epoch."""


@dataclasses.dataclass(frozen=True)
class Pool:
    """Pairs of one split: the row groups, and `rows` chosen of them, counted through all groups."""

    groups: list[Group]
    rows: list[int]
    texts: list[str]
    articles: list[str]


def evaluate(dataset: Path, model: Path, *, n: int = FEW_PAIRS, seed: int = 0, protocol: Protocol = "clean",
             split: str = "test") -> list[dict[str, Any]]:
    """Rows of `schema.EVALUATE`: retrieval both ways on `split`, with the text that the model was trained on.

    `model`: a folder with `model.safetensors` and `config.json`. `clean`: at most `n` seeded pairs with distinct texts,
    ties averaged; `n` of a row is the number there were, and `pool_articles` how many articles they come from.
    `roco`: the authors' way, 2,000 drawn with replacement, 1,920 scored. Raises RunFailed where the split is too small.
    """
    net, about = checkpoint.load_exported(model)
    pool = draw_pool(dataset, split, about, n, seed, protocol)
    image, text = embed(net, pool, sampling_of(about))
    scores = retrieval(image, text, "argsort" if protocol == "roco" else "average", net.logit_scale.exp().item())
    scores["pool_articles"] = float(len({pool.articles[row] for row in pool.rows}))
    same = {
        "model": about["model"]["name"] or "PMC-CLIP", "weights_sha256": about["weights_sha256"],
        "dataset_id": dataset_id(dataset), "protocol": f"retrieval-{protocol}-{split}",
        "n": len(pool.rows), "seed": seed,
    }
    return [{**same, "metric": metric, "value": value} for metric, value in scores.items()]


def evaluate_split(dataset: Path, model: Path, *, seed: int = 0, split: str = "test") -> list[dict[str, Any]]:
    """Rows of `evaluate`: `clean` on 200 pairs; of a split with 2,000 pairs on 2,000, and `roco` too.

    Raises RunFailed where the split is too small.
    """
    about = checkpoint.load_exported(model)[1]
    if len(_all_pairs(dataset, split, about["kinds"], about["text"]).texts) < ROCO_POOL:
        return evaluate(dataset, model, n=FEW_PAIRS, seed=seed, split=split)
    clean = evaluate(dataset, model, n=ROCO_POOL, seed=seed, split=split)
    return clean + evaluate(dataset, model, seed=seed, protocol="roco", split=split)


def sampling_of(about: dict[str, Any]) -> Sampling:
    """How a trained model wants its samples: centred square, whole text."""
    context = about["model"]["text_cfg"]["context_length"]
    return Sampling(about["text"], about["text_model"], context, about["image_size"], about["seed"], False)


def draw_pool(dataset: Path, split: str, about: dict[str, Any], n: int, seed: int, protocol: Protocol) -> Pool:
    """The pairs of one protocol. Raises RunFailed where there are fewer than 2, or fewer than 2,000 for `roco`."""
    pool = _all_pairs(dataset, split, about["kinds"], about["text"])
    if protocol == "roco" and len(pool.texts) < ROCO_POOL:
        raise RunFailed(f"The {split} split holds {len(pool.texts)} pairs; the ROCO protocol needs {ROCO_POOL}.")
    count = len(pool.texts)
    rows = roco_pool(count, seed) if protocol == "roco" else clean_pool(pool.texts, pool.articles, n, seed)
    if len(rows) < 2:
        raise RunFailed(f"The {split} split holds {count} pairs: too few to score retrieval.")
    return dataclasses.replace(pool, rows=rows)


def _all_pairs(dataset: Path, split: str, kinds: Sequence[str], text: Any) -> Pool:
    groups = row_groups(dataset, split, kinds)
    names = text_columns(text)
    table = columns(groups, ["article", *names])
    texts = [text_of({name: table[name][row] for name in names}, text) for row in range(len(table["article"]))]
    return Pool(groups, list(range(len(texts))), texts, table["article"])


def embed(model: Any, pool: Pool, sampling: Sampling) -> tuple[Features, Features]:
    """Unit image and text vectors (N, D), float32, of the pool's rows in their order. `model` is in evaluation mode."""
    import torch

    starts = np.cumsum([0, *(len(group.rows) for group in pool.groups)])
    wanted = np.unique(pool.rows)
    device = next(model.parameters()).device
    parts: list[tuple[Any, Any]] = []
    with torch.inference_mode():
        for group, start, end in zip(pool.groups, starts, starts[1:], strict=False):
            rows = group.rows[wanted[(wanted >= start) & (wanted < end)] - start]
            for at in range(0, len(rows), 64):
                samples = load_samples(group, rows[at : at + 64], 0, sampling)
                pixels = torch.from_numpy(samples.pixels).to(device)
                image = model.encode_image(normalise(pixels))
                text = model.encode_text(torch.from_numpy(samples.ids).to(device))
                parts.append((image.float().cpu().numpy(), text.float().cpu().numpy()))
    back = np.searchsorted(wanted, pool.rows)
    images, texts = (np.concatenate(part)[back] for part in zip(*parts, strict=True))
    return images, texts


def validation_recall(model: Any, dataset: Path, sampling: Sampling, kinds: Sequence[str]) -> float | None:
    """Mean of R@1/5/10 both ways on at most 200 validation pairs; None where there are fewer than 2.

    Leaves the model in training mode and draws nothing from torch's generators.
    """
    pool = _all_pairs(dataset, "validation", kinds, sampling.text)
    rows = clean_pool(pool.texts, pool.articles, FEW_PAIRS, 0)
    if len(rows) < 2:
        return None
    model.eval()
    plain = dataclasses.replace(sampling, training=False)
    scores = retrieval(*embed(model, dataclasses.replace(pool, rows=rows), plain))
    model.train()
    recalls = [scores[f"{way}_R@{k}"] for way in ("image_to_text", "text_to_image") for k in KS]
    return float(np.mean(recalls))
