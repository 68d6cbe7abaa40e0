"""Namespaces: what a cell's keyword-only arguments are while its equations are read."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

from loopcell.equations.graph import Node
from loopcell.equations.names import is_name
from loopcell.errors import TraceError


class LeafBuilder(Protocol):
    """The part of a `Builder` that a namespace uses; the builder itself reads this file, to refuse bare namespaces."""

    nodes: list[Node]

    def leaf(self, op: str, name: str) -> Any:
        """Add a leaf and return its value."""

    def located(self, message: str) -> str:
        """Put the place in the user's source before a message."""

    def index_of(self, operand: object) -> int | None:
        """Return the position of a value's node; None for what is no value."""


class Namespace:
    """A keyword-only argument of a cell: `W.i` is the learned parameter i of W; its shape follows from use."""

    def __init__(self, builder: LeafBuilder, name: str) -> None:
        self._builder = builder
        self._name = name

    def __getattr__(self, gate: str) -> Any:
        if gate.startswith("__"):
            raise AttributeError(gate)
        if not is_name(gate):
            raise TraceError(self._builder.located(f"{gate!r} cannot name a parameter; use a word such as 'i'"))
        return self._builder.leaf("parameter", f"{self._name}.{gate}")

    def _refuse(self, *operands: object) -> NoReturn:
        refuse_bare(self, *operands)

    # Whatever may be done with a value, but asked of the namespace itself.
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __matmul__ = __rmatmul__ = __pow__ = __rpow__ = __neg__ = __abs__ = _refuse
    __gt__ = __lt__ = __ge__ = __le__ = __getitem__ = __call__ = __iter__ = __bool__ = _refuse
    __float__ = __int__ = __index__ = _refuse

    def __array_ufunc__(self, *operands: Any, **_: Any) -> NoReturn:
        """Refuse numpy's functions and operators."""
        refuse_bare(self, *operands)

    @classmethod
    def __torch_function__(cls, _function: Any, _types: Any, args: Any = (), options: Any = None) -> NoReturn:
        """Refuse torch's functions."""
        bare = next(one for one in [*args, *(options or {}).values()] if isinstance(one, cls))
        refuse_bare(bare)


def refuse_bare(namespace: Namespace, *beside: object) -> NoReturn:
    """Say that a namespace stands where one of its parameters should, and which it may be.

    Args:
        namespace: what stands there.
        beside: the other operands; a gate that all their parameters have is the one to name.
    """
    builder, name = namespace._builder, namespace._name  # noqa: SLF001 - every public name of it is a parameter
    gates = _gates_of([index for index in map(builder.index_of, beside) if index is not None], builder)
    cure = f"{name}.{gates[0]}" if len(gates) == 1 else f"{name}.name, such as {name}.{gates[-1] if gates else 'i'}"
    raise TraceError(builder.located(f"`{name}` is a namespace of parameters, not a parameter; write {cure}"))


def _gates_of(indices: list[int], builder: LeafBuilder) -> list[str]:
    """Return the gates of the parameters of some values, in the order of writing: ["i"] of W.i @ x + U.i @ h."""
    found, stack = set(indices), list(indices)
    while stack:
        before = set(builder.nodes[stack.pop()].args) - found
        found |= before
        stack += before
    parameters = (builder.nodes[index] for index in sorted(found) if builder.nodes[index].op == "parameter")
    return list(dict.fromkeys(node.name.partition(".")[2] for node in parameters))
