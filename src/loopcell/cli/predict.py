"""`loopcell predict MODEL FILE`: what a model says of every row of a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from loopcell.cli.reporting import Debug, reporting, say
from loopcell.cli.values import find_model

ROWS_AT_ONCE = 1024


def predict(
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    files: Annotated[list[Path], typer.Argument(help="The sequences.", metavar="FILE...")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="JSON lines, else standard output.")] = None,
    input_column: Annotated[str | None, typer.Option("--input", "--text", help="The column of the sequences.")] = None,
    debug: Debug = False,
) -> None:
    """Write a line of JSON for every row, in order; any number of rows takes little memory."""
    with reporting(debug):
        from loopcell.files import atomic_write
        from loopcell.tasks.models import load_model

        loaded = load_model(find_model(model))
        lines = _lines(loaded, files, input_column)
        if output is None:
            sys.stdout.writelines(lines)
            return
        with atomic_write(output) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.writelines(lines)


def _lines(model: Any, files: list[Path], named: str | None) -> Iterator[str]:
    from loopcell.errors import UsageError
    from loopcell.tasks.file_examples import as_column, blocks, input_column, open_records

    if not hasattr(model, "describe"):
        raise UsageError(f"a {type(model).__name__} does not predict rows; see `loopcell sample` and `loopcell eval`")
    records = open_records(files)
    column = input_column(records, named)
    unknown = 0
    for block in blocks(records, column, ROWS_AT_ONCE):
        X = as_column(block, column)
        unknown += model.input_.unknown(X)
        for found in model.describe(X):
            yield json.dumps(found, ensure_ascii=False) + "\n"
    if unknown:
        say(f"note: {unknown:,} tokens were never seen in training and count as unknown", err=True)
    if records.skipped:
        say(f"note: {records.skipped}", err=True)
