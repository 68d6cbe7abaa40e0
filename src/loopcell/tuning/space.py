"""Spaces of a search: values that are listed, or the numbers of an interval, by argument."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from loopcell.errors import UsageError
from loopcell.tasks.core.settings import settings_class

LOG_FROM = 10.0  # an interval whose end is so many times its beginning is drawn from evenly in the logarithm
NOT_SEARCHED = ("random_state", "callbacks", "progress", "warm_start", "split", "validation_fraction", "target")
"""Arguments of an estimator that say nothing of how well it learns, or by which data it is judged."""


@dataclass(frozen=True)
class Interval:
    """The numbers from one to another, both included: whole ones between whole ends.

    Args:
        low: the least.
        high: the largest.
        log: draw evenly in the logarithm. None: where the largest is ten times the least, or more.

    Raises:
        UsageError: the ends are no finite numbers in order, or the logarithm is asked for of numbers from 0 down.
    """

    low: float
    high: float
    log: bool | None = None

    def __post_init__(self) -> None:
        ends = (self.low, self.high)
        if any(isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end) for end in ends):
            raise UsageError(f"the ends of an interval are numbers, not {self.low!r} and {self.high!r}")
        if self.low >= self.high:
            raise UsageError(f"an interval goes from a number to a larger one, not from {self.low} to {self.high}")
        if self.log and self.low <= 0:
            raise UsageError(f"an interval in the logarithm begins above 0, not at {self.low}")

    @property
    def whole(self) -> bool:
        """True for whole numbers."""
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def logarithmic(self) -> bool:
        """True where the numbers are drawn evenly in the logarithm."""
        return self.log if self.log is not None else self.low > 0 and self.high / self.low >= LOG_FROM

    def __str__(self) -> str:
        return f"{self.low}..{self.high}" + (" (log)" if self.logarithmic else "")


Names: TypeAlias = str | tuple[str, ...]
Choices: TypeAlias = Sequence[Any] | Interval
Space: TypeAlias = Mapping[Names, Choices]
"""Choices by the name of an argument; by several names, lists of values that go together."""


def usual_space(estimator: Any) -> dict[Names, Choices]:
    """Return what is searched where nothing is named: the rate, the size and the depth, dropout; of series the history.

    Args:
        estimator: whose arguments are the middle of what is tried.
    """
    found: dict[Names, Choices] = {
        "learning_rate": Interval(3e-4, 1e-2),
        "hidden_size": (32, 64, 128, 256),
        "num_layers": (1, 2),
        "dropout": Interval(0.0, 0.5),
    }
    if estimator.task == "forecaster":
        history = estimator.history
        found["history"] = tuple(sorted({max(history // 2, 1), history, 2 * history, 4 * history}))
        if estimator.segment is None and not estimator.roll_out and estimator.lags is None and history % 4 == 0:
            # A segment has to divide each of the histories: a quarter of the given one divides all but the least.
            found["segment", "normalise"] = ((None, None), (history // 4, "last"), (history // 2, "last"))
    known = {field.name for field in fields(settings_class(type(estimator)))}
    return {name: choices for name, choices in found.items() if all(one in known for one in names_of(name))}


def names_of(key: Names) -> tuple[str, ...]:
    """Return the names of a space's key."""
    return (key,) if isinstance(key, str) else tuple(key)


def checked_space(estimator: Any, space: Space) -> dict[Names, Choices]:
    """Return a space that is one of an estimator's arguments.

    Raises:
        UsageError: an argument is unknown, comes twice or is not searched; or there is nothing to choose from.
    """
    if not space:
        raise UsageError("nothing is searched: name an argument and its values, such as {'hidden_size': (32, 64)}")
    known = {field.name for field in fields(settings_class(type(estimator)))}
    named = [name for key in space for name in names_of(key)]
    for name in named:
        _demand_known(name, known, type(estimator).__name__)
        if named.count(name) > 1:
            raise UsageError(f"{name} is named twice in what is searched")
    return {key: _choices(key, choices) for key, choices in space.items()}


def _demand_known(name: str, known: set[str], kind: str) -> None:
    if name in NOT_SEARCHED:
        raise UsageError(
            f"{name} is not searched: it does not say how well a model learns, or by which data it is judged"
        )
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise UsageError(f"{kind} has no argument {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))


def _choices(key: Names, choices: Choices) -> Choices:
    names = names_of(key)
    if isinstance(choices, Interval):
        if len(names) > 1:
            raise UsageError(f"{', '.join(names)} go together, so their values are listed; an interval is of one")
        return choices
    if isinstance(choices, str) or not isinstance(choices, Sequence) or not choices:
        raise UsageError(f"{', '.join(names)}: a list of values or an Interval was expected, got {choices!r}")
    if len({repr(value) for value in choices}) < len(choices):
        raise UsageError(f"{', '.join(names)}: a value is listed twice")
    if len(names) > 1 and any(not isinstance(row, Sequence) or len(row) != len(names) for row in choices):
        raise UsageError(
            f"{', '.join(names)}: {len(names)} values are listed together, such as {('...',) * len(names)}"
        )
    return tuple(choices)


def joined(key: Names) -> str:
    """Return a space's key as one word: `history`, or `segment,normalise`."""
    return ",".join(names_of(key))


def settings_of(key: Names, value: Any) -> dict[str, Any]:
    """Return one value of a space's key as arguments."""
    return {key: value} if isinstance(key, str) else dict(zip(key, value, strict=True))


def count_of(space: Space) -> float:
    """Return how many choices there are of a space; infinite where an interval is not of whole numbers."""
    return math.prod(
        len(choices)
        if not isinstance(choices, Interval)
        else choices.high - choices.low + 1
        if choices.whole
        else math.inf
        for choices in space.values()
    )


def is_choice(number: float, choices: Choices) -> bool:
    """Return whether a number is one of an interval, or the place of a value in a list."""
    if isinstance(choices, Interval):
        return choices.low <= number <= choices.high and (not choices.whole or isinstance(number, int))
    return isinstance(number, int) and 0 <= number < len(choices)


def parse_choices(text: str) -> Choices:
    """Read the choices of one argument as they are typed: `32,64,128`, `1e-4..1e-2`, `none,24`, `true,false`.

    Raises:
        UsageError: it is an interval of no numbers.
    """
    low, dots, high = text.partition("..")
    if dots:
        ends = [_parsed(low), _parsed(high)]
        if not all(isinstance(end, int | float) for end in ends):
            raise UsageError(f"{text!r}: an interval is of two numbers, such as 1e-4..1e-2")
        return Interval(*ends)
    return tuple(_parsed(word) for word in text.split(","))


def _parsed(word: str) -> Any:
    word = word.strip()
    plain = {"none": None, "true": True, "false": False}
    if word.lower() in plain:
        return plain[word.lower()]
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word
