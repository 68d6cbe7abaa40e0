"""The rows that a pass left out: counted, and said."""

from __future__ import annotations

from collections import Counter


class Skipped:
    """The number of rows left out, the reasons, and where the first one of each kind stands."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: dict[str, str] = {}

    def add(self, reason: str, where: str) -> None:
        """Count one row; `reason` is a kind of reason ("blank lines"), `where` names the row."""
        self._counts[reason] += 1
        self._first.setdefault(reason, where)

    def clear(self) -> None:
        """Forget everything, at the start of a pass."""
        self._counts.clear()
        self._first.clear()

    @property
    def total(self) -> int:
        """The number of rows that were left out."""
        return self._counts.total()

    def __bool__(self) -> bool:
        return self.total > 0

    def __str__(self) -> str:
        """Write the count: `3 rows skipped (blank lines: 2, first at a.csv line 7; ...)` or `0 rows skipped`."""
        parts = [f"{reason}: {count:,}, first at {self._first[reason]}" for reason, count in self._counts.most_common()]
        rows = "1 row" if self.total == 1 else f"{self.total:,} rows"
        return f"{rows} skipped" + (f" ({'; '.join(parts)})" if parts else "")
