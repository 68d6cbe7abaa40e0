"""Keys: what a leaf or a result of a graph is, and which one of its kind."""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal[
    # Leaves that an author writes, or that a back end is given.
    "input",  # the input of the step
    "state",  # as a leaf: the state before the step; as a result: the state after it
    "parameter",
    "random",  # a draw
    "constant",
    "size",  # the length of a vector, as a number
    # Leaves and results of the graphs that the passes make.
    "hoisted",  # computed before the loop
    "saved",  # computed by the forward loop and read again by the backward pass
    "cotangent",  # the gradient that arrives at a result; its name is that result's key, as text
    "product",  # the cotangent of a product with a matrix
    "operand",  # what a matrix was multiplied with, where it is no leaf
    # Results of a step.
    "output",
    "record",  # a value that the caller wants to see
    # An argument of generated PyTorch code.
    "like",  # any tensor of the run
]


class Key(NamedTuple):
    """The kind and the name of a leaf or result, such as Key("state", "h"); written "state.h", and "output" alone.

    Attributes:
        kind: what it is.
        name: which one: a state's or parameter's name, the number of a product; "" for the output.
    """

    kind: Kind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}.{self.name}" if self.name else self.kind

    @classmethod
    def parse(cls, text: str) -> Key:
        """Return the key that is written so; nobody has checked its kind."""
        kind, _, name = text.partition(".")
        return cls(kind, name)  # type: ignore[arg-type]  # a reader of files compares it with what it knows


OUTPUT = Key("output")


def state_keys(names: tuple[str, ...]) -> tuple[Key, ...]:
    """Return the keys of states."""
    return tuple(Key("state", name) for name in names)


def cotangent_of(result: Key) -> Key:
    """Return the key of the gradient that arrives at a result."""
    return Key("cotangent", str(result))
