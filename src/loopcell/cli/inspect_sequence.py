"""The sequence that `loopcell inspect` looks at: a text, or a row of a file; and the steps of it that are shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopcell.cli import early
from loopcell.cli.predict import is_of_series
from loopcell.cli.reporting import say_note, say_unknown
from loopcell.cli.values import find_model, named
from loopcell.errors import UsageError

if TYPE_CHECKING:
    from loopcell.insight import Inspection


@dataclass(frozen=True)
class AskedSequence:
    """One sequence, as it was typed.

    Attributes:
        text: the sequence itself, where it is a text.
        data: the file that has it.
        row: which row of that file, from 1; of a table of time series, which series.
    """

    text: str | None
    data: Path | None
    row: int = 1

    def of(self, model: Any) -> Any:
        """Return the sequence in the form that the model's `inspect` takes; of a model of time series the table.

        How many of its tokens the model does not have is said on standard error.

        Raises:
            UsageError: there is no such row, or a text for a model of time series.
        """
        if is_of_series(model):
            return _table_of(model, self.data)
        x = self.text if self.data is None else _row_of(model, self.data, self.row)
        say_unknown(model.unknown([x]) if hasattr(model, "unknown") else 0)
        return x

    def inspected_by(self, model: Any) -> Inspection:
        """Look inside a model while it reads the sequence; errors as `of`, and those of the model's `inspect`."""
        series = {"series": self.row - 1} if is_of_series(model) else {}
        found: Inspection = model.inspect(self.of(model), **series)
        return found


def asked_sequence(text: str | None, data: Path | None, row: int) -> AskedSequence | None:
    """Return the sequence that was asked for; None where none was.

    Raises:
        UsageError: there are two.
    """
    if text is not None and data is not None:
        raise UsageError("one sequence is looked at: give --text TEXT, or --data FILE with --row NUMBER, not both")
    return None if text is None and data is None else AskedSequence(text, data, row)


MISSING = {
    "inspect": "cannot be looked into",
    "gradient_flow": "has no gradient flow to show yet",
    "live_page": "has no live page: --live is for a language model (loopcell train lm)",
}
"""What is said of a model that lacks a method."""


def load_for(path: Path, method: str) -> Any:
    """Return a model of a file or of a run's folder that can be looked into.

    Args:
        path: the file or the folder.
        method: what the model has to have: a key of `MISSING`.

    Raises:
        UsageError: it is of a kind that lacks it.
    """
    early.demand_model(find_model(path))
    from loopcell.tasks.core.models import load_model

    loaded = load_model(find_model(path))
    if not hasattr(loaded, method):
        raise UsageError(f"{named(loaded)} {MISSING[method]}")
    return loaded


def title_of(model: Any, path: Path) -> str:
    """Return the title of a page: what the model is, and the name of its run or of its file."""
    name = path.resolve().name if path.is_dir() else path.stem
    return f"{type(model).__name__} · {name}"


def window_of(typed: str | None) -> tuple[int, int | None] | None:
    """Read a window such as 0:500 or 100: .

    Raises:
        UsageError: it is none.
    """
    if typed is None:
        return None
    start, _, end = typed.partition(":")
    if ":" not in typed or not all(not part or part.isdecimal() for part in (start, end)):
        raise UsageError(f"{typed!r} is no window of steps; write 0:500, 100: or :50")
    return int(start or 0), int(end) if end else None


def _table_of(model: Any, file: Path | None) -> Any:
    """Return the rows of a table of time series; UsageError where a text was typed in its place."""
    from loopcell.tasks.core.from_files.config import FileExamples
    from loopcell.tasks.forecasting.files import SeriesFiles

    if file is None:
        raise UsageError(f"{named(model)} reads tables of time series: give --data FILE in place of --text")
    (table,) = SeriesFiles.open_for(FileExamples(files=(file,)), model, say_note).load()
    return table


def rows_of(model: Any, file: Path) -> Iterator[Any]:
    """Yield all sequences of a file, read as `loopcell predict` reads it."""
    return (x for X in _blocks(model, file) for x in X)


def _blocks(model: Any, file: Path) -> Iterator[Any]:
    from loopcell.tasks.core.from_files.config import FileExamples
    from loopcell.tasks.core.from_files.examples import as_trained, blocks, open_records

    spec = as_trained(FileExamples(files=(file,)), getattr(model, "columns_", None))
    return blocks(open_records(spec), spec, 1024, each_step=model.labels_each_step)


def _row_of(model: Any, file: Path, row: int) -> Any:
    """Return one sequence of a file, read as `loopcell predict` reads it.

    Raises:
        UsageError: the file has fewer rows.
    """
    seen = 0
    for X in _blocks(model, file):
        if row <= seen + len(X):
            return X[row - seen - 1]
        seen += len(X)
    raise UsageError(f"{file} has {seen:,} rows, and --row asks for row {row:,}")
