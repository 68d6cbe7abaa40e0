"""Static columns: they do not change within a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from loopcell.data.series.numbers import Floats
from loopcell.data.series.times import Namer
from loopcell.errors import DataError


def one_value(values: Floats, names: Sequence[str], labels: Mapping[str, tuple[str, ...]], named: Namer) -> Floats:
    """Return the one value of each static column [T, S], missing ones aside; DataError says where there are two."""
    found = np.full(len(names), np.nan)
    for column, name in enumerate(names):
        there = np.flatnonzero(np.isfinite(values[:, column]))
        if not len(there):
            continue
        first = values[there[0], column]
        other = there[values[there, column] != first]
        if len(other):
            one, two = (
                labels[name][int(code)] if name in labels else f"{code:g}" for code in (first, values[other[0], column])
            )
            raise DataError(
                f"{named(int(other[0]))}: {name!r} is {two}, and {one} before in the same series; what is static has "
                "one value in each: name it as known or past"
            )
        found[column] = first
    return found
