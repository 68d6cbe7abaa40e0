"""Paths of files, such as recordings and pictures, of which a feature makes sequences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy.typing as npt

from loopcell.data import Feature, Ragged, feature_for, feature_from_json, where
from loopcell.errors import DataError, LoopcellError
from loopcell.tasks.inputs.arrays import ScaledNumbers
from loopcell.tasks.inputs.input import FirstLayer, Input
from loopcell.tasks.settings import NetworkSettings


class FileInput(Input):
    """Paths; the feature turns a file into numbers [T, I].

    Args:
        feature: such as `LogMel` or `ImageRows`.
    """

    kind: ClassVar[str] = "file"

    def __init__(self, feature: Feature) -> None:
        self.feature = feature

    @classmethod
    def learn(cls, X: Sequence[Any], settings: NetworkSettings) -> Self:
        """Take the feature of the settings, or the usual one for the first file."""
        return cls(settings.features or feature_for(Path(X[0])))

    def each(self, X: Sequence[Any]) -> Iterator[npt.NDArray[Any]]:
        """Read every file as float32 [T, I]."""
        for index, path in enumerate(X):
            if not isinstance(path, PathLike):
                raise DataError(f"{where(X, index)}: a path was expected, as in the first example")
            try:
                yield self.feature(Path(path))
            except LoopcellError as error:
                raise DataError(f"{where(X, index)}: {error}") from error

    def first_layer(self, settings: NetworkSettings) -> FirstLayer:
        """A scaler."""
        return ScaledNumbers(self.feature.input_size)

    def prepare(self, layer: FirstLayer, sequences: Ragged) -> None:
        """Learn mean and deviation of each of the I numbers over all steps."""
        assert isinstance(layer, ScaledNumbers)
        layer.scaler.fit(sequences)

    def to_json(self) -> dict[str, Any]:
        """The feature."""
        return {"kind": self.kind, "feature": self.feature.to_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; any exception for anything else."""
        return cls(feature_from_json(stored["feature"]))
