"""`loopcell export --data FILE`: the user's rows as the steps that an export is held against."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from loopcell.cli.reporting import say_note
from loopcell.cli.values import named
from loopcell.errors import DataError, UsageError

MOST_SEQUENCES = 10_000

if TYPE_CHECKING:
    from loopcell.export import StepCheck


def check_of_file(model: Any, path: Path, series: str | None) -> StepCheck:
    """Return the sequences of a file as steps, with the model's own answers.

    Args:
        model: trained.
        path: read as `loopcell predict` reads it, with the columns of training.
        series: of a forecaster or detector, the name of the series.

    Raises:
        DataError: the file cannot be read, or has no sequence.
        UsageError: the model makes no check of data, or has no step.
    """
    from loopcell.cli.predict import is_of_series
    from loopcell.tasks.core.from_files.config import FileExamples

    if not hasattr(model, "step_check"):
        model.step_model()  # what has none says why
        raise UsageError(f"--data is for models that read rows, and this is {named(model)}")
    spec = FileExamples(files=(path,))
    if is_of_series(model):
        from loopcell.tasks.forecasting.files import SeriesFiles

        (source,) = SeriesFiles.open_for(spec, model, say_note).load()
        return model.step_check(source, series=series)  # type: ignore[no-any-return]
    if not hasattr(model, "columns_") or not hasattr(model, "labels_each_step"):
        return model.step_check(path)  # type: ignore[no-any-return]
    return model.step_check(_sequences_of(model, spec))  # type: ignore[no-any-return]


def _sequences_of(model: Any, spec: Any) -> Any:
    """Return the sequences of files, at most `MOST_SEQUENCES`, read as in training."""
    from loopcell.tasks.core.from_files.examples import as_read, blocks, in_training, open_records

    columns, spec = model.columns_, spec.missing_as(model)
    records = open_records(spec if columns is None else as_read(spec, columns))
    if columns is not None:
        records.expect(columns.named)
        spec = in_training(spec, columns, records)
    parts = iter(blocks(records, spec, MOST_SEQUENCES, say_note, each_step=model.labels_each_step))
    found = next(parts, None)
    if found is None or not len(found):
        raise DataError(f"{spec.files[0]} has no rows to hold the export against")
    if next(parts, None) is not None:
        say_note(f"{spec.files[0]} has more than {MOST_SEQUENCES:,} sequences: the export is held against the first")
    return found
