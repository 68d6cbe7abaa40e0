"""A call like an earlier one: what was looked up and checked then is not looked up and checked again.

A network that is called for one step, or on one row, spends more time on finding its kernel than in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from loopcell.layers.state import State
from loopcell.runtime import KernelCall, Lengths, granted, is_plain, narrow_results, nothing_special

if TYPE_CHECKING:
    from loopcell.layers.stack import Stack

Form = tuple[torch.Size, tuple[int, ...], torch.dtype, bool, bool, float, int]
"""What an input is like, and everything else that decides which kernel runs on it: see `Again.form`."""
_MOST_FORMS = 64
_CLASSES = (Tensor, nn.Parameter)


@dataclass(frozen=True, eq=False)
class Ready:
    """What calls of one form have in common.

    Attributes:
        calls: what runs, by layer.
        rest: the states at rest [B, n], of every layer; read, and never written.
        shapes: of every state [L, B, n], by name.
        narrow: the dtype of inputs and results that are half as long as what is computed with, or None.
    """

    calls: list[KernelCall]
    rest: list[Tensor]
    shapes: dict[str, tuple[int, int, int]]
    narrow: torch.dtype | None

    def starts(self, state: State | None, layer: int, dtype: torch.dtype) -> list[Tensor] | None:
        """Return a layer's states before the first step; None if they are not such that a kernel can read them."""
        if state is None:
            return self.rest
        found = []
        for name, shape in self.shapes.items():
            tensor = state.get(name)
            if tensor is None or tensor.shape != shape or not _readable(tensor, dtype):
                return None
            found.append(tensor[layer])
        return found if len(found) == len(state) else None


class Again:
    """The calls that a network has had, by form.

    What a call depends on is the input, the state and the weights, which are looked at each time; what PyTorch is doing
    (`nothing_special`); the settings in the form; and the network's structure, a change of which makes a new `Again`.
    """

    def __init__(self) -> None:
        self._ready: dict[Form, Ready | None] = {}

    def form(self, net: Stack, x: object) -> Form | None:
        """Return the form of a call on an input alone; None if such calls are not remembered."""
        if torch.compiler.is_compiling() or type(x) is not Tensor or x.dim() != 3 or not is_plain(x):
            return None
        if net.checkpoints or x.stride(-1) != 1:
            return None
        return x.shape, x.stride(), x.dtype, net.training, net.batch_first, net.dropout, torch.get_num_threads()

    def run(self, net: Stack, form: Form, x: Tensor, state: State | None) -> tuple[Tensor, State] | None:
        """Run the network as it ran before on such an input; None if it did not, or something is special now."""
        ready = self._ready.get(form)
        if ready is None or not nothing_special() or not (state is None or type(state) is State):
            return None
        dtype = x.dtype
        if net.batch_first:
            x = x.transpose(0, 1)
        finals = []
        for layer, call in enumerate(ready.calls):
            threads = call.launch.threads
            if threads > 1 and granted(threads) != threads:
                return None  # in a process that was forked off
            starts, weights = ready.starts(state, layer, dtype), net.sources(layer, 0)
            if starts is None or weights.layout is not call.bound.signature.layout:
                return None
            for base in weights.bases:
                if not _readable(base, dtype):
                    return None
            tensors = [x, *starts, *weights.bases]
            if ready.narrow is None:
                x, after, _ = call.run(tensors)
            else:
                x, after, _ = call.run([tensor.float() for tensor in tensors])
                x, after = x.to(ready.narrow), [state.to(ready.narrow) for state in after]
            finals.append(after)
        new = {name: stacked([final[place] for final in finals]) for place, name in enumerate(ready.shapes)}
        return x.transpose(0, 1) if net.batch_first else x, State.of(new)

    def remember(self, net: Stack, form: Form, x: Tensor) -> None:
        """Make ready for calls like one that came, where kernels may run it and nothing is drawn."""
        if form not in self._ready and nothing_special():
            if len(self._ready) >= _MOST_FORMS:
                self._ready.clear()
            # What is kept serves training too, where a tensor that was made for inference alone cannot.
            with torch.inference_mode(False):
                self._ready[form] = self._prepared(net, x)

    def _prepared(self, net: Stack, x: Tensor) -> Ready | None:
        if net.bidirectional or not x.numel() or (net.training and net.dropout):
            return None
        narrow = narrow_results(x.dtype)
        x = x.detach() if narrow is None else x.detach().float()
        inner = x.transpose(0, 1) if net.batch_first else x
        steps, batch, _ = inner.shape
        sizes = net.executable(0).state_sizes
        rest = [x.new_zeros((1, size)).expand(batch, size) for size in sizes.values()]
        calls = []
        for layer in range(net.num_layers):
            executable = net.executable(layer)
            weights = net.sources(layer, 0)
            if narrow is not None:
                weights = weights.float()
            found = executable.prepared(inner, rest, weights, Lengths(steps), training=net.training, products=narrow)
            # More keys than the input and the states: loop invariants, computed from the weights at each call.
            if found is None or len(found[0].bound.signature.keys) != 1 + len(rest):
                return None
            calls.append(found[0])
            inner = x.new_empty((steps, batch, executable.output_size))
        shapes = {name: (net.num_layers, batch, size) for name, size in sizes.items()}
        return Ready(calls, rest, shapes, narrow)


def _readable(tensor: Tensor, dtype: torch.dtype) -> bool:
    """Say whether a kernel can read a tensor where it lies.

    `is_plain` knows more; but states and weights are many, nothing is at work, and of what is left a tensor without
    memory is an error and one that is negated lazily is asked for.
    """
    return (
        type(tensor) in _CLASSES
        and tensor.dtype is dtype
        and tensor.is_cpu
        and not tensor.is_neg()
        and (not tensor.dim() or tensor.stride(-1) == 1)
    )


def stacked(finals: Sequence[Tensor]) -> Tensor:
    """Return [L * D, B, n] of the final states [B, n] of layers and directions.

    A tensor of its own in any case: a view could not be cut off in place, as `h.detach_()` does between chunks.
    """
    return torch.stack(list(finals))
