"""Vectors of words as another network takes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class ReadyVectors:
    """Words and their vectors, for `embedding=` of an estimator; `WordVectors.as_embedding` makes one.

    Attributes:
        words: V words.
        vectors: float32 [V, E].
        lower: texts are taken in lower case.
        frozen: the vectors stay as they are; else training goes on with them.
    """

    words: tuple[str, ...]
    vectors: npt.NDArray[np.float32]
    lower: bool = False
    frozen: bool = False

    def __repr__(self) -> str:
        count, size = self.vectors.shape
        return f"ReadyVectors({count:,} words, {size} numbers each{', frozen' if self.frozen else ''})"
