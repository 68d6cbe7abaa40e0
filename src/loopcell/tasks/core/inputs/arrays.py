"""Arrays of numbers, [T, I] with T of each its own; or tables, a row a step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import numpy.typing as npt

from loopcell.data import Ragged
from loopcell.data.examples import (
    Scale,
    SequenceData,
    as_doubles,
    as_sequence,
    column_names,
    columns_by_name,
    is_table,
    moments_of,
)
from loopcell.data.examples.missing_values import NONE_NAMED, MissingValues
from loopcell.data.readers import where
from loopcell.errors import DataError, quoted
from loopcell.tasks.core.inputs.cell_inputs import inputs_asked
from loopcell.tasks.core.inputs.gaps import Gaps, Holes, LastSeen
from loopcell.tasks.core.inputs.input import FirstLayer
from loopcell.tasks.core.inputs.numbers import Numbers, NumericInput
from loopcell.tasks.core.settings import NetworkSettings

MOST_NUMBERS = 2**20  # of a step
ONE = "X is a list of sequences: of a single one, x, give [x]"


class ArrayInput(NumericInput):
    """Arrays [T, I] of numbers; [T] is a sequence of single numbers. Or tables, whose columns go by their names.

    Missing values are NaN. Beside the sequences there may be the times of their steps (`SequenceData`).

    Args:
        input_size: I, how many numbers a step has.
        columns: the names of the I columns, where training had tables or long ones; None where it had arrays.
        axes: of a sequence of training: 2, or 1 where it was [T]; None where that is not known.
        steps: T, where a sequence is a row [T * I]; None where it is not.

    Attributes:
        gaps: what the network reads of missing values and of times.
        named_missing: numbers that stand for missing values.
        mask_inputs: whether it is told of gaps; None where training has some.
    """

    kind: ClassVar[str] = "array"
    missing: ClassVar[bool] = True
    """Whether NaN is let through."""

    def __init__(
        self,
        input_size: int,
        columns: Sequence[str] | None = None,
        axes: int | None = None,
        steps: int | None = None,
    ) -> None:
        self.input_size, self.columns, self.axes = input_size, None if columns is None else list(columns), axes
        self.steps, self.gaps = steps, Gaps(input_size)
        self.named_missing = NONE_NAMED
        self.mask_inputs: bool | None = None

    @classmethod
    def learn(cls, X: Sequence[Any], settings: NetworkSettings) -> Self:
        """Look at how many numbers a step has, and at the names of columns."""
        first = next((at for at, one in enumerate(X) if is_table(one) or as_doubles(one, where(X, at)).size), None)
        if first is None:
            raise DataError("every sequence is empty: there is nothing to learn from")
        if is_table(X[first]):
            columns = column_names(X[first], where(X, first))
            _demand_same_columns(X, first, set(columns))
            return settled(cls(len(columns), columns), settings)
        steps = getattr(settings, "steps", None)
        array = _in_steps(as_doubles(X[first], where(X, first)), where(X, first), steps)
        _demand_steps(array, where(X, first))
        width = as_sequence(array, where(X, first), missing=cls.missing).shape[1]
        names = tuple(getattr(X, "step_names", ()))  # those of a long table; where a row is a sequence, they are steps
        return settled(cls(width, names if len(names) == width else None, array.ndim, steps), settings)

    @property
    def names(self) -> list[str]:
        """The names of the I columns; x0, x1, ... where they have none."""
        return self.columns or [f"x{column}" for column in range(self.input_size)]

    @property
    def step_size(self) -> int:
        """I."""
        return self.input_size

    def each(self, X: Sequence[Any]) -> Iterator[npt.NDArray[Any]]:
        """Give every example as float64 [T, I], NaN where a value is missing; infinity is refused."""
        self._demand_several(X)
        for index, example in enumerate(X):
            yield self._array(example, where(X, index))

    def training_sequences(self, X: Sequence[Any]) -> Ragged:
        """Learn the scale of what is there, where values are missing and how far apart steps are, and give examples.

        Raises:
            DataError: there is no value at all.
        """
        moments = moments_of((np.asarray(one, np.float64) for one in self.each(X)), self.step_size)
        if moments.rows and not moments.counts.any():
            raise DataError("there is no value in X, every one is missing: there is nothing to learn from")
        self.scale, self.gaps = self._scale_of(moments.scale()), self._learned_gaps(X, moments.counts < moments.rows)
        found = super().sequences(X)
        self.notes = self._holes.of_training(self.gaps, self.names)
        return found

    def sequences(self, X: Sequence[Any]) -> Ragged:
        """All examples as the network reads them, float32 [T, `gaps.size`]."""
        found = super().sequences(X)
        self.notes = self._holes.of_others(self.gaps, self.names)
        return found

    def piece(
        self, steps: Any, name: str, times: Any = None, before: LastSeen | None = None
    ) -> tuple[npt.NDArray[np.float32], LastSeen | None]:
        """Return the next steps of a stream as the network reads them, and what the piece after them goes on from.

        Args:
            steps: a piece of one sequence, [T, I].
            name: what an error calls it.
            times: of the steps, [T], where training had times.
            before: what the piece before left; None at the beginning.

        Raises:
            DataError: the piece or its times cannot be used.
            UsageError: gaps are to be filled by values that have not come.
        """
        data = SequenceData([steps], times=None if times is None else [times])
        (array,) = self.each(data)
        scaled = self._scale_or_none().read(array, name)
        self.gaps.demand_no_look_ahead(scaled)
        now = self.times_of(data, 0, len(array))
        if before is not None and now is not None and len(now) and now[0] < before.time[0]:
            raise DataError(
                f"{name} go back in time: the step before was at {before.time[0]:g}, and this at {now[0]:g}"
            )
        return self.gaps.encode(scaled, now, before)

    def _learned_gaps(self, X: Sequence[Any], holes: npt.NDArray[np.bool_]) -> Gaps:
        usual = holes & ~self.gaps.told  # a cell that reads the mask itself is not told twice
        told = usual if self.mask_inputs is None else np.full(self.input_size, self.mask_inputs)
        unit = _mean_interval(X) if getattr(X, "timed", False) else None
        masked = tuple(int(column) for column in np.flatnonzero(told))
        return replace(self.gaps, masked=masked, timed=unit is not None, unit=unit or 1.0)

    def _scale_of(self, learned: Scale) -> Scale:
        """Return the scale on which steps are read, given that of the training part."""
        return learned

    def times_of(self, X: Sequence[Any], index: int, steps: int) -> npt.NDArray[np.float64] | None:
        """Return the times of the steps of an example, [T]; None where training had none.

        Raises:
            DataError: there are times, and training had none; or the other way round.
        """
        given = getattr(X, "timed", False)
        if given and not self.gaps.timed:
            raise DataError("X comes with times, and training had none: every step counts as one; leave out times=")
        if self.gaps.timed and not given:
            raise DataError("training had the times of steps: give them here too, times=[...], [T] for each sequence")
        return X.times_of(index, steps) if given else None  # type: ignore[attr-defined]

    def _scaled(self, X: Sequence[Any], sequences: Iterable[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
        self._holes = Holes(self.input_size)
        for index, scaled in enumerate(super()._scaled(X, sequences)):
            self._holes.add(scaled)
            yield self.gaps.encode(scaled, self.times_of(X, index, len(scaled)))[0]

    def first_layer(self, settings: NetworkSettings) -> FirstLayer:
        """Nothing more to do for a network: the numbers are on their scale."""
        return Numbers(self.gaps.width, {name: self.gaps.width if long else 1 for name, long in self.gaps.asked})

    def _demand_several(self, X: Sequence[Any]) -> None:
        """Refuse one sequence [T, 1], which looks like T sequences of one step, after training on sequences [T, 1]."""
        shape: tuple[int, ...] = getattr(getattr(X, "values", X), "shape", ())
        if self.input_size == 1 and self.axes == 2 and len(shape) == 2 and shape[1] == 1:
            raise DataError(
                f"X is an array {list(shape)}, and training had sequences [T, 1]: of one sequence give [x], and of "
                "sequences of one step an array [N, 1, 1]"
            )

    def _array(self, example: Any, name: str) -> npt.NDArray[Any]:
        if example is None or isinstance(example, str):
            found = "nothing" if example is None else "a text"
            raise DataError(f"{name}: an array of numbers was expected, as in the first example, not {found}")
        if is_table(example) and self.columns is not None:
            array = self._of_columns(columns_by_name(example, name, self.columns), name)
        elif self.columns is not None and _has_objects(example, len(self.columns)):  # of a long table with words
            array = self._of_columns(zip(self.columns, np.asarray(example).T, strict=True), name)
        else:
            array = _in_steps(as_doubles(example, name), name, self.steps)
        _demand_steps(array, name)
        if not array.size:  # an empty list does not know its I
            return np.zeros((0, self.input_size))
        array = self.named_missing.as_nan(as_sequence(array, name, missing=self.missing))
        if array.shape[1] != self.input_size:
            hint = f"; {ONE}" if array.shape == (self.input_size, 1) else ""  # the step of one sequence, as a sequence
            raise DataError(
                f"{name} has {array.shape[1]} numbers a step, and the first example had {self.input_size}{hint}"
            )
        return array

    def _of_columns(self, columns: Iterable[tuple[str, Any]], name: str) -> npt.NDArray[np.float64]:
        """Return columns in the order of training side by side, [T, I]; an error names the column."""
        return np.stack([as_doubles(column, f"{name}, column {label!r},") for label, column in columns], axis=1)

    def to_json(self) -> dict[str, Any]:
        """Return how many numbers a step has, the names of their columns, and what is known of gaps."""
        fill = None if self.gaps.fill == "mask" else self.gaps.fill
        named = list(self.named_missing.numbers) or None
        more = {"columns": self.columns, "axes": self.axes, "steps": self.steps, "fill": fill, "missing": named}
        known = {name: value for name, value in more.items() if value is not None}
        return {"kind": self.kind, "input_size": self.input_size, **known, **self.gaps.to_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; ValueError for anything else."""
        size, columns, axes = stored["input_size"], stored.get("columns"), stored.get("axes")
        if not isinstance(size, int) or not 0 < size <= MOST_NUMBERS:
            raise ValueError(f"its input_size is {size!r}")
        if columns is not None:
            named = isinstance(columns, list) and all(isinstance(name, str) for name in columns)
            if not named or len(set(columns)) != size or len(columns) != size:
                raise ValueError("its columns are not a name for each number of a step")
        if axes not in (None, 1, 2):
            raise ValueError(f"its sequences have {axes!r} axes")
        steps = stored.get("steps")
        if steps is not None and not (type(steps) is int and steps > 0):
            raise ValueError(f"its sequences have {quoted(steps)} steps")
        found = cls(size, columns, axes, steps)
        found.gaps = Gaps.from_json(stored, size, stored.get("fill", "mask"))
        found.named_missing = MissingValues.of([float(number) for number in stored.get("missing", [])])
        return found


