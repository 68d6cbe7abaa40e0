"""Reading a cell: its function is called once with symbols, and what it computes is written down."""

from __future__ import annotations

import inspect
import linecache
import sys
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType

from loopcell.equations.builder import Builder, Value
from loopcell.equations.graph import Graph, Line, Node
from loopcell.equations.keys import OUTPUT, Key
from loopcell.equations.names import is_name
from loopcell.equations.namespace import Namespace, refuse_bare
from loopcell.equations.ops import LEAVES
from loopcell.equations.order import Returned, swapped
from loopcell.equations.unused import TracedCell, unused
from loopcell.equations.verify import located, verify
from loopcell.errors import EquationWarning, TraceError

_HERE = str(Path(__file__).parent)


@dataclass(frozen=True)
class Signature:
    """The declarations of a cell's function.

    Attributes:
        inputs: names of the inputs, each with the name of its size: "" for one number, None where it follows from use.
        states: names of the states, each with the name of its size.
        namespaces: names of the keyword-only arguments, the parameters.
        settings: keyword-only arguments that have a default: numbers and words that shape the equations.
    """

    inputs: Mapping[str, str | None]
    states: Mapping[str, str]
    namespaces: tuple[str, ...]
    settings: Mapping[str, object]


def read_signature(function: Callable[..., object]) -> Signature:
    """Read the inputs, the states and the namespaces of parameters from a function's arguments.

    What stands before a `/` is an input; where there is none, the first argument is.

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
    count = sum(parameter.kind is parameter.POSITIONAL_ONLY for parameter in positional) or 1
    if len(positional) <= count:
        before = f"; what stands before the / are inputs, {', '.join(one.name for one in positional)}" * (count > 1)
        raise TraceError(
            f"cell `{function.__name__}` needs an input and at least one state: "
            f"def {function.__name__}(x, h, *, W, U, b){before}"
        )
    first, *further = positional[:count]
    inputs = {first.name: "input"} | {parameter.name: _input_size(function, parameter) for parameter in further}
    states = {parameter.name: _state_size(function, parameter) for parameter in positional[count:]}
    return Signature(inputs, states, tuple(namespaces), settings)


def _state_size(function: Callable[..., object], parameter: inspect.Parameter) -> str:
    return "hidden" if parameter.annotation is parameter.empty else _size_name(function, parameter, "state")


def _input_size(function: Callable[..., object], parameter: inspect.Parameter) -> str | None:
    if parameter.annotation is parameter.empty:
        return None
    # Annotations are text where the author's file says `from __future__ import annotations`.
    return "" if parameter.annotation in (1, "1") else _size_name(function, parameter, "input")


def _size_name(function: Callable[..., object], parameter: inspect.Parameter, kind: str) -> str:
    name = parameter.annotation
    if isinstance(name, str) and is_name(name := name.strip("\"'")):
        return name
    raise TraceError(
        f"cell `{function.__name__}`: the annotation of {kind} `{parameter.name}` names its size, "
        f'such as {parameter.name}: "hidden"' + (f", or {parameter.name}: 1 for one number" * (kind == "input"))
    )


class TraceBuilder(Builder):
    """A builder that knows where the user is writing, and keeps the frames whose locals name the values.

    Attributes:
        frame: the cell's own function while it is read and after it, until `name_locals`.
        names: the local variables of the cell's function that a value was bound to when it returned, by position.
        inner_names: the same of functions that the cell called.
        written: every node that the author wrote (not an inlined cell), with the line of the cell's function.
        last_line: the line in which the cell's function returned.
    """

    def __init__(self, name: str, code: CodeType | None = None) -> None:
        super().__init__(typed=False)
        self.name = name
        self.frame: FrameType | None = None
        self.names: dict[int, list[str]] = {}
        self.inner_names: dict[int, list[str]] = {}
        self.written: dict[int, int] = {}
        self.last_line: Line | None = None
        self._code = code
        self._inner_frames: dict[int, FrameType] = {}

    def add(self, node: Node) -> Value:
        """Add `node`, remembering the frames of the function being read."""
        self._remember_frames()
        count = len(self.nodes)
        value = super().add(node)
        if len(self.nodes) > count and not self.borrowing and self.frame is not None:
            self.written[value.index] = self.frame.f_lineno
        return value

    def line(self) -> Line | None:
        """Return the user's line, the innermost that is not of this room; after the function has returned, its last."""
        if self.last_line is not None:
            return self.last_line
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
            frame = frame.f_back
        return _line_of(frame)

    def located(self, message: str) -> str:
        """Put the user's line before a message."""
        return located(self.name, self.line(), message)

    def name_locals(self) -> None:
        """Label values by the local variables they were assigned to; names from inlined cells give way."""
        if self.frame is not None:
            self.names = self._names_in(self.frame)
            self.last_line = _line_of(self.frame)  # of a function that has returned: its return
        for frame in self._inner_frames.values():
            for index, names in self._names_in(frame).items():
                self.inner_names.setdefault(index, []).extend(names)
        computed = {index: [name for name in names if name[0] != "_"] for index, names in self.names.items()}
        leaves = {index for index, node in enumerate(self.nodes) if node.op in LEAVES and node.op != "random"}
        self.labels |= {index: names[0] for index, names in computed.items() if names and index not in leaves}
        self.frame, self._inner_frames = None, {}

    def name_results(self, results: Mapping[str, Value]) -> None:
        """Give new states the states' names."""
        self.labels |= {self.meant(value): name for name, value in results.items() if value.node.args}

    def named(self, returned: Sequence[Value], fields: Sequence[str] = ()) -> list[Returned]:
        """Return what was returned with the author's names for it, those of a namedtuple's fields included."""
        named = []
        for place, value in enumerate(returned):
            index = self.meant(value)
            own = (*self.names.get(index, ()), *fields[place : place + 1])
            named.append(Returned(index, own, tuple(self.inner_names.get(index, ())), self.nodes[index].op == "state"))
        return named

    def meant(self, value: Value) -> int:
        """Return the node that stays when `like`, a mention of a length, is gone."""
        index = value.index
        while self.nodes[index].op == "like":
            index = self.nodes[index].args[0]
        return index

    def _names_in(self, frame: FrameType) -> dict[int, list[str]]:
        names: dict[int, list[str]] = {}
        for name, value in frame.f_locals.items():
            if isinstance(value, Value) and value.builder is self:
                names.setdefault(self.meant(value), []).append(name)
        return names

    def _remember_frames(self) -> None:
        # A frame that is referenced keeps its locals after it returns: no profiler hook is needed to read them.
        inner: list[FrameType] = []
        frame: FrameType | None = sys._getframe(1) if self._code is not None else None
        while frame is not None and frame.f_code is not self._code:
            if not frame.f_code.co_filename.startswith(_HERE):
                inner.append(frame)
            frame = frame.f_back
        if frame is not None:
            self.frame = self.frame or frame
            self._inner_frames |= {id(frame): frame for frame in inner}


