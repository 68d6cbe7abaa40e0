"""Start values that the field uses, for any stack."""

from __future__ import annotations

import torch

from loopcell.errors import InputError
from loopcell.layers.stack import Stack


def orthogonal_(net: Stack, gain: float = 1.0) -> Stack:
    """Make every recurrent matrix orthogonal, in place.

    Saxe, McClelland, Ganguli: Exact solutions to the nonlinear dynamics of learning in deep linear neural
    networks, 2013 (arXiv 1312.6120). A recurrent matrix is one that the equations multiply with the past.

    Args:
        net: the network.
        gain: factor on the orthogonal matrix.
    """
    for layer, direction in net.places():
        for name in _recurrent_matrices(net):
            value = torch.empty_like(net.weights(layer, direction)[name])
            net.assign(layer, direction, name, torch.nn.init.orthogonal_(value, gain))
    return net


def forget_bias_(net: Stack, value: float = 1.0, *, parameter: str = "b.f") -> Stack:
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


def chrono_(net: Stack, longest: int, *, forget: str = "b.f", enter: str = "b.i") -> Stack:
    """Spread the gates' biases over time scales up to `longest` steps, in place.

    Tallec, Ollivier: Can recurrent neural networks warp time?, 2018 (arXiv 1804.11188), eq. 16:
    b_f = log(U(1, T - 1)), b_i = -b_f.

    Args:
        net: the network.
        longest: T, the longest dependence expected, in steps; at least 3.
        forget: name of the forget gate's bias.
        enter: name of the input gate's bias.
    """
    if longest < 3:
        raise InputError(f"chrono needs a longest dependence of at least 3 steps, not {longest}")
    _demand(net, forget)
    _demand(net, enter)
    for layer, direction in net.places():
        bias = net.weights(layer, direction)[forget]
        scales = torch.empty_like(bias).uniform_(1, longest - 1).log()
        net.assign(layer, direction, forget, scales)
        net.assign(layer, direction, enter, -scales)
    return net


def _recurrent_matrices(net: Stack) -> list[str]:
    graph = net.cell.graph
    past = graph.dependents("state")
    products = (node for node in graph.nodes if node.op == "matmul" and node.args[1] in past)
    return list(dict.fromkeys(graph.nodes[node.args[0]].name for node in products))


def _demand(net: Stack, parameter: str) -> None:
    if parameter not in net.cell.graph.parameters:
        raise InputError(
            f"cell `{net.cell.name}` has no parameter {parameter!r}; it has {', '.join(net.cell.graph.parameters)}"
        )
