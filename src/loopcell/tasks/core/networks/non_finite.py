"""Where a number that is not finite comes from: which quantity of which equation, at which step, or which data."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from loopcell.equations.graph import Graph, Node
from loopcell.layers.stack import Stack

# What operations make of finite numbers that is not finite.
PARTIAL = {
    "nan": {
        "log": "log is nan of a negative number",
        "sqrt": "sqrt is nan of a negative number",
        "div": "0 / 0 is nan",
    },
    "inf": {"exp": "exp is inf of more than 88", "div": "a division by 0 is inf"},
    "-inf": {"log": "log is -inf of 0", "div": "a division by 0 is -inf"},
}


@dataclass(frozen=True)
class Cause:
    """What was not finite first.

    Attributes:
        sentence: says where and what it was.
        certain: whether the data or an operation of the equations are to blame, and not the size of the weights.
    """

    sentence: str
    certain: bool = False

    def __str__(self) -> str:
        return self.sentence


def cause_in(network: nn.Module, run: Callable[[], object]) -> Cause | None:
    """Find out what is not finite first when a network runs; None where everything is.

    Args:
        network: with its weights.
        run: calls it once.
    """
    for name, tensor in network.state_dict().items():
        if not _finite(tensor):
            return Cause(f"its weights are damaged ({name} is not finite)")
    with torch.no_grad(), _watched(network) as found:
        run()
    return found[0]() if found else None


@contextmanager
def _watched(network: nn.Module) -> Iterator[list[Callable[[], Cause]]]:
    """Watch all modules; the first call whose result is not finite leaves what explains it in the list."""
    found: list[Callable[[], Cause]] = []

    def watch(name: str) -> Callable[..., None]:
        def look(module: nn.Module, args: tuple[Any, ...], named: dict[str, Any], result: Any) -> None:
            if not found and not _all_finite(result):
                found.append(lambda: _explained(name, module, args, named))

        return look

    with ExitStack() as hooks:
        for name, module in network.named_modules():
            hooks.callback(module.register_forward_hook(watch(name), with_kwargs=True).remove)
        yield found


def _explained(name: str, module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> Cause:
    if not _all_finite((args, named)):
        return Cause(f"the input of {name or 'the network'} is not finite: look at the data", certain=True)
    cause = _in_equations(module, args, named) if isinstance(module, Stack) else None
    what = f"{name} ({type(module).__name__})" if name else "the network"
    return cause or Cause(f"{what} makes it of an input that is finite")


def _in_equations(stack: Stack, args: tuple[Any, ...], named: Mapping[str, Any]) -> Cause | None:
    """The first quantity, in order of layers, steps and equations, that is not finite."""
    given = inspect.signature(stack.forward).bind(*args, **named).arguments
    recording = stack.record(given.pop("x"), **given)
    graph = stack.cell.graph
    names = [name for name in _in_order(graph) if name in recording]
    for place, (layer, direction) in enumerate(stack.places()):
        bad = {name: ~torch.isfinite(recording[name][place]).all(-1) for name in names}  # [T, B] each
        steps = {name: _first(rows, backwards=bool(direction)) for name, rows in bad.items() if bool(rows.any())}
        if steps:
            step = max(steps.values()) if direction else min(steps.values())
            name = next(name for name in names if steps.get(name) == step)
            values = recording[name][place][step]
            where = f"step {step + 1} of {len(bad[name])} in layer {layer + 1}"
            return _of(graph, name, where, float(values[~torch.isfinite(values)][0]))
    return None


def _first(rows: Tensor, *, backwards: bool) -> int:
    steps = rows.flatten(1).any(1).nonzero().flatten() if rows.ndim > 1 else rows.nonzero().flatten()
    return int(steps.max() if backwards else steps.min())


def _in_order(graph: Graph) -> list[str]:
    """The author's names in the order of the equations."""
    return list(dict.fromkeys([node.label for node in graph.nodes if node.label] + list(graph.states)))


def _of(graph: Graph, name: str, where: str, value: float) -> Cause:
    """The sentence about one quantity."""
    node = next((node for node in reversed(graph.nodes) if node.label == name), None)
    line = node.line if node is not None else None
    place = f", in line {line.number} of {line.file}: `{line.source}`" if line else ""
    operations = _operations(graph, node) if node is not None else set()
    reasons = [reason for operation, reason in PARTIAL[str(value)].items() if operation in operations]
    because = f"; {reasons[0]}" if reasons else ""
    return Cause(f"`{name}` is {value} first at {where}{place}{because}", certain=bool(reasons))


def _operations(graph: Graph, node: Node) -> set[str]:
    """The operations between a named quantity and those that it is made of."""
    found, ahead = {node.op}, list(node.args)
    while ahead:
        one = graph.nodes[ahead.pop()]
        if not one.label:
            found.add(one.op)
            ahead += one.args
    return found


def _all_finite(tree: Any) -> bool:
    return all(_finite(leaf) for leaf in pytree.tree_leaves(tree) if isinstance(leaf, Tensor))


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
