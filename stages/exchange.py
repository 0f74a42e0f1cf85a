"""Commands that carry a dataset elsewhere: export to other formats, and fill a table without images again."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from pmcoa_build import spec as specs
from pmcoa_build.build import Build
from pmcoa_build.engine import state as states
from pmcoa_build.engine.stage import Row
from pmcoa_build.errors import UsageError
from stages.commands import spec_options

Add = Callable[[argparse.ArgumentParser], None]


def export(options: argparse.Namespace) -> int:
    """Export a dataset (WebDataset tars, jsonl with a folder of images, tables without images), or the trained model.

    SPEC may be a dataset folder too, such as one downloaded from a hub, or the folder of a trained model.
    """
    if options.format == "model":
        return _export_model(options)
    from pmcoa_build.dataset.export import export_jsonl, export_table, export_webdataset

    given = Path(options.spec)
    dataset = given if given.is_dir() else states.of(specs.load(options.spec, options.overrides)).out / "dataset"
    write = {"webdataset": export_webdataset, "jsonl": export_jsonl, "table": export_table}[options.format]
    count = write(dataset, Path(options.out))
    print(f"{count:,} pairs in {options.out}")
    return 0


def _export_model(options: argparse.Namespace) -> int:
    from pmcoa_build.clip.checkpoint import export as export_model
    from pmcoa_build.clip.checkpoint import load_exported

    given, out = Path(options.spec), Path(options.out)
    folder, scores = (given, []) if given.is_dir() else _trained(Build.open(options.spec, options.overrides))
    model, about = load_exported(folder)
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty: name a new folder.")
    export_model(out, model, about, name=options.name or "", scores=scores)
    print(f"The model is in {out}")
    return 0


def _trained(build: Build) -> tuple[Path, list[Row]]:
    """The folder of the trained model, and its scores if it has been evaluated."""
    trained = build.state.records("train").get("all")
    if trained is None:
        raise UsageError(f"The build {build.spec.build.name} has no trained model yet: run train first.")
    facts = trained["facts"]
    rows = build.table("evaluate").to_pylist() if build.state.records("evaluate") else []
    return build.state.path(facts["model"]), [row for row in rows if row["weights_sha256"] == facts["weights_sha256"]]


def rehydrate(options: argparse.Namespace) -> int:
    """Fill Parquet files that came without images again from PMC, checking MD5 and size; run again, it goes on.

    Rows that cannot be filled are left out and listed, with the reason, in DIR/lost.jsonl.
    """
    from stages.rehydrate import run

    return run(options)


def _export_options(parser: argparse.ArgumentParser) -> None:
    spec_options(parser)
    parser.add_argument("format", choices=("webdataset", "jsonl", "table", "model"))
    parser.add_argument("--out", required=True, metavar="DIR")
    parser.add_argument("--name", metavar="OWNER/NAME", help="of a model: the repository that it will be on the Hub")


def _rehydrate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="a dataset folder, a folder of Parquet files, or one of them")
    parser.add_argument("--out", required=True, metavar="DIR")
    parser.add_argument("--source", default=specs.REAL_BUCKET, metavar="URL", help="bucket or folder (default: PMC's)")
    parser.add_argument("--contact", default="", help="your e-mail address, sent in the User-Agent")
    rate = specs.SourceKeys().requests_per_second
    parser.add_argument("--rate", type=float, default=rate, help="requests per second")
    parser.add_argument("--quality", type=int, default=specs.PanelsKeys().quality, help="JPEG quality of the crops")


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], Add]] = {
    "export": (export, _export_options),
    "rehydrate": (rehydrate, _rehydrate_options),
}
