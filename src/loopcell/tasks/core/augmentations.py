"""The names and strengths of augmentations, as settings and flags have them. No torch here: flags are fast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from loopcell.errors import quoted


class Strength(NamedTuple):
    """The strength of an augmentation.

    Attributes:
        usual: where none is given.
        least, most: what it may be.
        means: in words.
    """

    usual: float
    least: float
    most: float
    means: str


STRENGTHS: Mapping[str, Strength] = {
    "warp": Strength(0.2, 0.0, 1.0, "the deviation of the speed of time around 1"),
    "crop": Strength(0.9, 0.01, 1.0, "the least share of a sequence that is kept"),
    "scale": Strength(0.1, 0.0, 1.0, "the deviation of the factor around 1"),
    "jitter": Strength(0.03, 0.0, 10.0, "the deviation of the noise, in deviations of its column in training"),
}
"""By name, in the order in which they are applied."""


def strengths_of(given: Sequence[str]) -> dict[str, float]:
    """Return the strength of each augmentation that is wanted, such as ("jitter", "crop=0.8"), in order of application.

    Raises:
        ValueError: there is no such augmentation, it comes twice, or its strength is no number or out of its bounds.
    """
    found: dict[str, float] = {}
    for one in given:
        name, _, number = one.partition("=")
        name = name.strip()
        if name not in STRENGTHS:
            raise ValueError(f"there is no augmentation {quoted(name)}; there are {', '.join(STRENGTHS)}")
        if name in found:
            raise ValueError(f"the augmentation {name} comes twice")
        found[name] = _strength(name, number) if "=" in one else STRENGTHS[name].usual
    return {name: found[name] for name in STRENGTHS if name in found}


def _strength(name: str, typed: str) -> float:
    known = STRENGTHS[name]
    bounds = f"a number from {known.least:g} to {known.most:g}, {known.means}"
    try:
        number = float(typed)
    except ValueError:
        raise ValueError(f"the strength of {name} is {bounds}, not {quoted(typed)}") from None
    if not known.least <= number <= known.most:
        raise ValueError(f"the strength of {name} is {bounds}, not {number:g}")
    return number
