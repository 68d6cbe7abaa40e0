"""Standard input: its lines, as strictly read as those of a file, and files that stand for it."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from loopcell.cli.reporting import call, say_note

_ENCODING = typer.Option(
    "--encoding", help="The encoding of text: utf-8, cp949 (Korean of Windows), latin-1, ..., of standard input here."
)
Encoding: TypeAlias = Annotated[str, _ENCODING]


STANDARD = Path("-")


def as_files(files: Sequence[Path], others: Sequence[Path] | None = None) -> tuple[list[Path], list[Path] | None]:
    """Put what can be read once only into files: standard input (`-`, `/dev/stdin`) and pipes (`<(zcat a.gz)`).

    Files are read more than once, to know them, for each pass. The copies go away with the process. A pattern that was
    quoted is its files.

    Args:
        files: what was typed.
        others: what was typed for a flag; None for nothing.

    Returns:
        Both, with the paths of copies in place of what is no regular file.

    Raises:
        DataError: it cannot be read or written, or a pattern matches no file.
        UsageError: standard input is asked for twice.
    """
    from loopcell.errors import UsageError

    files, others = _expanded(files), None if others is None else _expanded(others)
    if sum(_is_standard(path) for path in (*files, *(others or ()))) > 1:
        raise UsageError("standard input can be read once: name it for one file only")
    return [_as_file(path) for path in files], None if others is None else [_as_file(path) for path in others]


def as_training_files(
    files: Sequence[Path], others: Sequence[Path] | None = None
) -> tuple[list[Path], list[Path] | None]:
    """Return the same for the files of a run, with a note where it could not be resumed; arguments as `as_files`."""
    typed = _expanded(files), None if others is None else _expanded(others)
    found = as_files(*typed)
    if found != typed:
        say_note("what comes from standard input or a pipe is not kept: this run cannot be resumed")
    return found


def _expanded(paths: Sequence[Path]) -> list[Path]:
    from loopcell.data.readers.patterns import expanded

    return expanded(paths)


def _is_standard(path: Path) -> bool:
    return path == STANDARD or str(path) in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")


def _as_file(path: Path) -> Path:
    if not _is_standard(path) and not path.is_fifo():
        return path
    folder = Path(tempfile.mkdtemp(prefix="loopcell-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    copy = folder / ("standard-input" if _is_standard(path) else path.name)
    call(copy, "standard input" if _is_standard(path) else str(path))
    with copy.open("wb") as file:
        if _is_standard(path):
            shutil.copyfileobj(sys.stdin.buffer, file)
        else:
            with path.open("rb") as pipe:
                shutil.copyfileobj(pipe, file)
    return copy


def input_lines(encoding: str) -> Iterator[str]:
    """Return the lines without their ends, as soon as they are there.

    Raises:
        DataError: they are not in this encoding; the message names the line.
        UsageError: there is no such encoding.
    """
    from loopcell.data.readers.lines import lines_of
    from loopcell.data.readers.whole_lines import whole_lines

    for line in whole_lines(lines_of(sys.stdin.buffer, "standard input", encoding)):
        yield line.removesuffix("\n").removesuffix("\r")


def as_line(written: str | list[str]) -> str:
    """Return a text, or a list of tokens, as one line of output: a line for a line."""
    return " ".join((written if isinstance(written, str) else " ".join(written)).splitlines())
