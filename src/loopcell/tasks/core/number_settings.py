"""Arguments of estimators whose sequences may be numbers: missing values, rows that are sequences, static columns."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import PositiveInt

from loopcell.tasks.core.argument_types import FillName


@dataclass(kw_only=True, repr=False, eq=False)
class NumberSettings:
    """Arguments of what is read of sequences of numbers.

    Args:
        fill: what the network reads where a value is missing: "mask" the mean of training, "ffill" the value before,
            "interpolate" a line between the values around, which looks ahead.
        mask_inputs: tell the network which values are missing: by a mask and the time since the last value, as further
            inputs; None tells of the columns that have gaps in training.
        steps: T, where a sequence is a row [T * I] of a table, the numbers of its first step first; None where it is
            not.
    """

    fill: FillName = "mask"
    mask_inputs: bool | None = None
    steps: PositiveInt | None = None


@dataclass(kw_only=True, repr=False, eq=False)
class StaticSettings:
    """Arguments of static values, which hold for a whole sequence.

    Args:
        categories: columns whose numbers are categories: static ones and those of steps, of which each number gets a
            vector of its own; columns of texts are categories anyway. Static ones without names go by their numbers,
            from 0.
    """

    categories: tuple[str, ...] = ()
