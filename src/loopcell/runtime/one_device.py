"""One device: what a call reads has to lie on one, and the error says what lies where."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from loopcell.backends.weights import Weights
from loopcell.equations.keys import Key
from loopcell.errors import TensorError


def check_one_device(leaves: Mapping[Key, Tensor], weights: Weights) -> None:
    """Refuse tensors on several devices, which no path can run.

    Args:
        leaves: the input, the states, the draws, by key; the input first.
        weights: the parameters.

    Raises:
        TensorError: which of them is where.
    """
    first, *_ = leaves.values()
    for key, tensor in leaves.items():
        if tensor.device != first.device:
            raise TensorError(f"{key.kind} `{key.name}` is on {tensor.device} and the input on {first.device}")
    for place, base in enumerate(weights.bases):
        if base.device != first.device:
            parts = weights.layout.slices.items()
            names = [f"`{name}`" for name, slices in parts if any(one.base == place for one in slices)]
            raise TensorError(
                f"parameter {', '.join(names)} is on {base.device} and the input on {first.device}; move the network "
                f"as a whole: net.to({str(first.device)!r})"
            )
