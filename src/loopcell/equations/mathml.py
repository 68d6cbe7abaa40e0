"""Equations as MathML, which browsers draw without a script: one row an equation.

Every named value carries `data-value="NAME"`, where it is defined and where it is used, so that a page can light up
what the reader points at. The elements are those of MathML Core (W3C).
"""

from __future__ import annotations

from html import escape

from loopcell.equations.graph import Graph, Node
from loopcell.equations.keys import Key
from loopcell.equations.printing import Printer, Style, equation_lines, number

_TEMPLATES = {
    "add": "{0}<mo>+</mo>{1}",
    "sub": "{0}<mo>−</mo>{1}",
    "mul": "{0}<mo>⊙</mo>{1}",
    "div": "<mfrac><mrow>{0}</mrow><mrow>{1}</mrow></mfrac>",
    "neg": "<mo>−</mo>{0}",
    "sqrt": "<msqrt>{0}</msqrt>",
    "abs": "<mrow><mo>|</mo>{0}<mo>|</mo></mrow>",
    "greater": "<mrow><mo>[</mo>{0}<mo>&gt;</mo>{1}<mo>]</mo></mrow>",
    "matmul": "{0}<mspace width='0.17em'></mspace>{1}",
    "expand": "{0}",
    "sized": "{0}",
}
_SIGNS = {"sigmoid": "σ", "minimum": "min", "maximum": "max"}


def mathml(graph: Graph) -> str:
    """Return a cell's equations as one MathML element, with x_t, h_{t-1} and h_t told apart."""
    printer = Printer(graph, STYLE)
    rows = "".join(
        f'<mtr data-value="{escape(name)}"><mtd>{_name(name, "t", value=name)}</mtd>'
        f"<mtd><mo>=</mo>{printer.right_side(index)}</mtd></mtr>"
        for name, index in equation_lines(printer.graph)
    )
    return f'<math display="block"><mtable>{rows}</mtable></math>'


def _template(op: str) -> str:
    """Return the template of an operation: its own, or that of a function of one operand or several."""
    if op in _TEMPLATES:
        return _TEMPLATES[op]
    operands = "<mo>,</mo>".join(f"{{{place}}}" for place in range(_ARITY.get(op, 1)))
    sign = f"<mi mathvariant='normal'>{_SIGNS.get(op, op)}</mi>"
    return f"<mrow>{sign}<mo stretchy='false'>(</mo>{operands}<mo stretchy='false'>)</mo></mrow>"


_ARITY = {"minimum": 2, "maximum": 2, "where": 3}


def _leaf(node: Node) -> str:
    if node.op == "constant":
        return f"<mn>{number(node.value)}</mn>"
    if node.op == "size":
        return f"<msub><mi>n</mi><mi>{escape(node.name)}</mi></msub>"
    if node.op == "parameter":
        space, _, gate = node.name.partition(".")
        return f"<msub><mi>{escape(space)}</mi><mi>{escape(gate)}</mi></msub>" if gate else _mi(space)
    if node.op == "cotangent":
        of = Key.parse(node.name)
        return f"<mrow><mi>d</mi>{_mi(of.name or of.kind)}</mrow>"
    return _name(node.name, "t−1" if node.op == "state" else "t", value=node.name if node.op == "state" else "")


def _name(name: str, below: str, value: str = "") -> str:
    """Return a name with its time below it; `value` is what a page lights it up by."""
    mark = f' data-value="{escape(value)}"' if value else ""
    base, _, rest = name.partition("_")
    time = f"<mrow><mi>{escape(rest)}</mi><mo>,</mo><mi>{below}</mi></mrow>" if rest else f"<mi>{below}</mi>"
    return f"<msub{mark}>{_mi(base)}{time}</msub>"


def _mi(name: str) -> str:
    return f"<mi>{escape(name)}</mi>"


STYLE = Style(
    leaf=_leaf,
    label=lambda node: _name(node.label, "t", value=node.label),
    spelling=_template,
    parentheses="<mrow><mo stretchy='false'>(</mo>{0}<mo stretchy='false'>)</mo></mrow>",
    transposed="<msup><mrow></mrow><mo>⊤</mo></msup>",
)
