"""Examples as arrays `[T, I]`, checked once at the boundary, with the file and row of the one that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.examples.arrays import Doubles, as_doubles, as_number, at, number_of_text
from loopcell.data.readers.records import where
from loopcell.errors import DataError, quoted

LARGEST = np.float64(1e300)  # so that a difference of two numbers is one too


def as_sequences(
    examples: Sequence[Any], *, input_size: int | None = None, min_steps: int = 1, missing: bool = False
) -> list[Doubles]:
    """Check numeric examples of varying length.

    Args:
        examples: arrays, tensors or lists `[T, I]`, or `[T]` for one value per step; T may vary.
        input_size: the I that a model was fitted on; None: that of the first example.
        min_steps: the fewest steps that make sense.
        missing: whether NaN is let through.

    Returns:
        float64 `[T, I]` each, in order; no copy where an example is one already. They are for `Standardiser.fit` and
        its like: float32, which networks read, would tell numbers far from zero no longer apart.

    Raises:
        DataError: an example is empty or too short, has another I, is not numbers (see `as_array`), or has a NaN or an
            infinity; the message names its file and row, or its index, and the step.
    """
    found: list[Doubles] = []
    for index, example in enumerate(examples):
        array = as_sequence(example, where(examples, index), min_steps=min_steps, missing=missing)
        width = input_size if input_size is not None else found[0].shape[1] if found else array.shape[1]
        if array.shape[1] != width:
            reference = "the model was fitted on" if input_size is not None else f"{where(examples, 0)} has"
            raise DataError(f"{where(examples, index)} has {array.shape[1]} values per step, and {reference} {width}")
        found.append(array)
    return found


def as_sequence(example: Any, name: str, *, min_steps: int = 1, missing: bool = False) -> Doubles:
    """Check one example, which `name` names in an error; as `as_sequences`."""
    array = as_doubles(example, name)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] == 0:
        raise DataError(f"{name} has the shape {list(array.shape)}; a sequence is [T, I], or [T] of one value per step")
    if len(array) < min_steps:
        steps = "is empty" if not len(array) else f"has {len(array)} step{'s' * (len(array) > 1)}"
        raise DataError(f"{name} {steps}; at least {min_steps} {'is' if min_steps == 1 else 'are'} needed")
    check_finite(array, name, missing=missing)
    return array


def check_finite(array: npt.NDArray[Any], name: str, *, missing: bool = False) -> None:
    """Refuse an array `[T, I]` with an infinity or, unless `missing`, a NaN; DataError names the first step."""
    good = np.abs(array) <= LARGEST
    if missing:
        good |= np.isnan(array)
    if not good.all():
        index = tuple(int(place) for place in np.argwhere(~good)[0])
        value = array[index]
        what = "no value (NaN)" if np.isnan(value) else "an infinite value" if np.isinf(value) else "a value too large"
        raise DataError(f"{name} has {what}{at(index, array.shape)}")


def as_numbers(examples: Sequence[Any]) -> Doubles:
    """Turn one value per example (a target, a column of a table) into float64 `[N]`; texts are read as numbers.

    Raises:
        DataError: one is not a finite number, or a whole number that float64 would round; the message names its file
            and row, or its index.
    """
    found = np.empty(len(examples), np.float64)
    for index in range(len(examples)):
        example = examples[index]
        try:
            found[index] = number_of_text(example) if isinstance(example, str) else as_number(example)
        except ValueError as error:
            raise DataError(f"{where(examples, index)}: {_not_a_number(example, error)}") from error
    wrong = np.flatnonzero(~(np.abs(found) <= LARGEST))
    if len(wrong):
        raise DataError(f"{where(examples, int(wrong[0]))}: {quoted(examples[int(wrong[0])])} is not a finite number")
    return found


def _not_a_number(example: Any, error: ValueError) -> str:
    told = isinstance(example, str) or "whole number" in str(error)
    return str(error) if told else f"{quoted(example)} is not a number"
