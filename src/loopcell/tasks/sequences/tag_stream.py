"""SequenceTagger.stream: the label of each step as soon as it is there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.data import Column, Record
from loopcell.data.examples import as_doubles
from loopcell.data.readers.live_rows import NUMBERED
from loopcell.data.series.numbers import numbers_of
from loopcell.errors import DataError, InputError, UsageError
from loopcell.layers import State
from loopcell.tasks.core.from_files.config import Columns
from loopcell.tasks.core.inputs import ArrayInput, FeatureInput, Input, MixedInput, NumericInput, TextInput
from loopcell.tasks.core.streaming.stream import ROW, Owner, Start, Stream, as_record, demand_state
from loopcell.tasks.sequences.pieces import NAMES
from loopcell.tasks.sequences.targets import StepLabels

NOT_FINITE = "its weights, or the numbers of the input, are too large"
Floats32 = npt.NDArray[np.float32]


class TaggedStep(NamedTuple):
    """The answer of a tagger to a step.

    Attributes:
        label: the most probable one; where a step may have several, a list of those that are more probable than not.
        probabilities: [K], in the order of `classes_`.
    """

    label: Any
    probabilities: Floats32


class StepAnswers(NamedTuple):
    """The answers to steps: the labels [T] in plain values, and the probabilities [T, K]."""

    labels: list[Any]
    probabilities: Floats32


class StepColumns(NamedTuple):
    """The columns of a table whose rows are steps.

    Attributes:
        inputs: what makes a step; none where a row is a token or numbers alone.
        by: tell sequences apart.
    """

    inputs: tuple[str, ...] = ()
    by: tuple[str, ...] = ()


class TagStream(Stream[TaggedStep]):
    """A stream of steps; see `Stream`.

    A row is the numbers [I] of a step, or a token; or a mapping of the columns that training had. With a column that
    tells sequences apart (by), each goes on from its own last row.

    Args:
        owner: the tagger.
        input_: what reads a step.
        columns: of the rows that are mappings.
        answer: gives the answers to steps, and the state after them.
        start: the state at rest.
        classes: the labels [K].
    """

    def __init__(
        self,
        owner: Owner,
        input_: Input,
        columns: StepColumns,
        answer: Callable[[Any, State | None], tuple[StepAnswers, State]],
        start: State,
        classes: npt.NDArray[Any],
    ) -> None:
        super().__init__(owner)
        self._input, self._names, self._answer = input_, columns, answer
        self._start, self._classes = start, classes
        self.columns = (*columns.by, *columns.inputs)
        self.read, self.names = frozenset((ROW, *columns.inputs)), ("label", "probabilities")
        self.fields = ("label", *(f"p_{label}" for label in classes))
        self._states: dict[str, State] = {}

    def step(self, row: Any) -> TaggedStep:
        """Label a step; see `Stream.step`."""
        record = as_record(row, self.rows + 1)
        key = ",".join(str(record.get(name)) for name in self._names.by)
        try:
            answer, after = self._answer(self._one_step(record), self._states.get(key))
        except DataError as error:
            raise error if str(record.origin) in str(error) else DataError(f"{record.origin}: {error}") from error
        if len(answer.probabilities) != 1:
            raise DataError(f"{record.origin}: a row is one step, and this is {len(answer.probabilities)} of them")
        if not np.isfinite(answer.probabilities).all():
            raise InputError(f"{record.origin}: the model gives scores that are not finite: {NOT_FINITE}")
        self._states[key] = after
        self.rows += 1
        return TaggedStep(answer.labels[0], answer.probabilities[0])

    def _one_step(self, record: Record) -> Any:
        """Return a row as a sequence of one step, as the tagger's other methods take it."""
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

    def record(self, result: TaggedStep | None) -> dict[str, Any]:
        """Return the label and the probabilities by label."""
        assert result is not None  # each step has a label
        shares = zip(self._classes, result.probabilities.tolist(), strict=True)
        return {"label": result.label, "probabilities": {str(label): share for label, share in shares}}

    def flat(self, result: TaggedStep | None) -> list[Any]:
        """Return the label and the probabilities as cells."""
        assert result is not None
        return [_cell(result.label), *result.probabilities.tolist()]

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
        """Return a state, with what tells of gaps beside the network's own where numbers may be missing."""
        own = demand_state({name: tensors[name] for name in self._start}, self._start)
        more = {name: tensor for name, tensor in tensors.items() if name not in own}
        if more and (set(more) != set(NAMES.values()) or not isinstance(self._input, ArrayInput)):
            raise ValueError("its tensors are not those of this tagger's state")
        for name, tensor in more.items():
            size = 1 if name == NAMES["time"] else self._input.step_size  # type: ignore[attr-defined]  # an ArrayInput
            if tensor.shape != (1, 1, size) or tensor.dtype != torch.float64:
                raise ValueError("its tensors do not fit each other")
        return State.of({**own, **more})


