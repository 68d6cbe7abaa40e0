"""A cell: equations with a name."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, get_args, overload

from loopcell.equations import printing, wiring
from loopcell.equations.builder import Value
from loopcell.equations.graph import Graph
from loopcell.equations.inline import inline
from loopcell.equations.mathml import mathml
from loopcell.equations.names import is_title
from loopcell.equations.namespace import Namespace
from loopcell.equations.serialise import fingerprint, graph_from_json, graph_to_json
from loopcell.equations.trace import read_signature, trace
from loopcell.errors import FileFormatError, InputError, TraceError, quoted

Initial = Literal["uniform", "zeros", "ones"]
"""How a namespace's parameters start: uniform in +-1/sqrt(hidden) as in torch.nn, zeros, or ones."""


@dataclass(frozen=True)
class Cell:
    """One step of a recurrent network, as a graph of its equations.

    Made by `@cell`; the same for a cell of the library and one from a notebook.

    Attributes:
        graph: the verified graph of one step of one example.
        doc: the author's docstring.
        initial: how each namespace of parameters starts; "uniform" where nothing is said.
    """

    graph: Graph
    doc: str = ""
    initial: Mapping[str, Initial] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The cell's name."""
        return self.graph.name

    @property
    def summary(self) -> str:
        """The first line of the author's docstring."""
        return self.doc.strip().partition("\n")[0]

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states, such as ("h", "c")."""
        return self.graph.states

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs that the equations read, such as ("x", "dt"); a call takes all but the first by name."""
        return self.graph.inputs

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the equations: equal for equal computations, whatever the source looked like."""
        return fingerprint(self.graph)

    @property
    def sizes(self) -> tuple[str, ...]:
        """Names of the sizes that a network must know: "input", "hidden", and others that the cell names."""
        named = dict.fromkeys(["input", "hidden"])
        named |= dict.fromkeys(size for node in self.graph.nodes for size in node.dims)
        return tuple(named)

    def text(self) -> str:
        """Return the equations as text, one named value per line."""
        return printing.text(self.graph)

    def latex(self) -> str:
        """Return the equations as a LaTeX `aligned` block."""
        return printing.latex(self.graph)

    def mathml(self) -> str:
        """Return the equations as MathML, which browsers draw without a script."""
        return mathml(self.graph)

    def svg(self) -> str:
        """Return the wiring as an SVG picture, drawn from the graph: states through, gates, products."""
        return wiring.picture(self.graph)

    def _repr_svg_(self) -> str:
        """Show the wiring in a notebook."""
        return self.svg()

    def parameter_shapes(
        self, *, input_size: int, hidden_size: int, sizes: Mapping[str, int] | None = None
    ) -> dict[str, tuple[int, ...]]:
        """Return the shape of every parameter, by name such as "W.i".

        Args:
            input_size: I, the input's length.
            hidden_size: H, the hidden state's length.
            sizes: other sizes that the cell names, such as {"proj": 32}.

        Raises:
            InputError: a size is missing, unknown or below 1.
        """
        known = self.resolve_sizes(input_size=input_size, hidden_size=hidden_size, sizes=sizes)
        return {name: tuple(known[size] for size in shape) for name, shape in self.graph.parameters.items()}

    def num_parameters(self, *, input_size: int, hidden_size: int, sizes: Mapping[str, int] | None = None) -> int:
        """Return how many numbers the cell learns; see `parameter_shapes`."""
        shapes = self.parameter_shapes(input_size=input_size, hidden_size=hidden_size, sizes=sizes)
        return sum(math.prod(shape) for shape in shapes.values())

    def resolve_sizes(
        self, *, input_size: int, hidden_size: int, sizes: Mapping[str, int] | None = None
    ) -> dict[str, int]:
        """Return every size by name, checked; see `parameter_shapes`."""
        known = {"input": input_size, "hidden": hidden_size, **(sizes or {})}
        for name in known:
            if name not in self.sizes:
                others = ", ".join(self.sizes)
                raise InputError(f"cell `{self.name}` has no size named {name!r}; its sizes are {others}")
        for name in self.sizes:
            if name not in known:
                raise InputError(f"cell `{self.name}` needs the size {name!r}: pass sizes={{{name!r}: ...}}")
            if not isinstance(known[name], int) or known[name] < 1:
                raise InputError(f"the size {name!r} must be a whole number of at least 1, not {known[name]!r}")
        self._demand_equal_sizes(known)
        return known

    def to_json(self) -> str:
        """Return the cell as JSON, from which `from_json` makes it again without its source."""
        return json.dumps({"graph": graph_to_json(self.graph), "doc": self.doc, "initial": dict(self.initial)})

    @classmethod
    def from_json(cls, text: str) -> Cell:
        """Read a cell back.

        Raises:
            FileFormatError: the text is not a cell.
        """
        try:
            data = json.loads(text)
            graph, doc, initial = data["graph"], str(data["doc"]), dict(data["initial"])
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise FileFormatError(f"the file's cell cannot be read ({type(error).__name__}: {error})") from None
        if any(how not in get_args(Initial) for how in initial.values()):
            raise FileFormatError(f"the file's cell starts parameters in an unknown way: {quoted(initial)}")
        read = graph_from_json(graph)
        if [node.dims for _, node in read.leaves("input")][:1] not in ([], [("input",)]):
            raise FileFormatError(f"the file's cell has a first input that is not [input]: {quoted(read.inputs)}")
        return cls(read, doc, initial)

    def __call__(self, x: Value, *further: Value, **namespaces: Namespace) -> tuple[Value, ...]:
        """Use these equations inside another cell's: returns the output and the new states.

        Args:
            x: the first input.
            further: the other inputs and then one value a state, in the cell's order.
            namespaces: the outer cell's namespaces that take the place of this cell's, by name.
        """
        if not isinstance(x, Value):
            raise TraceError(
                f"cell `{self.name}` describes one step; "
                f"to run it over a sequence: Recurrent({self.name}, input_size=..., hidden_size=...)"
            )
        others = self.inputs[1:]
        if len(further) != len(others) + len(self.states):
            wanted = f"{'the inputs ' * bool(others)}{', '.join(others)}{' and ' * bool(others)}"
            wanted += f"the states {', '.join(self.states)}"
            raise TraceError(x.builder.located(f"cell `{self.name}` takes {wanted}; {len(further)} came"))
        return inline(self.graph, (x, *further[: len(others)]), further[len(others) :], namespaces)

    def _demand_equal_sizes(self, known: Mapping[str, int]) -> None:
        for node in self.graph.nodes:
            if node.op == "sized":
                inner = self.graph.nodes[node.args[0]].dims[0]
                if known[inner] != known[node.name]:
                    used = printing.brief(self.graph, node.args[0])
                    raise InputError(
                        f"cell `{self.name}` needs {inner} and {node.name} of equal size (`{used}` is used as "
                        f"[{node.name}]); they are {known[inner]} and {known[node.name]}"
                    )

    def __deepcopy__(self, memo: dict[int, Any]) -> Cell:
        """Return the cell itself: it never changes, and what was made ready for it serves copies of networks too."""
        return self

    def __repr__(self) -> str:
        return f"<cell {self.name}: {', '.join(self.states)}; {', '.join(self.graph.parameters) or 'no parameters'}>"


def _demand_known(cell_name: str, what: str, given: Iterable[str], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            raise TraceError(f"cell `{cell_name}` has no {what} {name!r}; it has {', '.join(known) or 'none'}")


@overload
def cell(function: Callable[..., Any], /) -> Cell: ...


@overload
def cell(
    *, name: str = "", initial: Mapping[str, Initial] | None = None, **settings: float | str
) -> Callable[[Callable[..., Any]], Cell]: ...


def cell(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    initial: Mapping[str, Initial] | None = None,
    **settings: float | str,
) -> Cell | Callable[[Callable[..., Any]], Cell]:
    """Read a function as the equations of a recurrent cell.

    The input and the states are positional arguments, in this order; of several inputs, all stand before a `/`, as in
    `def f(x, dt, /, h, *, W)`. Keyword-only arguments are namespaces of parameters, which are learned; their shapes
    follow from use. The function returns the new states in the
    order of the arguments; the first is the output, unless one more value stands before them.

    Args:
        function: the equations of one step of one example.
        name: the cell's name, if not the function's.
        initial: how namespaces of parameters start, such as {"gain": "ones"}; uniform where nothing is said.
        settings: values for keyword-only arguments that have a default; used while the equations are read.

    Raises:
        TraceError: the function does what equations cannot.
        ShapeError: two uses of a value contradict each other; the message quotes the line.
    """
    if function is None:
        return lambda later: _read(later, name, dict(initial or {}), settings)
    return _read(function, name, dict(initial or {}), settings)


def _read(
    function: Callable[..., Any], name: str, initial: Mapping[str, Initial], settings: Mapping[str, object]
) -> Cell:
    if not hasattr(inspect.unwrap(function), "__code__"):
        raise TraceError(f"@cell reads a function of one step, def f(x, h, *, W, U, b); it was given {function!r:.80}")
    name = name or function.__name__
    if not is_title(name):
        raise TraceError(f"{name[:80]!r} cannot be a cell's name; use one printable line")
    signature = read_signature(function)
    _demand_known(name, "setting", settings, signature.settings)
    _demand_known(name, "namespace to initialise", initial, signature.namespaces)
    for how in initial.values():
        if how not in get_args(Initial):
            ways = ", ".join(get_args(Initial))
            raise TraceError(f"cell `{name}`: parameters start as one of {ways}, not {how!r}")
    graph = trace(function, name, signature, {**signature.settings, **settings})
    return Cell(graph, inspect.getdoc(function) or "", initial)
