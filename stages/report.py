"""What a build has come to: the funnel, its losses, its scores, what the crawl saved. Text for people."""

from __future__ import annotations

from typing import Any

from pmcoa_build.engine.plan import Plan
from pmcoa_build.engine.read import read_file
from pmcoa_build.engine.runner import total_counts
from pmcoa_build.engine.stage import Row, Step
from pmcoa_build.engine.state import State
from pmcoa_build.pmc.media import is_raster
from pmcoa_build.spec import Spec
from stages.forecast import measured, spread

_MAKES = {
    "articles": ("article version", "articles"),
    "figures": ("article", "figures"),
    "screen": ("figure", "figures kept"),
    "media": ("image", "images"),
    "panels": ("image", "panels"),
    "align": ("panel", "pairs"),
    "hashes": ("panel", "panels"),
    "dedupe": ("panel", "panels"),
    "shards": ("panel", "pairs published"),
}


def funnel(state: State) -> list[Row]:
    """One row a stage: {"stage", "unit", "in", "out", "done", "filtered", "dead", "dropped"}; counts by reason."""
    rows = []
    snapshot = state.records("snapshot").get("all")
    if snapshot:
        facts, done = snapshot["facts"], snapshot["counts"]["done"]
        rows.append({
            "stage": "snapshot", "unit": "article version", "makes": "selected", "in": facts["inventory_rows"],
            "out": done, "done": done, "filtered": facts["left_out"], "dead": {}, "dropped": {},
        })
    for stage, (unit, makes) in _MAKES.items():
        records = list(state.records(stage).values())
        if not records:
            continue
        tables = [record.get("output") or record["table"] for record in records]
        row = {"stage": stage, "unit": unit, "makes": makes, **total_counts(records),
               "out": sum(table["rows"] for table in tables), "dropped": _added(records, "dropped")}
        rows.append(_screened(state, records, row) if stage == "screen" else row)
    return rows


def funnel_text(state: State) -> str:
    """The funnel as a table, each loss with its reason."""
    lines = [f"{'stage':10}{'in':>9}  {'':18}{'out':>9}"]
    for row in funnel(state):
        lines.append(f"{row['stage']:10}{row['in']:>9,}  {row['unit'] + 's':18}{row['out']:>9,}  {row['makes']}")
        for outcome in ("filtered", "dead", "dropped"):
            lines += [f"{'':12}- {count:>6,} {outcome:9}{reason}" for reason, count in sorted(row[outcome].items())]
    return "\n".join(lines)


def counts_line(counts: Row) -> str:
    """in = done + filtered + dead, in one line."""
    filtered, dead = sum(counts["filtered"].values()), sum(counts["dead"].values())
    return f"{counts['in']:,} in = {counts['done']:,} done + {filtered:,} filtered + {dead:,} dead"


def scores_text(state: State) -> str:
    """The scores of the last evaluation."""
    record = state.records("evaluate").get("all")
    if not record or not record.get("table"):
        return "No scores yet: the model has not been evaluated."
    rows = read_file(state.path(record["table"]["path"])).to_pylist()
    lines = [f"{'protocol':24}{'metric':28}{'value':>9}{'n':>7}"]
    return "\n".join(lines + [f"{r['protocol']:24}{r['metric']:28}{r['value']:>9.3f}{r['n']:>7}" for r in rows])


def pages_text(state: State) -> str:
    """Where the model is, and the pages for people."""
    evaluated = state.records("evaluate")["all"]["facts"]
    pages = {"Model": evaluated["model"], "Model report": evaluated["report"], "Gallery": "dataset/gallery.html"}
    return "\n".join(f"{name}: {state.path(path)}" for name, path in pages.items())


def savings(state: State, spec: Spec) -> str:
    """What the crawl did not ask for: XML of articles that are not kept, images of figures that are not kept.

    Images are counted over a sample of the blocks where there are many.
    """
    articles, media = state.records("articles"), state.records("media")
    skipped = sum(total_counts(list(articles.values()))["filtered"].values())
    blocks = spread(sorted(articles.keys() & media.keys()))
    tables = [read_file(state.path(articles[block]["output"]["path"]), columns=["media"]) for block in blocks]
    listed = sum(is_raster(item["name"]) for table in tables for row in table["media"].to_pylist() for item in row)
    fetched = sum(media[block]["output"]["rows"] for block in blocks)
    share = len(media) / max(1, len(blocks))
    unwanted = round((listed - fetched) * share)
    means = measured(state, spec)
    size = skipped * means.xml_bytes + unwanted * means.image_bytes
    return (
        f"Saved: {skipped + unwanted:,} requests and about {size / 1e6:,.1f} MB (XML of {skipped:,} article versions "
        f"that are not kept, {unwanted:,} of {round(listed * share):,} images)."
    )


def status_line(state: State, step: Step, plan: Plan) -> str:
    """One line a stage."""
    records = state.records(step.name)
    text = f"{step.name:10} {len([b for b in plan.blocks if b in records])}/{len(plan.blocks)} blocks"
    counts = total_counts(records[block] for block in plan.blocks if block in records)
    if counts["in"]:
        text += f"; {counts_line(counts)}"
    if plan.due:
        text += f"; due: {len(plan.due)} ({plan.due[0].why})"
    if plan.waiting:
        text += f"; {len(plan.waiting)} wait for {next(iter(plan.waiting.values()))}"
    return text


def newer_dataset(state: State) -> str:
    """A sentence when the model was trained on another dataset than the one published last, else ""."""
    published, trained = (state.records(stage).get("all", {}).get("facts", {}) for stage in ("publish", "train"))
    ours, newest = trained.get("dataset_id"), published.get("dataset_id")
    if ours and newest and ours != newest:
        return f"The model was trained on dataset {ours[:12]}; {newest[:12]} is newer."
    return ""


def _screened(state: State, records: list[Row], row: Row) -> Row:
    """Figures that are kept, and every reason against the others (a figure may have several; the first counts)."""
    kept = 0
    reasons: dict[str, int] = {}
    for record in records:
        table = read_file(state.path(record["output"]["path"]), columns=["keep", "reasons"])
        for item in table.to_pylist():
            kept += item["keep"]
            if item["reasons"]:
                reasons[item["reasons"][0]] = reasons.get(item["reasons"][0], 0) + 1
    return {**row, "out": kept, "done": kept, "filtered": reasons}


def _added(records: list[Row], name: str) -> dict[str, int]:
    total: dict[str, Any] = {}
    for record in records:
        for reason, count in record.get(name, {}).items():
            total[reason] = total.get(reason, 0) + count
    return total
