"""Where a stack meets its caller: what came is checked, and brought to the form that the layers read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from loopcell.errors import TensorError
from loopcell.layers.state import State
from loopcell.runtime import autocast_dtype

if TYPE_CHECKING:
    from loopcell.layers.stack import Stack


def time_first(net: Stack, x: Tensor, reset: Tensor | None, *, unbatched: bool) -> tuple[Tensor, Tensor | None]:
    """Bring an input to [T, B, I], and its resets to [T, B]."""
    if unbatched:
        return x.unsqueeze(1), reset.unsqueeze(1) if reset is not None and reset.dim() == 1 else reset
    if net.batch_first:
        return x.transpose(0, 1), reset.transpose(0, 1) if reset is not None and reset.dim() == 2 else reset
    return x, reset


def expected(net: Stack) -> str:
    """Say in an error what input the network takes."""
    batched = f"[batch, time, {net.input_size}]" if net.batch_first else f"[time, batch, {net.input_size}]"
    return f"a float tensor {batched}, or [time, {net.input_size}] for one sequence"


def described(x: object) -> str:
    """Say in an error what came."""
    return f"a tensor {list(x.shape)}" if isinstance(x, Tensor) else type(x).__name__


def check_input(net: Stack, x: Tensor, inside: Tensor) -> None:
    """Refuse an input of another size, device or dtype than the network's.

    Args:
        net: the network.
        x: the input as it came, for the error to show.
        inside: the same, [T, B, I].

    Raises:
        TensorError: which of them it is, and what mends it.
    """
    if inside.shape[-1] != net.input_size:
        raise TensorError(f"the input must be {expected(net)}; got {list(x.shape)}, whose last axis is {x.shape[-1]}")
    weight = first_parameter(net, x)
    if weight.device != x.device:
        raise TensorError(
            f"the input is on {x.device} and the network on {weight.device}; move one: x.to({str(weight.device)!r})"
        )
    if weight.dtype != x.dtype and autocast_dtype(x.device) is None:
        raise TensorError(f"the input is {x.dtype} and the network {weight.dtype}; convert one: x.to({weight.dtype})")


def checked_state(net: Stack, state: State | None, x: Tensor, *, unbatched: bool) -> State:
    """Return the state that a call starts from, in the order of the cell's states; at rest where none is given.

    Args:
        net: the network.
        state: as the caller gave it.
        x: the input, [T, B, I].
        unbatched: whether the caller's tensors have no axis of rows.

    Raises:
        TensorError: it is no state of this network, or its shape, device or dtype is off.
    """
    batch = x.shape[1]
    if state is None and x.shape[0] == 0:
        return net.initial_state(batch, device=x.device, dtype=x.dtype)  # it comes out as it is
    rows, sizes = net.num_layers * net.num_directions, net.executable(0).state_sizes
    if state is None:
        zeros = {size: x.new_zeros((1, batch, size)) for size in set(sizes.values())}  # read, and never written
        return State.of({name: zeros[size].expand(rows, batch, size) for name, size in sizes.items()})
    if not isinstance(state, State):
        raise TensorError(f"the state must be a loopcell.State, as a call returns it; got {type(state).__name__}")
    if set(state) != set(net.cell.states):
        raise TensorError(
            f"cell `{net.cell.name}` has the states {', '.join(net.cell.states)}; the given one has {', '.join(state)}"
        )
    state = State(**{name: state[name] for name in net.cell.states})
    if unbatched:
        state = state.map(lambda tensor: tensor.unsqueeze(1) if tensor.dim() else tensor)
    mixed = autocast_dtype(x.device) is not None
    if not mixed and not any(True for _ in net.parameters()):
        state = state.to(x.dtype)  # such a network has no dtype, so `initial_state` cannot know the input's
    for name, size in sizes.items():
        _check_state(name, state[name], (rows, batch, size), x, mixed=mixed)
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


def first_parameter(module: nn.Module, default: Tensor) -> Tensor:
    """Return some parameter of a module, or `default`; torch's own way to one asks every submodule by name."""
    for parameter in module._parameters.values():  # noqa: SLF001
        if parameter is not None:
            return parameter
    for child in module._modules.values():  # noqa: SLF001
        found = default if child is None else first_parameter(child, default)
        if found is not default:
            return found
    return default