def _line_of(frame: FrameType) -> Line:
    file, lineno = frame.f_code.co_filename, frame.f_lineno
    return Line(Path(file).name, lineno, linecache.getline(file, lineno).strip())


def trace(function: Callable[..., object], name: str, signature: Signature, settings: Mapping[str, object]) -> Graph:
    """Call a cell's function once with symbols and return its verified graph.

    Raises:
        TraceError: the function does something that equations cannot.
        ShapeError: two uses of a value contradict each other.
    """
    code = inspect.unwrap(function).__code__
    builder = TraceBuilder(name, code)
    symbols = [
        *(builder.add(Node("input", name=name)) for name in signature.inputs),
        *(builder.add(Node("state", name=state)) for state in signature.states),
    ]
    spaces = {space: Namespace(builder, space) for space in signature.namespaces}
    returned = function(*symbols, **spaces, **settings)
    builder.name_locals()
    results = named_results(builder, signature, returned)
    sizes = {Key("state", state): size for state, size in signature.states.items()}
    sizes |= {Key("input", name): size for name, size in signature.inputs.items() if size is not None}
    read = builder.build(builder.name, results)
    demand_read(read, signature.inputs)
    graph = verify(read, sizes)
    reading = TracedCell(builder, builder.names, builder.written, code)
    for note in unused(reading, [value.index for value in results.values()], signature.namespaces):
        warnings.warn_explicit(f"cell `{name}`: {note}", EquationWarning, code.co_filename, code.co_firstlineno)
    return graph


def demand_read(graph: Graph, inputs: Collection[str]) -> None:
    """Refuse several inputs of which one has no use: a network would demand what changes nothing.

    Raises:
        TraceError: which of them it is.
    """
    idle = [name for name in inputs if name not in graph.inputs]
    if len(inputs) > 1 and idle:
        raise TraceError(f"cell `{graph.name}`: nothing reads the input `{idle[0]}`, which a call would have to pass")


def named_results(builder: TraceBuilder, signature: Signature, returned: object) -> dict[Key, Value]:
    """Name what a cell returns: the new states in the arguments' order, an output before them if one more came."""
    values: list[Value] = []
    states = list(signature.states)
    wanted = ", ".join(states)
    for value in returned if isinstance(returned, tuple) else (returned,):
        if isinstance(value, Namespace):
            refuse_bare(value)
        if not isinstance(value, Value):
            came = type(value).__name__
            raise TraceError(f"cell `{builder.name}` returned {came} where a new state was expected; return {wanted}")
        values.append(value)
    if len(values) not in (len(states), len(states) + 1):
        raise TraceError(
            f"cell `{builder.name}` returned {len(values)} value(s); it has {len(states)} state(s): "
            f"return {wanted}, or an output and then {wanted}"
        )
    if wrong := swapped(states, builder.named(values, getattr(returned, "_fields", ()))):
        raise TraceError(builder.located(wrong))
    new_states = values[-len(states) :]
    builder.name_results(dict(zip(states, new_states, strict=True)))
    return {OUTPUT: values[0]} | {Key("state", state): value for state, value in zip(states, new_states, strict=True)}
