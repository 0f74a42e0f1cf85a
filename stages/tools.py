"""Commands that need no build: the parser, the caption splitter, the separator, the sample, the detector's training,
and a model on the public benchmarks."""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pmcoa_build.errors import UsageError
from stages.benchmark import benchmark, with_benchmarks
from stages.detector import detector, with_plan

Row = dict[str, Any]
Add = Callable[[argparse.ArgumentParser], None]


def parse(options: argparse.Namespace) -> int:
    """Parse JATS XML files: one line of JSON a file, with its figures or its error."""
    from pmcoa_build.pmc.jats import to_parse_record

    files = list(_xml_files(options.paths))
    count = _write(options.out, (to_parse_record(str(path), path.read_bytes()) for path in files))
    print(f"{count} files parsed into {options.out}")
    return 0


def split_captions(options: argparse.Namespace) -> int:
    """Split captions: {"id", "caption"} -> {"id", "preamble", "tail", "parts"}."""
    from pmcoa_build.captions.split import to_split_record

    lines = _read(options.input, ("id", "caption"))
    count = _write(options.out, (to_split_record(line["id"], line["caption"]) for line in lines))
    print(f"{count} captions split into {options.out}")
    return 0


def separate(options: argparse.Namespace) -> int:
    """Find the panels of figures: a JSONL of {"id", "image", "caption"}, or images with --show DIR."""
    from stages.separate import separate_all, show

    if options.show:
        return show([Path(path) for path in options.inputs], Path(options.show))
    if not options.out or len(options.inputs) != 1:
        raise UsageError("separate takes one JSONL with --out, or images with --show DIR.")
    source = Path(options.inputs[0])
    lines = _read(str(source), ("id", "image"))
    spent: dict[str, float] = {}
    start = time.perf_counter()
    with closing(separate_all(lines, source.parent, spent)) as answers:
        count = _write(options.out, answers)
    seconds = time.perf_counter() - start
    parts = ", ".join(f"{part} {1000 * spent[part] / max(count, 1):.0f}" for part in spent)
    print(f"{count} figures separated into {options.out}: {count / seconds:.1f} figures/s; ms a figure: {parts}")
    return 0


def sample(options: argparse.Namespace) -> int:
    """Draw the embedded sample bucket into a folder; --serve serves it on loopback until interrupted."""
    from pmcoa_build.sample import serve, write_sample

    root = Path(options.folder or "builds/sample")
    write_sample(root)
    print(f"Sample bucket in {root}")
    if options.serve:
        with serve(root, port=options.port) as server:
            print(f"Serving it at {server.url} (Ctrl-C stops)", flush=True)
            threading.Event().wait()
    return 0


def _xml_files(paths: Sequence[str]) -> Iterator[Path]:
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(path.rglob("*.xml"))
        elif path.is_file():
            yield path
        else:
            raise UsageError(f"{path} does not exist.")


def _read(path: str, required: Sequence[str]) -> Iterator[Row]:
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            raise UsageError(f"{path}, line {number}: not JSON.") from None
        if not isinstance(row, dict) or any(not isinstance(row.get(key), str) for key in required):
            raise UsageError(f"{path}, line {number}: needs the strings {', '.join(required)}.")
        yield row


def _write(path: str, rows: Iterable[Row]) -> int:
    """Write a JSONL file; it appears only when it is whole."""
    from pmcoa_build.atomic import atomic

    count = 0
    with atomic(Path(path)) as temporary, temporary.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count


def _parse_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", metavar="FILE_OR_DIR")
    parser.add_argument("--out", required=True, metavar="figures.jsonl")


def _split_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="IN.jsonl")
    parser.add_argument("--out", required=True, metavar="OUT.jsonl")


def _separate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", metavar="IN.jsonl|IMAGE")
    parser.add_argument("--out", default="", metavar="OUT.jsonl")
    parser.add_argument("--show", default="", metavar="DIR", help="draw the panels of images into this folder")


def _sample_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", default="", metavar="DIR")
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--port", type=int, default=0)


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], Add]] = {
    "parse": (parse, _parse_options),
    "split-captions": (split_captions, _split_options),
    "separate": (separate, _separate_options),
    "sample": (sample, _sample_options),
    "detector": (detector, with_plan),
    "benchmark": (benchmark, with_benchmarks),
}
