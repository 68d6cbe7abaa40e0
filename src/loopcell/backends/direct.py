"""When a kernel may be called directly: nothing is at work that would want to see the operations.

A kernel reads and writes memory behind PyTorch's back. That is right for plain tensors and nobody watching; whoever
traces, counts, fakes, wraps or transforms operations must be given operations. This is the one place that knows.

| what is at work                                            | what runs                                        |
|------------------------------------------------------------|--------------------------------------------------|
| nothing                                                    | the kernel, directly                             |
| a dispatch mode (make_fx, FlopCounterMode, FakeTensorMode) | the operator loopcell::run, which the mode sees  |
| a function mode, torch.jit.trace                           | the same                                         |
| torch.func, forward-mode derivatives                       | the reference path, which is PyTorch operations  |
| a tensor of another kind (a subclass, batched, sparse)     | the same                                         |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext

# torch has no public words for these questions.
_dispatch_modes = torch._C._len_torch_dispatch_stack  # noqa: SLF001
_function_modes = torch._C._len_torch_function_stack  # noqa: SLF001
_tracing = torch._C._get_tracing_state  # noqa: SLF001
_function_mode_stack: Callable[[], list[object]] = _get_current_function_mode_stack
_functorch = torch._C._functorch.peek_interpreter_stack  # noqa: SLF001
_keys = torch._C._dispatch_keys  # noqa: SLF001

_CLASSES = (Tensor, nn.Parameter)


def _key_set(*names: str) -> int:
    """Return a set of dispatch keys as a number. It is written out: a tensor made here may be fake, or elsewhere."""
    keys = torch._C.DispatchKeySet(torch._C.DispatchKey.CPU)  # noqa: SLF001
    for name in names:
        keys = keys.add(getattr(torch._C.DispatchKey, name))  # noqa: SLF001
    return keys.raw_repr()


_PLAIN_OR_INFERENCE = (_key_set("AutocastCPU", "AutogradCPU", "ADInplaceOrView"), _key_set("AutocastCPU"))
"""The dispatch keys of a plain tensor, and of one that was made in inference mode."""


def observer() -> str | None:
    """Name what is at work here and now that sees operations as they run; None: nothing.

    A default device (`torch.device` as a context) sees only functions that make tensors, which kernels do not call.
    """
    if _dispatch_modes():
        return "a dispatch mode"
    if _function_modes() and any(type(mode) is not DeviceContext for mode in _function_mode_stack()):
        return "a function mode"
    return "torch.jit.trace" if is_jit_traced() else None


def is_jit_traced() -> bool:
    """Say whether torch.jit.trace is at work."""
    return _tracing() is not None


def transformation() -> str | None:
    """Name what is at work here and now that differentiates or batches operations by itself; None: nothing."""
    if _functorch() is not None:
        return "a torch.func transformation is at work"
    return None if forward_ad._current_level < 0 else "forward-mode derivatives are at work"  # noqa: SLF001


def nothing_at_work() -> bool:
    """Say whether operations are neither observed nor transformed: `observer` and `transformation` at once."""
    return (
        not _dispatch_modes()
        and (not _function_modes() or observer() is None)
        and _functorch() is None
        and _tracing() is None
        and forward_ad._current_level < 0  # noqa: SLF001
    )


def is_plain(tensor: Tensor) -> bool:
    """Say whether a tensor is numbers in the CPU's memory and nothing else.

    Its dispatch keys tell: a fake, functional, batched, sparse or lazily negated tensor has others than a plain one.
    """
    return type(tensor) in _CLASSES and _keys(tensor).raw_repr() in _PLAIN_OR_INFERENCE


def are_plain(tensors: Iterable[Tensor | None]) -> bool:
    """Say whether all tensors are numbers in the CPU's memory and nothing else; None counts as such."""
    return all(tensor is None or is_plain(tensor) for tensor in tensors)


def is_traced(tensor: Tensor) -> bool:
    """Say whether a tensor is one of those with which torch itself traces: fake, or functional."""
    return type(tensor).__module__.startswith("torch._subclasses")


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """Return the dtype that autocast asks for on a device; None where it is off, or the device knows none."""
    kind = device.type
    # The meta device has no autocast, and asking it is an error.
    if kind == "meta" or not torch.amp.is_autocast_available(kind) or not torch.is_autocast_enabled(kind):
        return None
    return torch.get_autocast_dtype(kind)
