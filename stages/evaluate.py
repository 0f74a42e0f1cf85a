"""Stage 13, evaluate: what the trained model can do, on pairs of the test split that it never saw."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from pmcoa_build import schema
from pmcoa_build.atomic import atomic
from pmcoa_build.engine.stage import Input, Task, TaskContext, TaskOutput


def run(context: TaskContext) -> TaskOutput:
    """Retrieval both ways on 200 seeded test pairs with distinct texts, or as on ROCO where there are 2,000."""
    from pmcoa_build.clip.evaluate import evaluate_split
    from pmcoa_build.clip.report import write_report

    trained = context.upstream["train"]["all"]["facts"]
    dataset, model = context.out / f"dataset-{trained['dataset_id']}", context.out / trained["model"]
    seed = context.spec.train.seed
    rows = evaluate_split(dataset, model, seed=seed)
    path = context.out / "evaluate" / f"scores-{context.fingerprint[:12]}.parquet"
    with atomic(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema.EVALUATE), temporary, write_page_checksum=True)
    report = path.with_name(f"report-{context.fingerprint[:12]}.html")
    write_report(dataset, model, rows, report, seed=seed, curves=model.with_name("curves.png"))
    facts = {"model": trained["model"], "report": str(report.relative_to(context.out))}
    return TaskOutput([report], facts, table=path)


STEP = Task(
    name="evaluate",
    version=2,
    inputs=(Input("train", ("facts",)),),
    spec_keys=("train.seed",),
    run=run,
    schema=schema.EVALUATE,
    key="metric",
)
