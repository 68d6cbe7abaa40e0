"""The path of torch's own operators: what stands against it, and a cell over a sequence on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.backends.native import StackForm, operator_weights, run_rows
from loopcell.backends.weights import Weights
from loopcell.equations.keys import Key
from loopcell.passes.recognise import TorchForm, torch_form
from loopcell.runtime.kernels import KernelRunner, RunResults
from loopcell.runtime.obstacles import (
    DRAWS,
    LENGTHS_ON_DEVICE,
    NO_CUDNN,
    NOT_NATIVE,
    RECORDS,
    RESETS,
    SQUARE_PROJECTION,
    Obstacle,
    no_operator,
    other_dtype,
)
from loopcell.runtime.programs import Programs
from loopcell.runtime.twice import differentiable_twice

_DEVICES = ("cpu", "cuda", "mps", "xpu")
_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def obstacle(device: torch.device, dtype: torch.dtype) -> Obstacle | None:
    """Return what stands against torch's operators on tensors of a device and dtype; None where they run."""
    if device.type not in _DEVICES:
        return no_operator(device)
    if dtype not in _DTYPES:
        return other_dtype(dtype)
    if device.type == "cuda" and not _is_fast_on_cuda(device, dtype):
        return NO_CUDNN
    return None


def _is_fast_on_cuda(device: torch.device, dtype: torch.dtype) -> bool:
    """Say whether cuDNN (MIOpen on AMD) takes such tensors; torch goes step by step where it does not."""
    if torch.version.hip is not None:
        return bool(torch.backends.cudnn.enabled) and dtype != torch.float64
    return torch.cudnn_is_acceptable(torch.empty(1, device=device, dtype=dtype))


def form_of(programs: Programs) -> TorchForm | None:
    """Return a cell's equations as torch's operator has them; None where it has others."""
    return torch_form(programs.reference.program.cell)


def obstacle_of(runner: KernelRunner, lengths: Lengths | None, *, resets: bool = False) -> Obstacle | None:
    """Return what stands against torch's operators in a cell and its call; None where they run.

    Args:
        runner: the cell, with its sizes and what is recorded.
        lengths: where the rows of the call end and start afresh, where that is known.
        resets: rows start afresh.
    """
    programs = runner.programs
    if programs.reference.recorded:
        return RECORDS
    graph = programs.reference.program.cell
    form = torch_form(graph)
    if form is None:
        return DRAWS if graph.is_random else NOT_NATIVE
    if form.projection is not None:
        output, hidden = (runner.sizes[size] for size in graph.parameters[form.projection])
        if output >= hidden:
            return SQUARE_PROJECTION
    if resets or (lengths is not None and lengths.reset is not None):
        return RESETS
    if lengths is not None and lengths.lengths is not None and lengths.on_host is None:
        return LENGTHS_ON_DEVICE
    return None


def run(
    programs: Programs, leaves: dict[Key, Tensor], weights: Weights, sizes: Mapping[str, int], lengths: Lengths
) -> RunResults:
    """Run a cell over a sequence; arguments and results as of `on_triton.run`."""
    form = form_of(programs)
    assert form is not None  # `obstacle_of` has been asked
    keys = [Key("state", name) for name in form.states]
    x, states = leaves[Key("input", form.input)], [leaves[key] for key in keys]
    if has_nothing(x, lengths):
        return programs.run_reference(leaves, weights, sizes, lengths)
    tensors = operator_weights(form, weights, x.shape[-1], states[0].shape[-1])
    before = [state.unsqueeze(0) for state in states]
    y, after = run_rows(StackForm(form), x, before, tensors, lengths.on_host)
    results = [y, *(state.squeeze(0) for state in after)]
    read = [*leaves.values(), *weights.bases]
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in read):

        def gradients(
            tensors: list[Tensor], arriving: Sequence[Tensor | None], wanted: Sequence[bool]
        ) -> list[Tensor | None]:
            named = dict(zip(leaves, tensors, strict=False))
            parameters = Weights(tuple(tensors[len(named) :]), weights.layout)
            in_order = [arriving[0], *(arriving[1 + place] for place in places)]
            return programs.reference_gradients(named, parameters, sizes, lengths, in_order, wanted)

        places = [form.states.index(name) for name in programs.reference.program.loop.states]
        results = differentiable_twice(results, read, gradients)
    y, *after = results
    named = dict(zip(form.states, after, strict=True))
    return y, [named[key.name] for key in programs.reference.states], {}


def has_nothing(x: Tensor, lengths: Lengths) -> bool:
    """Return True where no row has a step, which torch's operators refuse."""
    return not x.shape[0] or not x.shape[1] or (lengths.on_host is not None and not int(lengths.on_host.max()))
