"""Obstacles: whatever stands against running kernels, in words, each with its cure."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from loopcell.backends.c.toolchain.target import ADVICE


@dataclass(frozen=True)
class Obstacle:
    """Something that stands against running kernels.

    Attributes:
        reason: what it is.
        cure: what a user can do who wants kernels, or who can do without.
    """

    reason: str
    cure: str


_WITHOUT = 'run this part with backend("auto") or backend("reference")'

REFERENCE_ASKED_FOR = Obstacle("it was asked for", 'ask for backend("auto") or backend("c")')
NOT_NATIVE = Obstacle("torch has no operator for these equations", _WITHOUT)
NO_CUDNN = Obstacle(
    "cuDNN does not take these tensors, or is off (torch.backends.cudnn.enabled)", f"turn it on, or {_WITHOUT}"
)
RECORDS = Obstacle("values are recorded, and torch's operator shows none", _WITHOUT)
DRAWS = Obstacle("training draws numbers inside of the equations, and torch's operator has no place for them", _WITHOUT)
RESETS = Obstacle("rows start afresh in mid-sequence (reset=), and torch's operator has no resets", _WITHOUT)
LENGTHS_ON_DEVICE = Obstacle(
    "the lengths lie on the device, and torch's operator would wait for them to be copied to the CPU",
    "pass them as a list or a tensor on the CPU",
)
DROPPED_TWICE = Obstacle(
    "torch's operator drew the dropout between layers itself, and a gradient of its gradient has to know the draws",
    'run this part with backend("reference"), or with dropout=0',
)
SQUARE_PROJECTION = Obstacle(
    "torch's operator has projections that are shorter than the cell state alone", "take a shorter one, or " + _WITHOUT
)
NO_COMPILER = Obstacle("there is no C compiler", ADVICE)
OTHER_DEVICE = Obstacle("the kernels are for the CPU", "move the network and its input to the CPU")
MIXED = Obstacle("the input, states and weights have several dtypes or devices", "convert them to one")
TORCH_FUNC = Obstacle("a torch.func transformation is at work", _WITHOUT)
FORWARD_MODE = Obstacle("forward-mode derivatives are at work", _WITHOUT)
HIGHER_ORDER = Obstacle("a gradient of a gradient is wanted (create_graph=True), which kernels do not give", _WITHOUT)


def no_operator(device: torch.device) -> Obstacle:
    """Return the obstacle of a device for which torch has no recurrent operators."""
    return Obstacle(f"torch has no operator for {device.type} devices", _WITHOUT)


def asked_for_another(backend: str) -> Obstacle:
    """Return the obstacle, to kernels in C, of another back end that was asked for."""
    if backend == "reference":
        return REFERENCE_ASKED_FOR
    return Obstacle(f'backend("{backend}") was asked for', 'ask for backend("auto") or backend("c")')


def other_dtype(dtype: torch.dtype) -> Obstacle:
    """Return the obstacle of a dtype for which there are no kernels."""
    kind = str(dtype).removeprefix("torch.")
    return Obstacle(f"there are no kernels for {kind}", "convert to float32, float64, bfloat16 or float16")


def other_tensor(kind: str) -> Obstacle:
    """Return the obstacle of a tensor that is more, or less, than numbers in memory."""
    return Obstacle(
        f"{kind} is no plain tensor in memory, and kernels read memory", f"pass plain tensors, or {_WITHOUT}"
    )


def observed_backward(observer: str) -> Obstacle:
    """Return the obstacle of an observer that is at work in the backward pass of a call that it has not seen."""
    return Obstacle(f"{observer} looks on during the backward pass", "call the network where it looks on, too")


def not_built(why: str) -> Obstacle:
    """Return the obstacle of kernels that the compiler did not build."""
    return Obstacle(f"no kernel could be built: {why}", _WITHOUT)
