"""ONNX's RNN, LSTM and GRU as networks: https://onnx.ai/onnx/operators/onnx__LSTM.html and its neighbours.

What a node asks for beyond the library's cells (a clip, other activations, input_forget) is written as equations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from loopcell.equations import Cell
from loopcell.errors import FileFormatError, InputError, quoted
from loopcell.importing import written_cells
from loopcell.importing.activations import ONNX, Activation
from loopcell.importing.building import Network, check_shape, gatewise, network_of, without_spaces
from loopcell.importing.contents import Contents
from loopcell.importing.onnx.node import OnnxNode
from loopcell.layers import State
from loopcell.runtime import Lengths

_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
X, W, R, B, SEQUENCE_LENS, INITIAL_H, INITIAL_C, P = range(8)
"""The inputs of the operators, in order."""

WEIGHTS = (W, R, B, P)


@dataclass(frozen=True)
class RecurrentOperator:
    """A recurrent operator.

    Attributes:
        gates: of the equations, in the order of the packed weights.
        activations: those of a direction where the node names none.
        states: of the equations, in the order of the inputs initial_h and initial_c.
    """

    gates: tuple[str, ...]
    activations: tuple[str, ...]
    states: tuple[str, ...]


KINDS = {
    "RNN": RecurrentOperator(("h",), ("Tanh",), ("h",)),
    "LSTM": RecurrentOperator(("i", "o", "f", "g"), ("Sigmoid", "Tanh", "Tanh"), ("h", "c")),
    "GRU": RecurrentOperator(("z", "r", "n"), ("Sigmoid", "Tanh"), ("h",)),
}
_PEEPHOLES = ("i", "o", "f")


class OnnxRecurrent(nn.Module):
    """A recurrent node: networks in the form of the operator's inputs and outputs.

    Args:
        networks: one network, or one for each direction where their equations differ.
        direction: "forward", "reverse" or "bidirectional".
        layout: 1 where the batch is the first axis of everything, else 0.
    """

    def __init__(self, networks: Sequence[Network], direction: str, layout: int) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.direction, self.layout = direction, layout

    def forward(self, inputs: Sequence[Tensor | None]) -> tuple[Tensor, ...]:
        """Return Y, Y_h and, of an LSTM, Y_c; the inputs are the operator's, in its order."""
        x, *_, lengths, initial_h, initial_c, _weights = [*inputs, *([None] * 8)][:8]
        if x is None:
            raise InputError(f"a recurrent node of direction {self.direction} has no X")
        starts = [None if tensor is None else self._first(tensor) for tensor in (initial_h, initial_c)]
        y, finals = self._run(self._first(x), None if lengths is None else lengths.long(), starts)
        steps, batch, _ = y.shape
        y = y.reshape(steps, batch, _DIRECTIONS[self.direction], -1)
        y = y.transpose(0, 1) if self.layout else y.transpose(1, 2)
        return y, *(self._first(tensor) for tensor in finals)

    def _first(self, tensor: Tensor) -> Tensor:
        """Turn the first two axes where the batch is first."""
        return tensor.transpose(0, 1) if self.layout else tensor

    def _run(
        self, x: Tensor, lengths: Tensor | None, starts: Sequence[Tensor | None]
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        if len(self.networks) == 2:
            halves = [
                _directed(
                    net, x, lengths, [None if start is None else start[at : at + 1] for start in starts], bool(at)
                )
                for at, net in enumerate(self.networks)
            ]
            finals = zip(halves[0][1], halves[1][1], strict=True)
            return torch.cat([halves[0][0], halves[1][0]], -1), tuple(torch.cat(pair) for pair in finals)
        return _directed(self.networks[0], x, lengths, starts, self.direction == "reverse")


def _directed(
    net: nn.Module, x: Tensor, lengths: Tensor | None, starts: Sequence[Tensor | None], reverse: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a network over [T, B, I], from each row's end to its start where `reverse` is true."""
    assert isinstance(net, Network)
    rest = net.initial_state(x.shape[1], dtype=x.dtype)
    begin = {name: rest[name] if start is None else start for name, start in zip(rest, starts, strict=False)}
    rows = Lengths(x.shape[0], lengths)
    y, state = net(rows.reverse(x) if reverse else x, State(**begin), lengths=lengths)
    return rows.reverse(y) if reverse else y, tuple(state.values())


def build(node: OnnxNode, constant: Callable[[int], Tensor | None]) -> OnnxRecurrent:
    """Return the module of a node of one of the `KINDS`.

    Args:
        node: the node, all of whose attributes are taken.
        constant: the weights by the place of the input: W, R, B, P; None where one is left out.

    Raises:
        FileFormatError: an attribute or a weight is off, or not read.
    """
    kind, given = KINDS[node.op], node.attributes
    direction = given.take_or("direction", "forward").lower()
    if direction not in _DIRECTIONS:
        raise FileFormatError(f"{node.where} has direction={quoted(direction)}; it is one of {', '.join(_DIRECTIONS)}")
    given.expect("layout", 0, 1, why="which is neither 0 nor 1")
    layout = int(given.take_or("layout", 0))
    count = _DIRECTIONS[direction]
    weights = _weights(node, kind, constant, count)
    made = _cells(node, kind, count)
    given.finish()
    fitted = [_fitted(cell, part) for cell, part in zip(made, weights, strict=True)]
    if count == 2 and fitted[0][0].fingerprint != fitted[1][0].fingerprint:
        networks = [network_of(node.where, cell, [[part]]) for cell, part in fitted]
    else:
        networks = [network_of(node.where, fitted[0][0], [[part for _, part in fitted]])]
    return OnnxRecurrent(networks, direction, layout)


def _weights(
    node: OnnxNode, kind: RecurrentOperator, constant: Callable[[int], Tensor | None], count: int
) -> list[dict[str, Tensor]]:
    """Return for each direction every weight by the names of the equations, the two biases apart as b and d."""
    w, r, b, p = (constant(place) for place in WEIGHTS)
    if w is None or r is None:
        raise FileFormatError(f"{node.where} has no weights W and R")
    check_shape(node.where, "R", r, count, None, None)
    hidden, rows = r.shape[2], r.shape[2] * len(kind.gates)
    node.attributes.expect("hidden_size", hidden, why=f"and weights of {hidden} units")
    check_shape(node.where, "R", r, count, rows, hidden)
    check_shape(node.where, "W", w, count, rows, None)
    if b is not None:
        check_shape(node.where, "B", b, count, 2 * rows)
    if p is not None:
        check_shape(node.where, "P", p, count, len(_PEEPHOLES) * hidden)
    every = []
    for at in range(count):
        named = gatewise("W", kind.gates, w[at]) | gatewise("U", kind.gates, r[at])
        if b is not None:
            named |= gatewise("b", kind.gates, b[at, :rows]) | gatewise("d", kind.gates, b[at, rows:])
        if p is not None:
            named |= gatewise("p", _PEEPHOLES, p[at])
        every.append(named)
    return every


def _cells(node: OnnxNode, kind: RecurrentOperator, count: int) -> list[Cell]:
    """Return the equations of each direction."""
    per = len(kind.activations)
    clip = node.attributes.take_or("clip", None)
    if clip is not None and not clip >= 0:
        raise FileFormatError(f"{node.where} has clip={clip}, which is no bound: it is 0 or more")
    found = _activations(node, kind, count)
    each = [found[at * per : at * per + per] for at in range(count)]
    if node.op == "RNN":
        return [written_cells.rnn_cell(*chosen, clip=clip) for chosen in each]
    if node.op == "GRU":
        after = node.attributes.flag("linear_before_reset", False)
        write = written_cells.gru_after_cell if after else written_cells.gru_before_cell
        return [write(*chosen, clip=clip) for chosen in each]
    coupled = node.attributes.flag("input_forget", False)
    return [
        written_cells.lstm_cell(*chosen, clip=clip, peepholes=bool(node.input(P)), coupled=coupled) for chosen in each
    ]


def _fitted(cell: Cell, weights: dict[str, Tensor]) -> tuple[Cell, dict[str, Tensor]]:
    """Return the cell without the biases that the node has not, and the weights that it has: both biases in one.

    A coupled LSTM has weights of a forget gate that the operator does not read; they are left out here.
    """
    cell = without_spaces(cell, weights)
    fitted = {}
    for name in cell.graph.parameters:
        space, _, gate = name.partition(".")
        inner = f"d.{gate}"
        fitted[name] = weights[name]
        if space == "b" and inner not in cell.graph.parameters:
            fitted[name] = weights[name] + weights[inner]
    return cell, fitted


def _activations(node: OnnxNode, kind: RecurrentOperator, count: int) -> list[Activation]:
    """Return the activations of all directions, each with the numbers that are its own.

    The lists activation_alpha and activation_beta hold the numbers of those that have any, in order.
    """
    given = node.attributes
    names = given.take_or("activations", None) or list(kind.activations) * count
    if len(names) != len(kind.activations) * count:
        raise FileFormatError(
            f"{node.where} has {len(names)} activations, and {node.op} needs {len(kind.activations)} a direction"
        )
    lists = [ActivationNumbers(node.where, name, given) for name in ("activation_alpha", "activation_beta")]
    found = []
    for name in names:
        row = ONNX.get(name.lower())
        if row is None:
            raise FileFormatError(
                f"{node.where} has the activation {quoted(name)}; ONNX's are {', '.join(sorted(ONNX))}"
            )
        taken = [each.next(name, default) for each, default in zip(lists, row.numbers, strict=False)]
        found.append(row.made(*[*taken, 0.0, 0.0][:2]))
    for each in lists:
        each.finish()
    return found


class ActivationNumbers:
    """The numbers of a list attribute, handed out one by one."""

    def __init__(self, where: str, name: str, attributes: Contents) -> None:
        self._where, self._name = where, name
        self._left = list(attributes.take_or(name, []))

    def next(self, activation: str, default: float | None) -> float:
        """Return the next number; the default where the list has ended."""
        if not self._left and default is None:
            raise FileFormatError(f"{self._where} has no number in {self._name} for {activation}, which has no default")
        return float(self._left.pop(0) if self._left else default)  # type: ignore[arg-type]  # no None is left

    def finish(self) -> None:
        """Refuse what is left over."""
        if self._left:
            raise FileFormatError(f"{self._where} has {len(self._left)} numbers too many in {self._name}")
