"""The inputs of a stream: checked, and brought to the form that the layers read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from loopcell.errors import InputError
from loopcell.layers.boundary import described
from loopcell.layers.further_inputs import read_inputs
from loopcell.layers.spec import StackSpec
from loopcell.layers.streaming.rows import RowRunner, first_input
from loopcell.runtime import is_plain, nothing_at_work, observer, transformation


class ChunkReader:
    """The inputs of a network's streams.

    Args:
        spec: of the network.
        runner: what runs it.
        like: a tensor of the network's dtype and device.
    """

    def __init__(self, spec: StackSpec, runner: RowRunner, like: Tensor) -> None:
        self._spec, self._fused = spec, runner.fused
        self._first, self._dtype, self._device = first_input(spec), like.dtype, like.device

    def of_one(self, x: object, inputs: Mapping[str, Tensor], *, step: bool) -> dict[str, Tensor]:
        """Return the inputs of one stream as [T, 1, n], by name.

        Args:
            x: [T, I], or [I] of a step.
            inputs: the cell's further inputs by name, [T, n], or [n] of a step; of one number also without that axis.
            step: whether it is one step.

        Raises:
            InputError: a shape, dtype or device is off, or a further input is missing.
            ArgumentError: the cell reads no input of that name.
        """
        x = self._checked(x, (self._spec.input_size,) if step else (-1, self._spec.input_size))
        if step:
            x = x.unsqueeze(0)
            inputs = {name: _one_step(tensor, 0) for name, tensor in inputs.items()}
        return self._with_further(x.unsqueeze(1), inputs, unbatched=True)

    def of_many(self, x: object, inputs: Mapping[str, Tensor], count: int, *, step: bool) -> dict[str, Tensor]:
        """Return the inputs of several streams as [T, B, n], by name.

        Args:
            x: [T, B, I] ([B, T, I] with batch_first), or [B, I] of a step.
            inputs: the cell's further inputs in the same form; of one number also without the last axis.
            count: B.
            step: whether it is one step.

        Raises:
            InputError: as `of_one`.
        """
        size, time = self._spec.input_size, 1 if self._spec.batch_first else 0
        shape = (count, size) if step else (count, -1, size) if time else (-1, count, size)
        x = self._checked(x, shape)
        if step:
            x = x.unsqueeze(time)
            inputs = {name: _one_step(tensor, time) for name, tensor in inputs.items()}
        return self._with_further(x.transpose(0, 1) if time else x, inputs, unbatched=False)

    def _with_further(self, x: Tensor, inputs: Mapping[str, Tensor], *, unbatched: bool) -> dict[str, Tensor]:
        found = {self._first: x}
        if inputs or self._spec.further:
            further = read_inputs(self._spec, inputs, x, unbatched=unbatched)
            found |= {name: readable(tensor) if self._fused else tensor for name, tensor in further.items()}
        return found

    def _checked(self, x: object, shape: tuple[int, ...]) -> Tensor:
        if (
            not isinstance(x, Tensor)
            or x.dim() != len(shape)
            or any(wanted not in (-1, came) for wanted, came in zip(shape, x.shape, strict=True))
            or x.dtype is not self._dtype
            or x.device != self._device
        ):
            wanted = ", ".join("steps" if size < 0 else str(size) for size in shape)
            kind = f" of {x.dtype} on {x.device}" if isinstance(x, Tensor) else ""
            raise InputError(f"a stream takes {self._dtype} [{wanted}] on {self._device}; got {described(x)}{kind}")
        return readable(x) if self._fused else x


def readable(x: Tensor) -> Tensor:
    """Return a tensor that a kernel can read.

    Raises:
        InputError: it is no plain tensor, or something observes or transforms operations.
    """
    x = x.resolve_neg()  # a lazily negated tensor has its numbers with the other sign in memory
    if is_plain(x) and nothing_at_work():
        return x.detach()
    watcher = observer() or (f"a {type(x).__name__}" if transformation() is None else "a transformation")
    raise InputError(
        f"a stream's kernel reads and writes memory, which {watcher} does not see; call the network instead"
    )


def _one_step(tensor: Any, time: int) -> Any:
    """Return what came for one step with an axis of time; what is no tensor is refused later."""
    return tensor.unsqueeze(min(time, tensor.dim())) if isinstance(tensor, Tensor) else tensor
