"""Features: what turns a sound or an image into a sequence `[T, I]`. A model keeps its features as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from loopcell.data.features.pictures import ImagePixels, ImageRows
from loopcell.data.features.sounds import LogMel, Mfcc, RawAudio
from loopcell.errors import FileFormatError, UsageError

Floats = npt.NDArray[np.float32]


class Features(Protocol):
    """Turns one example into a sequence."""

    kind: ClassVar[str]

    @property
    def input_size(self) -> int:
        """I."""

    def __call__(self, example: Any, name: str = "the example") -> Floats:
        """Give float32 `[T, I]`; DataError, with the file or `name`, when the example cannot be used."""


FEATURES: dict[str, type[RawAudio | LogMel | ImageRows]] = {
    kind.kind: kind for kind in (RawAudio, LogMel, Mfcc, ImageRows, ImagePixels)
}


def features_to_json(features: RawAudio | LogMel | ImageRows) -> dict[str, object]:
    """Return everything that the features are, as plain JSON values."""
    return {"kind": features.kind, **asdict(features)}


def features_from_json(data: object) -> RawAudio | LogMel | ImageRows:
    """Read what `features_to_json` gave, trusting nothing in it; FileFormatError for anything else."""
    if not isinstance(data, Mapping) or str(data.get("kind")) not in FEATURES:
        raise FileFormatError("the stored features are of no known kind")
    kind = FEATURES[str(data["kind"])]
    given = {str(name): value for name, value in data.items() if name != "kind"}
    expected = {field.name: _TYPES[str(field.type)] for field in fields(kind)}
    if "mel_scale" in expected:
        given.setdefault("mel_scale", "htk")  # a file from before there was another one
    if given.keys() != expected.keys() or any(type(given[name]) not in expected[name] for name in given):
        raise FileFormatError(f"the stored {kind.kind} features are not the settings {', '.join(expected)}")
    try:
        return kind(**given)
    except (UsageError, ValueError, OverflowError) as error:
        raise FileFormatError(f"the stored {kind.kind} features are not valid: {error}") from error


_TYPES: dict[str, tuple[type, ...]] = {"int": (int,), "float": (int, float), "bool": (bool,), "str": (str,)}
