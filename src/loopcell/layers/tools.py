"""What reads a network's code or class: torch.fx, torch.ao.quantization, torch.compile."""

from __future__ import annotations

import warnings
from typing import Any

from torch import fx, nn

from loopcell.errors import UsageError


def as_leaf(net: nn.Module, x: fx.Proxy, *args: object, **kwargs: object) -> Any:
    """Return the call of a network as one node of the graph that torch.fx is tracing, as that of torch.nn's modules.

    Raises:
        UsageError: the network is what is traced, and not a part of it.
    """
    tracer = x.tracer
    path = tracer.path_of_module(net) if isinstance(tracer, fx.Tracer) else ""
    if not path:
        raise UsageError(
            f"torch.fx.symbolic_trace takes a {type(net).__name__} as one node of a larger network; "
            "trace the module that contains it"
        )
    given = {name: value for name, value in kwargs.items() if value is not None}
    return tracer.create_proxy("call_module", path, (x, *args), given)


def left_unquantized(net: nn.Module) -> None:
    """Warn that torch.ao.quantization, which has just looked at a network, leaves it as it is."""
    warnings.warn(
        f"torch.ao.quantization goes by the exact class and leaves loopcell.{type(net).__name__} in floating point; "
        "to quantize it, put net.as_torch() in its place",
        stacklevel=4,
    )
