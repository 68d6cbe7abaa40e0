"""The base of inputs of numbers: the scale on which a network reads them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from loopcell.data import Ragged
from loopcell.data.examples import Scale, scale_of
from loopcell.data.readers import where
from loopcell.tasks.core.inputs.input import FirstLayer, Input
from loopcell.tasks.core.settings import NetworkSettings


class NumericInput(Input):
    """Numbers [T, I]. A network reads them with mean 0 and deviation 1 over all steps of the training part.

    They are scaled before they are put into a batch, in float64: what a network reads is float32.
    """

    @property
    @abstractmethod
    def step_size(self) -> int:
        """I, how many numbers a step has."""

    def sequences(self, X: Sequence[Any]) -> Ragged:
        """All examples on the scale of the training part, float32."""
        return Ragged.of(self._scaled(X, self.each(X)))

    def training_sequences(self, X: Sequence[Any]) -> Ragged:
        """Learn mean and deviation of each of the I numbers, and give the examples on this scale."""
        self.scale = self._learned_scale(self.each(X))
        return self.sequences(X)

    @property
    def known_scale(self) -> Scale:
        """The scale on which a network reads the numbers; before training one that changes nothing."""
        return self._scale_or_none()

    def first_layer(self, settings: NetworkSettings) -> FirstLayer:
        """Nothing more to do for a network: the numbers are on their scale."""
        return Numbers(self.step_size)

    def _learned_scale(self, sequences: Iterable[npt.NDArray[Any]]) -> Scale:
        return scale_of((np.asarray(one, np.float64) for one in sequences), self.step_size)

    def _scaled(self, X: Sequence[Any], sequences: Iterable[npt.NDArray[Any]]) -> Iterator[npt.NDArray[Any]]:
        scale = self._scale_or_none()
        for index, sequence in enumerate(sequences):
            yield scale.read(sequence, where(X, index))

    def _scale_or_none(self) -> Scale:
        """Return the scale; before training one that changes nothing."""
        return self.scale or Scale(np.zeros(self.step_size), np.ones(self.step_size))


class Numbers(FirstLayer):
    """Numbers as they are, already on their scale, and behind them what the cell reads beside x.

    Args:
        input_size: I.
        beside: the names of what the cell reads beside x, and how long each is.
    """

    def __init__(self, input_size: int, beside: Mapping[str, int] | None = None) -> None:
        super().__init__()
        self.output_size, self._beside = input_size, dict(beside or {})

    def forward(self, inputs: Tensor) -> Tensor:
        """Give the first I of [T, B, ...] back."""
        return inputs[..., : self.output_size] if self._beside else inputs

    def beside(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return what the cell reads beside x by name, [T, B, n] each."""
        found, start = {}, self.output_size
        for name, length in self._beside.items():
            found[name], start = inputs[..., start : start + length], start + length
        return found
