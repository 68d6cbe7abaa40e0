"""A cell's wiring as a picture, drawn from its graph: states through, gates, products. For any cell.

Linear parts (W @ x + U @ h + b) are folded into the box that they feed, as the diagrams of textbooks do; what is left
are the inputs at the left, boxes of gates and candidates, circles of elementwise operations, and results at the right.
The layout is the layered one of Sugiyama, Tagawa, Toda (1981): columns by the longest path, rows by the mean of what a
node hangs on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from unicodedata import east_asian_width

from loopcell.equations.graph import Graph, Node
from loopcell.equations.keys import OUTPUT
from loopcell.equations.printing import number

_SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "neg": "−", "greater": ">", "sigmoid": "σ"}
_ELEMENTWISE = ("add", "sub", "mul", "div", "greater", "minimum", "maximum", "where", "neg")
COLUMN, ROW, BOX = 92, 56, 34
MARGIN = 24
SWEEPS = 12  # passes over the columns that put nodes beside what they hang on


@dataclass
class _Part:
    """Something that is drawn.

    Attributes:
        text: what stands in it.
        shape: "input", "box", "circle", "result", or "bend" where a long wire passes.
        name: the author's name of the value, drawn beside it.
        sources: numbers of the parts that it reads.
        column, row: its place.
    """

    text: str
    shape: str
    name: str = ""
    sources: list[int] = field(default_factory=list)
    column: int = 0
    row: float = 0.0


def picture(graph: Graph) -> str:
    """Return the wiring of a cell as SVG; its colours are those of the text around it (currentColor)."""
    parts = _Folding(graph).parts
    _place(parts)
    return _drawn(graph.name, parts)


class _Folding:
    """The graph as parts."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.parts: list[_Part] = []
        self._of: dict[int, int] = {}
        shared = graph.count_uses()
        self._several = {index for index, uses in shared.items() if uses > 1}
        self._linear: list[bool] = []
        for node in graph.nodes:  # operands stand before what reads them, so every value is looked at once
            self._linear.append(self._made_linear(node))
        for name in graph.states:
            self._result(graph.result("state", name), f"{name}ₜ")
        output = graph.results[OUTPUT]
        if output not in {graph.result("state", name) for name in graph.states}:
            self._result(output, "output")

    def _result(self, index: int, text: str) -> None:
        signal = self._signal(index)
        if signal is not None:
            self._make(signal)
            self.parts.append(_Part(text, "result", sources=[self._of[signal]]))

    def _make(self, index: int) -> None:
        """Make the part of a signal after those that it reads; without recursion, for a graph may be deep."""
        stack = [index]
        while stack:
            here = stack[-1]
            waiting = [signal for signal in self._reads(here) if signal not in self._of]
            if waiting:
                stack.extend(reversed(waiting))
                continue
            stack.pop()
            if here not in self._of:
                self.parts.append(self._made(here))
                self._of[here] = len(self.parts) - 1

    def _signal(self, index: int) -> int | None:
        """Return the value that is drawn for one: itself, or what it is another name for; None for what is no signal.

        Parameters and constants are none.
        """
        node = self.graph.nodes[index]
        while node.op in ("sized", "expand") and not node.label and not self._is_linear(index):
            index = node.args[0]
            node = self.graph.nodes[index]
        return index if node.args or node.op in ("input", "state", "random") else None

    def _reads(self, index: int) -> list[int]:
        """Return the signals that the part of one reads."""
        node = self.graph.nodes[index]
        if self._is_normalisation(node):
            return self._normalised(index)
        if self._is_linear(index) or node.op in ("sized", "expand"):
            return self._signals(index, index)
        if node.op in _ELEMENTWISE:
            return [signal for signal in map(self._signal, node.args) if signal is not None]
        # A function of one value, with the linear part that it reads folded into it.
        return list(dict.fromkeys(signal for arg in node.args for signal in self._signals(arg, -1)))

    def _made(self, index: int) -> _Part:
        node = self.graph.nodes[index]
        if not node.args:
            return _Part({"input": f"{node.name}ₜ", "state": f"{node.name}ₜ₋₁"}.get(node.op, node.name), "input")
        sources = [self._of[signal] for signal in self._reads(index)]
        if self._is_normalisation(node):
            return _Part("norm", "box", node.label, sources)
        if self._is_linear(index) or node.op in ("sized", "expand"):
            return _Part("linear", "box", node.label, sources)
        if node.op in _ELEMENTWISE:
            return _Part(self._operation(node), "circle", node.label, sources)
        return _Part(_SIGNS.get(node.op, node.op), "box", node.label, sources)

    def _operation(self, node: Node) -> str:
        """Return the text of an elementwise operation: its sign, with its constants and parameters."""
        words = []
        for arg in node.args:
            operand = self.graph.nodes[arg]
            if operand.op in ("constant", "parameter"):
                words.append(number(operand.value) if operand.op == "constant" else operand.name)
        sign = _SIGNS.get(node.op, node.op)
        first = self._signal(node.args[0]) is None
        text = f"{' '.join(words)} {sign}" if first and words else f"{sign} {' '.join(words)}"
        return text.strip()

    def _is_normalisation(self, node: Node) -> bool:
        """Say whether a vector is divided by a number that was computed from vectors, as in layer normalisation."""
        by = self.graph.nodes[node.args[1]] if node.op == "div" else None
        return by is not None and bool(node.args and node.dims) and not by.dims and bool(by.args)

    def _normalised(self, index: int) -> list[int]:
        """Return the signals that a normalised value is made of, without the steps of its mean and deviation."""
        found: dict[int, None] = {}
        seen: set[int] = set()
        stack = list(self.graph.nodes[index].args)
        while stack:
            here = stack.pop()
            if here in seen:
                continue
            seen.add(here)
            node = self.graph.nodes[here]
            arguments = [self.graph.nodes[arg] for arg in node.args]
            from_mean = node.op == "sub" and not arguments[1].dims
            squared = node.op == "mul" and node.args[0] == node.args[1]
            if node.args and (not node.dims or from_mean or squared):
                stack.extend(node.args)
                continue
            signal = self._signal(here)
            if signal is not None:
                found[signal] = None
        return list(found)

    def _is_linear(self, index: int) -> bool:
        """Say whether a value is a sum of products with parameters, and of parameters."""
        return self._linear[index]

    def _made_linear(self, node: Node) -> bool:
        """Say whether a node is linear, of operands of which this is known."""
        if node.op == "matmul":
            return True
        if node.op == "mul":
            return any(self.graph.nodes[arg].op == "parameter" for arg in node.args)
        if node.op in ("add", "sub"):
            return any(self._linear[arg] or self.graph.nodes[arg].op == "parameter" for arg in node.args)
        return node.op in ("neg", "sized", "expand") and self._linear[node.args[0]]

    def _signals(self, index: int, root: int) -> list[int]:
        """Return the signals that a linear value is made of; what has a name, or several users, stays a part."""
        found: dict[int, None] = {}
        stack = [index]
        while stack:
            here = stack.pop()
            node = self.graph.nodes[here]
            apart = here != root and (bool(node.label) or (here in self._several and node.op != "matmul"))
            if node.args and not apart and (self._is_linear(here) or node.op in ("sized", "expand")):
                stack.extend(reversed(node.args))
                continue
            signal = self._signal(here)
            if signal is not None:
                found[signal] = None
        return list(found)


