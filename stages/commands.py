"""Commands over a build: run stages, and see or mend its state."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from pmcoa_build import spec as specs
from pmcoa_build.engine import care
from pmcoa_build.engine import state as states
from pmcoa_build.engine.plan import Plan, plan_all
from pmcoa_build.engine.runner import Options, Run, Stop, Summary, run_step, world_of
from pmcoa_build.engine.stage import Stage
from pmcoa_build.errors import RunFailed, UsageError
from stages import ranks
from stages import report as reports
from stages.estimate import estimate_text, outcome_text, save_forecast
from stages.pipeline import BEFORE, NAMES, pipeline

Add = Callable[[argparse.ArgumentParser], None]


def spec_options(parser: argparse.ArgumentParser) -> None:
    """SPEC and --set."""
    parser.add_argument("spec", metavar="SPEC", help="a spec file such as manifests/demo.toml")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value", dest="overrides")


def run_options(parser: argparse.ArgumentParser) -> None:
    """What a run of stages takes beside the spec."""
    parser.add_argument("--on", default="", help="sync | threads:N | processes:N | tcp://scheduler:8786")
    parser.add_argument("--only", action="append", default=[], metavar="BLOCK")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="at most N blocks of each stage")
    parser.add_argument("--update", action="store_true", help="move the pinned snapshot to the latest")
    parser.add_argument("--dry-run", action="store_true", help="say what is due, do nothing")
    parser.add_argument("--progress", default="auto", choices=("auto", "plain", "json", "off"))


def run(names: Sequence[str], options: argparse.Namespace) -> int:
    """Run stages one after the other, all due blocks of each; under torchrun process 0 does, and the others help."""
    if ranks.follows():
        return ranks.follow()
    with ranks.leading(names):
        code = _run(names, options)
    state = states.of(specs.load(options.spec, options.overrides))
    if "evaluate" in names and not options.dry_run and state.records("evaluate"):
        parts = [reports.funnel_text(state)] if len(names) == len(NAMES) else []
        print("\n" + "\n\n".join([*parts, reports.scores_text(state), reports.pages_text(state)]))
    return code


def _run(names: Sequence[str], options: argparse.Namespace) -> int:
    spec = specs.load(options.spec, options.overrides)
    print(f"Spec {_shown(spec.path)} (name another with SPEC=manifests/….toml)", flush=True)
    state = states.of(spec)
    if options.dry_run:
        states.check_identity(state)
    else:
        states.create(state)
    chosen = Options(options.on, frozenset(options.only), options.limit, options.update, options.dry_run,
                     options.progress)
    steps, names = pipeline(), [*names, *(BEFORE[name] for name in names if name in BEFORE)]
    lock = contextlib.nullcontext() if options.dry_run else states.locked(state)
    with lock, Stop().installed() as stop:
        working = Run(steps, spec, state, chosen, stop)
        for step in steps:
            if step.name in names:
                if step.name == "articles" and not chosen.dry_run:
                    save_forecast(state, spec)
                summary = run_step(working, step)
                print(_line(summary, dry=chosen.dry_run), flush=True)
                if step.name == "media" and summary.committed:
                    print(reports.savings(state, spec), flush=True)
    return 0


def _line(summary: Summary, *, dry: bool) -> str:
    if not summary.due:
        return f"{summary.step:9} nothing due"
    if dry:
        return "\n".join(f"{summary.step:9} {block}: {why}" for block, why in summary.due)
    text = f"{summary.step:9} {len(summary.due)} block{'s' if len(summary.due) > 1 else ''} in {summary.seconds:.1f} s"
    if summary.counts["in"]:
        text += f"; {reports.counts_line(summary.counts)}; {summary.computed} computed"
    return text


def demo(options: argparse.Namespace) -> int:
    """Run everything on the embedded sample, then show the funnel, the scores and the gallery."""
    return run(NAMES, options)


def status(options: argparse.Namespace) -> int:
    """What is done, what is due, and what waits, stage by stage."""
    spec = specs.load(options.spec, options.overrides)
    state = states.of(spec)
    states.check_identity(state)
    steps = pipeline()
    print(f"Build {spec.build.name}: data in {_shown(state.out)}, records in {_shown(state.folder)}")
    plans, _ = plan_all(steps, spec, world_of(steps, state))
    for step in steps:
        print(reports.status_line(state, step, plans[step.name]))
    for step in steps:
        for number in state.log(step.name).damaged:
            print(f"Line {number} of {_shown(state.log_path(step.name))} is damaged; what it recorded is due again.")
    newer = reports.newer_dataset(state)
    if newer:
        print(newer)
    return 0


def why(options: argparse.Namespace) -> int:
    """Why a block is due, waits, or is done."""
    spec = specs.load(options.spec, options.overrides)
    state, steps = states.of(spec), pipeline()
    if options.stage not in NAMES:
        raise UsageError(f"{options.stage!r} is no stage; stages are {', '.join(NAMES)}.")
    plan = plan_all(steps, spec, world_of(steps, state))[0][options.stage]
    record = state.records(options.stage).get(options.block)
    if options.block not in plan.blocks and record is None:
        raise UsageError(f"{options.stage} has no block {options.block!r}; it has {', '.join(plan.blocks[:8])} …")
    print(_reason(plan, options.block))
    if record:
        print(f"recorded: {reports.counts_line(record['counts'])}" if record.get("counts") else "recorded")
        said = {**record["inputs"]["spec"], **record["inputs"].get("facts", {})}
        print("\n".join(f"  {key}: {value}" for key, value in sorted(said.items())))
    return 0


def _reason(plan: Plan, block: str) -> str:
    for item in plan.due:
        if item.block == block:
            return f"due: {item.why}"
    return f"waits for {plan.waiting[block]}" if block in plan.waiting else "done: nothing that it depends on changed"


def retry(options: argparse.Namespace) -> int:
    """Make lost units due again: all of them, or those lost for one reason."""
    spec = specs.load(options.spec, options.overrides)
    state = states.of(spec)
    states.check_identity(state)
    with states.locked(state):
        marked = care.ask_retry(state, NAMES, options.reason)
    print(f"{marked} block{'s' if marked != 1 else ''} will be tried again at the next run.")
    return 0


def verify(options: argparse.Namespace) -> int:
    """Check every file against its record."""
    state = states.of(specs.load(options.spec, options.overrides))
    states.check_identity(state)
    problems, checked = care.verify(state, NAMES)
    print("\n".join([*problems, f"{checked} files checked, {len(problems)} problems."]))
    if problems:
        raise RunFailed("The build is damaged: delete the files named above and run their stages again.")
    return 0


def gc(options: argparse.Namespace) -> int:
    """Delete files that no record names; with --originals also the fetched images of blocks whose panels are cut."""
    spec = specs.load(options.spec, options.overrides)
    state, steps = states.of(spec), pipeline()
    states.check_identity(state)
    with states.locked(state):
        if options.originals:
            panels = plan_all(steps, spec, world_of(steps, state))[0]["panels"]
            media = next(step for step in steps if isinstance(step, Stage) and step.name == "media")
            care.free_column(state, media, "image", set(panels.blocks) - panels.stale)
        removed, freed = care.collect(state, NAMES)
    print(f"{removed} files removed, {freed:,} bytes freed.")
    return 0


def report(options: argparse.Namespace) -> int:
    """The funnel with every reason for a loss, what was asked of the source beside the forecast, the last changes."""
    from stages.changes import last_changes_text

    state = states.of(specs.load(options.spec, options.overrides))
    states.check_identity(state)
    pairs = sum(record["output"]["rows"] for record in state.records("shards").values())
    parts = [reports.funnel_text(state), outcome_text(state, pairs), last_changes_text(state),
             reports.scores_text(state)]
    print("\n\n".join(part for part in parts if part))
    return 0


def estimate(options: argparse.Namespace) -> int:
    """Requests, bytes, hours and disk that a build will take; fetches nothing but the inventory."""
    spec = specs.load(options.spec, options.overrides)
    like = specs.load(options.like) if options.like else None
    if like and not states.of(like).records("articles"):
        raise UsageError(f"The build {like.build.name} has measured nothing yet: crawl it first, or leave --like out.")
    state, steps = states.of(spec), pipeline()
    states.create(state)
    with states.locked(state), Stop().installed() as stop:
        run_step(Run(steps, spec, state, Options(progress="off"), stop), steps[0])
    print(estimate_text(state, spec, (states.of(like), like) if like else None))
    return 0


def diff(options: argparse.Namespace) -> int:
    """What changed between two snapshots that this build has kept: new, retracted, licence, media, removed …"""
    from stages.changes import changes_text

    state = states.of(specs.load(options.spec, options.overrides))
    print(changes_text(state, options.old, options.new))
    return 0


def _shown(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def with_run(parser: argparse.ArgumentParser) -> None:
    """SPEC, --set, and what a run of stages takes."""
    spec_options(parser)
    run_options(parser)


def _with_block(parser: argparse.ArgumentParser) -> None:
    spec_options(parser)
    parser.add_argument("stage", metavar="STAGE")
    parser.add_argument("block", metavar="BLOCK")


def _with_reason(parser: argparse.ArgumentParser) -> None:
    spec_options(parser)
    parser.add_argument("--reason", default="", help="only units lost for this reason, or \"freed\" (gc --originals)")


def _with_originals(parser: argparse.ArgumentParser) -> None:
    spec_options(parser)
    parser.add_argument("--originals", action="store_true", help="free fetched images once their panels are cut")


def _with_like(parser: argparse.ArgumentParser) -> None:
    spec_options(parser)
    parser.add_argument("--like", default="", metavar="SPEC", help="go by what the build of this spec has measured")


def _with_dates(parser: argparse.ArgumentParser) -> None:
    spec_options(parser)
    parser.add_argument("old", metavar="A", help="date of a snapshot, such as 2026-09-01")
    parser.add_argument("new", metavar="B")


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], Add]] = {
    "demo": (demo, with_run),
    "status": (status, spec_options),
    "why": (why, _with_block),
    "retry": (retry, _with_reason),
    "verify": (verify, spec_options),
    "gc": (gc, _with_originals),
    "report": (report, spec_options),
    "estimate": (estimate, _with_like),
    "diff": (diff, _with_dates),
}
