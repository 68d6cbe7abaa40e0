"""Branches of a network: one step from one state with each of many inputs."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from loopcell.errors import InputError, TensorError
from loopcell.layers.stack import Stack
from loopcell.layers.state import State
from loopcell.runtime import run_branched, shares_a_step


def branch(net: Stack, x: Tensor, state: State) -> Tensor:
    """Run one step from one state with each of m inputs, side by side; none of them sees another.

    The outputs are those of m calls of the network with one step each, up to rounding. What the state alone decides,
    such as the product U h, is computed once a state and not once a branch, and what the input alone decides once an
    input. A cell that draws numbers in training runs its whole step for each branch then, as does one for which
    `backend("c")` demands kernels.

    Args:
        net: reads in one direction, by a cell that reads nothing but its input and its states.
        x: the inputs [m, *S, I], where S broadcasts to R: [m, 1, I] are the same inputs for all rows.
        state: of the rows, [L, *R, n], as a call returns it for R = [B].

    Returns:
        The outputs [m, *R, O].

    Raises:
        InputError: the network reads in both directions, or its cell reads further inputs.
        TensorError: the shapes of the input and the state do not fit the network, or each other.
    """
    rows = _checked_rows(net, x, state)
    if not shares_a_step(net.cell, training=net.training):
        return _one_by_one(net, x, state, rows)
    for layer, executable in enumerate(net.spec.executables):
        states = [state[name][layer] for name in net.cell.states]
        x = run_branched(executable, x, states, net.sources(layer, 0), training=net.training)
        if net.dropout and layer < net.num_layers - 1:
            x = functional.dropout(x, net.dropout, net.training)
    return x


def _one_by_one(net: Stack, x: Tensor, state: State, rows: tuple[int, ...]) -> Tensor:
    """Run a whole step for each branch, as rows of one batch."""
    count = len(x)
    inputs = x.expand(count, *rows, x.shape[-1]).reshape(1, -1, x.shape[-1])
    spread = state.map(
        lambda part: part.unsqueeze(1).expand(-1, count, *part.shape[1:]).reshape(len(part), -1, part.shape[-1])
    )
    y, _ = net(inputs.transpose(0, 1) if net.batch_first else inputs, spread)
    found: Tensor = y
    return found.reshape(count, *rows, found.shape[-1])


def _checked_rows(net: Stack, x: Tensor, state: State) -> tuple[int, ...]:
    """Return R, the shape of the rows."""
    if net.bidirectional:
        raise InputError(
            "branches go on from a state, and a network that reads in both directions has none to go on from"
        )
    if net.spec.further:
        raise InputError(
            f"cell `{net.cell.name}` also reads {', '.join(net.spec.further)}, of which branches have none"
        )
    sizes = net.spec.state_sizes
    if set(state) != set(sizes):
        raise TensorError(
            f"cell `{net.cell.name}` has the states {', '.join(sizes)}; the given one has {', '.join(state)}"
        )
    rows = tuple(next(iter(state.values())).shape[1:-1])
    for name, size in sizes.items():
        expected = (net.num_layers, *rows, size)
        if state[name].shape != expected:
            raise TensorError(
                f"state `{name}` must be [layers, *rows, size] = {list(expected)}; got {list(state[name].shape)}"
            )
    fits = x.dim() == len(rows) + 2 and all(of in (1, row) for of, row in zip(x.shape[1:-1], rows, strict=False))
    if not fits or x.shape[-1] != net.input_size:
        raise TensorError(
            f"the inputs of branches must be [m, *rows, {net.input_size}] with rows of {list(rows)}, or 1 where they "
            f"are the same for all; got {list(x.shape)}"
        )
    return rows
