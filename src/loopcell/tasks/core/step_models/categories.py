"""Categories as inputs of a step: a token each, whose number is that of the category, and 0 for an unknown one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from loopcell.equations.names import ascii_name
from loopcell.export.step_model import Lookup, Quantity

UNKNOWN = ""
"""What stands for token 0: a category that is missing, or that training did not have."""


def token_inputs(names: Sequence[str], taken: Sequence[str] = ()) -> list[Quantity]:
    """Return an input for each column of categories, called as the column is where that is an identifier.

    Args:
        names: of the columns.
        taken: names that other inputs have.
    """
    gone, found = set(taken), []
    for name in names:
        plain = word = ascii_name(name)
        number = 1
        while word in gone:
            number += 1
            word = f"{plain}_{number}"
        gone.add(word)
        found.append(Quantity(word, 1, "token"))
    return found


def token_facts(inputs: Sequence[Quantity], categories: Sequence[Sequence[str]]) -> dict[str, list[str]]:
    """Return, by the name of each input, what its tokens stand for."""
    return {one.name: [UNKNOWN, *known] for one, known in zip(inputs, categories, strict=True)}


def ones_stage(token: Quantity, places: Sequence[int], width: int) -> Lookup:
    """Return the stage that puts a one at the place of a category, and nothing for the unknown one, [width]."""
    table: npt.NDArray[np.float32] = np.zeros((len(places) + 1, width), np.float32)
    table[np.arange(1, len(places) + 1), list(places)] = 1.0
    return Lookup(Quantity(f"{token.name}_one", width), table, token.name)


def columns_of(raw: Sequence[str], categories: Mapping[int, Sequence[str]]) -> dict[int, list[int]]:
    """Return where the ones of each column of categories stand among all numbers of a step.

    Args:
        raw: the names of the columns.
        categories: of some of them, by their numbers.
    """
    found, at = {}, 0
    for number in range(len(raw)):
        width = len(categories[number]) if number in categories else 1
        if number in categories:
            found[number] = list(range(at, at + width))
        at += width
    return found
