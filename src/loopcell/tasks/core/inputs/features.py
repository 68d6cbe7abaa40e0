"""Sounds and images: paths of files or arrays, of which features make sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from loopcell.data import ImageRows, LogMel, Ragged
from loopcell.data.examples import Scale
from loopcell.data.features import Features, audio_rate, features_from_json, features_to_json, image_size
from loopcell.data.readers import kind_of, where
from loopcell.errors import DataError
from loopcell.tasks.core.inputs.numbers import NumericInput
from loopcell.tasks.core.settings import NetworkSettings


class FeatureInput(NumericInput):
    """Paths of sounds or images, or arrays of samples or pixels.

    Args:
        features: what turns one into numbers [T, I], such as `loopcell.data.LogMel` or `ImageRows`.
    """

    kind: ClassVar[str] = "features"

    def __init__(self, features: Features) -> None:
        self.features = features

    @classmethod
    def learn(cls, X: Sequence[Any], settings: NetworkSettings) -> Self:
        """Take the features of the settings, or the usual ones for the first file."""
        return cls(settings.features or usual_features(X[0]))

    def each(self, X: Sequence[Any]) -> Iterator[npt.NDArray[Any]]:
        """Give every example's features, float32 [T, I]."""
        for index, example in enumerate(X):
            if example is None:
                raise DataError(f"{where(X, index)} is nothing: every example needs a file or an array")
            yield self.features(example, where(X, index))

    @property
    def step_size(self) -> int:
        """I, of the features."""
        return self.features.input_size

    def training_sequences(self, X: Sequence[Any]) -> Ragged:
        """Learn the scale, of features that are made once: files take long to read."""
        raw = Ragged.of(self.each(X))
        self.scale = self._learned_scale(raw)
        return Ragged.of(self._scaled(X, raw))

    def _learned_scale(self, sequences: Iterable[npt.NDArray[Any]]) -> Scale:
        if isinstance(self.features, ImageRows):  # pixels lie between 0 and 1 and stay there
            return Scale(np.zeros(self.step_size), np.ones(self.step_size))
        return super()._learned_scale(sequences)

    def to_json(self) -> dict[str, Any]:
        """Return the features."""
        return {"kind": self.kind, "features": features_to_json(self.features)}  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Read what `to_json` gave; FileFormatError for anything else."""
        return cls(features_from_json(stored["features"]))


def usual_features(example: str | PathLike[str]) -> Features:
    """Return the features that suit a file when nobody asks for others: log-mel bands of a sound, the rows of an image.

    Raises:
        DataError: it is neither a sound nor an image, or cannot be read.
    """
    path = Path(example)
    kind = kind_of(path).name
    if kind == "audio":
        return LogMel(audio_rate(path))
    if kind == "image":
        return ImageRows(*image_size(path))
    raise DataError(f"{path} is neither a sound nor an image; read it with loopcell.data.read, and give what is in it")
