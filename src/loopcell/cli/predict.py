"""`loopcell predict MODEL FILE`: what a model says of every row of a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from loopcell.cli import early
from loopcell.cli.columns import CARRIED, INPUT, LAST, READING, STATIC, STEPS, UNIT_VALUES
from loopcell.cli.flags import Flag, Settings, flags_of, with_flags
from loopcell.cli.live import Live, StateFile, answer_live, to_file
from loopcell.cli.plot_file import Plot, demand_plot, demand_series, save_anomalies, save_forecasts
from loopcell.cli.predictions import Form, Output, PredictedRow, Row, form_of, write
from loopcell.cli.reporting import Debug, as_called, reporting, say_note, say_notes, say_unknown
from loopcell.cli.series_ids import SeriesIds
from loopcell.cli.standard_input import as_files, is_standard
from loopcell.cli.values import find_model, named
from loopcell.tasks.core.from_files.config import FileExamples
from loopcell.tasks.core.models import files_class, load_model
from loopcell.tasks.core.streaming.config import LiveAnswers

if TYPE_CHECKING:
    from loopcell.data import Column, Origin, Records

ROWS_AT_ONCE = 1024
FLAGS: tuple[Flag, ...] = (*READING, *INPUT, *STEPS, *STATIC, *UNIT_VALUES, *LAST, *CARRIED, *flags_of(LiveAnswers))


@with_flags(FLAGS)
def predict(
    model: Annotated[Path, typer.Argument(help="A model file, or the folder of its run.")],
    files: Annotated[list[Path], typer.Argument(help="The sequences.", metavar="FILE...")],
    output: Output = None,
    form: Form = None,
    state: StateFile = None,
    ahead: Annotated[
        int | None, typer.Option("--ahead", min=1, help="Forecasts: how many steps, else the horizon of training.")
    ] = None,
    plot: Plot = None,
    *,
    debug: Debug = False,
    **typed: Any,
) -> None:
    """Write a line of JSON for every sequence, or the rows of a table, in order; any number takes little memory.

    With --stream (or --state) each line of standard input is a row of a stream, and answered at once: `tail -f FILE |
    loopcell predict MODEL - --state S`. Without, standard input is read to its end, as a file is.
    """
    with reporting(debug):
        demand_plot(plot)
        form, answers = form_of(output, form), Settings(FLAGS, typed).build(LiveAnswers)
        if _is_live(files, answers.stream, state):
            _demand_live(files, plot, ahead)
            early.demand_model(find_model(model))
            spec = Settings(FLAGS, typed).build(FileExamples, files=files)
            answer_live(load_model(find_model(model)), Live(state, answers, spec, form, to_file(output)))
            return
        spec = Settings(FLAGS, typed).build(FileExamples, files=as_files(files)[0])
        files_class(early.demand_model(find_model(model))).demand(spec)
        loaded = load_model(find_model(model))
        _demand_state(loaded, state)
        _demand_ahead(loaded, ahead)
        demand_series(loaded, plot, series=is_of_series(loaded))
        found = _of_series(loaded, spec, (state, ahead), plot) if is_of_series(loaded) else _of_examples(loaded, spec)
        write(found, output, form)


def _is_live(files: Sequence[Path], live: bool | None, state: Path | None) -> bool:
    """Say whether lines are answered as they come: where that is asked for, or a state of standard input."""
    standard = any(is_standard(path) for path in files)
    return standard and state is not None if live is None else live


def _demand_live(files: Sequence[Path], plot: Path | None, ahead: int | None) -> None:
    """Refuse what does not go together with live answers; UsageError."""
    from loopcell.errors import UsageError

    if len(files) != 1 or not is_standard(files[0]):
        raise UsageError("--stream answers the lines of standard input: name it, - (... | loopcell predict MODEL -)")
    if plot is not None:
        raise UsageError("--plot is for what has an end, and live answers go on")
    if ahead is not None:
        raise UsageError("--ahead is for forecasts of files; live ones have the horizon of training")


def is_of_series(model: Any) -> bool:
    """Say whether a model reads tables of time series, whose columns it knows."""
    from loopcell.tasks.forecasting.estimator import SeriesEstimator

    return isinstance(model, SeriesEstimator)


def _demand_state(model: Any, state: Path | None) -> None:
    """Refuse a file of a state for a model that would not look at it."""
    from loopcell.errors import UsageError
    from loopcell.files.writable import demand_file

    if state is None:
        return
    if is_of_series(model) and hasattr(model, "predict_next"):
        demand_file(state)
        return
    name = named(model)
    if hasattr(model, "stream"):
        raise UsageError(
            f"{name} keeps a state from row to row, and a file is read as a whole: loopcell stream MODEL --state S < "
            "FILE (of a sound: loopcell stream MODEL FILE.wav --state S)"
        )
    raise UsageError(f"--state is for forecasts and for streams: {name} keeps no state")


def _demand_ahead(model: Any, ahead: int | None) -> None:
    """Refuse a number of steps for a model that forecasts none."""
    from loopcell.errors import UsageError

    if ahead is not None and not hasattr(model, "backtest"):
        raise UsageError(f"--ahead is for forecasts: {named(model)} makes none")


def _of_series(
    model: Any, spec: FileExamples, said: tuple[Path | None, int | None], plot: Path | None
) -> Iterator[PredictedRow]:
    from loopcell.tasks.forecasting.files import SeriesFiles

    (source,) = SeriesFiles.open_for(spec, model, say_note).load()
    source.check_columns(spec.carried)
    if not hasattr(model, "predict_next"):
        rows = model.predict_records(source)
        if plot is not None:
            save_anomalies(model, source, plot)
        found = _with_ids(model, source, spec, rows, ahead=False)
    else:
        found = _with_ids(model, source, spec, _forecast_rows(model, source, said, plot), ahead=True)
    told, without = False, 0
    for one in found:
        if not told:
            say_notes(model.notes_)
        told = True
        without += None in one.found.values()
        yield one
    if without:
        say_note(f"{without:,} rows have no score: so many steps are read before the first one (history)")


def _with_ids(
    model: Any, source: Records, spec: FileExamples, rows: Iterable[Row], *, ahead: bool
) -> Iterable[PredictedRow]:
    """Return predictions with the columns that are carried over, those of steps that have been in the table's order."""
    if not spec.carried and (ahead or model.series is None):
        return (PredictedRow({}, row) for row in rows)
    ids = SeriesIds(model, source, spec.carried)
    return ids.of_the_future(rows) if ahead else ids.of_steps(rows)


