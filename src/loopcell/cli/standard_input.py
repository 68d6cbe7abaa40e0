"""Lines from standard input, as strictly read as those of a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, TypeAlias

import typer

Encoding: TypeAlias = Annotated[str, typer.Option("--encoding", help="Of standard input: utf-8, cp949, latin-1, ...")]


def input_lines(encoding: str) -> Iterator[str]:
    """The lines without their ends, as soon as they are there.

    Raises:
        DataError: they are not in this encoding; the message names the line.
        UsageError: there is no such encoding.
    """
    from loopcell.data.readers.lines import lines_of

    for line in lines_of(sys.stdin.buffer, "standard input", encoding):
        yield line.removesuffix("\n").removesuffix("\r")


def as_line(written: str | list[str]) -> str:
    """A text, or a list of tokens, as one line of output: a line for a line."""
    return " ".join((written if isinstance(written, str) else " ".join(written)).splitlines())
