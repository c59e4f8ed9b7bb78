"""Parse the command line, run one command, print its answer or one line of error."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from flowscape.cli import activation, branches, check, classify, info, paper, recover, report
from flowscape.errors import OptionError, ProblemError, ShapeError, StoreError

_COMMANDS = {
    "recover": recover,
    "branches": branches,
    "classify": classify,
    "report": report,
    "paper": paper,
    "check": check,
    "activation": activation,
    "info": info,
}
_MISUSE = 2
_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line that starts like every other error."""

    def error(self, message: str) -> NoReturn:
        raise OptionError(f"{message}; see {self.prog} --help")


class _Version(argparse.Action):
    """Print the version; what knows it is imported only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from flowscape.sweep.provenance import version

        print(f"flowscape {version()}")
        parser.exit()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command `flowscape` and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program name; those of the process if None.

    Returns
    -------
    int
        0 done, 1 a check failed, 2 misuse (one line on stderr), 130 interrupted.
    """
    try:
        args = _parser().parse_args(argv)
        answer = _COMMANDS[args.command].run(args)
        _print(answer.json() if args.json else answer.text)
        return answer.code
    except SystemExit as done:  # --help and --version
        return int(done.code or 0)
    except (OptionError, ProblemError, ShapeError, StoreError) as error:
        return _complain(str(error), _MISUSE)
    except MemoryError as error:
        what = f"not enough memory ({error})" if str(error) else "not enough memory"
        return _complain(f"{what}; lower the numbers of seeds, samples or neurons", _MISUSE)
    except KeyboardInterrupt as stop:  # a command that keeps something says so in the exception
        return _complain(f"interrupted; {str(stop) or 'nothing was written'}", _INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has left, e.g. `| head`
        _close_output()
        return 0
    except OSError as error:  # a full disk, a file or folder without permission
        _close_output()
        what = f"{error.filename or 'output'}: {error.strerror or error}"
        return _complain(f"{what}; check path, permissions and free space", _MISUSE)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="flowscape",
        description="Loss landscapes of small neural networks: follow gradient flows to their "
        "limits and say what each limit is.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in _COMMANDS.items():
        doc = (module.__doc__ or "").strip()
        first = doc.splitlines()[0]
        command = commands.add_parser(
            name,
            help=first[0].lower() + first[1:].rstrip("."),
            description=doc,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.add_argument("--json", action="store_true", help="print JSON and nothing else")
    return parser


def _print(text: str) -> None:
    """Print; what the encoding of the output lacks becomes a question mark."""
    try:
        print(text, flush=True)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding
        print(text.encode(encoding, "replace").decode(encoding), flush=True)


def _close_output() -> None:
    """Drop what cannot be written any more, so that the interpreter does not try again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str, code: int) -> int:
    line = " ".join(message.split())
    print(f"flowscape: error: {line}", file=sys.stderr)
    return code
