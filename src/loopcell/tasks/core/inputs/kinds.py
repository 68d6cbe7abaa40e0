"""Finding the kind of input that X is, and reading a stored one back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np

from loopcell import cells
from loopcell.data.readers import names_sound_or_image, where
from loopcell.errors import DataError, UsageError
from loopcell.tasks.core.inputs.arrays import ArrayInput
from loopcell.tasks.core.inputs.cell_inputs import inputs_asked
from loopcell.tasks.core.inputs.features import FeatureInput
from loopcell.tasks.core.inputs.input import Input
from loopcell.tasks.core.inputs.mixed import MixedInput, is_mixed
from loopcell.tasks.core.inputs.text import TextInput
from loopcell.tasks.core.inputs.tokens import TokenInput
from loopcell.tasks.core.inputs.vectors import VectorInput
from loopcell.tasks.core.inputs.words import WordInput
from loopcell.tasks.core.settings import NetworkSettings

_KINDS: tuple[type[Input], ...] = (TextInput, TokenInput, WordInput, ArrayInput, MixedInput, VectorInput, FeatureInput)
INPUTS = {kind.kind: kind for kind in _KINDS}


def learn_input(X: Sequence[Any], settings: NetworkSettings) -> Input:
    """Return the kind of input that the first example is of, with what the training data teach of it.

    Raises:
        DataError: an example is of another kind than the first, or cannot be read.
        UsageError: the cell reads a mask and times, and X has none.
    """
    kind = FeatureInput if settings.features is not None else _kind_of(X)
    if settings.embedding is not None:
        kind = WordInput
    if kind is not ArrayInput and (asked := inputs_asked(settings.cell)):
        raise UsageError(
            f"cell `{cells.get(settings.cell).name}` reads {' and '.join(asked)} beside x, which sequences of numbers "
            "[T, I] have, and X is of another kind"
        )
    if kind is ArrayInput and is_mixed(X, settings):
        kind = MixedInput
    return kind.learn(X, settings)


def input_from_json(stored: object) -> Input:
    """Read what an input's `to_json` gave; any exception for anything else."""
    if not isinstance(stored, Mapping) or stored.get("kind") not in INPUTS:
        raise ValueError("its input is of no known kind")
    return INPUTS[stored["kind"]].from_json(stored)


def _kind_of(X: Sequence[Any]) -> type[Input]:
    first = X[0]
    if first is None:
        raise DataError(f"{where(X, 0)} is nothing: every example needs a sequence")
    if isinstance(first, str):
        return FeatureInput if names_sound_or_image(first) else TextInput
    if isinstance(first, PathLike):
        return FeatureInput
    # A list of strings may be empty at first; the first one that is not tells.
    step = next((example[0] for example in X if _is_list(example) and len(example)), None)
    return TokenInput if isinstance(step, str) else ArrayInput


def _is_list(example: object) -> bool:
    return isinstance(example, Sequence | np.ndarray) and not isinstance(example, str)
