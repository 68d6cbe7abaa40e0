"""StepStream: the answer of a tagger, a classifier or a regressor after each step, as soon as it is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from loopcell.data import Column, Record
from loopcell.data.examples import as_doubles
from loopcell.data.readers.live_rows import NUMBERED
from loopcell.data.series.numbers import numbers_of
from loopcell.errors import DataError, InputError, UsageError
from loopcell.layers import State
from loopcell.layers.streaming.base import Owner, demand_state
from loopcell.tasks.core.from_files.config import Columns
from loopcell.tasks.core.inputs import ArrayInput, FeatureInput, Input, MixedInput, NumericInput, TextInput
from loopcell.tasks.core.streaming.stream import ROW, Stream, as_record
from loopcell.tasks.sequences.pieces import NAMES
from loopcell.tasks.sequences.running import RunningAnswers

NOT_FINITE = "its weights, or the numbers of the input, are too large"
ResultT = TypeVar("ResultT")


class StepColumns(NamedTuple):
    """The columns of a table whose rows are steps.

    Attributes:
        inputs: what makes a step; none where a row is a token or numbers alone.
        by: tell sequences apart.
    """

    inputs: tuple[str, ...] = ()
    by: tuple[str, ...] = ()


class StepStream(Stream[ResultT]):
    """A stream of steps; see `Stream`.

    A row is the numbers [I] of a step, or a token; or a mapping of the columns that training had. With a column that
    tells sequences apart (by), each goes on from its own last row.

    Args:
        owner: the model.
        input_: what reads a step.
        columns: of the rows that are mappings.
        go_on: gives the answers to steps, and the state after them.
        start: the state at rest.
        answers: say what an answer is.
    """

    def __init__(
        self,
        owner: Owner,
        input_: Input,
        columns: StepColumns,
        go_on: Callable[[Any, State | None], tuple[list[ResultT], State]],
        start: State,
        answers: RunningAnswers[ResultT],
    ) -> None:
        super().__init__(owner)
        self._input, self._names, self._go_on = input_, columns, go_on
        self._start, self._answers = start, answers
        self.columns = (*columns.by, *columns.inputs)
        self.read, self.names, self.fields = frozenset((ROW, *columns.inputs)), answers.names, answers.fields
        self._states: dict[str, State] = {}

    def step(self, row: Any) -> ResultT:
        """Answer a step; see `Stream.step`."""
        record = as_record(row, self.rows + 1)
        if self._names.by and ROW in record.values:
            told = ", ".join(map(repr, self._names.by))
            raise DataError(
                f"{record.origin}: sequences are told apart by {told}, so a row has its columns by name: "
                f"stream.step({{{', '.join(f'{name!r}: ...' for name in self.columns)}}})"
            )
        key = ",".join(str(record.get(name)) for name in self._names.by)
        try:
            found, after = self._go_on(self._one_step(record), self._states.get(key))
        except DataError as error:
            raise error if str(record.origin) in str(error) else DataError(f"{record.origin}: {error}") from error
        if len(found) != 1:
            raise DataError(f"{record.origin}: a row is one step, and this is {len(found)} of them")
        if not np.isfinite(self._answers.numbers(found[0])).all():
            raise InputError(f"{record.origin}: the model gives scores that are not finite: {NOT_FINITE}")
        self._states[key] = after
        self.rows += 1
        return found[0]

    def _one_step(self, record: Record) -> Any:
        """Return a row as a sequence of one step, as the model's other methods take it."""
        given = record.values.get(ROW)
        if given is None and not self._names.inputs:
            raise DataError(f"{record.origin}: a row is a token, not columns with names")
        if not isinstance(self._input, NumericInput):
            token = given if given is not None else record.get(self._names.inputs[0])
            return token if isinstance(self._input, TextInput) else [token]
        if given is not None:
            return as_doubles(given, str(record.origin)).reshape(1, -1)
        if isinstance(self._input, MixedInput):
            return self._input.row({name: record.get(name) for name in self._names.inputs}, record.origin)
        cells = (Column([record.get(name)], [record.origin], name) for name in self._names.inputs)
        return np.stack([numbers_of(cell.name, cell, missing=True) for cell in cells], axis=1)

    # --- results ---------------------------------------------------------------------------------------------------

    def record(self, result: ResultT | None) -> dict[str, Any]:
        """Return an answer as JSON values; see `Stream`."""
        assert result is not None  # each step has one
        return self._answers.record(result)

    def flat(self, result: ResultT | None) -> list[Any]:
        """Return an answer as cells; see `Stream`."""
        assert result is not None
        return self._answers.flat(result)

    # --- state -----------------------------------------------------------------------------------------------------

    def _parts(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        tensors = {
            f"{number}.{name}": tensor.contiguous().cpu()
            for number, state in enumerate(self._states.values())
            for name, tensor in state.items()
        }
        return {"sequences": list(self._states)}, tensors

    def _take(self, facts: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        names = facts["sequences"]
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise TypeError("its sequences have no names")
        own = (below_number(tensors, number) for number in range(len(names)))
        self._states = {name: self._state(one) for name, one in zip(names, own, strict=True)}

    def _state(self, tensors: Mapping[str, Tensor]) -> State:
        """Return a state, with what tells of gaps beside the model's own where numbers may be missing."""
        own = demand_state({name: tensors[name] for name in self._start}, self._start)
        more = {name: tensor for name, tensor in tensors.items() if name not in own}
        if more and (set(more) != set(NAMES.values()) or not isinstance(self._input, ArrayInput)):
            raise ValueError("its tensors are not those of this model's state")
        for name, tensor in more.items():
            size = 1 if name == NAMES["time"] else self._input.step_size  # type: ignore[attr-defined]  # an ArrayInput
            if tensor.shape != (1, 1, size) or tensor.dtype != torch.float64:
                raise ValueError("its tensors do not fit each other")
        return State.of({**own, **more})


def below_number(tensors: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """Return the tensors of a sequence by its number."""
    start = f"{number}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def step_columns(input_: Input, known: Columns | None, name: str) -> StepColumns:
    """Return the columns of a model's steps: those of the files or tables of training, or numbered ones.

    Args:
        input_: how X becomes sequences.
        known: the columns of the files that the shell trained it on.
        name: of the model, for a sentence.

    Raises:
        UsageError: it has no rows; the sentence says what to do.
    """
    if isinstance(input_, ArrayInput) and input_.gaps.timed:
        raise UsageError(
            f"this {name} reads the time from step to step: give its rows to predict_next(steps, state, times=...), "
            "or fit one without times"
        )
    if isinstance(input_, FeatureInput):
        raise UsageError(
            f"this {name} makes its steps of whole images, of which there are no rows: make the features "
            "yourself, fit on their arrays [T, I], and give the stream one row of these after the other"
        )
    own = input_.raw if isinstance(input_, MixedInput) else getattr(input_, "columns", None)
    named = (*known.inputs, *known.static) if known is not None else tuple(own or ())
    if not named and isinstance(input_, NumericInput):
        named = tuple(f"{NUMBERED}{number}" for number in range(1, input_.step_size + 1))
    return StepColumns(named, () if known is None else known.units)
