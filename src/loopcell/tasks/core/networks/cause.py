"""The cause of a number that is not finite, in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """The first value that was not finite.

    Attributes:
        sentence: says where and what it was.
        certain: whether the data or an operation of the equations are to blame, and not the size of the weights.
    """

    sentence: str
    certain: bool = False

    def __str__(self) -> str:
        return self.sentence
