"""The derivative of every op: one line each, to be proof-read like a table.

`d` is the cotangent of the result y = op(a, b, ...): how much the loss changes when y does. A rule returns the
cotangent of each operand; None where nothing flows (conditions). Vectors that met a scalar are summed afterwards.
Of two equal operands of minimum and maximum each gets half, and where one is NaN both get all, as in PyTorch. What
is not finite goes the way that it goes there: a NaN is neither greater nor smaller, and passes relu. `matmul` is in
`derive.py`, because half of it leaves the loop.
"""

from __future__ import annotations

from collections.abc import Callable

from loopcell.equations.builder import Value

DerivativeRule = Callable[..., tuple[Value | None, ...]]


def _where(condition: Value, chosen: Value | float, otherwise: Value | float) -> Value:
    return condition.builder.apply("where", condition, chosen, otherwise)


def _smaller(d: Value, y: Value, low: Value, high: Value) -> Value:
    """Return the cotangent of `low` for y = minimum(low, high), and of `high` for y = maximum(low, high)."""
    number = abs(y) > -1  # everything but NaN
    return _where(low > high, 0.0, _where(high > low, d, _where(number, d * 0.5, d)))


def _sigmoid(a: Value) -> Value:
    return a.builder.apply("sigmoid", a)


def _expand(d: Value, like: Value) -> Value:
    return d.builder.apply("expand", d, name=like.node.dims[0])


def _sized(d: Value, like: Value) -> Value:
    return d.builder.apply("sized", d, name=like.node.dims[0])


DERIVATIVES: dict[str, DerivativeRule] = {
    "add": lambda d, y, a, b: (d, d),
    "sub": lambda d, y, a, b: (d, -d),
    "mul": lambda d, y, a, b: (d * b, d * a),
    "div": lambda d, y, a, b: (d / b, -(d * (y / b))),
    "neg": lambda d, y, a: (-d,),
    "sigmoid": lambda d, y, a: (d * (y * (1 - y)),),
    "tanh": lambda d, y, a: (d * (1 - y * y),),
    "relu": lambda d, y, a: (_where(y, d, 0.0),),
    "exp": lambda d, y, a: (d * y,),
    "log": lambda d, y, a: (d / a,),
    "softplus": lambda d, y, a: (d * _sigmoid(a),),
    "sqrt": lambda d, y, a: (d * 0.5 / y,),
    "abs": lambda d, y, a: (d * ((a > 0) - (a < 0)),),
    "minimum": lambda d, y, a, b: (_smaller(d, y, a, b), _smaller(d, y, b, a)),
    "maximum": lambda d, y, a, b: (_smaller(d, y, b, a), _smaller(d, y, a, b)),
    "greater": lambda d, y, a, b: (None, None),
    "where": lambda d, y, c, a, b: (None, _where(c, d, 0.0), _where(c, 0.0, d)),
    "sum": lambda d, y, a: (_expand(d, a),),
    "expand": lambda d, y, a: (d.builder.apply("sum", d),),
    "sized": lambda d, y, a: (_sized(d, a),),
}