_ArrayInputT = TypeVar("_ArrayInputT", bound=ArrayInput)


def settled(reads: _ArrayInputT, settings: Any) -> _ArrayInputT:
    """Take over what the settings say of missing values, of a task that has such settings."""
    asked = tuple(inputs_asked(settings.cell).items())
    reads.gaps = Gaps(reads.input_size, getattr(settings, "fill", "mask"), asked=asked)
    reads.mask_inputs = getattr(settings, "mask_inputs", None)
    reads.named_missing = MissingValues.of(getattr(settings, "missing", ()))
    return reads


def _has_objects(example: Any, columns: int) -> bool:
    return isinstance(example, np.ndarray) and example.dtype.kind == "O" and example.shape[1:] == (columns,)


def _in_steps(array: npt.NDArray[np.float64], name: str, steps: int | None) -> npt.NDArray[np.float64]:
    """Return a row [T * I], the I numbers of the first step first, as [T, I]; anything as it is without `steps`."""
    if steps is None or not array.size:
        return array
    if array.ndim != 1:
        raise DataError(f"{name} has the shape {list(array.shape)}, and steps={steps} is for rows [T * I]")
    if len(array) % steps:
        raise DataError(f"{name} has {len(array)} numbers, which are not {steps} steps of equally many")
    return array.reshape(steps, -1)


def _mean_interval(X: Any) -> float:
    """Return the mean time between two steps, over all sequences; 1 where no time passes."""
    passed, count = 0.0, 0
    for index, example in enumerate(X):
        times = X.times_of(index, len(example))
        passed, count = passed + float(times[-1] - times[0] if len(times) else 0), count + max(0, len(times) - 1)
    return passed / count if passed > 0 else 1.0


def _demand_steps(array: npt.NDArray[np.float64], name: str) -> None:
    if not array.ndim:
        raise DataError(
            f"{name} is a single number, and a sequence [T, I] was expected; {ONE}. Reshape your data where it is an "
            "array: x.reshape(1, -1)"
        )


def _demand_same_columns(X: Sequence[Any], first: int, columns: set[str]) -> None:
    """Refuse tables with columns that the first one has not: they would be left out without a word."""
    for index, table in enumerate(X):
        more = sorted(set(column_names(table, where(X, index))) - columns) if is_table(table) else []
        if more:
            raise DataError(f"{where(X, index)} has a column {more[0]!r}, and {where(X, first)} has none of that name")
