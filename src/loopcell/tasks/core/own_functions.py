"""Functions of the user's that an estimator takes: an optimizer, a loss, callbacks. No file keeps them.

No torch here: flags are fast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator

from loopcell.errors import UsageError

OWN_FUNCTIONS = ("loss", "optimizer")
"""Arguments that decide what weights come about, so that a run can only go on with the same."""

PYTHON_ONLY = ("warm_start", "callbacks", *OWN_FUNCTIONS)
"""Arguments without a flag: nothing that is typed could stand for them, or `loopcell resume` does their job."""


def _function(value: object) -> object:
    if value is not None and not callable(value):
        raise ValueError("a function or another callable was expected, or None")
    return value


def _functions(value: object) -> object:
    listed = isinstance(value, Sequence) and not isinstance(value, str) and all(callable(one) for one in value)
    if value is not None and not callable(value) and not listed:
        raise ValueError("a function was expected, a list of functions, or None")
    return value


NAMED = ("loss",)
"""Arguments that are functions, or names of such of the library's: a name has a flag, and files keep it."""

OwnFunction = Annotated[Any, PlainValidator(_function)]
OwnFunctions = Annotated[Any, PlainValidator(_functions)]


def as_list(callbacks: Any) -> list[Callable[[dict[str, Any]], object]]:
    """Return the functions that are given as one, as several, or not at all."""
    if callbacks is None:
        return []
    return [callbacks] if callable(callbacks) else list(callbacks)


def own_functions(settings: Any) -> list[str]:
    """Return the names of the arguments that are functions of the user's and decide what weights come about."""
    return [name for name in OWN_FUNCTIONS if callable(getattr(settings, name, None))]


def named_functions(settings: Any) -> tuple[str, ...]:
    """Return the names of the arguments that could be functions of the user's, and name one of the library's."""
    return tuple(name for name in NAMED if isinstance(getattr(settings, name, None), str))


def demand_same_functions(path: Path, before: object, now: Sequence[str]) -> None:
    """Refuse to go on with a run without a function that it was started with, or with one more.

    Which function it was, no file can say: that is left to the user.

    Args:
        path: the run's folder.
        before: the names that its config has; None where it has none.
        now: the names that are given.

    Raises:
        UsageError: they differ.
    """
    known = before if isinstance(before, list) else []
    for name in OWN_FUNCTIONS:
        own = f"{'an optimizer' if name == 'optimizer' else f'a {name}'} of your own"
        if name in known and name not in now:
            raise UsageError(f"the run {path} was started with {own}, which no file keeps: give {name}= again")
        if name in now and name not in known:
            raise UsageError(f"the run {path} was started without {own}: leave out {name}= to go on with it")
