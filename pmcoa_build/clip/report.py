"""What a person looks at after training: the curves, and a page with scores and retrieval examples."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pmcoa_build.atomic import atomic, write_atomic
from pmcoa_build.clip import checkpoint
from pmcoa_build.clip.evaluate import Pool, draw_pool, embed, sampling_of
from pmcoa_build.clip.retrieval import Features
from pmcoa_build.clip.shards import Group, columns, load_samples

_EXAMPLES, _SHOWN = 10, 5
_CREDIT = ("panel_id", "attribution", "source_url")

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{ name }}: scores</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse } td, th { padding: .2rem .8rem; border-bottom: 1px solid #ddd; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums }
.row { display: flex; gap: .5rem; margin: .3rem 0 1.4rem } figure { margin: 0; width: 8.5rem; font-size: .8rem }
figure img { width: 8rem; height: 8rem; object-fit: cover; border: 4px solid #fff }
figure.own img { border-color: #2a7d2a } img.curves { max-width: 100% } small { color: #666 }
</style>
<h1>{{ name }}</h1>
<p>Trained for {{ steps }} steps on dataset <code>{{ dataset_id }}</code>; weights <code>{{ weights }}</code>.</p>
<h2>Scores</h2>
<table><tr><th>protocol<th>metric<th>value<th>pairs<th>seed</tr>
{% for row in rows %}<tr><td>{{ row.protocol }}<td>{{ row.metric }}<td class="number">{{ "%.4g" | format(row.value) }}
<td class="number">{{ row.n }}<td class="number">{{ row.seed }}</tr>
{% endfor %}</table>
{% if curves %}<h2>Training</h2>
<img class="curves" alt="Losses, learning rate and temperature by step" src="{{ curves }}">{% endif %}
<h2>Text to image: {{ examples | length }} examples</h2>
<p>For each text the {{ shown }} images that the model ranks first; its own image is framed in green.</p>
{% for example in examples %}
<p>{{ example.text }}<br><small>own image at rank {{ example.rank }} of {{ pairs }}</small></p>
<div class="row">{% for hit in example.hits %}<figure{% if hit.own %} class="own"{% endif %}>
<img alt="rank {{ loop.index }}" src="{{ hit.image }}"><figcaption>{{ "%.3f" | format(hit.score) }}
<a href="#credit-{{ hit.credit }}">[{{ hit.credit }}]</a></figcaption>
</figure>
{% endfor %}</div>
{% endfor %}
<h2>Credit</h2>
<p>The pictures are cut square and scaled down.</p>
<ol>{% for credit in credits %}<li id="credit-{{ loop.index }}">
<a href="{{ credit.source_url }}">{{ credit.panel_id }}</a>:
{{ credit.attribution }}</li>
{% endfor %}</ol>
</html>
"""


def draw_curves(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """PNG of losses, learning rate, temperature and validation recall by step; `lines`: those of the metrics file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), dpi=100, layout="constrained")
    panels = (("contrastive", "mlm"), ("lr",), ("temperature",), ("validation_recall",))
    for axis, names in zip(figure.subplots(2, 2).flat, panels, strict=True):
        for name in names:
            points = [(line["step"], line[name]) for line in lines if name in line]
            if points:
                axis.plot(*zip(*points, strict=True), label=name, linewidth=1)
        axis.set_title(" and ".join(names).replace("_", " "))
        axis.set_xlabel("step")
        if len(names) > 1:
            axis.legend()
    with atomic(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def write_report(dataset: Path, model: Path, rows: Sequence[dict[str, Any]], out: Path, *, seed: int = 0,
                 curves: Path | None = None, split: str = "test") -> None:
    """Write the page `out` (one HTML file, pictures inside).

    `rows`: scores as of `evaluate`; `curves`: the PNG of `draw_curves`. Ten texts are drawn by `seed` from the pool of
    the clean protocol. Raises RunFailed where the split holds too few pairs.
    """
    from jinja2 import Environment

    net, about = checkpoint.load_exported(model)
    pool = draw_pool(dataset, split, about, 200, seed, "clean")
    image, text = embed(net, pool, sampling_of(about))
    examples, credits = _examples(pool, image, text, about)
    page = Environment(autoescape=True).from_string(_PAGE).render(
        name=about["model"]["name"] or "PMC-CLIP", steps=about["steps"], dataset_id=about["dataset_id"],
        weights=about["weights_sha256"][:12], rows=rows, pairs=len(pool.rows), shown=_SHOWN,
        examples=examples, credits=credits,
        curves=_data_uri(curves.read_bytes(), "png") if curves and curves.exists() else "",
    )
    write_atomic(out, page.encode())


def _examples(
    pool: Pool, image: Features, text: Features, about: dict[str, Any]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The examples, and whom to credit for their pictures: `credit` of a hit is a place in that list, from 1."""
    similarity = text @ image.T
    found = []
    credits: dict[int, dict[str, Any]] = {}
    for query in range(min(_EXAMPLES, len(pool.rows))):
        order = np.argsort(-similarity[query], kind="stable")
        hits = [
            {"own": hit == query, "score": float(score), **_picture(pool, pool.rows[hit], about, credits)}
            for hit, score in zip(order[:_SHOWN], similarity[query, order], strict=False)
        ]
        rank = int(np.flatnonzero(order == query)[0]) + 1
        found.append({"text": pool.texts[pool.rows[query]], "rank": rank, "hits": hits})
    return found, list(credits.values())


def _picture(pool: Pool, row: int, about: dict[str, Any], credits: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """`image` of a row of the pool as a data URI, and `credit`, its number among `credits`, which grow."""
    own = _group_of(pool, row)
    pixels = load_samples(own, own.rows, 0, sampling_of(about)).pixels[0]
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((128, 128)).save(stream, "JPEG", quality=85)
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
