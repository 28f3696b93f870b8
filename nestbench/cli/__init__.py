"""Words, exit codes and progress: the command line.

Heavy rooms are imported inside the commands, so that help answers at once.
"""

import os
import sys
import traceback
from typing import Annotated

import typer

from nestbench import __version__
from nestbench.cli import dataset, encoder, model, predict, report, speed, study
from nestbench.cli.signals import STOPPED, TERMINATED
from nestbench.errors import NestbenchError, RunError

WELL, SOME_FAILED, WRONG_REQUEST = 0, 1, 2

app = typer.Typer(
    help="A laboratory for nested U-Nets: which network is worth its parameters, and how sure may one be?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (study, report, model, encoder, dataset):
    app.add_typer(group.app, name=group.__name__.rpartition(".")[2], no_args_is_help=True)
app.command()(predict.predict)
app.command()(speed.speed)


def main() -> None:
    """Entry point of the installed command."""
    sys.exit(answer(sys.argv[1:]))


def answer(arguments: list[str]) -> int:
    """Run one command line and return its exit code.

    0: well; 1: some work failed; 2: a wrong request; 130 and 143: stopped, by Ctrl-C and by SIGTERM.
    """
    debug = "--debug" in arguments
    try:
        code = app([a for a in arguments if a != "--debug"], prog_name="nestbench", standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = STOPPED
    except BrokenPipeError:
        return _leave_quietly()
    except Exception as error:
        if debug:
            traceback.print_exc()
        sentence, code = _judged(error)
        if sentence:  # a group without a command has shown its help, which says enough
            _say(f"error: {sentence}")
    if code in (STOPPED, TERMINATED):
        _say(
            "stopped: what is finished is kept, runs at work keep their place, and the same command goes on from there"
        )
    return code or WELL


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nestbench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", is_eager=True, callback=_version)] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error arose.")] = False,
) -> None:
    del version, debug


def _judged(error: Exception) -> tuple[str, int]:
    if isinstance(error, RunError):
        return str(error), SOME_FAILED
    if isinstance(error, NestbenchError):
        return str(error), WRONG_REQUEST
    if isinstance(error, typer.Abort):  # typer's word for an end of input, or of a pipe to another process
        return "stopped: a pipe to another process, or the input, ended (--debug shows where)", SOME_FAILED
    if isinstance(error, typer.TyperException):
        words = error.format_message().rstrip(".")
        return words[:1].lower() + words[1:] + _value(error), WRONG_REQUEST
    return f"nestbench failed with {type(error).__name__}: {error} (--debug shows where)", SOME_FAILED


def _value(error: typer.TyperException) -> str:
    """What an option was given, where pydantic, by which typer reads them, found it wrong."""
    from pydantic import ValidationError

    cause = error.__cause__
    return f", and it is '{cause.errors()[0]['input']}'" if isinstance(cause, ValidationError) else ""


def _say(line: str) -> None:
    print(" ".join(line.split()), file=sys.stderr)


def _leave_quietly() -> int:
    # Python flushes stdout once more as it ends; that must not meet the closed pipe again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return SOME_FAILED
