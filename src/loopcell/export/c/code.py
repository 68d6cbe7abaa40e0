"""StageCode: what one stage of a model comes to in C."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from loopcell.export.c.weights import Array


@dataclass(frozen=True)
class StageCode:
    """One stage in C: a function, and what it needs of the model and of the state.

    Attributes:
        lines: the function.
        call: the statement that calls it, in the function of the step.
        arrays: its weights.
        states: its fields of the state, each with its length.
        scratch: floats that the function keeps on the stack.
        multiply_adds: those of its products.
        columns: the most that a matrix of its products has.
        left_out: numbers of matrices that lie in zero blocks, and are left out.
    """

    lines: tuple[str, ...]
    call: str
    arrays: tuple[Array, ...] = ()
    states: tuple[tuple[str, int], ...] = ()
    scratch: int = 0
    multiply_adds: int = 0
    columns: int = 0
    left_out: int = 0


def indented(lines: Iterable[str], levels: int = 1) -> Iterator[str]:
    """Yield lines moved to the right."""
    return (f"{'    ' * levels}{line}" if line else line for line in lines)


def comment(text: str) -> list[str]:
    """Return a comment of C; what would end it early is written apart."""
    plain = text.replace("*/", "* /").replace("/*", "/ *")
    first, *others = ["".join(letter if letter.isprintable() else " " for letter in line) for line in plain.split("\n")]
    if not others:
        return [f"/* {first} */"]
    return [f"/* {first}", *(f" * {line}".rstrip() for line in others), " */"]
