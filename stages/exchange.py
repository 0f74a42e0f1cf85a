"""Commands that carry a dataset elsewhere: export to other formats, and fill a table without images again."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from pathlib import Path

from pmcoa_build import spec as specs
from pmcoa_build.engine import state as states
from pmcoa_build.engine.read import read_file
from pmcoa_build.errors import UsageError
from stages.commands import spec_options

Add = Callable[[argparse.ArgumentParser], None]


def export(options: argparse.Namespace) -> int:
    """Export the published dataset as WebDataset tars, or as jsonl with a folder of images."""
    from pmcoa_build.dataset.export import export_jsonl, export_webdataset

    state = states.of(specs.load(options.spec, options.overrides))
    write = export_webdataset if options.format == "webdataset" else export_jsonl
    count = write(state.out / "dataset", Path(options.out))
    print(f"{count:,} pairs in {options.out}")
    return 0


def rehydrate(options: argparse.Namespace) -> int:
    """Fill published Parquet files that came without images again from PMC, checking MD5 and size."""
    from pmcoa_build.dataset.rehydrate import rehydrate as fill
    from pmcoa_build.figures.crops import encode_crop
    from pmcoa_build.figures.decode import decode_image
    from pmcoa_build.pmc.bucket import open_bucket

    @functools.lru_cache(maxsize=1)
    def decoded(image: bytes) -> object:
        return decode_image(image).rgb

    def crop(image: bytes, box: tuple[int, int, int, int]) -> tuple[bytes, int, int]:
        return encode_crop(decoded(image), box, max_side=options.max_side, quality=options.quality)  # type: ignore[arg-type]

    files, md5s = _tables(Path(options.table))
    out, rows, lost = Path(options.out), 0, 0
    out.mkdir(parents=True, exist_ok=True)
    with open_bucket(options.source, connections=1, requests_per_second=options.rate, contact=options.contact,
                     cache=None) as bucket:
        for path in files:
            done = fill(read_file(path), out / path.name, bucket.get, crop=crop, md5s=md5s)
            rows, lost = rows + done.rows, lost + len(done.lost)
            for panel, reason, detail in done.lost:
                print(f"{panel}: {reason} {detail}".rstrip())
    print(f"{rows:,} rows filled in {out}, {lost:,} left out")
    return 0


def _tables(path: Path) -> tuple[list[Path], dict[str, str]]:
    """The Parquet files of a dataset folder or a single file, and the MD5s that its attribution table gives."""
    files = [path] if path.is_file() else sorted((path / "data").glob("*.parquet"))
    if not files:
        raise UsageError(f"{path} is neither a Parquet file nor a dataset folder with data/*.parquet.")
    attribution = (path if path.is_dir() else path.parent.parent) / "ATTRIBUTION.parquet"
    if not attribution.exists():
        return files, {}
    table = read_file(attribution, columns=["image_id", "md5"])
    return files, {row["image_id"]: row["md5"] for row in table.to_pylist() if row["md5"]}


def _export_options(parser: argparse.ArgumentParser) -> None:
    spec_options(parser)
    parser.add_argument("format", choices=("webdataset", "jsonl"))
    parser.add_argument("--out", required=True, metavar="DIR")


def _rehydrate_options(parser: argparse.ArgumentParser) -> None:
    keys = specs.PanelsKeys()
    parser.add_argument("table", metavar="TABLE", help="a dataset folder, or one of its Parquet files")
    parser.add_argument("--out", required=True, metavar="DIR")
    parser.add_argument("--source", default=specs.REAL_BUCKET, metavar="URL", help="bucket or folder (default: PMC's)")
    parser.add_argument("--contact", default="", help="your e-mail address")
    parser.add_argument("--rate", type=float, default=20.0, help="requests per second")
    parser.add_argument("--max-side", type=int, default=keys.max_side)
    parser.add_argument("--quality", type=int, default=keys.quality)


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], Add]] = {
    "export": (export, _export_options),
    "rehydrate": (rehydrate, _rehydrate_options),
}
