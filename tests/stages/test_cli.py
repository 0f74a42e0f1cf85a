"""The command line as a user meets it: exit codes, one sentence an error, and what it does not load."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pmcoa_build.engine import state as states
from pmcoa_build.engine.stage import Stage, Task
from pmcoa_build.errors import PmcoaError, UnitLost
from pmcoa_build.sample import write_sample
from stages import commands
from stages.__main__ import main
from stages.pipeline import NAMES, pipeline

ROOT = Path(__file__).parents[2]
CRAWL = ("snapshot", "articles", "figures")
Cli = Callable[..., int]


@pytest.fixture(autouse=True)
def no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here needs the disk itself, which is slow."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn bucket of a few articles."""
    root = tmp_path_factory.mktemp("sample") / "bucket"
    write_sample(root, articles=6)
    return root


@pytest.fixture
def spec(tmp_path: Path, bucket: Path) -> Path:
    """A spec for that bucket."""
    path = tmp_path / "toy.toml"
    path.write_text(
        f'[build]\nout = "data"\nstate = "state"\n[source]\nurl = {json.dumps(str(bucket))}\n'
        '[select]\nlicenses = ["any"]\nretracted = "flag"\n[screen]\nterms = "none"\n[run]\nmax_dead_fraction = 1.0\n'
    )
    return path


