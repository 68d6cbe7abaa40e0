"""The content of a file by name, every entry of which somebody has to take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from loopcell.errors import FileFormatError, escaped, quoted

MOST_NAMED = 8
"""Names that an error lists before it says how many more there are."""


class Contents:
    """Entries by name that are taken one by one; what nobody took is an error, so that nothing gets lost.

    Args:
        where: what holds the entries, as the start of a sentence: "layer `lstm` of model.keras".
        entries: what it holds.
    """

    def __init__(self, where: str, entries: Mapping[str, Any]) -> None:
        self.where = where
        self._entries = dict(entries)
        self._taken: dict[str, None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @property
    def taken(self) -> tuple[str, ...]:
        """The names that were taken, in that order."""
        return tuple(self._taken)

    def names(self) -> tuple[str, ...]:
        """Return the names of all entries."""
        return tuple(self._entries)

    def entries(self) -> dict[str, Any]:
        """Return a copy of all entries, none of them taken by it."""
        return dict(self._entries)

    def take(self, name: str) -> Any:
        """Return an entry.

        Raises:
            FileFormatError: there is none of that name.
        """
        if name not in self._entries:
            raise FileFormatError(f"{self.where} has no {quoted(name)}; it has {listed(self._entries)}")
        self._taken[name] = None
        return self._entries[name]

    def take_or(self, name: str, default: Any) -> Any:
        """Return an entry, or the default where there is none."""
        return self.take(name) if name in self._entries else default

    def take_all(self, names: Iterable[str]) -> dict[str, Any]:
        """Return those entries of these names that are there."""
        return {name: self.take(name) for name in names if name in self._entries}

    def whole(self, name: str, least: int = 1, most: int = 1 << 24) -> int:
        """Return an entry that is a size.

        Raises:
            FileFormatError: it is missing, or no whole number from `least` to `most`.
        """
        value = self.take(name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise FileFormatError(
                f"{name}={quoted(value)} of {self.where} is not a whole number from {least:,} to {most:,}"
            )
        return value

    def flag(self, name: str, default: bool) -> bool:
        """Return an entry that is true or false.

        Raises:
            FileFormatError: it is something else.
        """
        value = self.take_or(name, default)
        if value not in (0, 1):
            raise FileFormatError(f"{name}={quoted(value)} of {self.where} is neither true nor false")
        return bool(value)

    def expect(self, name: str, *values: Any, why: str) -> None:
        """Take an entry, if it is there, which has to be one of some values.

        Args:
            name: the entry's.
            values: what it may be.
            why: what another value would mean, as the end of the sentence.

        Raises:
            FileFormatError: it is another.
        """
        value = self.take_or(name, values[0])
        if value not in values:
            raise FileFormatError(f"{self.where} has {name}={quoted(value)}, {why}")

    def finish(self) -> None:
        """Refuse what nobody took.

        Raises:
            FileFormatError: an entry is left over; the message names it.
        """
        left = [name for name in self._entries if name not in self._taken]
        if left:
            raise FileFormatError(
                f"{self.where} has {listed(left)}, of which the importer makes nothing: "
                "a network without it would compute something else"
            )


def listed(names: Iterable[str]) -> str:
    """Return names for use in a sentence, the first few of many."""
    every = [f"`{escaped(name, 120)}`" for name in names]
    more = f" and {len(every) - MOST_NAMED} more" if len(every) > MOST_NAMED else ""
    return ", ".join(every[:MOST_NAMED]) + more or "nothing"
