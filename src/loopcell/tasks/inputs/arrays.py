"""Arrays of numbers, [T, I] with T of each its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from torch import Tensor

from loopcell.data import Ragged, Standardiser, as_sequence, where
from loopcell.errors import DataError
from loopcell.tasks.inputs.input import FirstLayer, Input
from loopcell.tasks.settings import NetworkSettings


class ArrayInput(Input):
    """Arrays [T, I] of numbers; [T] is a sequence of single numbers.

    Args:
        input_size: I, how many numbers a step has.
    """

    kind: ClassVar[str] = "array"

    def __init__(self, input_size: int) -> None:
        self.input_size = input_size

    @classmethod
    def learn(cls, X: Sequence[Any], settings: NetworkSettings) -> Self:
        """Look at how many numbers a step has."""
        first = next((index for index, example in enumerate(X) if np.size(example)), None)
        if first is None:
            raise DataError("every sequence is empty: there is nothing to learn from")
        return cls(as_sequence(X[first], where(X, first)).shape[1])

    def each(self, X: Sequence[Any]) -> Iterator[npt.NDArray[Any]]:
        """Give every example as float32 [T, I]; NaN and infinity are refused."""
        for index, example in enumerate(X):
            yield self._array(example, where(X, index))

    def _array(self, example: Any, name: str) -> npt.NDArray[Any]:
        if example is None or isinstance(example, str):
            found = "nothing" if example is None else "a text"
            raise DataError(f"{name}: an array of numbers was expected, as in the first example, not {found}")
        if not np.size(example):  # an empty list does not know its I
            return np.zeros((0, self.input_size), dtype=np.float32)
        array = as_sequence(example, name)
        if array.shape[1] != self.input_size:
            raise DataError(f"{name} has {array.shape[1]} numbers a step, and the first example had {self.input_size}")
        return array

    def first_layer(self, settings: NetworkSettings) -> FirstLayer:
        """A scaler."""
        return ScaledNumbers(self.input_size)

    def prepare(self, layer: FirstLayer, sequences: Ragged) -> None:
        """Learn mean and deviation of each of the I numbers over all steps of the training data."""
        assert isinstance(layer, ScaledNumbers)
        layer.scaler.fit(sequences)

    def to_json(self) -> dict[str, Any]:
        """How many numbers a step has."""
        return {"kind": self.kind, "input_size": self.input_size}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; ValueError for anything else."""
        size = stored["input_size"]
        if not isinstance(size, int) or not 0 < size <= 2**20:
            raise ValueError(f"its input_size is {size!r}")
        return cls(size)


class ScaledNumbers(FirstLayer):
    """Numbers with mean 0 and deviation 1 over the training data; the scaler is a part of the model.

    Args:
        input_size: I.
    """

    def __init__(self, input_size: int) -> None:
        super().__init__()
        self.scaler = Standardiser(input_size)
        self.output_size = input_size

    def forward(self, inputs: Tensor) -> Tensor:
        """Scale [T, B, I]."""
        scaled: Tensor = self.scaler(inputs)
        return scaled