def _forecast_rows(
    model: Any, source: Records, said: tuple[Path | None, int | None], plot: Path | None
) -> list[dict[str, Any]]:
    """Return the rows of forecasts, after their picture and their state are written."""
    from loopcell.tasks import SeriesState

    state, ahead = said
    before = None if state is None or not state.exists() else SeriesState.load(state)
    found, after = model.predict_next(source, before, steps=ahead)
    rows = [row for forecast in found for row in forecast.rows()]
    if plot is not None:
        save_forecasts(found, plot)
    if state is not None:
        after.save(state)
    return rows


def _of_examples(model: Any, spec: FileExamples) -> Iterator[PredictedRow]:
    from loopcell.errors import UsageError
    from loopcell.tasks.core.from_files.examples import (
        as_read,
        blocks,
        in_training,
        open_records,
        tell_all,
    )
    from loopcell.tasks.core.from_files.long_tables import steps_of, told_by

    if not hasattr(model, "predict_records"):
        raise UsageError(f"{named(model)} does not predict rows; see `loopcell sample` and `loopcell eval`")
    columns, spec = model.columns_, spec.missing_as(model)
    records = open_records(spec if columns is None else as_read(spec, columns))
    if columns is not None:
        records.expect(columns.named)
        _say_where_lines_are_texts(columns.named, records)
        asked = spec.stride
        spec = in_training(spec, columns, records)
        if asked is None and (spec.stride or 1) > 1:
            say_note(f"a window every {spec.stride} rows, as in training; --stride 1 predicts at every row")
    records.check_columns(spec.carried)
    tell_all(records, say_note)
    several = len(spec.files) > 1 or spec.files[0].is_dir()
    unknown, empty = _Unknown(model), True

    def place_of(origin: Origin) -> Row:
        return {"file": as_called(origin.file), "row": origin.row} if several else {"row": origin.row}

    for X in blocks(records, spec, ROWS_AT_ONCE, say_note, each_step=model.labels_each_step):
        empty = False
        unknown.look_at(X)
        for index, (origin, found) in enumerate(zip(X.origins, model.predict_records(X), strict=True)):
            steps = tuple(place_of(step) for step in steps_of(X, index))
            yield PredictedRow(place_of(origin) | told_by(X, index), found, model.labels_each_step, steps)
    if empty:
        raise records.no_rows()
    unknown.tell()
    say_notes(getattr(model, "notes_", ()))
    if records.skipped:
        say_note(str(records.skipped))


def _say_where_lines_are_texts(names: Sequence[str], records: Records) -> None:
    """Say that a file has none of the columns of training: it may be a table that is not known as one."""
    if records.hint and names and not set(names) & set(records.columns):
        say_note(f"{records} has no column {names[0]!r}{records.hint}")


class _Unknown:
    """Counts tokens that a model has never seen, and remembers where the first one is."""

    def __init__(self, model: Any) -> None:
        self._model, self._count, self._first = model, 0, ""

    def look_at(self, X: Column) -> None:
        from loopcell.data.readers import where

        found = self._model.unknown(X)
        if found and not self._count:
            self._first = where(X, next(i for i in range(len(X)) if self._model.unknown(X[i : i + 1])))
        self._count += found

    def tell(self) -> None:
        say_unknown(self._count, self._first)
