"""The sequences of a table, with what is known of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.data.from_tables.sequences import Cut, LongTable
from loopcell.data.readers.origins import Origins
from loopcell.data.readers.records import Column
from loopcell.data.readers.units import Units

Statics = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class TableSequences:
    """The sequences of a table.

    Attributes:
        X: the sequences: arrays [T, I], or lists of tokens. Estimators hold out whole units of them, never a part.
        y: what is known of each; None where no target was named.
        static: what is known of the unit of each, [N, S]: numbers where all are, else objects; None for no columns.
        times: of the steps of each, [T]: numbers, or datetime64; None where no column has them.
        units: which unit each is cut from; None where rows are examples.
        notes: what the user should know of how the table was read.
    """

    X: Column
    y: Column | None
    static: Statics | None
    times: list[npt.NDArray[Any]] | None
    units: Units | None
    notes: tuple[str, ...] = ()


def of_cuts(cuts: Sequence[Cut], table: LongTable) -> TableSequences:
    """Return some sequences of a long table, of which there is one at least."""
    units = Units(
        np.array([cut.unit for cut in cuts], np.int64),
        np.array([cut.span for cut in cuts], np.int64),
        {name: [cut.ids[name] for cut in cuts] for name in cuts[0].ids},
        np.array([cut.last.row for cut in cuts], np.int64),
        [cut.origins[slice(*cut.span)] for cut in cuts] if table.roles.each_step else None,
    )
    first, last = Origins([cut.first for cut in cuts]), Origins([cut.last for cut in cuts])
    X = Column([cut.steps for cut in cuts], first, units=units, step_names=table.roles.step)
    target = table.roles.target or ""
    labels = table.roles.labels
    y = Column([cut.target for cut in cuts], first if table.roles.each_step else last, target, units, labels)
    known = bool(target or labels) or table.given is not None
    static = statics([cut.static for cut in cuts]) if cuts[0].static else None
    times = [cut.times for cut in cuts if cut.times is not None] or None
    return TableSequences(X, y if known else None, static, times, units, tuple(table.notes))


def statics(rows: Iterable[Sequence[Any]]) -> Statics:
    """Return what is known of units, [N, S]: numbers where all columns have them, with NaN for a missing one."""
    found = np.array(list(rows), dtype=object)
    found[found == ""] = None
    try:
        return found.astype(np.float64)
    except (TypeError, ValueError):
        return found