def _sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of an error."""
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("pmcoa: ") and "Traceback" not in lines[0], lines
    return lines[0]


@pytest.mark.parametrize(("words", "code", "says"), [
    (["snapshot", "SPEC", "--set", "panels.confidnce=0.5"], 2, "did you mean confidence?"),
    (["snapshot", "SPEC", "--set", "panel.confidence=0.5"], 2, "did you mean panels?"),
    (["snapshot", "SPEC", "--set", "panels.confidence=high"], 2, "must be float"),
    (["snapshot", "SPEC", "--set", "nonsense"], 2, "section.key=value"),
    (["snapshot", "missing.toml"], 2, "missing.toml cannot be read"),
    (["snapshot"], 2, "required"),
    (["snapshots", "SPEC"], 2, "invalid choice"),
    (["snapshot", "SPEC", "--fast"], 2, "--fast"),
    (["why", "SPEC", "nowhere", "1"], 2, "is no stage"),
    (["gc", "SPEC"], 2, "no records"),
    (["articles", "SPEC"], 3, "stages snapshot"),
    (["publish", "SPEC"], 3, "stages snapshot"),
    (["snapshot", "SPEC", "--set", "source.url=http://127.0.0.1:1"], 4, "127.0.0.1:1"),
    (["snapshot", "SPEC", "--set", "source.url=EMPTY"], 4, "EMPTY"),
    (["snapshot", "SPEC", "--set", "select.articles=[\"PMC1\"]"], 4, "loosen [select]"),
    (["snapshot", "articles", "figures", "SPEC", "--on", "cluster"], 2, "processes:N"),
])
def test_what_goes_wrong_is_one_sentence_and_an_exit_code(
    words: list[str], code: int, says: str, spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    empty = str(tmp_path / "empty")
    words = [word.replace("SPEC", str(spec)).replace("EMPTY", empty) for word in words]
    assert main(words) == code
    assert says.replace("EMPTY", empty) in _sentence(capsys)


def test_a_spec_that_is_not_toml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.toml").write_text("[build\n")
    assert main(["status", str(tmp_path / "bad.toml")]) == 2
    assert "not valid TOML" in _sentence(capsys)


def test_an_unknown_key_leaves_nothing_behind(spec: Path) -> None:
    assert main(["snapshot", str(spec), "--set", "build.nane=x"]) == 2
    assert sorted(path.name for path in spec.parent.iterdir()) == ["toy.toml"]


def test_a_second_run_exits_5_and_names_the_first(spec: Path) -> None:
    from pmcoa_build import spec as specs

    state = states.State(spec.parent / "data", spec.parent / "state")
    states.create(state)
    with states.locked(state):
        done = subprocess.run(
            [sys.executable, "-m", "stages", "snapshot", str(spec)],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )
    assert done.returncode == 5 and f"process {os.getpid()} on" in done.stderr
    assert states.of(specs.load(spec)).records("snapshot") == {}


def test_run_then_nothing_due(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CRAWL, str(spec)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("Spec ") and said[0].endswith("(name another with SPEC=manifests/….toml)")
    assert [line.split()[0] for line in said[1:]] == list(CRAWL)
    assert main([*CRAWL, str(spec)]) == 0
    assert capsys.readouterr().out.count("nothing due") == 3


def test_a_dry_run_says_what_is_due_and_does_nothing(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CRAWL, str(spec), "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "snapshot  all: never done", "articles  all: waits for snapshot", "figures   all: waits for articles",
    ]
    assert sorted(path.name for path in spec.parent.iterdir()) == ["toy.toml"]


def test_set_changes_a_key(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["snapshot", str(spec)]) == 0
    assert main(["snapshot", str(spec), "--set", "select.sample=2", "--dry-run"]) == 0
    assert "spec select.sample changed" in capsys.readouterr().out


def test_status_why_retry_verify_gc(spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(spec)]) == 0
    assert "snapshot   0/1 blocks; due: 1 (never done)" in capsys.readouterr().out
    assert main([*CRAWL, str(spec)]) == 0
    capsys.readouterr()
    assert main(["status", str(spec)]) == 0
    said = capsys.readouterr().out
    assert "articles   1/1 blocks" in said and "screen     0/1 blocks; due: 1 (never done)" in said
    block = next(iter(states.State(spec.parent / "data", spec.parent / "state").records("articles")))
    for stage, says in [("articles", "nothing that it depends on changed"), ("screen", "never done")]:
        assert main(["why", str(spec), stage, block]) == 0
        assert says in capsys.readouterr().out
    assert main(["why", str(spec), "articles", "999999999"]) == 2
    assert "has no block" in _sentence(capsys)
    assert main(["retry", str(spec), "--reason", "bad-luck"]) == 2
    assert "is no reason" in _sentence(capsys)
    assert main(["retry", str(spec), "--reason", "xml-malformed"]) == 0
    assert "will be tried again" in capsys.readouterr().out
    assert main(["verify", str(spec)]) == 0
    assert "0 problems" in capsys.readouterr().out
    (spec.parent / "data/articles/stray.parquet").write_text("stray")
    assert main(["gc", str(spec)]) == 0
    assert "1 files removed, 5 bytes freed" in capsys.readouterr().out
    next((spec.parent / "data/figures").glob("*.parquet")).write_text("")
    assert main(["verify", str(spec)]) == 4
    assert "delete the files" in capsys.readouterr().err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    said = capsys.readouterr().out
    for name in (*NAMES, "demo", "status", "why", "retry", "verify", "gc", "report", "estimate", "diff", "parse",
                 "split-captions", "separate", "sample", "benchmark"):
        assert name in said
    with pytest.raises(SystemExit):
        main(["articles", "--help"])
    assert "--dry-run" in capsys.readouterr().out


def test_status_loads_nothing_heavy(spec: Path) -> None:
    assert main([*CRAWL, str(spec)]) == 0
    code = (
        "import sys; from stages.__main__ import main; code = main(['status', sys.argv[1]]);"
        "print([n for n in ('torch', 'torchvision', 'ultralytics', 'cv2', 'dask', 'distributed', 'pyarrow.dataset',"
        "'onnxruntime', 'transformers', 'matplotlib', 'scipy', 'pandas') if n in sys.modules]); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(spec)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_bad_locale_does_not_matter(spec: Path) -> None:
    odd = spec.parent / "Größe 図"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "stages", *CRAWL, str(spec), "--set", f"build.out={odd}"],
        cwd=ROOT, env=environment, capture_output=True, check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert (odd / "articles").is_dir()


def test_every_declared_column_and_key_exists() -> None:
    from pmcoa_build.spec import Spec

    steps = {step.name: step for step in pipeline()}
    for number, step in enumerate(steps.values()):
        for source in step.inputs:
            assert source.stage in NAMES[:number], f"{step.name} looks at {source.stage}, which runs later"
            upstream = steps[source.stage]
            known = set(upstream.schema.names if upstream.schema else ()) | ({"facts"} & {*source.columns})
            assert "facts" not in source.columns or isinstance(upstream, Task)
            assert set(source.columns) | set(source.content) <= known, f"{step.name} <- {source.stage}"
        for key in (*step.spec_keys, *(step.fact_keys if isinstance(step, Stage) else ())):
            Spec(path=Path()).value(key)


@pytest.mark.parametrize("command", ["gc", "retry"])
def test_looking_after_no_build_makes_none(command: str, spec: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, str(spec)]) == 2
    assert "no records" in _sentence(capsys)
    assert sorted(path.name for path in spec.parent.iterdir()) == ["toy.toml"]


@pytest.mark.parametrize("kind", [kind for kind in PmcoaError.__subclasses__() if kind is not UnitLost])
def test_every_error_has_its_exit_code(
    kind: type[PmcoaError], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    error = kind("x")

    def fail(options: object) -> int:
        """Fail."""
        raise error

    monkeypatch.setitem(commands.COMMANDS, "status", (fail, lambda parser: None))
    assert main(["status"]) == error.exit_code > 1
    assert _sentence(capsys) == "pmcoa: x"
