"""The verifier: every value's shape from its use, or an error that quotes the line of the contradiction."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from loopcell.equations.builder import Builder, Value
from loopcell.equations.graph import Bernoulli, Graph, Line, Node
from loopcell.equations.keys import Key
from loopcell.equations.ops import OPS
from loopcell.equations.printing import brief
from loopcell.equations.rewrite import copy_into
from loopcell.equations.shapes import Shape, shape_of, shape_text
from loopcell.errors import ShapeError


def verify(graph: Graph, sizes: dict[Key, str]) -> Graph:
    """Return `graph` with the shape of every value.

    The size of an input that is not in `sizes` follows from use: [input] where it meets the first input elementwise, a
    size of its own name where only products read it, and else one number a step, which fits everywhere.

    Args:
        graph: as traced, shapes unknown.
        sizes: the length's name of inputs and of each state, by leaf key: {"state.h": "hidden"}; "" for one number.

    Raises:
        ShapeError: two uses of a value contradict each other, or a length does not follow from use.
    """
    return _typed(graph, _settled(graph, sizes))


def _settled(graph: Graph, sizes: dict[Key, str]) -> _Inference:
    """Infer all shapes, with as few inputs of unknown size as possible taken as one number a step.

    An input that would be as long as a state is such a number: `w.t * dt + b.t` is elementwise in both readings.
    """
    unknown = [node.key for _, node in graph.leaves("input") if node.key not in sizes]
    fitting: _Inference | None = None
    refusal: ShapeError | None = None
    for numbers in (some for count in range(len(unknown) + 1) for some in combinations(unknown, count)):
        try:
            found = _Inference(graph, sizes | dict.fromkeys(numbers, ""))
        except ShapeError as error:
            refusal = refusal or error
            continue
        if found.vectors_meet_inputs():
            return found
        fitting = fitting or found
    if fitting is None:
        assert refusal is not None  # at least one reading was tried
        raise refusal
    return fitting


def check(graph: Graph) -> None:
    """Check that a graph's shapes follow the op table; for tests of passes and graphs from files.

    Raises:
        ShapeError: a node's shape is not what its operands give.
    """
    for node in graph.nodes:
        if OPS[node.op].rule != "leaf":
            found = shape_of(node.op, [graph.nodes[arg].dims for arg in node.args], node.dims)
            if found != node.shape:
                raise ShapeError(
                    f"{graph.name}: {node.op} is {shape_text(found)}, the graph says {shape_text(node.dims)}"
                )


class _Sizes:
    """Names of sizes under equality (union-find): fixed names, and unknowns that start with "?"."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._count = 0

    def unknown(self) -> str:
        self._count += 1
        return f"?{self._count}"

    def find(self, name: str) -> str:
        while name in self._parent:
            name = self._parent[name]
        return name

    def unify(self, left: str, right: str) -> bool:
        left, right = self.find(left), self.find(right)
        if left == right:
            return True
        if right.startswith("?"):
            self._parent[right] = left
        elif left.startswith("?"):
            self._parent[left] = right
        else:
            return False
        return True


