"""Values that are not there: the usual words for them, and those that a user names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from loopcell.errors import UsageError, quoted

Doubles = npt.NDArray[np.float64]

# Cells of columns of numbers that have none, in any case of letters: of R, pandas, SQL, Excel and UCI's archive.
USUAL = frozenset({"", "na", "n/a", "nan", "null", "none", "-", "?", "#n/a", "<na>"})


@dataclass(frozen=True)
class MissingValues:
    """Words and numbers that stand for what is not there, beside the usual words.

    Attributes:
        words: as cells have them.
        numbers: compared by their values, so that -999 is -999.0 too.
    """

    words: frozenset[str] = frozenset()
    numbers: tuple[float, ...] = ()

    @classmethod
    def of(cls, named: Sequence[str | float]) -> MissingValues:
        """Read what a user named: words, and numbers or texts of numbers.

        Raises:
            UsageError: it is neither.
        """
        if isinstance(named, str) or not all(isinstance(one, str | int | float) for one in named):
            raise UsageError(f"missing values are words and numbers, such as (-999, 'unknown'), got {quoted(named)}")
        numbers = [_as_number(one) for one in named]
        texts = frozenset(one.strip() for one in named if isinstance(one, str))
        return cls(texts, tuple(number for number in numbers if number is not None))

    def in_numbers(self, cell: Any) -> bool:
        """Return whether a cell of a column of numbers says that there is none."""
        if not isinstance(cell, str):
            return cell is None or (isinstance(cell, int | float) and (math.isnan(cell) or cell in self._alike))
        text = cell.strip()
        return text.casefold() in USUAL or text in self.words or self._is_number(text)

    def is_named(self, cell: Any) -> bool:
        """Return whether a cell of any column has one of the named words or numbers."""
        if isinstance(cell, str):
            return cell.strip() in self.words or self._is_number(cell.strip())
        return isinstance(cell, int | float) and not isinstance(cell, bool) and cell in self._alike

    def as_nan(self, found: Doubles) -> Doubles:
        """Return an array with NaN in place of the numbers that are named; the same one where there are none."""
        wrong = np.isin(found, self._alike) if self.numbers else np.zeros(0, bool)
        return np.where(wrong, np.nan, found) if wrong.any() else found

    @cached_property
    def _alike(self) -> tuple[float, ...]:
        """The numbers, and as which a column of float32 has them."""
        return (*self.numbers, *(float(np.float32(number)) for number in self.numbers))

    def _is_number(self, text: str) -> bool:
        return bool(self.numbers) and _as_number(text) in self.numbers


NONE_NAMED = MissingValues()


def missing_note(name: str, missing: int, count: int) -> str:
    """Return the sentence on a column that lacks values; "" for one that lacks none."""
    if not missing:
        return ""
    if count == 1:
        return f"the value of {name} is missing"
    if missing == count:
        return f"no value of {name} is there: all {count:,} are missing"
    return f"{missing:,} of {count:,} values of {name} {'is' if missing == 1 else 'are'} missing"


def _as_number(one: str | float) -> float | None:
    """Return the number that was named; None for a word, and for NaN, which is missing anyway."""
    try:
        found = float(one)
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(found) else found
