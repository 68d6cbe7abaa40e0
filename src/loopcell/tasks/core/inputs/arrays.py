"""Arrays of numbers, [T, I] with T of each its own; or tables, a row a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from loopcell.data.examples import as_doubles, as_sequence, column_names, columns_by_name, is_table
from loopcell.data.readers import where
from loopcell.errors import DataError
from loopcell.tasks.core.inputs.numbers import NumericInput
from loopcell.tasks.core.settings import NetworkSettings

MOST_NUMBERS = 2**20  # of a step
ONE = "X is a list of sequences: of a single one, x, give [x]"


class ArrayInput(NumericInput):
    """Arrays [T, I] of numbers; [T] is a sequence of single numbers. Or tables, whose columns go by their names.

    Args:
        input_size: I, how many numbers a step has.
        columns: the names of the I columns, where training had tables; None where it had arrays.
        axes: of a sequence of training: 2, or 1 where it was [T]; None where that is not known.
    """

    kind: ClassVar[str] = "array"

    def __init__(self, input_size: int, columns: Sequence[str] | None = None, axes: int | None = None) -> None:
        self.input_size, self.columns, self.axes = input_size, None if columns is None else list(columns), axes

    @classmethod
    def learn(cls, X: Sequence[Any], settings: NetworkSettings) -> Self:
        """Look at how many numbers a step has, and at the names of columns."""
        first = next((at for at, one in enumerate(X) if is_table(one) or as_doubles(one, where(X, at)).size), None)
        if first is None:
            raise DataError("every sequence is empty: there is nothing to learn from")
        if is_table(X[first]):
            columns = column_names(X[first], where(X, first))
            _demand_same_columns(X, first, set(columns))
            return cls(len(columns), columns)
        array = as_doubles(X[first], where(X, first))
        _demand_steps(array, where(X, first))
        return cls(as_sequence(array, where(X, first)).shape[1], axes=array.ndim)

    @property
    def step_size(self) -> int:
        """I."""
        return self.input_size

    def each(self, X: Sequence[Any]) -> Iterator[npt.NDArray[Any]]:
        """Give every example as float64 [T, I]; NaN and infinity are refused."""
        self._demand_several(X)
        for index, example in enumerate(X):
            yield self._array(example, where(X, index))

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
            array = self._by_name(example, name)
        else:
            array = as_doubles(example, name)
        _demand_steps(array, name)
        if not array.size:  # an empty list does not know its I
            return np.zeros((0, self.input_size))
        array = as_sequence(array, name)
        if array.shape[1] != self.input_size:
            hint = f"; {ONE}" if array.shape == (self.input_size, 1) else ""  # the step of one sequence, as a sequence
            raise DataError(
                f"{name} has {array.shape[1]} numbers a step, and the first example had {self.input_size}{hint}"
            )
        return array

    def _by_name(self, table: Any, name: str) -> npt.NDArray[np.float64]:
        """Return the columns of training, in its order, [T, I]."""
        columns = columns_by_name(table, name, self.columns)
        return np.stack([as_doubles(column, f"{name}, column {label!r},") for label, column in columns], axis=1)

    def to_json(self) -> dict[str, Any]:
        """Return how many numbers a step has, and the names of their columns."""
        more = {"columns": self.columns, "axes": self.axes}
        known = {name: value for name, value in more.items() if value is not None}
        return {"kind": self.kind, "input_size": self.input_size, **known}

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
        return cls(size, columns, axes)


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