def _place(parts: list[_Part]) -> None:
    """Give every part its column and its row."""
    for part in parts:  # what a part reads stands before it
        part.column = 1 + max((parts[source].column for source in part.sources), default=-1)
    last = max(part.column for part in parts)
    for part in parts:
        if part.shape == "result":
            part.column = max(last, 1)
    _bend_long_wires(parts)
    columns: dict[int, list[int]] = {}
    for index, part in enumerate(parts):
        columns.setdefault(part.column, []).append(index)
    for members in columns.values():
        for row, index in enumerate(members):
            parts[index].row = row - (len(members) - 1) / 2
    readers = _readers(parts)
    for sweep in range(SWEEPS):
        for column in sorted(columns, reverse=bool(sweep % 2)):
            neighbours = {i: readers.get(i, []) if sweep % 2 else parts[i].sources for i in columns[column]}
            _order(parts, columns[column], neighbours)


def _readers(parts: list[_Part]) -> dict[int, list[int]]:
    """Return by number of a part those that read it."""
    readers: dict[int, list[int]] = {}
    for index, part in enumerate(parts):
        for source in part.sources:
            readers.setdefault(source, []).append(index)
    return readers


def _bend_long_wires(parts: list[_Part]) -> None:
    """Give a wire that passes columns a place in each of them, so that nothing else stands there; one for a source."""
    bends: dict[tuple[int, int], int] = {}
    for part in list(parts):
        for place, source in enumerate(part.sources):
            before = source
            for column in range(parts[source].column + 1, part.column):
                key = (source, column)
                if key not in bends:
                    bends[key] = len(parts)
                    parts.append(_Part("", "bend", sources=[before], column=column))
                before = bends[key]
            part.sources[place] = before


