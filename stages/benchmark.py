"""`benchmark`: a model on the public benchmarks, from the files as published, beside the paper's numbers.

Each protocol is stored when it is whole, in scores.parquet: what is stored for the same weights, data, protocol and
seed is not computed again, so that a killed run goes on, and runs with other models or seeds add to one table.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pmcoa_build import spec as specs
from pmcoa_build.clip.benchmarks.catalogue import BENCHMARKS, protocols
from pmcoa_build.engine import state as states
from pmcoa_build.errors import UsageError

if TYPE_CHECKING:
    from pmcoa_build.clip.benchmarks.store import Protocol

OUT = "builds/benchmarks"


def benchmark(options: argparse.Namespace) -> int:
    """Score a model on ROCO, MedMNIST and the VQA sets, beside the paper's numbers."""
    from pmcoa_build.atomic import write_atomic
    from pmcoa_build.clip.benchmarks.store import read, score
    from pmcoa_build.clip.benchmarks.subject import open_subject
    from pmcoa_build.clip.benchmarks.table import markdown

    folders = _folders(options)
    path = Path(options.out) / "scores.parquet"
    subject = open_subject(_model(options.model), options.text_model)
    found = [protocol for name, folder in folders.items()
             for protocol in protocols(name, folder, subject, options.seed, _say)]
    for protocol in _wanted(found, options.only):
        score([protocol], subject, options.seed, path, _say)
        write_atomic(path.with_name("scores.md"), markdown(read(path)).encode())
    _say(f"\n{markdown(read(path))}\nScores in {path}")
    return 0


def _wanted(found: Sequence[Protocol], only: Sequence[str]) -> list[Protocol]:
    names = list(dict.fromkeys(protocol.name for protocol in found))
    for name in only:
        if name not in names:
            raise UsageError(f"There is no protocol {name!r} here, only {', '.join(names)}.")
    return [protocol for protocol in found if not only or protocol.name in only]


def _folders(options: argparse.Namespace) -> dict[str, Path]:
    """Benchmark → where it lies, of those named."""
    if not 0 <= options.seed < 2**32:
        raise UsageError("--seed must be a whole number from 0 to 4,294,967,295.")
    named = {name: Path(folder) for name in BENCHMARKS if (folder := getattr(options, name.replace("-", "_")))}
    if not named:
        raise UsageError(f"Name at least one benchmark: {', '.join(f'--{name} FOLDER' for name in BENCHMARKS)}.")
    for folder in named.values():
        if not folder.exists():
            raise UsageError(f"{folder} does not exist.")
    return named


def _model(named: str) -> Path:
    """The model's file or folder; of a spec, the model that its build trained last."""
    path = Path(named)
    if path.suffix != ".toml":
        return path
    spec = specs.load(path)
    trained = states.of(spec).records("train").get("all")
    if trained is None:
        raise UsageError(f"The build of {path} has trained no model yet; run `make train SPEC={path}`.")
    model: str = trained["facts"]["model"]
    return Path(spec.build.out) / model


def _say(line: str) -> None:
    print(line, flush=True)


def with_benchmarks(parser: argparse.ArgumentParser) -> None:
    """The model, the benchmarks, and where the scores go."""
    parser.add_argument("model", metavar="MODEL", help="a folder exported by `train`, the spec (.toml) of a build that "
                        "has trained, or a released checkpoint (file, or folder of its three parts)")
    parser.add_argument("--text-model", help="the BERT of a released checkpoint: a folder or Hub name")
    for name, held in BENCHMARKS.items():
        parser.add_argument(f"--{name}", metavar="FOLDER", help=held)
    parser.add_argument("--only", action="append", default=[], metavar="PROTOCOL",
                        help="such as zero-shot or retrieval-roco-test; several times for several")
    parser.add_argument("--seed", type=int, default=0, help="of pools, of trained heads and of fine-tuning")
    parser.add_argument("--out", default=OUT, metavar="DIR", help="scores.parquet and scores.md")
