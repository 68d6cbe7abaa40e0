"""The functions that equations may use."""

from __future__ import annotations

from typing import Literal

from loopcell.equations.builder import Builder, Operand, Value
from loopcell.equations.graph import Bernoulli
from loopcell.equations.names import is_name
from loopcell.equations.namespace import Namespace, refuse_bare
from loopcell.errors import TraceError


def _demand_value(function: str, value: object) -> Value:
    if isinstance(value, Namespace):
        refuse_bare(value)
    if not isinstance(value, Value):
        raise TraceError(
            f"loopcell.{function} is for a cell's equations and takes a value of the cell, not {type(value).__name__}"
        )
    return value


def _unary(op: str, value: Operand) -> Value:
    return _demand_value(op, value).builder.apply(op, value)


def sigmoid(value: Value) -> Value:
    """Return 1 / (1 + exp(-v)), elementwise."""
    return _unary("sigmoid", value)


def tanh(value: Value) -> Value:
    """Return the hyperbolic tangent, elementwise."""
    return _unary("tanh", value)


def relu(value: Value) -> Value:
    """Return max(v, 0), elementwise."""
    return _unary("relu", value)


def exp(value: Value) -> Value:
    """Return the exponential, elementwise."""
    return _unary("exp", value)


def log(value: Value) -> Value:
    """Return the natural logarithm, elementwise."""
    return _unary("log", value)


def softplus(value: Value) -> Value:
    """Return log(1 + exp(v)), elementwise."""
    return _unary("softplus", value)


def sqrt(value: Value) -> Value:
    """Return the square root, elementwise."""
    return _unary("sqrt", value)


def minimum(left: Operand, right: Operand) -> Value:
    """Return the smaller of the two, elementwise; of vectors [n], scalars and numbers, one of them a cell's value."""
    return _builder_of("minimum", left, right).apply("minimum", left, right)


def maximum(left: Operand, right: Operand) -> Value:
    """Return the larger of the two, elementwise; of vectors [n], scalars and numbers, one of them a cell's value."""
    return _builder_of("maximum", left, right).apply("maximum", left, right)


def where(condition: Value, chosen: Operand, otherwise: Operand) -> Value:
    """Return `chosen` where `condition` (a comparison such as `a > b`) holds, else `otherwise`, elementwise."""
    return _builder_of("where", condition).apply("where", condition, chosen, otherwise)


def mean(value: Value) -> Value:
    """Return the mean over a vector's entries, a scalar."""
    return _demand_value("mean", value).builder.apply("sum", value) / value.builder.apply("length", value)


def total(value: Value) -> Value:
    """Return the sum over a vector's entries, a scalar."""
    return _demand_value("total", value).builder.apply("sum", value)


def layer_norm(value: Value, gain: Value | None = None, shift: Value | None = None, *, epsilon: float = 1e-5) -> Value:
    """Return (v - mean) / sqrt(variance + epsilon) * gain + shift over a vector's entries.

    The variance is the biased one, as in Ba, Kiros, Hinton: Layer Normalization, 2016 (arXiv 1607.06450), eq. 3.

    Args:
        value: v, [n].
        gain: [n], multiplies what is normalised; None for 1.
        shift: [n], is added at the end; None for 0.
        epsilon: keeps the root from 0 where all entries are alike.

    Raises:
        TraceError: `value` is no value of a cell.
    """
    centred = _demand_value("layer_norm", value) - mean(value)
    normed = centred / sqrt(mean(centred * centred) + epsilon)
    scaled = normed if gain is None else normed * gain
    return scaled if shift is None else scaled + shift


def sized(value: Value, size: str) -> Value:
    """Return the same vector, its length known as `size`.

    Two uses: to name a length that does not follow from use, `P.out @ sized(P.low @ h, "rank")`, and to
    state that two lengths are to be equal, `h + sized(x, "hidden")`; the network then demands that they are.

    Raises:
        TraceError: `size` is no name, or `value` no value of a cell.
    """
    builder = _demand_value("sized", value).builder
    if not is_name(size):
        raise TraceError(builder.located(f"{size!r} cannot name a size; use a word such as 'rank'"))
    return builder.apply("sized", value, name=size)


def bernoulli(
    like: Value, probability: float, *, scale: float = 1.0, each: Literal["step", "sequence"] = "step", name: str
) -> Value:
    """Return a random vector as long as `like`: `scale` with `probability`, else 0; its mean in evaluation.

    Args:
        like: a value of the wanted length.
        probability: chance of `scale`, from 0 to 1.
        scale: what is drawn if not 0; 1 / probability keeps the mean at 1 (inverted dropout).
        each: drawn anew at each "step", or once a "sequence" and held.
        name: the draw's own name; two draws of one cell need two names.
    """
    builder = _demand_value("bernoulli", like).builder
    if not is_name(name):
        raise TraceError(builder.located(f"{name!r} cannot name a draw; use a word such as 'mask'"))
    if not 0.0 <= probability <= 1.0:
        raise TraceError(f"a probability lies between 0 and 1, not at {probability}")
    draw = builder.leaf("random", name, random=Bernoulli(float(probability), float(scale), each))
    return builder.apply("like", draw, like)


def _builder_of(op: str, *values: Operand) -> Builder:
    for value in values:
        if isinstance(value, Namespace):
            refuse_bare(value, *values)
        if isinstance(value, Value):
            return value.builder
    raise TraceError(f"{op} in a cell's equations takes at least one value of the cell")
