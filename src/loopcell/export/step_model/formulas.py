"""Formulas: equations without a state, for the stages around the recurrent layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from loopcell.equations import Graph, Value, sized
from loopcell.equations.keys import OUTPUT, Key
from loopcell.equations.namespace import Namespace
from loopcell.equations.trace import TraceBuilder
from loopcell.equations.verify import verify
from loopcell.export.step_model.stages import Equations, Floats, Quantity


def formula(function: Callable[..., Value], sizes: Mapping[str, str] | None = None) -> Graph:
    """Read a function as equations of one step without a state; see `cell`, whose words it takes.

    Args:
        function: its positional arguments are inputs, its keyword-only ones namespaces of parameters.
        sizes: the name of the size of each input; "input" where nothing is said.
    """
    builder = TraceBuilder(function.__name__, inspect.unwrap(function).__code__)
    kinds = inspect.signature(function).parameters.values()
    inputs = [one.name for one in kinds if one.kind is not one.KEYWORD_ONLY]
    spaces = {one.name: Namespace(builder, one.name) for one in kinds if one.kind is one.KEYWORD_ONLY}
    given = function(*(builder.leaf("input", name) for name in inputs), **spaces)
    builder.name_locals()
    known = {name: (sizes or {}).get(name, "input") for name in inputs}
    return verify(builder.build(builder.name, {OUTPUT: given}), {Key("input", name): known[name] for name in inputs})


def with_inputs(function: Callable[..., Value], names: Sequence[str]) -> Callable[..., Value]:
    """Return a function of so many inputs that passes them on as a list; equations are read by the names of inputs.

    Args:
        function: its first argument is the list, its keyword-only ones are namespaces of parameters.
        names: of the inputs.
    """

    def equations(*values: Value, **spaces: Any) -> Value:
        return function(list(values), **spaces)

    _, *others = inspect.signature(function).parameters.values()
    inputs = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    equations.__name__ = function.__name__
    equations.__signature__ = inspect.Signature([*inputs, *others])  # type: ignore[attr-defined]
    return equations


def _affine(x, *, scale):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - equations
    return (x - scale.mean) / scale.deviation


def _linear(x, *, head):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
    return sized(head.weight @ x + head.bias, "output")


def scale_stage(gives: str, reads: Quantity, mean: Floats, deviation: Floats) -> Equations:
    """Return the stage (x - mean) / deviation, which brings numbers to the scale of the training data."""
    return Equations(
        Quantity(gives, reads.size),
        formula(_affine),
        {"input": reads.size},
        {"scale.mean": np.asarray(mean, np.float32), "scale.deviation": np.asarray(deviation, np.float32)},
        {"x": reads.name},
        "to the scale of the training data",
    )


def linear_stage(gives: str, reads: Quantity, weight: Floats, bias: Floats, doc: str = "") -> Equations:
    """Return the stage W x + b, with W [K, I] and b [K]."""
    return Equations(
        Quantity(gives, len(weight)),
        formula(_linear),
        {"input": reads.size, "output": len(weight)},
        {"head.weight": np.ascontiguousarray(weight, np.float32), "head.bias": np.ascontiguousarray(bias, np.float32)},
        {"x": reads.name},
        doc,
    )