class _Inference:
    def __init__(self, graph: Graph, sizes: dict[Key, str]) -> None:
        self.graph = graph
        self.given = sizes
        self.sizes = _Sizes()
        self.shapes: list[Shape | None] = [None] * len(graph.nodes)
        self.first_use: dict[int, Line | None] = {}
        self.input_met: Node | None = None
        for index in range(len(graph.nodes)):
            self._visit(index)
        self._finish()

    def vectors_meet_inputs(self) -> bool:
        """Say whether every input whose size was not given is one number, or as long as an input."""
        lengths = {"input", *self.graph.inputs}
        unsaid = (index for index, node in self.graph.leaves("input") if node.key not in self.given)
        return all(lengths.issuperset(self.resolved(index)) for index in unsaid)

    def _visit(self, index: int) -> None:
        node = self.graph.nodes[index]
        rule = _TRACED_RULES.get(node.op) or OPS[node.op].rule
        rules = {
            "leaf": self._leaf,
            "elementwise": self._elementwise,
            "matmul": self._matmul,
            "sum": self._scalar,
            "length": self._scalar,
            "like": self._like,
            "sized": self._sized,
        }
        rules[rule](index, node)

    def _finish(self) -> None:
        for key, index in self.graph.results.items():
            shape = self._vector(index, self.graph.nodes[index], "a result")
            if key in self.given and not self.sizes.unify(shape, self.given[key]):
                self._fail_result(key, index)
        self._name_sizes_of_inputs()
        draws: dict[str, Bernoulli | None] = {}
        for node in self.graph.nodes:
            if node.op == "random" and draws.setdefault(node.name, node.random) != node.random:
                self._fail(node, f"two different draws are named {node.name!r}; give each a name of its own")
        in_order = sorted(range(len(self.graph.nodes)), key=lambda index: self.graph.nodes[index].op == "parameter")
        for index in in_order:  # parameters last: the value that they make is the better one to name
            self._demand_known(index, self.graph.nodes[index])

    def _name_sizes_of_inputs(self) -> None:
        for index, node in self.graph.leaves("input"):
            if self.sizes.find(self._size(index)).startswith("?"):
                if node.name in ("input", "hidden"):
                    self._fail(node, f'nothing says how long `{node.name}` is; annotate it: {node.name}: "size"')
                self.sizes.unify(self._size(index), node.name)

    def resolved(self, index: int) -> Shape:
        return tuple(self.sizes.find(size) for size in self.shapes[index] or ())

    # -- one rule each ---------------------------------------------------------------------------

    def _leaf(self, index: int, node: Node) -> None:
        if node.key in self.given:
            self.shapes[index] = (self.given[node.key],) if self.given[node.key] else ()
        elif node.op == "input":
            self.shapes[index] = (self.sizes.unknown(),)
        elif node.op == "state":
            self._fail(node, f"state `{node.name}` has no new value among the results")
        elif node.op in ("constant", "size"):
            self.shapes[index] = ()
        elif node.op == "random":
            self.shapes[index] = node.shape or (self.sizes.unknown(),)

    def _elementwise(self, index: int, node: Node) -> None:
        vectors = [arg for arg in node.args if self._use_as_vector(arg, node)]
        self._remember_input(node, vectors)
        for arg in vectors[1:]:
            if not self.sizes.unify(self._size(vectors[0]), self._size(arg)):
                self._fail_elementwise(node, vectors[0], arg)
        self.shapes[index] = (self._size(vectors[0]),) if vectors else ()

    def _matmul(self, index: int, node: Node) -> None:
        matrix, vector = node.args
        if self.graph.nodes[matrix].op != "parameter":
            self._fail(
                node, f"the left side of @ is `{self._text(matrix)}`, which is not a parameter; write W.name @ value"
            )
        inner = self._vector(vector, node, "the right side of @")
        if self.shapes[matrix] is None:
            self.shapes[matrix] = (self.sizes.unknown(), inner)
            self.first_use[matrix] = node.line
        shape = self.shapes[matrix] or ()
        if len(shape) != 2:
            self._fail(
                node,
                f"`{self._text(matrix)}` is a matrix here and a vector{self._since(matrix)}; use two parameters",
            )
        if not self.sizes.unify(shape[1], inner):
            self._fail_product(node, matrix, vector)
        self.shapes[index] = (shape[0],)

    def _scalar(self, index: int, node: Node) -> None:
        self._vector(node.args[0], node, "the operand of a sum or mean")
        self.shapes[index] = ()

    def _like(self, index: int, node: Node) -> None:
        value, model = node.args
        size, wanted = self._vector(value, node, "a state"), self._vector(model, node, "what another is as long as")
        if not self.sizes.unify(size, wanted):
            self._fail(node, f"{self._shown(value)} and {self._shown(model)}, and must be equally long here")
        self.shapes[index] = (size,)

    def _sized(self, index: int, node: Node) -> None:
        size = self._vector(node.args[0], node, "what is sized")
        if self.sizes.find(size).startswith("?"):
            self.sizes.unify(size, node.name)
        self.shapes[index] = (node.name,)

    # -- help for the rules ----------------------------------------------------------------------

    def _size(self, index: int) -> str:
        return (self.shapes[index] or ("",))[0]

    def _remember_input(self, node: Node, vectors: list[int]) -> None:
        """Remember the first place where the input itself gives an unknown length its own: often a slip."""
        unknown = any(self.sizes.find(self._size(arg)).startswith("?") for arg in vectors)
        if self.input_met is None and unknown and any(self.graph.nodes[arg].op == "input" for arg in vectors):
            self.input_met = node

    def _use_as_vector(self, index: int, user: Node) -> bool:
        """Fix a parameter that stands in an elementwise place as a vector; say whether the value is one."""
        if self.shapes[index] is None:
            self.shapes[index] = (self.sizes.unknown(),)
            self.first_use[index] = user.line
        shape = self.shapes[index] or ()
        if len(shape) == 2:
            self._fail(
                user,
                f"`{self._text(index)}` is a vector here and a matrix{self._since(index)}; use two parameters",
            )
        return bool(shape)

    def _vector(self, index: int, user: Node, role: str) -> str:
        if not self._use_as_vector(index, user):
            self._fail(user, f"`{self._text(index)}` is a scalar, and {role} must be a vector")
        return self._size(index)

    def _demand_known(self, index: int, node: Node) -> None:
        if node.op == "parameter" and self.shapes[index] is None:
            self._fail(
                node,
                f"the shape of `{node.name}` does not follow from its use; "
                f"combine it with a value or write {node.name} @ value",
            )
        if any(size.startswith("?") for size in self.resolved(index)):
            text = self._text(index)
            self._fail(
                node, f'the length of `{text}` does not follow from its use; give it a name: sized({text}, "rank")'
            )

    def _text(self, index: int) -> str:
        return brief(self.graph, index)

    def _since(self, index: int) -> str:
        line = self.first_use.get(index)
        return f" in line {line.number}" if line else " elsewhere"

    def _shown(self, index: int) -> str:
        known = tuple("?" if size.startswith("?") else size for size in self.resolved(index))
        return f"`{self._text(index)}` is {shape_text(known)}"

    def _fail_elementwise(self, node: Node, left: int, right: int) -> None:
        advice = f"the operands of {node.op} must have one length"
        if "input" in self.resolved(left) + self.resolved(right):
            odd = left if self.resolved(left) == ("input",) else right
            target = self.resolved(right if odd == left else left)[0]
            advice += f"; W.name @ {self._text(odd)} turns [input] into [{target}]"
        self._fail(node, f"{self._shown(left)} and {self._shown(right)}: {advice}")

    def _fail_product(self, node: Node, matrix: int, vector: int) -> None:
        self._fail(
            node,
            f"{self._shown(matrix)}{self._since(matrix)} and {self._shown(vector)}: a product here needs a parameter "
            f"[..., {self.resolved(vector)[0]}]; give this use a parameter of its own",
        )

    def _fail_result(self, key: Key, index: int) -> None:
        state, given, found = key.name, self.given[key], self.resolved(index)
        wrong = f"state `{state}` is [{given}], but its new value is {shape_text(found)}"
        if found == ("input",):
            self._fail(
                self.input_met or self.graph.nodes[index],
                f"{wrong}: the input itself stands here; W.name @ it has the length [{given}], "
                f'and sized(it, "{given}") demands that both lengths are equal',
            )
        self._fail(
            self.graph.nodes[index],
            f'{wrong}; multiply by a parameter, or annotate the state: {state}: "{found[0] if found else given}"',
        )

    def _fail(self, node: Node, message: str) -> None:
        raise ShapeError(located(self.graph.name, node.line, message))


# Ops that exist only between tracing and verification: they mention a value for its length alone.
_TRACED_RULES = {"length": "length", "like": "like"}


def located(name: str, line: Line | None, message: str) -> str:
    """Put the cell's name and the user's own line before a message."""
    if line is None:
        return f"cell `{name}`: {message}"
    return f"cell `{name}`, line {line.number} of {line.file}:\n    {line.source}\n{message}"


def _typed(graph: Graph, inference: _Inference) -> Graph:
    builder = Builder()

    def rewrite(index: int, node: Node, operands: tuple[Value, ...]) -> Value:
        if node.op == "like":
            return operands[0]
        if node.op == "length":
            return builder.leaf("size", inference.resolved(node.args[0])[0], ())
        return builder.add(
            replace(node, args=tuple(value.index for value in operands), shape=inference.resolved(index))
        )

    values = copy_into(builder, graph, rewrite)
    return builder.build(graph.name, {key: values[index] for key, index in graph.results.items()})