def _order(parts: list[_Part], members: list[int], neighbours: dict[int, list[int]]) -> None:
    """Put the members of a column at the mean row of their neighbours, at least a row apart."""

    def wanted(index: int) -> float:
        rows = [parts[other].row for other in neighbours[index]]
        return sum(rows) / len(rows) if rows else parts[index].row

    targets = {index: wanted(index) for index in members}
    members.sort(key=lambda index: (targets[index], index))
    rows: list[float] = []
    for index in members:
        rows.append(max(targets[index], rows[-1] + 1) if rows else targets[index])
    shift = sum(targets.values()) / len(members) - sum(rows) / len(rows)  # as far up as it was pushed down
    for index, row in zip(members, rows, strict=True):
        parts[index].row = row + shift


_STYLE = (
    'role="img" font-family="system-ui, sans-serif" font-size="14" text-anchor="middle" fill="currentColor" '
    'stroke="none"'
)
_ARROW = (
    '<marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 8 4 0 8z"/></marker>'
)


def _drawn(name: str, parts: list[_Part]) -> str:
    top = min(part.row for part in parts)
    wide = max(_half(part) for part in parts)
    column = max(COLUMN, 2 * wide + BOX)
    width = max(part.column for part in parts) * column + BOX * 2 + 2 * MARGIN + 2 * (wide - 24)
    height = (max(part.row for part in parts) - top) * ROW + BOX + 2 * MARGIN
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}"'
    at: dict[int, tuple[float, float]] = {
        index: (MARGIN + BOX + wide - 24 + part.column * column, MARGIN + BOX / 2 + (part.row - top) * ROW)
        for index, part in enumerate(parts)
    }
    wires = [_wire(parts, at, source, index) for index, part in enumerate(parts) for source in part.sources]
    shapes = [_shape(part, *at[index]) for index, part in enumerate(parts) if part.shape != "bend"]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {_STYLE}>',
            f"<title>{escape(name)}</title>",
            f"<defs>{_ARROW}</defs>",
            '<g fill="none" stroke="currentColor" stroke-width="1.3" stroke-opacity="0.75">',
            *wires,
            "</g>",
            *shapes,
            "</svg>",
        ]
    )


def _half(part: _Part, *, named: bool = True) -> float:
    """Return half the width of a part with its text, and with its name; 24 where these are short.

    A letter is about 7 pixels wide, and one of East Asia 14.
    """

    def pixels(text: str) -> int:
        return sum(14 if east_asian_width(letter) in "WF" else 7 for letter in text)

    inside = pixels(part.text) + 4
    above = pixels(part.name) if named else 0
    return max(24, inside / 2, above / 2)


def _wire(parts: list[_Part], at: dict[int, tuple[float, float]], source: int, reader: int) -> str:
    (x, y), (to_x, to_y) = at[source], at[reader]
    bends = parts[source].shape == "bend", parts[reader].shape == "bend"
    start = x if bends[0] else x + BOX * 0.7 + _half(parts[source], named=False) - 24
    end = to_x if bends[1] else to_x - BOX * 0.72 - _half(parts[reader], named=False) + 24
    reach = (end - start) / 2
    path = f"M{start:.1f} {y:.1f}C{start + reach:.1f} {y:.1f} {end - reach:.1f} {to_y:.1f} {end:.1f} {to_y:.1f}"
    return f'<path d="{path}"/>' if bends[1] else f'<path d="{path}" marker-end="url(#arrow)"/>'


def _shape(part: _Part, x: float, y: float) -> str:
    half, wide = BOX / 2, _half(part, named=False)
    outline = 'fill="none" stroke="currentColor" stroke-width="1.5"'
    figure = {
        "box": f'<rect x="{x - wide:.1f}" y="{y - half:.1f}" width="{2 * wide:.0f}" height="{BOX}" rx="4" {outline}/>',
        "circle": f'<rect x="{x - wide + 1:.1f}" y="{y - half:.1f}" width="{2 * wide - 2:.0f}" height="{BOX}" '
        f'rx="{half}" {outline}/>',
    }.get(part.shape, "")
    weight = ' font-weight="600"' if part.shape in ("input", "result") else ""
    text = f'<text x="{x:.1f}" y="{y + 5:.1f}"{weight}>{escape(part.text)}</text>'
    label = f'<text x="{x:.1f}" y="{y - half - 5:.1f}" font-style="italic" font-size="12">{escape(part.name)}</text>'
    return figure + text + (label if part.name and part.shape in ("box", "circle") else "")
