"""The closed op table: everything that a cell's equations can be made of.

One row an op. What an op means elsewhere stands in tables keyed by the same names: its derivative
in `passes/derivatives.py`, its torch spelling in `backends/reference/spelling.py`. A test fails when
a table misses a row.

Grammar of a node, with v a vector [n], s a scalar, P a parameter matrix [m, n]:

    leaf     = input | state | parameter | random | constant | size          (where equations start)
             | hoisted | saved | cotangent                                   (made by the passes)
    value    = add(a, b) | sub(a, b) | mul(a, b) | div(a, b) | neg(a)        elementwise; a scalar fits anywhere
             | sigmoid(a) | tanh(a) | relu(a) | exp(a) | log(a) | softplus(a) | sqrt(a) | abs(a)
             | minimum(a, b) | maximum(a, b) | greater(a, b) | where(c, a, b)
             | matmul(P, v)                       P v, [m]
             | matmul_t(P, d, Q, e, ...)          P^T d + Q^T e + ..., [n]: made by differentiation
             | sum(v) | expand(s) | sized(v)      [n] to scalar, scalar to [n], another name for n
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Rule = Literal["leaf", "elementwise", "matmul", "matmul_t", "sum", "expand", "sized"]


@dataclass(frozen=True)
class Op:
    """One row of the op table.

    Attributes:
        name: how graphs spell it.
        arity: number of operands; -1 where it varies.
        rule: the shape rule that it follows.
        text: Python-like spelling with `{0}`, `{1}`, ... for operands.
        latex: LaTeX spelling, likewise.
        precedence: binding strength in print; operands that bind weaker get parentheses.
        cheap: recomputing it costs less than reading a kept value back from memory.
    """

    name: str
    arity: int
    rule: Rule
    text: str
    latex: str
    precedence: int
    cheap: bool


# Binding strengths, as Python has them: * and @ bind alike.
SUM, PRODUCT, SIGN, ATOM = 1, 2, 3, 9


def _leaf(name: str) -> Op:
    return Op(name, 0, "leaf", "{name}", "{name}", ATOM, cheap=True)


_TABLE = (
    _leaf("input"),
    _leaf("state"),
    _leaf("parameter"),
    _leaf("random"),
    _leaf("constant"),
    _leaf("size"),
    _leaf("hoisted"),
    _leaf("saved"),
    _leaf("cotangent"),
    Op("add", 2, "elementwise", "{0} + {1}", "{0} + {1}", SUM, cheap=True),
    Op("sub", 2, "elementwise", "{0} - {1}", "{0} - {1}", SUM, cheap=True),
    Op("mul", 2, "elementwise", "{0} * {1}", r"{0} \odot {1}", PRODUCT, cheap=True),
    Op("div", 2, "elementwise", "{0} / {1}", r"{0} \oslash {1}", PRODUCT, cheap=False),
    Op("neg", 1, "elementwise", "-{0}", "-{0}", SIGN, cheap=True),
    Op("sigmoid", 1, "elementwise", "sigmoid({0})", r"\sigma\left({0}\right)", ATOM, cheap=False),
    Op("tanh", 1, "elementwise", "tanh({0})", r"\tanh\left({0}\right)", ATOM, cheap=False),
    Op("relu", 1, "elementwise", "relu({0})", r"\operatorname{{relu}}\left({0}\right)", ATOM, cheap=True),
    Op("exp", 1, "elementwise", "exp({0})", r"\exp\left({0}\right)", ATOM, cheap=False),
    Op("log", 1, "elementwise", "log({0})", r"\log\left({0}\right)", ATOM, cheap=False),
    Op("softplus", 1, "elementwise", "softplus({0})", r"\operatorname{{softplus}}\left({0}\right)", ATOM, cheap=False),
    Op("sqrt", 1, "elementwise", "sqrt({0})", r"\sqrt{{{0}}}", ATOM, cheap=False),
    Op("abs", 1, "elementwise", "abs({0})", r"\left|{0}\right|", ATOM, cheap=True),
    Op("minimum", 2, "elementwise", "minimum({0}, {1})", r"\min\left({0}, {1}\right)", ATOM, cheap=True),
    Op("maximum", 2, "elementwise", "maximum({0}, {1})", r"\max\left({0}, {1}\right)", ATOM, cheap=True),
    Op("greater", 2, "elementwise", "greater({0}, {1})", r"\left[{0} > {1}\right]", ATOM, cheap=True),
    Op(
        "where",
        3,
        "elementwise",
        "where({0}, {1}, {2})",
        r"\operatorname{{where}}\left({0}, {1}, {2}\right)",
        ATOM,
        cheap=True,
    ),
    Op("matmul", 2, "matmul", "{0} @ {1}", "{0} {1}", PRODUCT, cheap=False),
    Op("matmul_t", -1, "matmul_t", "{sum}", "{sum}", SUM, cheap=False),
    Op("sum", 1, "sum", "sum({0})", r"\operatorname{{sum}}\left({0}\right)", ATOM, cheap=False),
    Op("expand", 1, "expand", "expand({0})", "{0}", ATOM, cheap=True),
    Op("sized", 1, "sized", "{0}", "{0}", ATOM, cheap=True),
)

OPS: dict[str, Op] = {op.name: op for op in _TABLE}

LEAVES = frozenset(op.name for op in _TABLE if op.rule == "leaf")
"""Names of the ops that have no operands."""
