"""The spec: one TOML file says what is built. Read into frozen dataclasses; nothing else holds settings.

Every key has a type, a default and a sentence here; `manifests/demo.toml` shows them all.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from pmcoa_build.errors import UsageError

REAL_BUCKET = "https://pmc-oa-opendata.s3.amazonaws.com"
"""PMC's Cloud Service (https://pmc.ncbi.nlm.nih.gov/tools/pmcaws/)."""


def key(default: Any, doc: str, *, path: Literal["no", "yes", "maybe"] = "no") -> Any:
    """A spec key: its default, its sentence, and whether its value is a path, or may be one beside other words."""
    metadata = {"doc": doc, "path": path}
    if isinstance(default, list):
        return field(default_factory=lambda: tuple(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class BuildKeys:
    """[build] of a spec."""

    name: str = key("", "name of the build; its state lies in <state>")
    out: str = key("", "folder for the data (default ../builds/<name>)", path="yes")
    state: str = key("", "folder for the manifests (default state/<name>)", path="yes")


@dataclass(frozen=True)
class SourceKeys:
    """[source] of a spec."""

    url: str = key(REAL_BUCKET, "\"sample\", an http(s) root of a bucket, a folder of the same layout, or a folder of "
                   "PMC's old oa_package tar.gz files", path="maybe")
    snapshot: str = key("latest", "\"latest\" (pinned at the first run; --update moves it), or a date")
    contact: str = key("", "your e-mail address, sent in the User-Agent so that PMC can reach you")
    connections: int = key(8, "connections kept open to the source")
    requests_per_second: float = key(20.0, "requests per second over all connections; 0 = no limit")
    keep_raw: bool = key(False, "keep the files fetched in <out>/raw after their block is done")
    eutils_url: str = key("https://eutils.ncbi.nlm.nih.gov/entrez/eutils", "E-utilities, used by [select] query")
    api_key_env: str = key("NCBI_API_KEY", "environment variable with an NCBI API key (10 requests/s in place of 3)")


@dataclass(frozen=True)
class SelectKeys:
    """[select] of a spec."""

    licenses: tuple[str, ...] = key(["CC0", "CC BY", "CC BY-SA"], "licence codes to keep; [\"any\"] keeps all")
    articles: tuple[str, ...] = key([], "PMCIDs to keep (all if empty), or one file with an id a line", path="maybe")
    exclude: tuple[str, ...] = key([], "PMCIDs to leave out, or one file with an id a line", path="maybe")
    query: str = key("", "an ESearch query on db=pmc that narrows the articles before any is read")
    sample: int = key(0, "keep about so many articles, chosen by a hash of the id; 0 = all")
    since: str = key("", "keep articles whose metadata changed on or after this date, such as 2026-01-31")
    languages: tuple[str, ...] = key([], "two-letter languages to keep; all if empty")
    versions: Literal["best", "latest", "all"] = key("best", "which versions of one article to keep")
    retracted: Literal["drop", "flag"] = key("drop", "leave retracted articles out, or keep them marked")


@dataclass(frozen=True)
class ScreenKeys:
    """[screen] of a spec."""

    terms: str = key("diagnostic", "terms a caption must have: \"none\", \"diagnostic\", or a file, a term a line",
                     path="maybe")
    figure_rights: Literal["drop", "flag"] = key("drop", "leave out figures under other rights, or keep them marked")


@dataclass(frozen=True)
class PanelsKeys:
    """[panels] of a spec."""

    weights: str = key("", "detector weights (.onnx or .pt); empty = the bundled detector", path="yes")
    confidence: float = key(0.1, "lowest score at which a box of the network counts, 0 to 1")
    min_side: int = key(48, "panels with a shorter side (pixels) are left out")
    kinds: tuple[str, ...] = key([], "kinds of panel to keep; all if empty")
    kind_model: str = key("", "an open_clip model that tells kinds: a folder, hf-hub:OWNER/NAME, or "
                          "ARCHITECTURE/PRETRAINED; empty = the bundled network", path="maybe")
    max_side: int = key(0, "longest side of a stored crop in pixels; 0 = as in the original")
    quality: int = key(92, "JPEG quality of stored crops, 1 to 100")


@dataclass(frozen=True)
class AlignKeys:
    """[align] of a spec."""

    corrections: str = key("", "a JSONL file of a person's corrections, as the gallery saves it", path="yes")
    llm_url: str = key("", "an OpenAI-compatible endpoint (http://host:8000/v1) asked about captions that cannot be "
                       "divided; its key, if it wants one, comes from the environment: PMCOA_LLM_KEY")
    llm_model: str = key("", "the model's name at that endpoint")
    clip: str = key("", "a CLIP model heard where letters cannot tell panels apart: a folder that `train` exported, or "
                    "an open_clip model: a folder, hf-hub:OWNER/NAME, or ARCHITECTURE/PRETRAINED", path="maybe")


@dataclass(frozen=True)
class ShardsKeys:
    """[shards] of a spec."""

    level: Literal["panel", "figure", "both"] = key("panel", "rows: panels with subcaptions, whole figures, or both")
    splits: tuple[float, ...] = key([0.8, 0.1, 0.1], "shares of train, validation and test, by article")
    exclude: tuple[str, ...] = key([], "benchmarks to leave out: id lists (.txt) or folders of images", path="maybe")
    file_bytes: int = key(500_000_000, "aimed size of a Parquet file in bytes")


@dataclass(frozen=True)
class TrainKeys:
    """[train] of a spec."""

    model: str = key("RN50_fusion4", "a configuration of pmcoa_build/clip/configs, or a JSON file", path="maybe")
    text_model: str = key("microsoft/BiomedNLP-PubMedBERT-base-uncased-abstract-fulltext",
                          "a BERT from the Hub or a folder, or \"bundled\" for the demo's tiny one", path="maybe")
    image_size: int = key(224, "side of the square image in pixels")
    text: Literal["subcaption", "caption", "preamble+subcaption", "subcaption+mentions"] = key(
        "subcaption", "text paired with the image; mentions: every other time in training, a sentence on the figure too"
    )
    kinds: tuple[str, ...] = key([], "kinds of panel to train on; all if empty")
    epochs: int = key(100, "passes over the training split")
    batch_size: int = key(128, "pairs in a batch, for each process")
    accumulate: int = key(1, "batches gathered into one contrastive step")
    lr: float = key(1e-4, "peak learning rate")
    weight_decay: float = key(0.1, "AdamW weight decay (none on biases, norms and the temperature)")
    warmup: int = key(500, "steps of linear warm-up before the cosine")
    ema: float = key(0.0, "moving average of the weights that is scored and exported, such as 0.999; 0 = none")
    batch_norm: Literal["local", "sync", "frozen"] = key("local", "by each process's batch, by all, or as it is")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = key("auto", "auto = bf16 on a GPU that has it, else fp32")
    compile: bool = key(False, "torch.compile: minutes at the start, for long runs on a GPU")
    workers: int = key(2, "processes that decode images")
    checkpoint_steps: int = key(1000, "steps between checkpoints")
    seed: int = key(0, "seed of everything random in training")


FREE_TRAIN_KEYS = ("workers", "checkpoint_steps", "compile")
"""Keys of [train] that change how long it takes, not what comes out: a training can be resumed with others."""


@dataclass(frozen=True)
class RunKeys:
    """[run] of a spec."""

    on: str = key("sync", "sync | threads:N | processes:N | tcp://scheduler:8786")
    unit_seconds: float = key(600.0, "longest time for one unit (an image, an article), in processes and tcp")
    memory_mb: int = key(0, "most memory (10^6 bytes) for computing one, there too; 0 = a worker's share")
    max_dead_fraction: float = key(0.05, "a stage with a larger share of dead units commits what it has and exits 4")


@dataclass(frozen=True)
class Spec:
    """A whole build. `path` is the TOML file; all path keys are absolute after `load`."""

    path: Path
    build: BuildKeys = field(default_factory=BuildKeys)
    source: SourceKeys = field(default_factory=SourceKeys)
    select: SelectKeys = field(default_factory=SelectKeys)
    screen: ScreenKeys = field(default_factory=ScreenKeys)
    panels: PanelsKeys = field(default_factory=PanelsKeys)
    align: AlignKeys = field(default_factory=AlignKeys)
    shards: ShardsKeys = field(default_factory=ShardsKeys)
    train: TrainKeys = field(default_factory=TrainKeys)
    run: RunKeys = field(default_factory=RunKeys)

    def value(self, dotted: str) -> Any:
        """The value of `section.key`."""
        section, name = dotted.split(".")
        return getattr(getattr(self, section), name)


SECTIONS: dict[str, Any] = {name: hint for name, hint in get_type_hints(Spec).items() if name != "path"}


def load(path: str | Path, overrides: Sequence[str] = ()) -> Spec:
    """Read a spec file and apply `section.key=value` overrides (their paths relative to the working directory).

    Raises UsageError with one sentence for a missing file, bad TOML, an unknown key or a value of the wrong type.
    """
    path = Path(path)
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"The spec {path} cannot be read: {error.strerror or error}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"The spec {path} is not valid TOML: {error}.") from None
    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for section, table in raw.items():
        if not isinstance(table, dict):
            raise UsageError(f"{path}: {section!r} stands outside a section; write it below [section].")
        _known_section(section, path)
        for name, value in table.items():
            values[_known_section(section, path)][name] = _checked(section, name, value, path.parent, str(path))
    for override in overrides:
        section, name, value = _parse_override(override)
        values[section][name] = _checked(section, name, value, Path.cwd(), f"--set {override}")
    spec = Spec(path=path.resolve(), **{s: SECTIONS[s](**values[s]) for s in SECTIONS})
    return _with_folders(spec)


def _with_folders(spec: Spec) -> Spec:
    name = spec.build.name or spec.path.stem
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum() or name.startswith("."):
        raise UsageError(f"[build] name {name!r} must be letters, digits, '-', '_' and '.' only.")
    build = BuildKeys(
        name=name,
        out=spec.build.out or str((spec.path.parent / ".." / "builds" / name).resolve()),
        state=spec.build.state or str((spec.path.parent / "state" / name).resolve()),
    )
    return dataclasses.replace(spec, build=build)


def _parse_override(override: str) -> tuple[str, str, Any]:
    dotted, equals, text = override.partition("=")
    section, dot, name = dotted.strip().partition(".")
    if not equals or not dot:
        raise UsageError(f"--set {override!r} must look like section.key=value.")
    section = _known_section(section, "--set")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    hint = get_type_hints(SECTIONS[section]).get(name)
    if hint is str and not isinstance(value, str):
        value = text
    return section, name, value


def _known_section(section: str, where: object) -> str:
    if section not in SECTIONS:
        raise UsageError(f"{where}: unknown section [{section}]{_suggest(section, SECTIONS)}.")
    return section


def _checked(section: str, name: str, value: Any, base: Path, where: str) -> Any:
    fields = {f.name: f for f in dataclasses.fields(SECTIONS[_known_section(section, where)])}
    if name not in fields:
        raise UsageError(f"{where}: unknown key [{section}] {name}{_suggest(name, fields)}.")
    hint = get_type_hints(SECTIONS[section])[name]
    value = _coerced(hint, value, f"{where}: [{section}] {name}")
    kind = fields[name].metadata["path"]
    return value if kind == "no" else _resolved(value, base, always=kind == "yes")


def _coerced(hint: Any, value: Any, what: str) -> Any:
    origin = get_origin(hint)
    if origin is Literal:
        if value in get_args(hint):
            return value
        raise UsageError(f"{what} must be one of {', '.join(map(repr, get_args(hint)))}, not {value!r}.")
    if origin is tuple:
        items = value if isinstance(value, list) else [value]
        return tuple(_coerced(get_args(hint)[0], item, what) for item in items)
    if origin in (Union, types.UnionType):
        raise TypeError(f"{what}: unions are not used in specs")
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint in (int, float) and isinstance(value, bool)):
        raise UsageError(f"{what} must be {hint.__name__}, not {value!r}.")
    return value


_WORDS = ("none", "diagnostic", "sample", "bundled")


def _resolved(value: Any, base: Path, *, always: bool) -> Any:
    """Make paths absolute; where other words may stand, only what looks like a path or exists as one."""
    if isinstance(value, tuple):
        return tuple(_resolved(item, base, always=always) for item in value)
    if not value or "://" in value or (not always and value in _WORDS):
        return value
    candidate = (base / Path(value).expanduser()).resolve()
    looks_like_path = always or value.startswith((".", "/", "~")) or candidate.exists()
    return str(candidate) if looks_like_path else value


def _suggest(word: str, known: Any) -> str:
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else f" (known: {', '.join(known)})"
