"""Examples as arrays `[T, I]`, checked once at the boundary, with the file and row of the one that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.readers.records import where
from loopcell.errors import DataError

Floats = npt.NDArray[np.float32]


def as_sequences(
    examples: Sequence[Any], *, input_size: int | None = None, min_steps: int = 1, missing: bool = False
) -> list[Floats]:
    """Check numeric examples of varying length.

    Args:
        examples: arrays, tensors or lists `[T, I]`, or `[T]` for one value a step; T may vary.
        input_size: the I that a model was fitted on; None: that of the first example.
        min_steps: the fewest steps that make sense.
        missing: whether NaN is let through.

    Returns:
        float32 `[T, I]` each, in order; no copy where an example is one already.

    Raises:
        DataError: an example is empty or too short, has another I, is not numbers, or has a NaN or an infinity; the
            message names its file and row, or its index, and the step.
    """
    found: list[Floats] = []
    for index, example in enumerate(examples):
        array = as_sequence(example, where(examples, index), min_steps=min_steps, missing=missing)
        width = input_size if input_size is not None else found[0].shape[1] if found else array.shape[1]
        if array.shape[1] != width:
            reference = "the model was fitted on" if input_size is not None else f"{where(examples, 0)} has"
            raise DataError(f"{where(examples, index)} has {array.shape[1]} values a step, and {reference} {width}")
        found.append(array)
    return found


def as_sequence(example: Any, name: str, *, min_steps: int = 1, missing: bool = False) -> Floats:
    """Check one example, which `name` names in an error; as `as_sequences`."""
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused below
            array = np.asarray(example, dtype=np.float32)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise DataError(f"{name} is not a sequence of numbers [T, I]: {_one_line(error)}") from error
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] == 0:
        raise DataError(f"{name} has the shape {list(array.shape)}; a sequence is [T, I], or [T] for one value a step")
    if len(array) < min_steps:
        steps = "is empty" if not len(array) else f"has {len(array)} step{'s' * (len(array) > 1)}"
        raise DataError(f"{name} {steps}; at least {min_steps} {'is' if min_steps == 1 else 'are'} needed")
    check_finite(array, name, missing=missing)
    return array


def check_finite(array: npt.NDArray[np.floating[Any]], name: str, *, missing: bool = False) -> None:
    """Refuse an array `[T, I]` with an infinity or, unless `missing`, a NaN; DataError names the first step."""
    good = np.isfinite(array) | np.isnan(array) if missing else np.isfinite(array)
    if not good.all():
        step, value = (int(place) for place in np.argwhere(~good)[0])
        what = "no value (NaN)" if np.isnan(array[step, value]) else "an infinite value"
        column = f", value {value + 1} of {array.shape[1]}" if array.shape[1] > 1 else ""
        raise DataError(f"{name} has {what} at step {step + 1}{column}")


def as_numbers(examples: Sequence[Any]) -> npt.NDArray[np.float64]:
    """Turn one value an example (a target, a column of a table) into float64 `[N]`.

    Raises:
        DataError: one is not a finite number; the message names its file and row, or its index.
    """
    found = np.empty(len(examples), np.float64)
    for index, example in enumerate(examples):
        try:
            found[index] = float(example)
        except (TypeError, ValueError) as error:
            raise DataError(f"{where(examples, index)}: {_short(example)} is not a number") from error
    wrong = np.flatnonzero(~np.isfinite(found))
    if len(wrong):
        raise DataError(f"{where(examples, int(wrong[0]))}: {_short(examples[int(wrong[0])])} is not a finite number")
    return found


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "..."


def _one_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
