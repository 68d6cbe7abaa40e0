"""Call cache: a call like an earlier one runs the kernels that the earlier one found.

A network that is called for one step, or on one row, spends more time on finding its kernels than in them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from loopcell.layers.boundary import state_shapes
from loopcell.layers.spec import StackSpec
from loopcell.layers.state import State
from loopcell.runtime import KernelCall, Weights, granted, is_plain, narrow_results, nothing_special
from loopcell.runtime.half import narrowed, widened, widened_dtype

CallKey = tuple[torch.Size, tuple[int, ...], torch.dtype, bool, int, str]
"""Shape, strides and dtype of an input, training or not, threads, and what float32 may lose: see `call_key`."""
_MOST_CALLS = 64
_CLASSES = (Tensor, nn.Parameter)


def call_key(spec: StackSpec, x: object, *, training: bool) -> CallKey | None:
    """Return what decides which kernels run on an input alone; None where such a call is not to be remembered."""
    if torch.compiler.is_compiling() or type(x) is not Tensor or x.dim() != 3 or not is_plain(x):
        return None
    # Both directions, segments between checkpoints and dropout between layers are more than one kernel call a layer.
    if spec.bidirectional or spec.checkpoint_steps is not None or (training and spec.dropout):
        return None
    if x.stride(-1) != 1 or not x.numel():  # kernels would read a copy, or nothing
        return None
    # The precision of products in float32 is a setting of the process, which decides what kernels multiply.
    precision = torch.get_float32_matmul_precision()
    return x.shape, x.stride(), x.dtype, training, torch.get_num_threads(), precision


@dataclass(frozen=True, eq=False)
class CachedCall:
    """A call that was made, less its tensors.

    Attributes:
        kernel_calls: what runs, by layer.
        zeros: the states [B, n] where a caller gives none, the same for every layer; read, and never written.
        shapes: of every state [L, B, n], by name.
        half: the dtype of input and results where they are in half precision, and kernels compute in float32; or None.
    """

    kernel_calls: Sequence[KernelCall]
    zeros: list[Tensor]
    shapes: dict[str, tuple[int, int, int]]
    half: torch.dtype | None

    def initial(self, state: State | None, layer: int, dtype: torch.dtype) -> list[Tensor] | None:
        """Return a layer's states before the first step; None where a kernel cannot read the caller's."""
        if state is None:
            return self.zeros
        found = []
        for name, shape in self.shapes.items():
            tensor = state.get(name)
            if tensor is None or tensor.shape != shape or not _readable(tensor, dtype):
                return None
            found.append(tensor[layer])
        return found if len(found) == len(state) else None

    def run(
        self,
        x: Tensor,
        state: State | None,
        weights_of: Callable[[int, int], Weights],
        further: Sequence[Tensor] = (),
    ) -> tuple[Tensor, list[list[Tensor]]] | None:
        """Run all layers.

        Args:
            x: the input [T, B, I].
            state: as the caller gave it.
            weights_of: returns the parameters of a layer and direction.
            further: the inputs [T, B, n] beside x, in the cell's order.

        Returns:
            The output and the final states of each layer. None where the kernels cannot read something where it lies,
            or another number of threads is to be had now: then the call has to be looked at from the beginning.
        """
        dtype = x.dtype
        finals = []
        for layer, call in enumerate(self.kernel_calls):
            threads = call.launch.threads
            if threads > 1 and granted(threads) != threads:  # in a process that was forked off
                return None
            initial, weights = self.initial(state, layer, dtype), weights_of(layer, 0)
            # Kernels are bound to a layout, and another subclass of Stack may make one at each call.
            if initial is None or weights.layout is not call.bound.signature.layout:
                return None
            for base in weights.bases:
                if not _readable(base, dtype):
                    return None
            tensors = [x, *further, *initial, *weights.bases]
            if self.half is None:
                x, after, _ = call.run(tensors)
            else:
                x, after, _ = narrowed(call.run(widened(tensors)), self.half)
            finals.append(after)
        return x, finals


class CallCache:
    """The kernel calls that a network has made, by `CallKey`.

    What else a call depends on is looked at each time: the input, the states and the weights, and what PyTorch is doing
    (`nothing_special`). A network whose settings change starts with an empty cache, and so does a copy of a network. A
    pickle holds None in its place.
    """

    def __init__(self) -> None:
        self._calls: dict[CallKey, CachedCall] = {}

    def find(self, key: CallKey | None, state: object) -> CachedCall | None:
        """Return what an earlier call ran; None where there was none, or something is special now."""
        found = self._calls.get(key) if key is not None else None
        if found is None or not nothing_special() or not (state is None or type(state) is State):
            return None
        return found

    def add(self, key: CallKey, spec: StackSpec, x: Tensor, kernel_calls: Sequence[KernelCall | None]) -> None:
        """Remember the kernel calls that were just made, for calls with the same key.

        Args:
            key: of the call.
            spec: of the network.
            x: the input [T, B, I].
            kernel_calls: by layer; None where other calls cannot repeat one.
        """
        found = [call for call in kernel_calls if call is not None]
        if len(found) < len(kernel_calls) or not nothing_special():  # autocast is no part of the key
            return
        if len(self._calls) >= _MOST_CALLS:
            self._calls.clear()
        batch, half = x.shape[1], narrow_results(x.dtype)
        # The zeros serve training too, where a tensor that was made for inference alone cannot.
        with torch.inference_mode(False):
            dtype = x.dtype if half is None else widened_dtype(half)
            zeros = [x.new_zeros((1, size), dtype=dtype).expand(batch, size) for size in spec.state_sizes.values()]
        self._calls[key] = CachedCall(found, zeros, state_shapes(spec, batch), half)

    def __deepcopy__(self, memo: dict[int, Any]) -> CallCache:
        return CallCache()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(None), ()  # a call that makes None


def readable_inputs(spec: StackSpec, given: Mapping[str, object], x: Tensor) -> list[Tensor] | None:
    """Return a call's further inputs [T, B, n], in the cell's order; None where kernels cannot read them as they lie.

    Args:
        spec: of the network.
        given: as the caller gave them, by name.
        x: the input [T, B, I].
    """
    if len(given) != len(spec.further):
        return None
    found = []
    for name, wanted in spec.further.items():
        tensor = given.get(name)
        if not isinstance(tensor, Tensor):
            return None
        if not wanted.size and tensor.dim() == 2:
            tensor = tensor.unsqueeze(-1)
        if spec.batch_first and tensor.dim() == 3:
            tensor = tensor.transpose(0, 1)
        if tensor.shape != (*x.shape[:2], wanted.width) or not _readable(tensor, x.dtype):
            return None
        found.append(tensor)
    return found


def _readable(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Say whether a kernel can read a tensor where it lies.

    Cheaper than `is_plain`, since states and weights are many. `find` has seen that none observes or transforms them;
    of what is left, a tensor without memory is an error later, and one that is negated lazily is seen here.
    """
    return (
        type(tensor) in _CLASSES
        and tensor.dtype is dtype
        and tensor.is_cpu
        and not tensor.is_neg()
        and (not tensor.dim() or tensor.stride(-1) == 1)
    )
