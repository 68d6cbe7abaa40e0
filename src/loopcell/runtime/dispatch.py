"""Dispatch: which path a call takes, as things stand now.

A kernel reads and writes memory behind PyTorch's back. That is right for plain tensors that nobody observes; whatever
traces, counts, fakes, wraps or transforms operations must see operations. All of these questions are asked here.

| active                                                     | what runs                                        |
|------------------------------------------------------------|--------------------------------------------------|
| nothing                                                    | the kernel, directly                             |
| a dispatch mode (make_fx, FlopCounterMode, FakeTensorMode) | the operator loopcell::run, which the mode sees  |
| a function mode, torch.jit.trace                           | the same                                         |
| torch.func, forward-mode derivatives                       | the reference path, which is PyTorch operations  |
| a tensor of another kind (a subclass, batched, sparse)     | the same                                         |

Besides, kernels run on the CPU, in floating point, where there is a compiler and no other back end is chosen.
`backend("c")` demands them: what would run as PyTorch operations then asks `refuse_fallback` first, with the obstacle
that stands in the way. Under `backend("auto")` it goes on, and `net.plan()` says so.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum
from functools import cache

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext

from loopcell.backends.c.toolchain.target import ADVICE, compiler
from loopcell.errors import UsageError
from loopcell.runtime.obstacles import (
    FORWARD_MODE,
    MIXED,
    NO_COMPILER,
    OTHER_DEVICE,
    REFERENCE_ASKED_FOR,
    TORCH_FUNC,
    Obstacle,
    other_dtype,
    other_tensor,
)

_CPU = torch.device("cpu")
_NARROW = (torch.bfloat16, torch.float16)

# -- the back end that is asked for -----------------------------------------------------------------------------------

BACKENDS = ("auto", "c", "reference")
_chosen: ContextVar[str | None] = ContextVar("loopcell_backend", default=None)


@contextmanager
def backend(name: str) -> Iterator[None]:
    """Choose what runs the calls in a block, forward and backward.

    LOOPCELL_BACKEND names the back end for a whole process; it is read once.

    Args:
        name: "c" demands the generated C kernels, and a call that they cannot run raises a `UsageError` that says why.
            "reference" runs the equations as PyTorch operations, step by step. "auto", the default, runs kernels where
            they can run and the reference path elsewhere; `net.plan()` says which, and why.

    Raises:
        UsageError: there is no such back end.
    """
    _check(name)
    token = _chosen.set(name)
    try:
        yield
    finally:
        _chosen.reset(token)


def asked_for() -> str:
    """Return the name of the back end that is asked for here and now."""
    return _chosen.get() or _of_the_process()


@cache
def _of_the_process() -> str:
    name = os.environ.get("LOOPCELL_BACKEND", "auto")
    _check(name)
    return name


def _check(name: str) -> None:
    if name not in BACKENDS:
        raise UsageError(f"there is no back end {name!r}; there are {', '.join(BACKENDS)}")


def refuse_fallback(obstacle: Obstacle, *, demanded: bool = False) -> None:
    """Raise where kernels are demanded; return where the reference path may run in their place.

    Args:
        obstacle: what stands against them.
        demanded: kernels were demanded earlier, such as in the forward pass of the gradient that is computed now.

    Raises:
        UsageError: kernels are demanded; the obstacle, and its cure.
    """
    if demanded or asked_for() == "c":
        raise UsageError(f'backend("c") demands kernels, and they cannot run: {obstacle.reason}; {obstacle.cure}')


# -- observers and transformations ------------------------------------------------------------------------------------

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
    # The meta device has no autocast, and asking it is an error.
    if kind == "meta" or not torch.amp.is_autocast_available(kind) or not torch.is_autocast_enabled(kind):
        return None
    return torch.get_autocast_dtype(kind)


def narrow_results(dtype: torch.dtype, device: torch.device = _CPU) -> torch.dtype | None:
    """Return what is multiplied where it is narrower than float32: half precision, autocast; None where it is not."""
    asked_for = autocast_dtype(device) if dtype == torch.float32 or dtype in _NARROW else None
    return asked_for or (dtype if dtype in _NARROW else None)


# -- the path of a call -----------------------------------------------------------------------------------------------


class Route(Enum):
    """The path of one call.

    KERNELS: generated kernels are called directly, on the memory of the tensors.
    OPERATOR: the same kernels as the operator loopcell::run, for whatever wants to see operations.
    REFERENCE: the equations as PyTorch operations, step by step.
    """

    KERNELS = "kernels"
    OPERATOR = "operator"
    REFERENCE = "reference"


@cache
def _can_compile() -> bool:
    return compiler() is not None


@cache
def _warn_of_no_compiler() -> None:
    warnings.warn(
        f"loopcell found no C compiler and runs on plain PyTorch, several times slower: {ADVICE}", stacklevel=2
    )


def may_fuse(device: torch.device, dtype: torch.dtype) -> bool:
    """Return True if kernels may run on tensors of a device and dtype, as things stand now."""
    return first_obstacle(device, dtype) is None


def nothing_special() -> bool:
    """Return True if kernels may be called directly: no observer, no transformation, no autocast, no other back end."""
    return nothing_at_work() and not torch.is_autocast_enabled("cpu") and asked_for() != "reference"


def route(tensors: Sequence[Tensor], others: Sequence[Tensor | None] = ()) -> Route:
    """Choose how a call on tensors runs, as things stand now.

    Args:
        tensors: the numbers that the call reads; the input first.
        others: what else it reads, such as lengths and resets.

    Raises:
        UsageError: kernels are demanded, and cannot run.
    """
    obstacle = first_obstacle(tensors[0].device, tensors[0].dtype)
    special: list[Tensor] = []
    if obstacle is None:
        special = [tensor for tensor in (*tensors, *others) if tensor is not None and not is_plain(tensor)]
        obstacle = _obstacle_of_tensors(tensors, special)
    if obstacle is not None:
        refuse_fallback(obstacle)
        return Route.REFERENCE
    return Route.OPERATOR if special or observer() is not None else Route.KERNELS


def _obstacle_of_tensors(tensors: Sequence[Tensor], special: Sequence[Tensor]) -> Obstacle | None:
    device, dtype = tensors[0].device, tensors[0].dtype
    # PyTorch converts what it can; a kernel reads memory.
    if not all(tensor.dtype == dtype and tensor.device == device for tensor in tensors):
        return MIXED
    return next((other_tensor(described(tensor)) for tensor in special if not is_traced(tensor)), None)


def described(tensor: Tensor) -> str:
    """Say in an error what kind of tensor a kernel cannot read."""
    if type(tensor) not in _CLASSES:
        return f"a {type(tensor).__name__}"
    return (
        "a conjugated or lazily negated tensor" if tensor.is_neg() or tensor.is_conj() else "a sparse or wrapped tensor"
    )


def operator_runs(device: torch.device, dtype: torch.dtype) -> bool:
    """Return True if the operator may stand for a cell while torch.compile or torch.export reads the network.

    Raises:
        UsageError: kernels are demanded, and cannot run.
    """
    obstacle = _obstacle_of_kernels(device, dtype)
    if obstacle is not None:
        refuse_fallback(obstacle)
    return obstacle is None


# The compiler asks once. torch.compiler.assume_constant_result does just this, and imports the whole compiler for it.
operator_runs._dynamo_marked_constant = True  # type: ignore[attr-defined]  # noqa: SLF001


def first_obstacle(device: torch.device, dtype: torch.dtype) -> Obstacle | None:
    """Return what stands against running kernels here and now, be it directly or as the operator."""
    return _obstacle_of_kernels(device, dtype) or transformation()


def _obstacle_of_kernels(device: torch.device, dtype: torch.dtype) -> Obstacle | None:
    if asked_for() == "reference":
        return REFERENCE_ASKED_FOR
    if device.type != "cpu":
        return OTHER_DEVICE
    if dtype not in (torch.float32, torch.float64, *_NARROW):
        return other_dtype(dtype)
    if _can_compile():
        return None
    if asked_for() != "c":  # which raises rather than run slower
        _warn_of_no_compiler()
    return NO_COMPILER
