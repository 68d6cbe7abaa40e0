"""Dispatch: what is at work around a call, as things stand now.

A kernel reads and writes memory behind PyTorch's back. That is right for plain tensors that nobody observes; whatever
traces, counts, fakes, wraps or transforms operations must see operations. All of these questions are asked here, and
`routes` chooses by the answers.

| active                                                     | what runs                                        |
|------------------------------------------------------------|--------------------------------------------------|
| nothing                                                    | the kernel, directly                             |
| a dispatch mode (make_fx, FlopCounterMode, FakeTensorMode) | the operator loopcell::run, which the mode sees  |
| a function mode, torch.jit.trace                           | the same                                         |
| torch.func, forward-mode derivatives                       | the reference path, which is PyTorch operations  |
| a tensor of another kind (a subclass, batched, sparse)     | the same                                         |

Besides, kernels in C run on the CPU, in floating point, where there is a compiler and no other back end is chosen.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import cache

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext

from loopcell.backends.c.toolchain.target import ADVICE, compiler
from loopcell.runtime.asked import asked_for
from loopcell.runtime.obstacles import (
    FORWARD_MODE,
    NO_COMPILER,
    OTHER_DEVICE,
    TORCH_FUNC,
    Obstacle,
    asked_for_another,
    other_dtype,
)

_CPU = torch.device("cpu")
_NARROW = (torch.bfloat16, torch.float16)

# -- observers and transformations ------------------------------------------------------------------------------------

# torch has no public words for these questions.
_dispatch_modes = torch._C._len_torch_dispatch_stack  # noqa: SLF001
_function_modes = torch._C._len_torch_function_stack  # noqa: SLF001
_tracing = torch._C._get_tracing_state  # noqa: SLF001
_function_mode_stack: Callable[[], list[object]] = _get_current_function_mode_stack
_functorch = torch._C._functorch.peek_interpreter_stack  # noqa: SLF001
_keys = torch._C._dispatch_keys  # noqa: SLF001

_CLASSES = (Tensor, nn.Parameter)


def _key_set(*names: str, of: str = "CPU") -> int:
    """Return a set of dispatch keys as a number. It is written out: a tensor made here may be fake, or elsewhere."""
    keys = torch._C.DispatchKeySet(getattr(torch._C.DispatchKey, of))  # noqa: SLF001
    for name in names:
        keys = keys.add(getattr(torch._C.DispatchKey, name))  # noqa: SLF001
    return keys.raw_repr()


_PLAIN_OR_INFERENCE = (_key_set("AutocastCPU", "AutogradCPU", "ADInplaceOrView"), _key_set("AutocastCPU"))
"""The dispatch keys of a plain tensor, and of one that was made in inference mode."""


def observer() -> str | None:
    """Name what sees operations as they run, here and now; None: nothing.

    A default device (`torch.device` as a context) sees only functions that make tensors, which kernels do not call.
    """
    if _dispatch_modes():
        return "a dispatch mode"
    if _function_modes() and any(type(mode) is not DeviceContext for mode in _function_mode_stack()):
        return "a function mode"
    return "torch.jit.trace" if is_jit_traced() else None


def is_jit_traced() -> bool:
    """Return True inside of torch.jit.trace."""
    return _tracing() is not None


def transformation() -> Obstacle | None:
    """Return what differentiates or batches operations by itself, here and now; None: nothing."""
    if _functorch() is not None:
        return TORCH_FUNC
    return None if forward_ad._current_level < 0 else FORWARD_MODE  # noqa: SLF001


def nothing_at_work() -> bool:
    """Return True where operations are neither observed nor transformed: `observer` and `transformation` at once."""
    return (
        not _dispatch_modes()
        and (not _function_modes() or observer() is None)
        and _functorch() is None
        and _tracing() is None
        and forward_ad._current_level < 0  # noqa: SLF001
    )


def is_plain(tensor: Tensor) -> bool:
    """Return True if a tensor is numbers in the CPU's memory and nothing else.

    Its dispatch keys tell: a fake, functional, batched, sparse or lazily negated tensor has others than a plain one.
    """
    return type(tensor) in _CLASSES and _keys(tensor).raw_repr() in _PLAIN_OR_INFERENCE


@cache
def _keys_of_plain(device: str) -> tuple[int, ...]:
    """Return the dispatch keys of plain tensors on a kind of device, as `_PLAIN_OR_INFERENCE` has those of the CPU."""
    known = torch._C.DispatchKey.__members__  # noqa: SLF001
    backend = "Meta" if device == "meta" else device.upper()
    if backend not in known:
        return ()
    always, tracked = ([key] if key in known else [] for key in (f"Autocast{backend}", f"Autograd{backend}"))
    return _key_set(*always, *tracked, "ADInplaceOrView", of=backend), _key_set(*always, of=backend)


def is_in_memory(tensor: Tensor) -> bool:
    """Return True if a tensor is numbers in the memory of its device, whichever this is, and nothing else."""
    if type(tensor) not in _CLASSES:
        return False
    kind = tensor.device.type
    return _keys(tensor).raw_repr() in (_PLAIN_OR_INFERENCE if kind == "cpu" else _keys_of_plain(kind))


def are_plain(tensors: Iterable[Tensor | None]) -> bool:
    """Return True if all tensors are numbers in the CPU's memory and nothing else; None counts as such."""
    return all(tensor is None or is_plain(tensor) for tensor in tensors)


