"""The origin of a number that is not finite: which quantity of which equation, at which step, or which data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from loopcell.insight.capture import LayersCall
from loopcell.layers.stack import Stack
from loopcell.tasks.core.networks.cause import Cause
from loopcell.tasks.core.networks.first_values import first_value
from loopcell.tasks.core.networks.layers_call import OrderedCall


@dataclass(eq=False)
class _Watch:
    """The observations of hooks.

    Attributes:
        data_finite: whether what the first module was given is finite.
        explain: of the first call whose result is not finite: makes the sentence.
    """

    data_finite: bool | None = None
    explain: list[Callable[[], Cause]] = field(default_factory=list)


def cause_in(network: nn.Module, run: Callable[[], object]) -> Cause | None:
    """Find out what is not finite first when a network runs; None where everything is.

    Args:
        network: with its weights.
        run: calls it once.
    """
    for name, tensor in network.state_dict().items():
        if not _finite(tensor):
            return Cause(f"its weights are damaged ({name} is not finite)")
    with torch.no_grad(), _watched(network) as watch:
        run()
    return watch.explain[0]() if watch.explain else None


@contextmanager
def _watched(network: nn.Module) -> Iterator[_Watch]:
    """Watch all modules within the block."""
    watch = _Watch()

    def begin(_: nn.Module, args: tuple[Any, ...], named: dict[str, Any] | None = None) -> None:
        if watch.data_finite is None and (args or named):
            watch.data_finite = _all_finite((args, named))

    def end(name: str) -> Callable[..., None]:
        def look(*call: Any) -> None:
            if not watch.explain and not _all_finite(call[-1]):
                watch.explain.append(lambda: _explained(network, name, call, data_finite=bool(watch.data_finite)))

        return look

    with ExitStack() as hooks:
        for name, module in network.named_modules():
            hooks.callback(module.register_forward_pre_hook(begin, with_kwargs=True).remove)
            hooks.callback(module.register_forward_hook(end(name), with_kwargs=True).remove)
        yield watch


def _explained(network: nn.Module, name: str, call: tuple[Any, ...], *, data_finite: bool) -> Cause:
    """Say why a module's result is not finite."""
    module, args, named, _ = call
    if not _all_finite((args, named)):
        which = f"the input of {name or 'the network'} is not finite"
        if not data_finite:
            return Cause(f"{which}: look at the data", certain=True)
        return Cause(f"{which}, though the data are: look at what the network computes before")
    cause = _in_equations(network, name, call)
    what = f"{name} ({type(module).__name__})" if name else "the network"
    return cause or Cause(f"{what} makes it of an input that is finite")


def _in_equations(network: nn.Module, name: str, call: tuple[Any, ...]) -> Cause | None:
    """Return the first quantity of a module's equations that is not finite, where the module has equations."""
    layers = call[0]
    if not isinstance(layers, Stack):
        return None
    several = sum(isinstance(module, Stack) for module in network.modules()) > 1
    ordered = OrderedCall.of(LayersCall.of(layers, *call[1:]), name if several else "")
    return None if ordered is None else first_value(ordered)


def _all_finite(tree: Any) -> bool:
    return all(_finite(leaf) for leaf in pytree.tree_leaves(tree) if isinstance(leaf, Tensor))


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
