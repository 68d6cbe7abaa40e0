"""Start values that the field uses, for any stack."""

from __future__ import annotations

from typing import TypeVar

import torch

from loopcell.equations.gates import Gate, Gates, gates_of
from loopcell.errors import InputError
from loopcell.layers.stack import Stack

Net = TypeVar("Net", bound=Stack)


def orthogonal_(net: Net, gain: float = 1.0) -> Net:
    """Make every recurrent matrix orthogonal, in place.

    Saxe, McClelland, Ganguli: Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks, 2013 (arXiv 1312.6120). A recurrent matrix is one that the equations multiply with the past.

    Args:
        net: the network.
        gain: factor on the orthogonal matrix.
    """
    for layer, direction in net.places():
        for name in recurrent_matrices(net):
            value = torch.empty_like(net.weights(layer, direction)[name])
            net.assign(layer, direction, name, torch.nn.init.orthogonal_(value, gain))
    return net


def forget_bias_(net: Net, value: float = 1.0, *, parameter: str = "b.f") -> Net:
    """Set the forget gate's bias, in place, so that cells remember at the start.

    Jozefowicz, Zaremba, Sutskever: An Empirical Exploration of Recurrent Network Architectures, 2015, section 2.2.

    Args:
        net: the network.
        value: the bias; 1 is the usual choice.
        parameter: the bias' name in the equations.
    """
    _demand(net, parameter)
    for layer, direction in net.places():
        bias = net.weights(layer, direction)[parameter]
        net.assign(layer, direction, parameter, torch.full_like(bias, value))
    return net


def chrono_(net: Net, longest: int, *, forget: str | None = None, enter: str | None = None) -> Net:
    """Spread the gates' biases over time scales up to `longest` steps, in place.

    Tallec, Ollivier: Can recurrent neural networks warp time?, 2018 (arXiv 1804.11188), eq. 16:
    b_f = log(U(1, T - 1)), b_i = -b_f; and of a gate such as a GRU's z, which does both, the one bias.

    Args:
        net: the network.
        longest: T, the longest dependence expected, in steps; at least 3.
        forget: name of the bias of the gate that keeps the state; None finds the gates in the equations.
        enter: name of the bias of the gate that lets in what is new, if there is such a gate and `forget` is given.

    Raises:
        InputError: the cell has no such parameter; or no gate was named and none found, as in a vanilla RNN.
    """
    if longest < 3:
        raise InputError(f"chrono needs a longest dependence of at least 3 steps, not {longest}")
    gates = gates_of(net.cell.graph) if forget is None else _named(forget, enter)
    for gate in (*gates.keep, *gates.enter):
        _demand(net, gate.bias)
    if not gates.keep:
        raise InputError(
            f"cell `{net.cell.name}` has no gate that keeps its state, as f does in f * c + i * g; "
            "if it has one in another form, name its bias: chrono_(net, longest, forget=...)"
        )
    for layer, direction in net.places():
        like = net.weights(layer, direction)[gates.keep[0].bias]
        scales = torch.empty_like(like).uniform_(1, longest - 1).log()
        for gate in gates.keep:
            net.assign(layer, direction, gate.bias, gate.sign * scales)
        for gate in gates.enter:
            net.assign(layer, direction, gate.bias, -gate.sign * scales)
    return net


def _named(forget: str, enter: str | None) -> Gates:
    return Gates((Gate(forget, 1),), () if enter is None else (Gate(enter, 1),))


def recurrent_matrices(net: Stack) -> list[str]:
    """Return the names of the matrices that the equations multiply with the past, in order of use."""
    graph = net.cell.graph
    past = graph.dependents("state")
    products = (node for node in graph.nodes if node.op == "matmul" and node.args[1] in past)
    return list(dict.fromkeys(graph.nodes[node.args[0]].name for node in products))


def _demand(net: Stack, parameter: str) -> None:
    if parameter not in net.cell.graph.parameters:
        raise InputError(
            f"cell `{net.cell.name}` has no parameter {parameter!r}; it has {', '.join(net.cell.graph.parameters)}"
        )