def is_traced(tensor: Tensor) -> bool:
    """Return True if a tensor is one of those with which torch itself traces: fake, or functional."""
    return type(tensor).__module__.startswith("torch._subclasses")


# -- half precision ---------------------------------------------------------------------------------------------------


def autocast_dtype(device: torch.device) -> torch.dtype | None:
    """Return the dtype that autocast asks for on a device; None where it is off, or the device knows none."""
    kind = device.type
    # The meta device has no autocast, and asking it is an error; CPU and CUDA, which every call asks, need no question.
    if kind not in ("cpu", "cuda") and (kind == "meta" or not torch.amp.is_autocast_available(kind)):
        return None
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else None


def narrow_results(dtype: torch.dtype, device: torch.device = _CPU) -> torch.dtype | None:
    """Return what is multiplied where it is narrower than float32: half precision, autocast; None where it is not."""
    asked_for = autocast_dtype(device) if dtype == torch.float32 or dtype in _NARROW else None
    return asked_for or (dtype if dtype in _NARROW else None)


def autocast_converts(tensor: Tensor) -> bool:
    """Return True where autocast brings what is computed with a tensor to one dtype; float64 it leaves alone."""
    return autocast_dtype(tensor.device) is not None and narrow_results(tensor.dtype, tensor.device) is not None


# -- kernels in C -----------------------------------------------------------------------------------------------------


@cache
def _can_compile() -> bool:
    return compiler() is not None


@cache
def _warn_of_no_compiler() -> None:
    warnings.warn(
        f"loopcell found no C compiler and runs on plain PyTorch, several times slower: {ADVICE}", stacklevel=2
    )


def may_fuse(device: torch.device, dtype: torch.dtype) -> bool:
    """Return True if kernels in C may run on tensors of a device and dtype, as things stand now."""
    return first_obstacle(device, dtype) is None


def nothing_special() -> bool:
    """Return True if C may be called directly: no observer, no transformation, no autocast, no other back end."""
    return nothing_at_work() and not torch.is_autocast_enabled("cpu") and asked_for() in ("auto", "c")


def described(tensor: Tensor) -> str:
    """Say in an error what kind of tensor a kernel cannot read."""
    if type(tensor) not in _CLASSES:
        return f"a {type(tensor).__name__}"
    return (
        "a conjugated or lazily negated tensor" if tensor.is_neg() or tensor.is_conj() else "a sparse or wrapped tensor"
    )


def first_obstacle(device: torch.device, dtype: torch.dtype) -> Obstacle | None:
    """Return what stands against running kernels in C here and now, be it directly or as the operator."""
    return obstacle_of_c(device, dtype) or transformation()


def obstacle_of_c(device: torch.device, dtype: torch.dtype) -> Obstacle | None:
    """Return what stands against kernels in C on tensors of a device and dtype."""
    asked = asked_for()
    if asked not in ("auto", "c"):
        return asked_for_another(asked)
    if device.type != "cpu":
        return OTHER_DEVICE
    if dtype not in (torch.float32, torch.float64, *_NARROW):
        return other_dtype(dtype)
    if _can_compile():
        return None
    if asked != "c":  # which raises rather than run slower
        _warn_of_no_compiler()
    return NO_COMPILER
