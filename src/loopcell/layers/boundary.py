"""The boundary of a stack: check the input and the state of a call, and bring them to the form that the layers read."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from loopcell.errors import TensorError
from loopcell.layers.spec import StackSpec
from loopcell.layers.state import State
from loopcell.runtime import autocast_converts


def time_first(spec: StackSpec, x: Tensor, reset: Tensor | None, *, unbatched: bool) -> tuple[Tensor, Tensor | None]:
    """Bring an input to [T, B, I], and its resets to [T, B]."""
    if unbatched:
        return x.unsqueeze(1), reset.unsqueeze(1) if reset is not None and reset.dim() == 1 else reset
    if spec.batch_first:
        return x.transpose(0, 1), reset.transpose(0, 1) if reset is not None and reset.dim() == 2 else reset
    return x, reset


def in_callers_form(spec: StackSpec, y: Tensor, *, unbatched: bool) -> Tensor:
    """Bring an output [T, B, n] to the form of the caller's input."""
    if unbatched:
        return y.squeeze(1)
    return y.transpose(0, 1) if spec.batch_first else y


def in_order(state: Mapping[str, Tensor], rows: Tensor | None) -> dict[str, Tensor]:
    """Return a state [L * D, B, n] with its rows in another order; None leaves them as they are."""
    return {name: tensor if rows is None else tensor[:, rows] for name, tensor in state.items()}


def expected(spec: StackSpec) -> str:
    """Say in an error what input the network takes."""
    batched = f"[batch, time, {spec.input_size}]" if spec.batch_first else f"[time, batch, {spec.input_size}]"
    return f"a float tensor {batched}, or [time, {spec.input_size}] for one sequence"


def described(x: object) -> str:
    """Say in an error what came."""
    return f"a tensor {list(x.shape)}" if isinstance(x, Tensor) else type(x).__name__


def check_input(spec: StackSpec, x: Tensor, inside: Tensor, weight: Tensor | None) -> None:
    """Refuse an input of another size, device or dtype than the network's.

    Args:
        spec: the network.
        x: the input as it came, for the error to show.
        inside: the same, [T, B, I].
        weight: some parameter of the network, if it has one.

    Raises:
        TensorError: which of them it is, and what mends it.
    """
    if inside.shape[-1] != spec.input_size:
        raise TensorError(f"the input must be {expected(spec)}; got {list(x.shape)}, whose last axis is {x.shape[-1]}")
    if weight is None:
        return
    if weight.device != x.device:
        raise TensorError(
            f"the input is on {x.device} and the network on {weight.device}; move one: x.to({str(weight.device)!r})"
        )
    if weight.dtype != x.dtype and not autocast_converts(x):
        raise TensorError(f"the input is {x.dtype} and the network {weight.dtype}; convert one: x.to({weight.dtype})")


def state_shapes(spec: StackSpec, batch: int) -> dict[str, tuple[int, int, int]]:
    """Return the shape [L * D, B, n] of every state, by name."""
    rows = spec.num_layers * (2 if spec.bidirectional else 1)
    return {name: (rows, batch, size) for name, size in spec.state_sizes.items()}


def zero_state(
    spec: StackSpec, batch: int, *, device: torch.device | str | None, dtype: torch.dtype | None
) -> dict[str, Tensor]:
    """Return the state at rest: zeros [L * D, B, n] for each state of the cell."""
    shapes = state_shapes(spec, batch)
    return {name: torch.zeros(shape, device=device, dtype=dtype) for name, shape in shapes.items()}


def initial_state(
    spec: StackSpec, state: object, x: Tensor, weight: Tensor | None, *, unbatched: bool = False
) -> Mapping[str, Tensor]:
    """Return the state [L * D, B, n] from which a call starts, by name; zeros where there is none.

    Args:
        spec: the network.
        state: as the caller gave it.
        x: the input, [T, B, I].
        weight: some parameter of the network, if it has one.
        unbatched: whether the caller's tensors have no axis of rows.

    Raises:
        TensorError: it is no state of this network, or its shape, device or dtype is off.
    """
    if state is not None:
        return _checked_state(spec, state, x, weight, unbatched=unbatched)
    if x.shape[0] == 0:  # it comes out as it is, so it must be the caller's alone
        return zero_state(spec, x.shape[1], device=x.device, dtype=x.dtype)
    shapes = state_shapes(spec, x.shape[1])
    # Read, and never written: one row of zeros serves all layers, and all states of one size.
    zeros = {size: x.new_zeros((1, x.shape[1], size)) for size in set(spec.state_sizes.values())}
    return {name: zeros[shape[-1]].expand(shape) for name, shape in shapes.items()}


def _checked_state(
    spec: StackSpec, state: object, x: Tensor, weight: Tensor | None, *, unbatched: bool
) -> Mapping[str, Tensor]:
    """Return a state that a caller gave, with an axis of rows, in the order of the cell's states."""
    if not isinstance(state, State):
        raise TensorError(f"the state must be a loopcell.State, as a call returns it; got {type(state).__name__}")
    states = spec.cell.states
    if set(state) != set(states):
        raise TensorError(
            f"cell `{spec.cell.name}` has the states {', '.join(states)}; the given one has {', '.join(state)}"
        )
    state = State(**{name: state[name] for name in states})
    if unbatched:
        state = state.map(lambda tensor: tensor.unsqueeze(1) if tensor.dim() else tensor)
    mixed = autocast_converts(x)
    if not mixed and weight is None:
        state = state.to(x.dtype)  # such a network has no dtype, so `net.initial_state` cannot know the input's
    for name, shape in state_shapes(spec, x.shape[1]).items():
        _check_state(name, state[name], shape, x, mixed=mixed)
    return state


def _check_state(name: str, tensor: Tensor, shape: tuple[int, ...], x: Tensor, *, mixed: bool) -> None:
    if tensor.shape != shape:
        raise TensorError(
            f"state `{name}` must be [layers * directions, batch, size] = {list(shape)}; got {list(tensor.shape)}"
        )
    if tensor.device != x.device:
        raise TensorError(
            f"state `{name}` is on {tensor.device} and the input on {x.device}; move it: state.to({str(x.device)!r})"
        )
    if tensor.dtype != x.dtype and not mixed:
        raise TensorError(f"state `{name}` is {tensor.dtype} and the input {x.dtype}; convert it: state.to({x.dtype})")


def first_parameter(module: nn.Module) -> Tensor | None:
    """Return some parameter of a module, if it has one; `next(module.parameters())` asks every submodule by name."""
    for parameter in module._parameters.values():  # noqa: SLF001
        if parameter is not None:
            return parameter
    for child in module._modules.values():  # noqa: SLF001
        found = None if child is None else first_parameter(child)
        if found is not None:
            return found
    return None
