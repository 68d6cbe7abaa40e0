"""The base of every kind of input: X to sequences, and the first layer that reads their steps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from loopcell.data import Ragged
from loopcell.data.examples import Scale
from loopcell.tasks.core.settings import NetworkSettings


class FirstLayer(nn.Module):
    """A module from token ids [T, B] or numbers [T, B, I] to vectors [T, B, E].

    Attributes:
        output_size: E.
    """

    output_size: int

    def beside(self, inputs: Tensor) -> dict[str, Tensor]:
        """Return what the cell reads beside x by name, [T, B, n] each; nothing where steps are no numbers."""
        return {}


class Input(ABC):
    """One kind of input, with what was learned of it from the training data: a vocabulary, or how long a vector is.

    Attributes:
        kind: its name in a model file.
    """

    kind: ClassVar[str]
    scale: Scale | None = None
    """Of the numbers of a step, learned from the training part; None for tokens, and before training."""
    notes: tuple[str, ...] = ()
    """Sentences about the examples that `sequences` or `training_sequences` gave last, for the user to see."""
    separator: ClassVar[str] = " "
    """What stands between the texts of two steps."""

    @classmethod
    @abstractmethod
    def learn(cls, X: Sequence[Any], settings: NetworkSettings) -> Self:
        """Look at the training data.

        Raises:
            DataError: an example cannot be read; the sentence says which.
        """

    @abstractmethod
    def each(self, X: Sequence[Any]) -> Iterator[npt.NDArray[Any]]:
        """Give every example as token ids [T] or numbers [T, I] in the user's units, in order; errors as `learn`."""

    @abstractmethod
    def first_layer(self, settings: NetworkSettings) -> FirstLayer:
        """Make the layer that reads a step."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return what was learned, as plain JSON values with the kind."""

    @classmethod
    @abstractmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; any exception for anything else."""

    def sequences(self, X: Sequence[Any]) -> Ragged:
        """All examples as the network reads them: in memory, or in mapped files where they are too many.

        Errors as `learn`.
        """
        return Ragged.of(self.each(X))

    def training_sequences(self, X: Sequence[Any]) -> Ragged:
        """Return the same of the training part, after learning of it what `learn` left: the scale of numbers."""
        return self.sequences(X)

    def prepare(self, layer: FirstLayer) -> None:
        """Put what was learned of the training data into the first layer, such as ready vectors of words."""
        return  # nothing, for most

    def step_labels(self, sequence: npt.NDArray[Any]) -> list[str]:
        """Return what stands at each step, in words: its number, where the input has none.

        Args:
            sequence: as the network reads it, token ids [T] or numbers [T, I].
        """
        return [str(step) for step in range(len(sequence))]

    def step_texts(self, sequence: npt.NDArray[Any]) -> list[str]:
        """Return the text of each step, which with `separator` between them are the text of the sequence."""
        return self.step_labels(sequence)

    def unknown_steps(self, sequence: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return where a sequence has a token that was never seen in training, [T]."""
        return np.zeros(len(sequence), np.bool_)

    def unknown(self, X: Sequence[Any]) -> int:
        """Return how many tokens of X were never seen in training; 0 where there are no tokens."""
        return 0


def count(ids: npt.NDArray[np.integer[Any]], token: int) -> int:
    """Return how often a token occurs."""
    return int((ids == token).sum())
