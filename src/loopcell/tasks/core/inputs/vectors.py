"""Vectors: one step of numbers an example."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy.typing as npt

from loopcell.data.examples import as_doubles
from loopcell.data.readers import where
from loopcell.errors import DataError
from loopcell.tasks.core.inputs.arrays import ArrayInput
from loopcell.tasks.core.settings import NetworkSettings


class VectorInput(ArrayInput):
    """Vectors of numbers [D], all of one length; each is a sequence of one step."""

    kind: ClassVar[str] = "vector"
    missing: ClassVar[bool] = False

    @classmethod
    def learn(cls, X: Sequence[Any], settings: NetworkSettings) -> Self:
        """Look at how many numbers a vector has."""
        return cls(max(1, as_doubles(X[0], where(X, 0)).size))

    def each(self, X: Sequence[Any]) -> Iterator[npt.NDArray[Any]]:
        """Give every vector as float64 [1, D]; NaN and infinity are refused."""
        for index, example in enumerate(X):
            vector = as_doubles(example, where(X, index))
            if vector.shape != (self.input_size,):
                raise DataError(
                    f"{where(X, index)}: a vector of {self.input_size} numbers was expected, as the first example is, "
                    f"not {list(vector.shape)}" + ("" if vector.ndim else "; of a single one, x, give [x]")
                )
            yield self._array(vector[None], where(X, index))
