"""What a person looks at after training: the curves, and a page with scores and retrieval examples."""

from __future__ import annotations

import base64
import dataclasses
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pmcoa_build.atomic import atomic, write_atomic
from pmcoa_build.clip import checkpoint
from pmcoa_build.clip.evaluate import Pool, draw_pool, embed, sampling_of
from pmcoa_build.clip.retrieval import Features
from pmcoa_build.clip.shards import Group, columns, load_samples

_EXAMPLES, _SHOWN, _TEXTS = 10, 5, 3
_SIDE = 192
"""Side of a shown picture in pixels."""
_CREDIT = ("panel_id", "attribution", "source_url")
_PAGE = Path(__file__).parent / "templates" / "report.html"
_WAYS = {"image_to_text_": "image → text", "text_to_image_": "text → image"}
_CURVES = (
    ("losses", "nats", ("contrastive", "mlm")),
    ("learning rate", "", ("lr",)),
    ("logit scale", "1 / temperature", ("temperature",)),
    ("recall on validation pairs", "mean of R@1, R@5, R@10, both ways", ("validation_recall",)),
)


def draw_curves(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """PNG of losses, learning rate, temperature and validation recall by step; `lines`: those of the metrics file.

    Losses are drawn twice: each step's, pale, and their mean over the 2 % of the run around it.
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(11, 7), dpi=110, layout=ConstrainedLayoutEngine(h_pad=0.12, w_pad=0.12))
    for axis, (title, unit, names) in zip(figure.subplots(2, 2).flat, _CURVES, strict=True):
        for at, name in enumerate(names):
            points = np.array([(line["step"], line[name]) for line in lines if name in line]).reshape(-1, 2)
            colour, many = f"C{at}", len(names) > 1 and len(points) >= 50
            dots = "." if len(points) < 50 else ""
            axis.plot(*points.T, colour, marker=dots, linewidth=0.8 if many else 1.6, alpha=0.3 if many else 1,
                      label=None if many else name)
            if many:
                axis.plot(points[:, 0], smoothed(points[:, 1]), colour, linewidth=1.8, label=name)
        axis.set(title=title, xlabel="step", ylabel=unit)
        if names == ("validation_recall",):
            axis.set_ylim(bottom=0)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        if len(names) > 1:
            axis.legend(frameon=False)
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def smoothed(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mean of each value and its neighbours, 1 % of all on either side (fewer at the ends)."""
    reach = max(1, len(values) // 100)
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    first, last = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(values))
    means: NDArray[np.float64] = (sums[last] - sums[first]) / (last - first)
    return means


def write_report(dataset: Path, model: Path, rows: Sequence[dict[str, Any]], out: Path, *, seed: int = 0,
                 curves: Path | None = None, split: str = "test") -> None:
    """Write the page `out` (one HTML file, pictures inside).

    `rows`: scores as of `evaluate`; `curves`: the PNG of `draw_curves`. Ten pairs are drawn by `seed` from the pool of
    the clean protocol. Raises RunFailed where the split holds too few pairs.
    """
    from jinja2 import Environment

    net, about = checkpoint.load_exported(model)
    pool = draw_pool(dataset, split, about, 200, seed, "clean")
    image, text = embed(net, pool, sampling_of(about))
    examples, credits = _examples(pool, image, text, about)
    gallery = dataset / "gallery.html"
    page = Environment(autoescape=True).from_string(_PAGE.read_text("utf-8")).render(
        name=about["model"]["name"] or "PMC-CLIP", steps=about["steps"], dataset_id=about["dataset_id"],
        weights=about["weights_sha256"][:12], tables=score_tables(rows), pairs=len(pool.rows), shown=_SHOWN, side=_SIDE,
        examples=examples, credits=credits,
        curves=_data_uri(curves.read_bytes(), "png") if curves and curves.exists() else "",
        gallery=os.path.relpath(gallery, out.parent) if gallery.exists() else "",
    )
    write_atomic(out, page.encode())


def score_tables(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Scores for the eye, a table a protocol: retrieval both ways beside each other and beside chance."""
    tables = []
    for protocol in dict.fromkeys(row["protocol"] for row in rows):
        own = [row for row in rows if row["protocol"] == protocol]
        values, n = {row["metric"]: row["value"] for row in own}, own[0]["n"]
        articles = int(values.pop("pool_articles", 0))
        forth, back = _WAYS
        both = [name for name in (metric.removeprefix(forth) for metric in values) if back + name in values]
        lines = [{"metric": name.replace("_", " "),
                  "values": [_number(values.pop(f"{way}{name}")) for way in _WAYS] + [_number(_chance(name, n))]}
                 for name in both]
        lines += [{"metric": name, "values": [_number(value)]} for name, value in values.items()]
        columns = [*_WAYS.values(), "chance"] if both else ["value"]
        tables.append({"protocol": protocol, "n": n, "seed": own[0]["seed"], "articles": articles, "columns": columns,
                       "lines": lines})
    return tables


def _chance(metric: str, n: int) -> float:
    """The expected score of guessing among `n` pairs."""
    return min(1.0, int(metric.removeprefix("R@")) / n) if metric.startswith("R@") else (n + 1) / 2


def _number(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.4g}"


def _examples(
    pool: Pool, image: Features, text: Features, about: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The examples, and whom to credit for their pictures: `credit` of a hit is a place in that list, from 1."""
    similarity = text @ image.T
    found = []
    credits: dict[int, dict[str, Any]] = {}
    for query in range(min(_EXAMPLES, len(pool.rows))):
        images, image_rank = _ranked(similarity[query], query)
        texts, text_rank = _ranked(similarity[:, query], query)
        hits = [{"own": hit == query, "score": float(similarity[query, hit]), "text": pool.texts[pool.rows[hit]],
                 **_picture(pool, pool.rows[hit], about, credits)} for hit in images[:_SHOWN]]
        found.append({
            "text": pool.texts[pool.rows[query]], "image_rank": image_rank, "images": hits, "text_rank": text_rank,
            "texts": [{"own": hit == query, "text": pool.texts[pool.rows[hit]]} for hit in texts[:_TEXTS]],
        })
    return found, list(credits.values())


def _ranked(similarity: Features, own: int) -> tuple[list[int], int]:
    """The places by falling similarity, and the rank of one of them, from 1."""
    order = np.argsort(-similarity, kind="stable").tolist()
    return order, order.index(own) + 1


def _picture(pool: Pool, row: int, about: dict[str, Any], credits: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """`image` of a row of the pool as a data URI, and `credit`, its number among `credits`, which grow."""
    own = _group_of(pool, row)
    pixels = load_samples(own, own.rows, 0, dataclasses.replace(sampling_of(about), image_size=_SIDE)).pixels[0]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=85)
    if row not in credits:
        credits[row] = {name: values[0] for name, values in columns([own], _CREDIT).items()}
    return {"image": _data_uri(stream.getvalue(), "jpeg"), "credit": list(credits).index(row) + 1}


def _group_of(pool: Pool, row: int) -> Group:
    """The row group that holds a row of the pool, with that row alone."""
    for group in pool.groups:
        if row < len(group.rows):
            return dataclasses.replace(group, rows=group.rows[row : row + 1])
        row -= len(group.rows)
    raise IndexError(row)


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
