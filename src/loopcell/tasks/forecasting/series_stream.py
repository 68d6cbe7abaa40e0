"""SeriesStream: rows of one or several series, each of which goes on from what was read of it before."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor

from loopcell.data import Origin, Record, Records, Series, Step
from loopcell.data.examples import as_doubles
from loopcell.data.series import filled_between, shown
from loopcell.data.series.given import names_of
from loopcell.errors import DataError, InputError
from loopcell.layers.streaming.base import Owner, Start
from loopcell.tasks.core.streaming.rows import RowRecords, as_cell
from loopcell.tasks.core.streaming.stream import ROW, Stream, as_record, naming
from loopcell.tasks.forecasting.columns import continued, gap_before
from loopcell.tasks.forecasting.scaled import of
from loopcell.tasks.forecasting.settings import SeriesSettings
from loopcell.tasks.forecasting.state import below, time_from_json, time_to_json

KeptT = TypeVar("KeptT")
ResultT = TypeVar("ResultT")
ReadRows: TypeAlias = Callable[[Records, Callable[[str], Step | None]], Series]
MOST_AHEAD = 1 << 16  # rows without a target that wait for their time: as many as the longest horizon


class SeriesSteps(ABC, Generic[KeptT, ResultT]):
    """The work of a model for one series: its first rows together, and then row after row.

    Attributes:
        names: of what `record` gives; fields: of what `flat` gives.
    """

    names: tuple[str, ...]
    fields: tuple[str, ...]

    def announces(self, settings: SeriesSettings) -> bool:
        """Return whether a row with an empty target tells of a time to come; else its value is missing."""
        return False

    @abstractmethod
    def begin(self, series: Series) -> tuple[ResultT | None, KeptT]:
        """Read as many rows as the model reads before it says anything."""

    @abstractmethod
    def go_on(self, new: Series, kept: KeptT) -> tuple[ResultT | None, KeptT]:
        """Read rows that follow these."""

    @abstractmethod
    def parts(self, kept: KeptT) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return what is kept as JSON values and tensors."""

    @abstractmethod
    def of_parts(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> KeptT:
        """Return what `parts` gave; any exception for anything else."""

    @abstractmethod
    def record(self, result: ResultT | None) -> dict[str, Any]:
        """Return a result as JSON values."""

    @abstractmethod
    def flat(self, result: ResultT | None) -> list[Any]:
        """Return a result as cells, for `fields`."""


class Announced(NamedTuple):
    """A row that tells covariates of a time to come: its target is empty."""

    time: Any
    row: Record


class Followed(NamedTuple, Generic[KeptT]):
    """One series.

    Attributes:
        time: of the last step that was read; None before the first.
        step: what lies between two times.
        waiting: the rows so far, while they are too few for the model to say anything.
        steps: how many steps these are, with those that are missing among them where gaps are filled.
        ahead: rows of times to come.
        kept: the model's own, once it has read enough.
        passed_over: how many rows were left out since then, which may have been its own: the next may leave a gap.
    """

    time: Any = None
    step: Step | None = None
    waiting: tuple[Record, ...] = ()
    steps: int = 0
    ahead: tuple[Announced, ...] = ()
    kept: KeptT | None = None
    passed_over: int = 0


class SeriesStream(Stream[ResultT], Generic[KeptT, ResultT]):
    """A stream of rows of time series; see `Stream`.

    A row is a mapping of the columns that training had; where these are targets alone, it may be their numbers [K].
    Several series may come in one stream, told apart by their column. The first `history` rows of each have no result.

    Args:
        owner: the model.
        settings: with the names of all columns.
        read: makes a series of rows, with what is known of the steps of series.
        steps: what the model does.
        note: takes sentences for the user.
        announces: whether rows with an empty target tell covariates of times to come.
    """

    def __init__(
        self,
        owner: Owner,
        settings: SeriesSettings,
        read: ReadRows,
        steps: SeriesSteps[KeptT, ResultT],
        *,
        note: Callable[[Sequence[str]], None],
        announces: bool,
    ) -> None:
        super().__init__(owner)
        self._series_of, self._steps, self._announces, self._note = read, steps, announces, note
        self._targets, self._history = settings.target, settings.history
        self._fill_gaps = settings.fill_gaps
        places = (*names_of(settings.time), *(() if settings.series is None else (settings.series,)))
        covariates = (*settings.known, *settings.past, *settings.static)
        self.columns = (*places, *covariates, *settings.target)
        self.read = frozenset((*settings.target, *covariates))
        self.names, self.fields = steps.names, steps.fields
        self._followed: dict[str, Followed[KeptT]] = {}

    # --- rows ------------------------------------------------------------------------------------------------------

    def step(self, row: Any) -> ResultT | None:
        """Read a row, and return what the model says after it; see `Stream.step`."""
        record = self._record(row)
        one = self._series([record])
        before = self._followed.get(one.name) or Followed[KeptT]()
        if self._announces and np.isnan(one.target).all():
            result, after = None, self._told(one, record, before)
        else:
            result, after = self._came(one, record, before)
        self._followed[one.name] = after
        self.rows += 1
        return result

    def pass_over(self) -> None:
        """Tell that a row was left out, which nobody knows the series of; see `Stream.pass_over`."""
        for name, one in self._followed.items():
            self._followed[name] = one._replace(passed_over=one.passed_over + 1)

    def _record(self, row: Any) -> Record:
        """Return a row by the names of its columns, with its place in the stream."""
        record = as_record(row, self.rows + 1)
        if ROW not in record.values:
            return record
        if self.columns != self._targets:
            names = ", ".join(map(repr, self.columns))
            raise InputError(f"{record.origin}: a row is a mapping with {names}, got a {type(row).__name__}")
        values = as_doubles(row, str(record.origin)).reshape(-1)
        if len(values) != len(self._targets):
            raise InputError(
                f"{record.origin}: a row has {len(self._targets)} numbers ({', '.join(self._targets)}), "
                f"got {len(values)}"
            )
        return Record(dict(zip(self._targets, values, strict=True)), record.origin)

    def _series(self, rows: Sequence[Record]) -> Series:
        return self._series_of(RowRecords(rows), self._step_of)

    def _step_of(self, name: str) -> Step | None:
        """Return what rows have told of the step of a series; None leaves it to training."""
        return self._followed[name].step if name in self._followed else None

    def _told(self, one: Series, row: Record, before: Followed[KeptT]) -> Followed[KeptT]:
        """Keep a row of a time to come; it takes the place of one of the same time."""
        time = one.times[0]
        if before.time is not None and time <= before.time:
            raise DataError(
                f"{row.origin}: its target is empty, and {of(one.name)} was read up to "
                f"{shown(before.time, one.zone)} already"
            )
        ahead = [told for told in before.ahead if told.time != time]
        if len(ahead) >= MOST_AHEAD:
            raise DataError(f"{row.origin}: {len(ahead):,} rows with an empty target wait for their time already")
        return before._replace(ahead=tuple(sorted([*ahead, Announced(time, row)], key=lambda told: told.time)))

    def _came(self, one: Series, row: Record, before: Followed[KeptT]) -> tuple[ResultT | None, Followed[KeptT]]:
        """Read a row whose time has come, after those that were told before it and have no value."""
        now = one.times[0]
        if self._is_lost(one, before):
            self._note([f"{of(one.name)} begins anew at {shown(now, one.zone)}, after a gap: rows before are let go"])
            before = Followed(step=before.step, ahead=tuple(told for told in before.ahead if told.time >= now))
        late = [told.row for told in before.ahead if told.time < now]
        ahead = tuple(told for told in before.ahead if told.time > now)
        come = [told.row for told in ahead]
        new = self._series([*late, row, *come]) if late or come else one
        new = new if before.time is None else self._continued(new, before, row)
        last, step = now if late or come else new.times[-1], new.step or before.step
        if before.kept is not None:
            with naming(row), torch.inference_mode():  # nothing learns from what a stream keeps
                result, kept = self._steps.go_on(new, before.kept)
            return result, Followed(last, step, ahead=ahead, kept=kept)
        waiting, count = (*before.waiting, *late, row), before.steps + int(np.searchsorted(new.times, last)) + 1
        if count < self._history:
            return None, Followed(last, step, waiting, count, ahead)
        first = self._series([*waiting, *come])
        with naming(row):
            result, kept = self._steps.begin(first)
        return result, Followed(last, step, ahead=ahead, kept=kept)

    def _is_lost(self, one: Series, before: Followed[KeptT]) -> bool:
        """Say whether rows were left out in a gap that cannot be filled: while rows wait, or a long one."""
        gap = before.passed_over > 0 and gap_before(one, before)
        if not gap or (before.kept is None and not self._fill_gaps):
            return bool(gap)
        step = one.step or before.step
        assert step is not None  # without one there is no gap
        filled = filled_between(before.time, one.times[:1], step, one.zone)
        return filled is None and before.passed_over > 1  # not of the first such row: its time may be wrong

    def _continued(self, new: Series, before: Followed[KeptT], row: Record) -> Series:
        with naming(row):
            found = continued(new, before, fill_gaps=self._fill_gaps or before.passed_over > 0)
        self._note([note for note in found.notes if note not in new.notes])
        return found

    # --- results ---------------------------------------------------------------------------------------------------

    def record(self, result: ResultT | None) -> dict[str, Any]:
        """Return a result as JSON values; see `Stream`."""
        return self._steps.record(result)

    def flat(self, result: ResultT | None) -> list[Any]:
        """Return a result as cells; see `Stream`."""
        return self._steps.flat(result)

    # --- state -----------------------------------------------------------------------------------------------------

    def _parts(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        facts, tensors = [], dict[str, Tensor]()
        for number, (name, one) in enumerate(self._followed.items()):
            known, parts = ({}, {}) if one.kept is None else self._steps.parts(one.kept)
            rows = {"waiting": self._cells(one.waiting), "ahead": self._cells([told.row for told in one.ahead])}
            last = None if one.time is None else time_to_json(one.time, one.step)
            passed = {"passed_over": one.passed_over} if one.passed_over else {}
            facts.append({"name": name, **rows, "last": last, "kept": known or None, **passed})
            tensors |= {f"{number}.{key}": tensor for key, tensor in parts.items()}
        return {"series": facts}, tensors

    def _take(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        each = enumerate(facts["series"])
        self._followed = {str(one["name"]): self._of_parts(one, below(tensors, str(at))) for at, one in each}

    def _of_parts(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Followed[KeptT]:
        waiting, ahead = self._rows(facts["waiting"]), self._rows(facts["ahead"])
        if len(waiting) >= self._history or len(ahead) > MOST_AHEAD:
            raise ValueError("it has more rows than wait")
        time, step = (None, None) if facts["last"] is None else time_from_json(facts["last"])
        count = len(self._series(waiting)) if waiting else 0  # refuses cells that are none
        told = tuple(Announced(self._series([row]).times[0], row) for row in ahead)
        kept = None if facts["kept"] is None else self._steps.of_parts(facts["kept"], tensors)
        return Followed(time, step, waiting, count, told, kept, int(facts.get("passed_over", 0)))

    def _cells(self, rows: Sequence[Record]) -> list[list[Any]]:
        return [[as_cell(row.get(name)) for name in self.columns] for row in rows]

    def _rows(self, cells: Sequence[Sequence[Any]]) -> tuple[Record, ...]:
        origins = (Origin("the state", number) for number in range(1, len(cells) + 1))
        return tuple(
            Record(dict(zip(self.columns, row, strict=True)), origin)
            for row, origin in zip(cells, origins, strict=True)
        )


class StreamedSeries(ABC, Generic[KeptT, ResultT]):
    """The part of an estimator of series that reads on, row by row."""

    targets_: tuple[str, ...]

    @abstractmethod
    def _stream_steps(self) -> SeriesSteps[KeptT, ResultT]:
        """Return what the model does at each row."""

    @abstractmethod
    def _owner(self) -> Owner:
        """Return what tells this model from others."""

    @abstractmethod
    def _reading(self, *, named: bool) -> SeriesSettings:
        """Return the settings with which tables like that of training are read."""

    @abstractmethod
    def _read_table(self, data: Any, like: Callable[[str], Step | None], settings: SeriesSettings) -> list[Series]:
        """Read the series of a table that is like the one of training."""

    @abstractmethod
    def _note(self, notes: Sequence[str]) -> None:
        """Keep sentences for the user, and say them."""

    @abstractmethod
    def _known_step(self, name: str) -> Step | None:
        """Return what training taught of the step of a series."""

    def stream(self, state: Start = None) -> SeriesStream[KeptT, ResultT]:
        """Read rows as they come: `with model.stream() as stream: stream.step(row)`.

        Args:
            state: where another stream stood: its `state`, or a file. The file need not be there yet, and is written
                when the block ends. None begins anew.

        Returns:
            A `Stream`. Its `step` takes a row, a mapping of the columns that training had (numbers [K] where these are
            targets alone), and returns what the model says after it; None for the first rows of a series, only read
            (history). Rows one by one give what they give at once.

        Raises:
            FileFormatError: the file is damaged, or no state of a stream.
            UsageError: it is the state of another model.
        """
        settings = replace(self._reading(named=True), target=self.targets_)

        def read(rows: Records, like: Callable[[str], Step | None]) -> Series:
            (one,) = self._read_table(rows, lambda name: like(name) or self._known_step(name), settings)
            return one

        steps = self._stream_steps()
        made = SeriesStream(self._owner(), settings, read, steps, note=self._note, announces=steps.announces(settings))
        return made.begin(state)
