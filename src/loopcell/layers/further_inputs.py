"""The inputs of a call that have a name in the equations: checked, and brought to the form that the layers read."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from loopcell.errors import ArgumentError, InputError, TensorError
from loopcell.layers.boundary import described
from loopcell.layers.sequences import unpack
from loopcell.layers.spec import StackSpec
from loopcell.runtime import FurtherInput, autocast_converts

_TAKEN = ("self", "x", "state", "lengths", "reset", "input", "hx", "further")
"""Names of a call's own arguments."""


def check_input_name(name: str) -> None:
    """Refuse a name by which a call could not take an input.

    Raises:
        InputError: a call has an argument of that name.
    """
    if name in _TAKEN:
        raise InputError(f"an input cannot be named `{name}`: a call has an argument of that name; pick another")


def read_inputs(
    spec: StackSpec, given: Mapping[str, object], x: Tensor, *, unbatched: bool = False
) -> dict[str, Tensor]:
    """Return the further inputs of a call as [T, B, n], in the cell's order.

    Args:
        spec: of the network.
        given: by name, each in the form of the input: [T, B, n] ([B, T, n] with batch_first), [T, n] for one sequence;
            where the equations read one number a step, without the last axis as well.
        x: the input [T, B, I].
        unbatched: whether the caller's tensors have no axis of rows.

    Raises:
        TensorError: one is missing, or its shape, device or dtype is off.
        ArgumentError: the cell reads no input of that name.
    """
    check_names(spec, given)
    return {name: _read(spec, name, given[name], x, unbatched=unbatched) for name in spec.further}


def unpacked_inputs(
    spec: StackSpec, given: Mapping[str, object], packed: PackedSequence, x: Tensor
) -> dict[str, Tensor]:
    """Return the same of inputs that are packed as the first one is; `x` is that one, padded.

    Raises:
        TensorError: one is missing, is not packed so, or its device or dtype is off.
        ArgumentError: the cell reads no input of that name.
    """
    check_names(spec, given)
    return {name: _unpacked(spec, name, given[name], packed, x) for name in spec.further}


def read_step(spec: StackSpec, given: Mapping[str, object], x: Tensor) -> dict[str, Tensor]:
    """Return the further inputs of one step as [B, n], in the cell's order; `x` is the first one, [B, I].

    Raises:
        TensorError: one is missing, or its shape, device or dtype is off.
        ArgumentError: the cell reads no input of that name.
    """
    check_names(spec, given)
    return {name: _of_step(name, wanted, given[name], x) for name, wanted in spec.further.items()}


def check_names(spec: StackSpec, given: Mapping[str, object]) -> None:
    """Refuse a call in which an input is missing, or has a name that the cell does not know.

    Raises:
        TensorError: it is missing.
        ArgumentError: it is not known.
    """
    unknown = [name for name in given if name not in spec.further]
    if unknown:
        taken = ", ".join(("state", "lengths", "reset", *spec.further))
        raise ArgumentError(f"a call of cell `{spec.cell.name}` takes {taken}, and no argument {unknown[0]!r}")
    missing = [name for name in spec.further if given.get(name) is None]
    if missing:
        wanted = ", ".join(f"{name}=..." for name in missing)
        form = _form(spec, spec.further[missing[0]])
        raise TensorError(
            f"cell `{spec.cell.name}` also reads {' and '.join(missing)}: pass {wanted}, `{missing[0]}` as {form}"
        )


def _form(spec: StackSpec, wanted: FurtherInput) -> str:
    axes = "batch, time" if spec.batch_first else "time, batch"
    return f"[{axes}, {wanted.width}]" if wanted.size else f"[{axes}], one number a step"


def _read(spec: StackSpec, name: str, came: object, x: Tensor, *, unbatched: bool) -> Tensor:
    wanted = spec.further[name]
    if not isinstance(came, Tensor):
        raise TensorError(f"input `{name}` must be a tensor {_form(spec, wanted)}; got {described(came)}")
    tensor = came
    if not wanted.size and tensor.dim() == (1 if unbatched else 2):
        tensor = tensor.unsqueeze(-1)
    if unbatched:
        tensor = tensor.unsqueeze(1)
    elif spec.batch_first and tensor.dim() == 3:
        tensor = tensor.transpose(0, 1)
    if tensor.shape != (*x.shape[:2], wanted.width):
        form = (
            f"[time, {wanted.width}]" if unbatched and wanted.size else "[time]" if unbatched else _form(spec, wanted)
        )
        steps, batch = x.shape[:2]
        rows = "" if unbatched else f" and batch {batch}"
        raise TensorError(
            f"input `{name}` must be {form}, of time {steps}{rows} as the first input; got {list(came.shape)}"
        )
    _check_kind(name, tensor, x)
    return tensor


def _of_step(name: str, wanted: FurtherInput, came: object, x: Tensor) -> Tensor:
    form = f"[batch, {wanted.width}]" if wanted.size else "[batch], one number a row"
    if not isinstance(came, Tensor):
        raise TensorError(f"input `{name}` of a step must be a tensor {form}; got {described(came)}")
    tensor = came.unsqueeze(-1) if not wanted.size and came.dim() == 1 else came
    if tensor.shape != (x.shape[0], wanted.width):
        raise TensorError(f"input `{name}` of a step must be {form}, of batch {x.shape[0]}; got {list(came.shape)}")
    _check_kind(name, tensor, x)
    return tensor


def _unpacked(spec: StackSpec, name: str, came: object, packed: PackedSequence, x: Tensor) -> Tensor:
    wanted = spec.further[name]
    if not isinstance(came, PackedSequence) or not _packed_alike(came, packed):
        raise TensorError(f"input `{name}` must be a PackedSequence, packed with the lengths of the first input")
    data = came.data.unsqueeze(-1) if not wanted.size and came.data.dim() == 1 else came.data
    if data.shape != (packed.data.shape[0], wanted.width):
        raise TensorError(f"input `{name}` must hold all steps as [steps, {wanted.width}]; got {list(came.data.shape)}")
    _check_kind(name, data, x)
    return unpack(PackedSequence(data, came.batch_sizes))[0]


def _packed_alike(one: PackedSequence, other: PackedSequence) -> bool:
    """Say whether two are packed with the same lengths, their rows in the same order."""
    order, other_order = one.sorted_indices, other.sorted_indices
    if order is None or other_order is None:
        return order is other_order and one.batch_sizes.equal(other.batch_sizes)
    return order.equal(other_order) and one.batch_sizes.equal(other.batch_sizes)


def _check_kind(name: str, tensor: Tensor, x: Tensor) -> None:
    if tensor.device != x.device:
        raise TensorError(
            f"input `{name}` is on {tensor.device} and the first input on {x.device}; "
            f"move it: {name}.to({str(x.device)!r})"
        )
    mixed = autocast_converts(x) and tensor.is_floating_point()
    if tensor.dtype != x.dtype and not mixed:
        raise TensorError(
            f"input `{name}` is {tensor.dtype} and the first input {x.dtype}; convert it: {name}.to({x.dtype})"
        )