def below_number(tensors: Mapping[str, Tensor], number: int) -> dict[str, Tensor]:
    """Return the tensors of a sequence by its number."""
    start = f"{number}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}


def _cell(label: Any) -> Any:
    """Return a label, or several, as one cell."""
    return " ".join(map(str, label)) if isinstance(label, list) else label


def step_columns(input_: Input, known: Columns | None) -> StepColumns:
    """Return the columns of a tagger's steps: those of the files or tables of training, or numbered ones.

    Raises:
        UsageError: it has no rows; the sentence says what to do.
    """
    if isinstance(input_, ArrayInput) and input_.gaps.timed:
        raise UsageError(
            "this tagger reads the time from step to step: give its rows to predict_next(steps, state, times=...), "
            "or fit one without times"
        )
    if isinstance(input_, FeatureInput):
        raise UsageError(
            "this tagger makes its steps of whole sounds or images, of which there are no rows: make the features "
            "yourself, fit on their arrays [T, I], and give the stream one row of these after the other"
        )
    own = input_.raw if isinstance(input_, MixedInput) else getattr(input_, "columns", None)
    named = (*known.inputs, *known.static) if known is not None else tuple(own or ())
    if not named and isinstance(input_, NumericInput):
        named = tuple(f"{NUMBERED}{number}" for number in range(1, input_.step_size + 1))
    return StepColumns(named, () if known is None else known.units)


class StreamedTagger(ABC):
    """The part of a tagger that reads on, step by step."""

    input_: Input
    network_: Any
    targets_: StepLabels

    @property
    @abstractmethod
    def columns_(self) -> Columns | None:
        """The columns of the files that the shell trained it on."""

    @property
    @abstractmethod
    def classes_(self) -> npt.NDArray[Any]:
        """The labels [K], sorted."""

    @abstractmethod
    def _owner(self) -> Owner:
        """Return what tells this model from others."""

    @abstractmethod
    def _demand_causal(self) -> None:
        """Refuse a tagger whose labels depend on more than what has come."""

    @abstractmethod
    def _next_scores(self, steps: Any, state: State | None, times: Any = None) -> tuple[Tensor, State]:
        """Return the scores [T, K] of a piece of one sequence, and the state after it."""

    def stream(self, state: Start = None) -> Stream[TaggedStep]:
        """Read steps as they come: `with model.stream() as stream: stream.step(row)`.

        Args:
            state: where another stream stood: its `state`, or a file. The file need not be there yet, and is written
                when the block ends. None begins anew.

        Returns:
            A `Stream`. Its `step` takes the numbers [I] of a step, a token, or a mapping of the columns that training
            had, and returns its label and the probabilities of all labels. Steps one by one have the labels that they
            have at once.

        Raises:
            FileFormatError: the file is damaged, or no state of a stream.
            UsageError: as `predict_next`; or it is the state of another model.
        """
        self._demand_causal()
        columns = step_columns(self.input_, self.columns_)
        network, targets = self.network_, self.targets_

        def answer(steps: Any, before: State | None) -> tuple[StepAnswers, State]:
            scores, after = self._next_scores(steps, before)
            labels = targets.plain(targets.best(scores).cpu().numpy())
            return StepAnswers(labels, targets.probabilities(scores / network.temperature).cpu().numpy()), after

        start = network.reader.recurrent.initial_state(1)
        return TagStream(self._owner(), self.input_, columns, answer, start, self.classes_).begin(state)
