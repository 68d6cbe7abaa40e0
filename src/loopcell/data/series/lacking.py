"""The values that a table of series lacks, counted by column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from loopcell.data.examples.missing_values import missing_note
from loopcell.data.series.series import Series


def missing_in(series: Sequence[Series]) -> tuple[str, ...]:
    """Return a sentence for each column that lacks values; rows at the end without any target are still to come."""
    been = [one.steps for one in series]
    found = []
    for role in ("target", "known", "past"):
        for column, name in enumerate(getattr(series[0], f"{role}_names")):
            rows = [
                getattr(one, role)[: None if role == "known" else end, column]
                for one, end in zip(series, been, strict=True)
            ]
            found.append(missing_note(name, sum(int(np.isnan(part).sum()) for part in rows), sum(map(len, rows))))
    return tuple(note for note in found if note)
