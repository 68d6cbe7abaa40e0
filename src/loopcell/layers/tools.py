"""Tools that read a network's code or class: torch.fx, torch.ao.quantization, Opacus."""

from __future__ import annotations

import warnings
from types import ModuleType
from typing import Any

from torch import fx, nn

from loopcell.errors import UsageError
from loopcell.files.when_loaded import when_loaded


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
    named = {name: value for name, value in kwargs.items() if value is not None}
    return tracer.create_proxy("call_module", path, (x, *args), named)


def left_unquantized(net: nn.Module) -> None:
    """Warn that torch.ao.quantization, which has just looked at a network, leaves it as it is."""
    warnings.warn(
        f"torch.ao.quantization goes by the exact class and leaves loopcell.{type(net).__name__} in floating point; "
        "to quantize it, put net.as_torch() in its place",
        stacklevel=4,
    )


def known_to_opacus(kind: type[nn.Module], name: str, torch_class: type[nn.Module] | None = None) -> None:
    """Have Opacus, which goes by the exact class, refuse a network in a sentence, and replace it where it can.

    Its per-sample gradients need modules with one output, and give numbers without the final states' gradients, or an
    obscure error, for others.

    Args:
        kind: the class of the module that holds parameters.
        name: what users know it by.
        torch_class: torch.nn's class of the same parameters, if there is one: what Opacus does with it serves ours.
    """

    def register(validators: ModuleType) -> None:
        known = validators.ModuleValidator
        if torch_class in known.FIXERS:
            known.FIXERS[kind] = known.FIXERS[torch_class]
            cure = "ModuleValidator.fix puts a module of Opacus in its place"
        else:
            cure = "torch.func.vmap of torch.func.grad gives them for any cell"
        sentence = f"Opacus cannot take per-sample gradients of a loopcell.{name}; {cure}"
        error = validators.errors.UnsupportedModuleError
        known.VALIDATORS[kind] = lambda _: [error(sentence)]

    when_loaded("opacus.validators", register)
