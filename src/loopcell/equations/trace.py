"""Reading a cell: its function is called once with symbols, and what it computes is written down."""

from __future__ import annotations

import inspect
import linecache
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType

from loopcell.equations.builder import Builder, Operand, Value
from loopcell.equations.functions import Namespace
from loopcell.equations.graph import Graph, Line, Node
from loopcell.equations.names import is_name
from loopcell.equations.verify import located, verify
from loopcell.errors import TraceError

_HERE = str(Path(__file__).parent)


@dataclass(frozen=True)
class Signature:
    """What a cell's function declares.

    Attributes:
        input: name of the input.
        states: names of the states, each with the name of its size.
        namespaces: names of the keyword-only arguments, the parameters.
        settings: keyword-only arguments that have a default: numbers and words that shape the equations.
    """

    input: str
    states: Mapping[str, str]
    namespaces: tuple[str, ...]
    settings: Mapping[str, object]


def read_signature(function: Callable[..., object]) -> Signature:
    """Read what flows and what is learned from a function's arguments.

    Raises:
        TraceError: the arguments cannot be those of a cell.
    """
    positional, namespaces, settings = [], [], {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TraceError(
                f"cell `{function.__name__}`: *args and **kwargs cannot be read; name each state and namespace"
            )
        if parameter.kind is not parameter.KEYWORD_ONLY:
            positional.append(parameter)
        elif parameter.default is parameter.empty:
            namespaces.append(parameter.name)
        else:
            settings[parameter.name] = parameter.default
    if len(positional) < 2:
        raise TraceError(
            f"cell `{function.__name__}` needs an input and at least one state: "
            f"def {function.__name__}(x, h, *, W, U, b)"
        )
    states = {parameter.name: _size_name(function, parameter) for parameter in positional[1:]}
    return Signature(positional[0].name, states, tuple(namespaces), settings)


def _size_name(function: Callable[..., object], parameter: inspect.Parameter) -> str:
    name = parameter.annotation
    if name is parameter.empty:
        return "hidden"
    if isinstance(name, str) and is_name(name := name.strip("\"'")):
        return name
    raise TraceError(
        f"cell `{function.__name__}`: the annotation of state `{parameter.name}` names its size, "
        f'such as {parameter.name}: "hidden"'
    )


class TraceBuilder(Builder):
    """A builder that knows where the user is writing, and keeps the frame whose locals name the values."""

    def __init__(self, name: str, code: CodeType | None = None) -> None:
        super().__init__(typed=False)
        self.name = name
        self.frame: FrameType | None = None
        self._code = code

    def apply(self, op: str, *operands: Operand, name: str = "") -> Value:
        """Apply `op`, remembering the frame of the function being read."""
        self._remember_frame()
        return super().apply(op, *operands, name=name)

    def line(self) -> Line | None:
        """Return the user's line, the innermost that is not of this room."""
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
            frame = frame.f_back
        file, lineno = frame.f_code.co_filename, frame.f_lineno
        return Line(Path(file).name, lineno, linecache.getline(file, lineno).strip())

    def located(self, message: str) -> str:
        """Put the user's line before a message."""
        return located(self.name, self.line(), message)

    def name_locals(self) -> None:
        """Label values by the local variables they were assigned to; names from inlined cells give way."""
        named: dict[int, str] = {}
        for name, value in (self.frame.f_locals if self.frame is not None else {}).items():
            ours = isinstance(value, Value) and value.builder is self and value.node.args
            if ours and not name.startswith("_"):
                named.setdefault(self._meant(value), name)
        self.labels |= named
        self.frame = None

    def name_results(self, results: Mapping[str, Value]) -> None:
        """Give new states the states' names."""
        self.labels |= {self._meant(value): name for name, value in results.items() if value.node.args}

    def _meant(self, value: Value) -> int:
        """Return the node that stays when `like`, a mention of a length, is gone."""
        index = value.index
        while self.nodes[index].op == "like":
            index = self.nodes[index].args[0]
        return index

    def _remember_frame(self) -> None:
        # A frame that is referenced keeps its locals after it returns: no profiler hook is needed to read them.
        frame: FrameType | None = sys._getframe(1) if self.frame is None and self._code is not None else None
        while frame is not None and frame.f_code is not self._code:
            frame = frame.f_back
        self.frame = self.frame or frame


def trace(function: Callable[..., object], name: str, signature: Signature, settings: Mapping[str, object]) -> Graph:
    """Call a cell's function once with symbols and return its verified graph.

    Raises:
        TraceError: the function does something that equations cannot.
        ShapeError: two uses of a value contradict each other.
    """
    builder = TraceBuilder(name, inspect.unwrap(function).__code__)
    symbols = [
        builder.add(Node("input", name=signature.input)),
        *(builder.add(Node("state", name=state)) for state in signature.states),
    ]
    spaces = {space: Namespace(builder, space) for space in signature.namespaces}
    returned = function(*symbols, **spaces, **settings)
    builder.name_locals()
    results = named_results(builder, signature, returned)
    sizes = {f"state.{state}": size for state, size in signature.states.items()} | {f"input.{signature.input}": "input"}
    return verify(builder.build(builder.name, results), sizes)


def named_results(builder: TraceBuilder, signature: Signature, returned: object) -> dict[str, Value]:
    """Name what a cell returns: the new states in the arguments' order, an output before them if one more came."""
    values: list[Value] = []
    states = list(signature.states)
    wanted = ", ".join(states)
    for value in returned if isinstance(returned, tuple) else (returned,):
        if not isinstance(value, Value):
            came = type(value).__name__
            raise TraceError(f"cell `{builder.name}` returned {came} where a new state was expected; return {wanted}")
        values.append(value)
    if len(values) not in (len(states), len(states) + 1):
        raise TraceError(
            f"cell `{builder.name}` returned {len(values)} value(s); it has {len(states)} state(s): "
            f"return {wanted}, or an output and then {wanted}"
        )
    new_states = values[-len(states) :]
    builder.name_results(dict(zip(states, new_states, strict=True)))
    return {"output": values[0]} | {f"state.{state}": value for state, value in zip(states, new_states, strict=True)}
