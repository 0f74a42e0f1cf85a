"""The command line: python -m stages STAGE… SPEC [options], and the commands beside the stages.

Exit codes: 0 done, 1 bug, 2 usage or spec, 3 an earlier stage is stale, 4 too many failures or the source is
unreachable, 5 another run holds the lock, 130/143 interrupted (safe to run again).
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from pmcoa_build.errors import PmcoaError, UsageError
from stages import commands, exchange, tools
from stages.pipeline import NAMES

Add = Callable[[argparse.ArgumentParser], None]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    if arguments is None and not sys.flags.utf8_mode and sys.getfilesystemencoding() != "utf-8":
        # file names and output need letters that this locale lacks
        os.execv(sys.executable, [sys.executable, "-X", "utf8", "-m", "stages", *sys.argv[1:]])
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(words)
    except PmcoaError as error:
        sys.stderr.write(f"pmcoa: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("pmcoa: Interrupted; what was finished is committed, run again to go on.\n")
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            sys.stderr.write(f"pmcoa: {error.filename} may not be used ({error.strerror}); nothing was lost.\n")
            return 2
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        sys.stderr.write(f"pmcoa: The disk is full ({error}); free some space and run again, nothing was lost.\n")
        return 4


def _run(words: list[str]) -> int:
    parser = _Parser(prog="python -m stages", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    if words and words[0] in NAMES:
        names = [word for word in words if word in NAMES]
        parser.add_argument("stages", nargs=len(names), choices=NAMES, metavar="STAGE")
        commands.with_run(parser)
        _log_option(parser)
        options = parser.parse_args(words)
        _log(options.log_level)
        return commands.run(options.stages, options)
    choices = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for name in NAMES:
        choices.add_parser(name, help="a stage: python -m stages STAGE… SPEC")
    for name, (function, add) in {**commands.COMMANDS, **exchange.COMMANDS, **tools.COMMANDS}.items():
        command = choices.add_parser(name, help=(function.__doc__ or "").splitlines()[0], description=function.__doc__)
        add(command)
        _log_option(command)
        command.set_defaults(function=function)
    options = parser.parse_args(words)
    _log(options.log_level)
    result: int = options.function(options)
    return result


def _log_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--log-level", default="warning", choices=("debug", "info", "warning", "error"))


def _log(level: str) -> None:
    logging.basicConfig(level=level.upper(), format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
