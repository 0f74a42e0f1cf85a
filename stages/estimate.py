"""What a build will take before it is fetched, and how that forecast turned out."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from pmcoa_build.atomic import write_atomic
from pmcoa_build.engine.plan import spec_value
from pmcoa_build.engine.runner import total_fetched
from pmcoa_build.engine.stage import Row
from pmcoa_build.engine.state import State
from pmcoa_build.spec import Spec
from stages.forecast import Means, allowed_rate, left, measured, whole

_KEYS = ("select.licenses", "select.languages", "select.versions", "select.retracted", "screen.terms",
         "screen.figure_rights")
"""What changes a forecast beside the snapshot."""


def estimate_text(state: State, spec: Spec, like: tuple[State, Spec] | None = None) -> str:
    """The forecast as a table: what is still to fetch, and the whole build. `like`: a build whose means are taken."""
    means = measured(like[0], spec) if like else measured(state, spec)
    to_do, all_of_it = left(state, spec, means), whole(state, spec, means)
    facts, selected = (state.records("snapshot")["all"][name] for name in ("facts", "counts"))
    rows = [("", "still to fetch", "whole build")]
    for name in ("requests", "json", "xml", "images"):
        label = name if name == "requests" else f"  {name.upper() if name != 'images' else name}"
        rows.append((label, f"{getattr(to_do, name):,.0f}", f"{getattr(all_of_it, name):,.0f}"))
    rows.append(("download", _size(to_do.download), _size(all_of_it.download)))
    rows.append(("time", _duration(to_do.seconds), _duration(all_of_it.seconds)))
    rows.append(("disk", _size(to_do.disk), _size(all_of_it.disk)))
    rate = f"{allowed_rate(spec):g} requests/s allowed" if allowed_rate(spec) else "no limit on the rate"
    return "\n".join([
        f"{selected['done']:,} of {facts['inventory_rows']:,} article versions selected; from {_basis(means, like)}; "
        + rate + (f", {means.rate:,.0f} reached" if means.rate else "") + ":",
        *(f"  {name:12}{one:>18}{two:>18}" for name, one, two in rows),
        "Disk: JSON and XML compressed; images as fetched (freed by gc --originals), as crops, as shards.",
    ])


def save_forecast(state: State, spec: Spec) -> None:
    """Before a crawl: put down what it is expected to take, unless that stands there for this snapshot and spec."""
    snapshot = state.records("snapshot").get("all")
    key = {"snapshot": snapshot["content"] if snapshot else "", **{name: spec_value(spec, name) for name in _KEYS}}
    if snapshot is None or _saved(state).get("key") == key:
        return
    means = measured(state, spec)
    expected = left(state, spec, means)
    told = {
        "key": key, "made": datetime.now(UTC).date().isoformat(), "basis": _basis(means, None),
        "articles": expected.json + expected.xml, "images": expected.images, "download": expected.download,
        "seconds": expected.seconds, "before": _asked(state),
    }
    write_atomic(_path(state), json.dumps(told).encode())


def outcome_text(state: State, pairs: int) -> str:
    """The forecast beside what has been asked for since, and what that is for each published pair."""
    now, told = _asked(state), _saved(state)
    lines = []
    if told:
        since = {name: now[name] - told["before"].get(name, 0) for name in now}
        lines = [
            f"{'Forecast of ' + told['made']:24}{'forecast':>14}{'asked since':>14}   (from {told['basis']})",
            f"  {'articles, requests':22}{told['articles']:>14,.0f}{since['articles']:>14,}",
            f"  {'images, requests':22}{told['images']:>14,.0f}{since['images']:>14,}",
            f"  {'download':22}{_size(told['download']):>14}{_size(since['bytes']):>14}",
            f"  {'time':22}{_duration(told['seconds']):>14}{_duration(since['seconds']):>14}",
        ]
    requests = now["articles"] + now["images"] + now["snapshot"]
    total = (f"Asked of the source in all: {requests:,} requests ({now['retries']:,} of them again), "
             f"{_size(now['bytes'])}; {now['cache_hits']:,} objects were on disk already")
    if pairs:
        total += f"; {requests / pairs:,.1f} requests and {_size(now['bytes'] / pairs)} for each of {pairs:,} pairs"
    return "\n".join([*lines, f"{total}."])


def _asked(state: State) -> dict[str, int]:
    """Requests of the three stages that ask, and what else they count together."""
    stages = {"snapshot": "snapshot", "articles": "articles", "images": "media"}
    fetched = {name: total_fetched(state.records(stage).values()) for name, stage in stages.items()}
    asked = {name: int(counts.get("requests", 0)) for name, counts in fetched.items()}
    for more in ("bytes", "seconds", "retries", "cache_hits"):
        asked[more] = round(sum(counts.get(more, 0) for counts in fetched.values()))
    return asked


def _path(state: State) -> Path:
    return state.folder / "forecast.json"


def _saved(state: State) -> Row:
    """The last forecast; {} where none can be read."""
    try:
        found: Row = json.loads(_path(state).read_text())
    except (OSError, ValueError):
        return {}
    return found


def _basis(means: Means, like: tuple[State, Spec] | None) -> str:
    where = f"the build {like[1].build.name}" if like else "this build"
    return f"what {where} measured on {means.measured:,} article versions" if means.measured else "typical values"


def _size(count: float) -> str:
    unit, name = (1e9, "GB") if count >= 1e9 else (1e6, "MB") if count >= 1e6 else (1e3, "kB")
    return f"{count / unit:,.1f} {name}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "no limit"
    value, unit = (seconds / 3600, "h") if seconds >= 3600 else (seconds / 60, "min")
    return f"{value:,.1f} {unit}"
