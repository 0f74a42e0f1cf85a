"""Stored scores beside the paper's, as Markdown: a table for each set of data."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from pmcoa_build.clip.benchmarks.paper import numbers
from pmcoa_build.clip.benchmarks.store import Row

_PLAIN = ("rank", "without_image")
"""How metrics end that are no shares of 1."""
_SAME = ("model", "weights_sha256", "dataset_id", "protocol")


def markdown(rows: Sequence[Row]) -> str:
    """All scores; shares are in per cent, scores with several seeds their mean."""
    names = dict.fromkeys(row["dataset_id"].partition(":")[0] for row in rows)
    return "\n".join(_table(name, [row for row in rows if row["dataset_id"].partition(":")[0] == name])
                     for name in names)


def _table(name: str, rows: Sequence[Row]) -> str:
    paper = numbers(name)
    metrics = list(dict.fromkeys([metric for method in paper.values() for metric in method]
                                 + [row["metric"] for row in rows]))
    lines = [["", "protocol", *(metric.replace("_", " ") for metric in metrics), "n", "seeds", "weights", "data"]]
    lines += [[f"{method}, from the paper", "", *(_number(values.get(metric)) for metric in metrics), "", "", "", ""]
              for method, values in paper.items()]
    groups: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[key] for key in _SAME), []).append(row)
    lines += [_line(group, metrics) for group in groups.values()]
    text = ["| " + " | ".join(line) + " |" for line in (lines[0], ["---"] * len(lines[0]), *lines[1:])]
    return "\n".join([f"## {name}", "", *text, ""])


def _line(rows: Sequence[Row], metrics: Sequence[str]) -> list[str]:
    """One model by one protocol."""
    first = rows[0]
    values = {metric: [row["value"] for row in rows if row["metric"] == metric] for metric in metrics}
    shown = [_number(fmean(values[metric]) * (1 if metric.endswith(_PLAIN) else 100) if values[metric] else None)
             for metric in metrics]
    seeds = ", ".join(str(seed) for seed in sorted({row["seed"] for row in rows}))
    data = first["dataset_id"].partition(":")[2]
    n = max(row["n"] for row in rows if not row["metric"].endswith(_PLAIN))
    return [first["model"], first["protocol"], *shown, f"{n:,}", seeds, first["weights_sha256"][:8], data[:8]]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"
