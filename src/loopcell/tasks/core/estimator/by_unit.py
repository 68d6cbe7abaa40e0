"""The halves of sequences that were cut from units: whole units are held out, so that no row is in both."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from loopcell.data.examples import split_segments
from loopcell.data.readers import Units
from loopcell.errors import DataError
from loopcell.tasks.core.estimator.parts import Part, as_pair
from loopcell.tasks.core.pace import held_out_share

Ints = npt.NDArray[np.int64]
Split = tuple[Ints, Ints]
Splitter = Callable[[Part, float, int], Split]


class Halves(NamedTuple):
    """The numbers of the examples to train on and of those to hold out, None for none of these; and what to say."""

    split: Split | None
    note: str = ""


def as_grouped_pair(X: object, y: object, groups: Any) -> tuple[Part, Part]:
    """Return the user's examples and what belongs to each, with their groups; errors as `as_pair` and `as_units`.

    Without groups they are of the units that X was cut from, if it was.
    """
    inputs, targets = as_pair(X, y)
    if groups is not None:
        targets.groups = as_units(groups, len(targets))
    elif targets.units is None and inputs.units is not None and len(inputs.values) == len(targets.values):
        targets.groups = inputs.whole().units
    return inputs, targets


def as_units(groups: Any, count: int) -> Units:
    """Return the groups of `count` examples as units.

    Raises:
        DataError: there is not one for each example, or one is not there.
    """
    given: Sequence[Hashable] = groups.tolist() if hasattr(groups, "tolist") else list(groups)
    if len(given) != count:
        raise DataError(f"groups has {len(given)} entries, and X has {count} examples")
    missing = next((at for at, group in enumerate(given) if group is None or str(group) == "nan"), None)
    if missing is not None:
        raise DataError(f"groups[{missing}] is {given[missing]!r}: every example is of a group")
    numbers: dict[Hashable, int] = {}
    codes = np.array([numbers.setdefault(group, len(numbers)) for group in given], np.int64)
    places = np.arange(count)
    return Units(codes, np.stack([places, places + 1], axis=1), {})


def halves_by_unit(y: Part, units: Units, share: float, split: Splitter, seed: int) -> Halves:
    """Hold out whole units, drawn as a task draws examples; of a single unit segments of it.

    Args:
        y: the targets.
        units: the unit of each.
        share: how much to hold out, of `validation_fraction`, which may be "auto".
        split: how the task divides examples: by their labels, at random, ...
        seed: of what is drawn.
    """
    _, firsts, number = np.unique(units.numbers, return_index=True, return_inverse=True)
    count = len(firsts) if len(firsts) > 1 else len(units)
    fraction = held_out_share(share, count)
    if not fraction or count < 2:
        return Halves(None)
    fraction = min(max(fraction, 1 / count), 1 - 1 / count)  # one at least in both parts
    try:
        if len(firsts) == 1:
            return Halves(split_segments(units.spans, fraction, seed))
        _, held_out = split(y.take(firsts), fraction, seed)
    except DataError as error:
        return Halves(None, f"nothing is held out: {error}; name other files for it (--val, validation=)")
    out = np.isin(number, held_out)
    return Halves((np.flatnonzero(~out), np.flatnonzero(out)))
