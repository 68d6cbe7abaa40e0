"""Errors as one sentence and an exit code: 2 for a request that makes no sense, 1 for a failure."""

from __future__ import annotations

import os
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeAlias, cast

import typer

from loopcell.cli.advice import in_flags
from loopcell.errors import LoopcellError, readable

INTERRUPTED = 130  # as shells number it: 128 + SIGINT

Debug: TypeAlias = Annotated[bool, typer.Option("--debug", help="On an error show where it came from.")]


@contextmanager
def reporting(debug: bool) -> Iterator[float]:
    """Turn errors of the block into a sentence on stderr and an exit code; with `debug` let them through.

    Yields:
        When the command began, by `time.monotonic`, for its time limit: before anything heavy is imported.
    """
    _said.clear()
    try:
        yield time.monotonic()
    except BrokenPipeError:
        _close_output()
    except (typer.Exit, typer.Abort):
        raise
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except Exception as error:
        if debug:
            raise
        say(f"error: {as_sentence(error)}", err=True)
        raise typer.Exit(error.exit_code if isinstance(error, LoopcellError) else 1) from None


def say(text: str, *, err: bool = False) -> None:
    """Print a line for people, made `readable`, in the first process of a run; launchers tell a process its number."""
    numbers = ("LOCAL_RANK", "GROUP_RANK", "NODE_RANK")
    if all(os.environ.get(number, "0") == "0" for number in numbers):
        typer.echo(as_called(readable(text)), err=err)


def call(path: Path, name: str) -> None:
    """Give a file another name in all that is said: a copy is called by what it is a copy of."""
    _called[readable(str(path))] = name


def as_called(text: str) -> str:
    """Return a text with the names of files that `call` gave them."""
    for path, name in _called.items():
        text = text.replace(path, name)
    return text


_called: dict[str, str] = {}


def say_notes(notes: Sequence[str]) -> None:
    """Say what the user should know; arguments as `say_note`."""
    for note in notes:
        say_note(note)


def say_note(note: str) -> None:
    """Say what the user should know, with flags in place of the arguments of Python, on standard error.

    A command says each sentence once, however often its files are opened.
    """
    if note not in _said:
        _said.add(note)
        say(f"note: {in_flags(note)}", err=True)


_said: set[str] = set()  # by the command that is running


@contextmanager
def warnings_as_notes() -> Iterator[None]:
    """Say what the library warns the user of in the block as `say_note` does; other warnings stay Python's."""
    with warnings.catch_warnings():
        usual = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any) -> None:
            if category is UserWarning:
                say_note(str(message))
            else:
                usual(message, category, *place)

        warnings.showwarning = cast("Any", show)  # *place are the four arguments that are only passed on
        yield


def say_unknown(count: int, first: str = "") -> None:
    """Say how many tokens a model had never seen, if there were any, and where the first one is."""
    if count:
        many = f"{count:,} tokens were" if count > 1 else "1 token was"
        place = f", first in {first}" if first else ""
        say_note(f"{many} never seen in training and count as unknown{place}")


def as_sentence(error: Exception) -> str:
    """Return an error as one sentence, with flags in place of the arguments of Python."""
    if isinstance(error, LoopcellError):
        return in_flags(str(error))
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    line = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {line} (this was not expected; --debug shows where it came from)"


def _close_output() -> None:
    """End: the reader of our output (such as `head`) has had enough: not an error, and nothing more to write to."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
