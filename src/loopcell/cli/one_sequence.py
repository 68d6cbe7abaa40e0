"""The one sequence that `loopcell inspect` looks at: a text that was typed, or a row of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopcell.cli.reporting import say_note
from loopcell.errors import UsageError
from loopcell.tasks.core.from_files.config import FileExamples

if TYPE_CHECKING:
    from loopcell.insight import Inspection


def inspect_one(model: Any, text: str | None, data: Path | None, row: int) -> Inspection:
    """Look inside a model while it reads one sequence.

    Args:
        model: any estimator.
        text: the sequence, where it was typed.
        data: else the file that has it.
        row: which row of the file, from 1; of a table of time series, which series.

    Raises:
        UsageError: a text was typed for a model of time series, the file has fewer rows, or the model has no recurrent
            layer.
    """
    from loopcell.tasks.forecasting.estimator import SeriesEstimator

    found: Inspection
    if not isinstance(model, SeriesEstimator):
        found = model.inspect(text if data is None else _sequence(model, data, row))
        return found
    if data is None:
        raise UsageError(f"a {type(model).__name__} reads tables of time series: give --data FILE in place of --text")
    from loopcell.tasks.forecasting.files import SeriesFiles

    (table,) = SeriesFiles.open_for(FileExamples(files=(data,)), model, say_note).load()
    return model.inspect(table, series=row - 1)


def _sequence(model: Any, file: Path, row: int) -> Any:
    """Return one sequence of a file, read as `loopcell predict` reads it.

    Raises:
        UsageError: the file has fewer rows.
    """
    from loopcell.tasks.core.from_files.examples import as_trained, blocks, open_records

    spec = FileExamples(files=(file,))
    spec = as_trained(spec, getattr(model, "columns_", None))
    seen = 0
    for X in blocks(open_records(spec), spec, 1024):
        if row <= seen + len(X):
            return X[row - seen - 1]
        seen += len(X)
    raise UsageError(f"{file} has {seen:,} rows, and --row asks for row {row:,}")
