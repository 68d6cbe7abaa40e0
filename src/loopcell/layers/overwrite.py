"""Overwriting a parameter, also where torch.nn.utils.parametrize computes it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from loopcell.errors import InputError


@torch.no_grad()
def overwrite(module: nn.Module, name: str, change: Callable[[Tensor], object]) -> None:
    """Change a module's parameter in place, or through the inverse of its parametrizations.

    Args:
        module: what holds the parameter.
        name: the parameter's name there.
        change: writes into the tensor that it is given, of the parameter's shape.

    Raises:
        InputError: the parameter is computed from others, and no values of those give this one.
    """
    tensor = getattr(module, name)
    if parametrize.is_parametrized(module, name):
        value = tensor.clone()
        change(value)
        _through_the_inverse(module, name, value)
    elif isinstance(tensor, nn.Parameter):
        change(tensor)
    else:
        raise InputError(f"`{name}` is computed from others, not kept; assign to those")


def _through_the_inverse(module: nn.Module, name: str, value: Tensor) -> None:
    computed: nn.Module = module.parametrizations[name]  # type: ignore[index, assignment]  # torch sets it
    before = copy.deepcopy(computed.state_dict())
    try:
        setattr(module, name, value)
        near = 100 * torch.finfo(value.dtype).eps
        why = "" if torch.allclose(getattr(module, name), value, near, near) else "it gives another"
    except (NotImplementedError, RuntimeError, ValueError) as error:
        why = str(error)
    if why:
        computed.load_state_dict(before)
        raise InputError(f"`{name}` is computed by a parametrization, which cannot give this value: {why}")
