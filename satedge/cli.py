"""The command line. Commands import what they need when they run: `--help` starts at once.

Exit codes: 0 done, 1 the method failed (or a plan breaks a constraint, or a gate does not hold),
2 the call or a file is wrong, 130 interrupted, 141 nobody reads the output any more.
"""

from __future__ import annotations

import errno
import sys

import typer

from satedge.commands import (
    benchmark,
    check,
    describe,
    final,
    headline,
    judge,
    label,
    listing,
    make,
    policies,
    reproduce,
    solve,
    submission,
    train,
    verify,
)

HELP = """Certified benchmark: offloading multimodal-LLM requests to UAVs and satellites.

Start with:  satedge generate --preset tiny --slots 1 --out here
             satedge solve here/tiny-0.json --method greedy
             satedge benchmark quick
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"satedge {version('satedge')}")
        raise typer.Exit


@app.callback()
def _top(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Options before the command."""


_MODULES = (
    make, solve, verify, judge, benchmark, reproduce, final, headline, check, submission, describe,
    label, train, policies, listing,
)  # fmt: skip
for _module in _MODULES:
    _module.register(app)


def main() -> int:
    """Run the command line; errors of the user's are one line and exit code 2, those of a
    method that fails in its work (a training that diverges) one line and 1."""
    from satedge.commands import terminal

    output = terminal.prepare_output()
    try:
        code = _called()
        sys.stdout.flush()
    except OSError as error:
        if terminal.is_unread(output):
            return UNREAD
        print(f"satedge: standard output: {error.strerror}", file=sys.stderr)
        return 2
    return UNREAD if code and terminal.is_unread(output) else code


def _called() -> int:
    """The exit code of the call. Raises OSError when standard output cannot be written."""
    try:
        app()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        from satedge.bench.methods.lookup import importable, lacking

        if not error.name or importable(error.name.partition(".")[0]):
            raise
        print(f"satedge: {lacking(error.name)}", file=sys.stderr)
        return 2
    except (ValueError, OSError, RuntimeError) as error:
        if not _is_told(error) or _is_of_output(error):
            raise
        print(f"satedge: {_one_line(error)}", file=sys.stderr)
        return 1 if isinstance(error, RuntimeError) else 2
    return 0


def _is_of_output(error: Exception) -> bool:
    """Standard output cannot be written: files have names."""
    codes = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT)
    return isinstance(error, OSError) and error.filename is None and error.errno in codes


def _one_line(error: Exception) -> str:
    from satedge.commands.terminal import printable

    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return printable(" ".join(text.split()))


#: The exit code when nobody reads the output any more: that of a process ended by SIGPIPE.
UNREAD = 141

#: Packages whose errors are written for the user.
ROOMS = ("satedge", "minlp", "drl")


def _room(error: Exception) -> str:
    return type(error).__module__.partition(".")[0]


def _is_told(error: Exception) -> bool:
    """The error concerns the user's call or files; others are bugs and keep their traceback."""
    return _room(error) in ROOMS or isinstance(error, OSError)


if __name__ == "__main__":
    sys.exit(main())
