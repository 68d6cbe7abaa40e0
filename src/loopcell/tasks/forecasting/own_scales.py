"""Scales of what training taught none: of series that it did not have, and of columns that never varied in it.

At a place of the past only the rows before it are known, so they alone may say on what scale it is forecast.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from loopcell.data import Series
from loopcell.tasks.forecasting.scaled import of
from loopcell.tasks.forecasting.still import Flags, never_varied

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


def runs_of_places(values: Floats, places: Places, unscaled: Flags) -> list[Places]:
    """Return rising places in runs: within one the same columns have varied before, so that they have a scale.

    Columns only begin to vary, so there are at most K + 1 runs; one where training taught all scales.

    Args:
        values: [T, K], up to the last place at least.
        places: [N].
        unscaled: [K], of which columns training taught no scale.
    """
    varied = ~never_varied(values)[places - 1] & unscaled
    return np.split(places, np.flatnonzero((varied[1:] != varied[:-1]).any(1)) + 1)


def first_with_values(values: Floats, unscaled: Flags) -> int:
    """Return the first place before which each column without a scale has a value; the end of the series for none."""
    there = ~np.isnan(values[:, unscaled])
    firsts = np.where(there.any(0), there.argmax(0) + 1, len(values) + 1)
    return int(firsts.max(initial=0))


def first_rows_note(firsts: Sequence[tuple[Series, int]], names: Collection[str]) -> list[str]:
    """Return a sentence about series that training did not have, with how many rows each is scaled by."""
    new = [(one, first) for one, first in firsts if one.name not in names]
    told = "its first {:,} rows, which come before all that is forecast"
    return [_said(new[0][0], told.format(new[0][1]), len(new))] if new else []


def all_rows_note(series: Sequence[Series], names: Collection[str]) -> list[str]:
    """Return a sentence about series that training did not have, each scaled by all of its rows."""
    new = [one for one in series if one.name not in names]
    told = "all of its {:,} rows, so what is said of a row knows those after it"
    return [_said(new[0], told.format(new[0].steps), len(new))] if new else []


def no_values_note(left_out: Sequence[tuple[Series, int]]) -> list[str]:
    """Return a sentence about places that are left out since no value came before them."""
    if not left_out:
        return []
    one, count = left_out[0]
    return [
        (
            f"{of(one.name)}: {count:,} places are not forecast, since a column has no value before them, and training "
            f"taught no scale of it{_more(len(left_out))}"
        )
    ]


def _said(series: Series, told: str, count: int) -> str:
    return f"{of(series.name)} was not in training: it is scaled by {told}{_more(count)}"


def _more(count: int) -> str:
    return f" (and {count - 1:,} more series are of this kind)" if count > 1 else ""
