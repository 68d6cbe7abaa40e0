"""Cells as equations: symbols and tracing, op table, graph and verifier, printing. No torch in this room."""

from loopcell.equations.builder import Value
from loopcell.equations.cell import Cell, cell
from loopcell.equations.functions import (
    bernoulli,
    exp,
    layer_norm,
    log,
    maximum,
    mean,
    minimum,
    relu,
    sigmoid,
    sized,
    softplus,
    sqrt,
    tanh,
    total,
    where,
)
from loopcell.equations.graph import Graph, Node
from loopcell.equations.keys import Key

__all__ = [
    "Cell",
    "Graph",
    "Key",
    "Node",
    "Value",
    "bernoulli",
    "cell",
    "exp",
    "layer_norm",
    "log",
    "maximum",
    "mean",
    "minimum",
    "relu",
    "sigmoid",
    "sized",
    "softplus",
    "sqrt",
    "tanh",
    "total",
    "where",
]
