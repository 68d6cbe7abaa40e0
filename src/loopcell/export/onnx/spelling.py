"""The ONNX of every op, and of a graph made of them.

Vectors are [..., n], one number a row is [..., 1]; parameters have no leading axes. So one spelling serves a step
[B, n] and a whole sequence [T, B, n].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from loopcell.equations import Graph, Key
from loopcell.equations.graph import Node
from loopcell.export.onnx.nodes import GraphWriter
from loopcell.export.step_model.stages import Floats

Spelling = Callable[..., str]


def _same(op: str) -> Spelling:
    return lambda writer, *operands: writer.apply(op, *operands)


def _greater(writer: GraphWriter, left: str, right: str) -> str:
    return writer.apply("Cast", writer.apply("Greater", left, right), attributes={"to": 1})  # 1: float


def _where(writer: GraphWriter, condition: str, chosen: str, otherwise: str) -> str:
    # Not equal to zero, and not a cast: NaN is no zero, in torch too, and casts of NaN are each runtime's own.
    zero = writer.apply("Equal", condition, writer.constant(np.float32(0)))
    return writer.apply("Where", zero, otherwise, chosen)


def _sum(writer: GraphWriter, value: str) -> str:
    return writer.apply("ReduceSum", value, writer.integers(-1), attributes={"keepdims": 1})


OPERATIONS: dict[str, Spelling] = {
    "add": _same("Add"),
    "sub": _same("Sub"),
    "mul": _same("Mul"),
    "div": _same("Div"),
    "neg": _same("Neg"),
    "sigmoid": _same("Sigmoid"),
    "tanh": _same("Tanh"),
    "relu": _same("Relu"),
    "exp": _same("Exp"),
    "log": _same("Log"),
    "softplus": _same("Softplus"),
    "sqrt": _same("Sqrt"),
    "abs": _same("Abs"),
    "minimum": _same("Min"),
    "maximum": _same("Max"),
    "greater": _greater,
    "where": _where,
    "sum": _sum,
    "sized": lambda _, value: value,
}
"""The spelling of every op but the products, which need a matrix transposed, and `expand`, which asks for a size."""


class Flow(NamedTuple):
    """A value of an ONNX graph.

    Attributes:
        name: in the graph.
        fixed: the same for every row and step, without their axes.
    """

    name: str
    fixed: bool = False


class Parameters:
    """A stage's parameters as constants of the graph, each written once in each form that is asked for."""

    def __init__(self, writer: GraphWriter, values: Mapping[str, Floats]) -> None:
        self._writer, self._values = writer, values
        self._made: dict[tuple[str, bool], str] = {}

    def constant(self, name: str, *, transposed: bool = False) -> str:
        """Return the constant's name; a parameter of no axes is one number [1]."""
        if (name, transposed) not in self._made:
            value = np.atleast_1d(self._values[name])
            made = self._writer.constant(value.T if transposed else value, f"{name}{'.T' if transposed else ''}")
            self._made[name, transposed] = made
        return self._made[name, transposed]


def write_graph(
    writer: GraphWriter, graph: Graph, leaves: Mapping[Key, Flow], parameters: Parameters, sizes: Mapping[str, int]
) -> dict[Key, Flow]:
    """Write a graph's nodes, and return its results.

    Args:
        writer: what they are added to.
        graph: verified.
        leaves: inputs, states and hoisted values, by key.
        parameters: of the stage.
        sizes: every size of the graph, by name.
    """
    flows: list[Flow] = []
    for node in graph.nodes:
        operands = [flows[arg] for arg in node.args]
        if node.args:
            name = _written(writer, graph, node, operands, parameters, sizes)
            flows.append(Flow(name, all(one.fixed for one in operands)))
        elif node.key in leaves:
            flows.append(leaves[node.key])
        else:
            flows.append(Flow(_fixed_leaf(writer, node, parameters, sizes), fixed=True))
    return {key: flows[index] for key, index in graph.results.items()}


def _fixed_leaf(writer: GraphWriter, node: Node, parameters: Parameters, sizes: Mapping[str, int]) -> str:
    if node.op == "parameter":
        return parameters.constant(node.name)
    value = float(sizes[node.name]) if node.op == "size" else node.value
    return writer.constant(np.array([value], np.float32), "number")


def _written(
    writer: GraphWriter,
    graph: Graph,
    node: Node,
    operands: list[Flow],
    parameters: Parameters,
    sizes: Mapping[str, int],
) -> str:
    names = [one.name for one in operands]
    if node.op == "matmul":
        matrix = graph.nodes[node.args[0]].name
        return writer.apply("MatMul", names[1], parameters.constant(matrix, transposed=True))
    if node.op == "matmul_t":
        products = [writer.apply("MatMul", names[at + 1], names[at]) for at in range(0, len(names), 2)]
        return writer.apply("Sum", *products)
    if node.op == "expand":
        return writer.apply("Mul", names[0], writer.constant(np.ones(sizes[node.name], np.float32), "ones"))
    return OPERATIONS[node.op](writer, *names)
