"""Emit: a scheduled graph as the source of a Python function, named after the equations."""

from __future__ import annotations

import keyword
import linecache
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from loopcell.backends.reference.spelling import FUNCTIONS, SPELLING
from loopcell.equations.graph import Graph
from loopcell.equations.keys import Key, Kind
from loopcell.equations.names import ascii_name
from loopcell.equations.ops import OPS
from loopcell.passes.schedule import Phase, Product, schedule

LIKE = Key("like", "any")
"""Key of an argument that is any tensor of the run: numbers that become vectors take its dtype and device."""


@dataclass(frozen=True)
class Function:
    """An emitted function.

    Attributes:
        source: its text.
        arguments: keys of the leaves that it takes, in order: hoisted.i_in, state.h, parameter.b.i, ...
        packs: parameters that it takes after those, stacked by rows.
        results: keys of what it returns, in order.
        call: the function itself.
    """

    source: str
    arguments: tuple[Key, ...]
    packs: tuple[tuple[str, ...], ...]
    results: tuple[Key, ...]
    call: Callable[..., tuple[Any, ...]]


def emit(graph: Graph, name: str, *, first: Sequence[Key] = ()) -> Function:
    """Emit a graph as a function.

    Args:
        graph: verified.
        name: the function's name.
        first: keys of the leaves that come first among its arguments.
    """
    writer = _FunctionWriter(graph, name, first)
    source = writer.write()
    return Function(source, writer.arguments, tuple(writer.packs), tuple(graph.results), _compiled(source, name))


def _import_of_torch(name: str, *how: Any) -> Any:
    if name.partition(".")[0] != "torch":
        raise ImportError(f"generated code imports nothing; asked for {name}")
    return __import__(name, *how)


def _compiled(source: str, name: str) -> Callable[..., tuple[Any, ...]]:
    file = f"<loopcell {name} {abs(hash(source)):x}>"
    # Known to linecache, the source shows in tracebacks and to torch.compile.
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    # No builtins: what stands in the text is names that we minted and the functions below. torch's own C++ imports
    # torch's modules in the name of the function that it finds running, where a mode or a subclass is at work.
    namespace: dict[str, Any] = {**FUNCTIONS, "__builtins__": {"__import__": _import_of_torch}}
    exec(compile(source, file, "exec"), namespace)  # noqa: S102 - our own text, made from the closed op table
    function: Callable[..., tuple[Any, ...]] = namespace[name]
    return function


class _FunctionWriter:
    def __init__(self, graph: Graph, name: str, first: Sequence[Key]) -> None:
        self.graph = graph
        self.function = name
        self.phases = schedule(graph)
        self.uses = graph.count_uses()
        stacked = [product for phase in self.phases for product in phase.products if _is_stacked(product)]
        self.biased = {p: sums for phase in self.phases for p in phase.products if (sums := self._biased(p))}
        biases = [tuple(bias for _, bias in self.biased[product]) for product in stacked if product in self.biased]
        self.packs = list(dict.fromkeys([*(product.parameters for product in stacked), *biases]))
        self.deep = graph.deep_values()
        self.taken = set(FUNCTIONS) | {name}
        self.arguments = self._order_arguments(first, stacked)
        self.names = {key: self._fresh(_identifier(key)) for key in self.arguments}
        self.pack_names = {pack: self._fresh(_pack_name(pack)) for pack in self.packs}
        self.locals: dict[int, str] = {}

    def write(self) -> str:
        body = [line for number, phase in enumerate(self.phases, start=1) for line in self._phase(number, phase)]
        results = ", ".join(self._operand(index) for index in self.graph.results.values())
        comma = "," if len(self.graph.results) == 1 else ""
        arguments = ", ".join([*self.names.values(), *self.pack_names.values()])
        lines = [f"def {self.function}({arguments}):", *(f"    {line}" for line in body)]
        return "\n".join([*lines, f"    return ({results}{comma})", ""])

    def _phase(self, number: int, phase: Phase) -> list[str]:
        lines = [line for product in phase.products for line in self._product(product)]
        lines += [line for index in phase.pointwise if (line := self._assignment(index))]
        return [f"# phase {number}", *lines] if phase.products else lines

    def _product(self, product: Product) -> list[str]:
        sums = self.biased.get(product, ())
        gates = ", ".join(self._name(index) for index in [index for index, _ in sums] or product.results)
        if not _is_stacked(product):
            right = self._spelled(product.results[0])
            return [
                f"{gates} = {right[:-1]}, {self.names[Key('parameter', sums[0][1])]})" if sums else f"{gates} = {right}"
            ]
        arguments = [self._operand(product.operand), self.pack_names[product.parameters]]
        if sums:
            arguments.append(self.pack_names[tuple(bias for _, bias in sums)])
        return [f"{gates} = linear({', '.join(arguments)}).chunk({len(product.results)}, -1)"]

    def _biased(self, product: Product) -> tuple[tuple[int, str], ...]:
        """Return (sum, bias) for each result whose only use is the sum with a bias; () unless all are so."""
        found = []
        for result in product.results if product.operand >= 0 else ():
            users = [index for index, node in enumerate(self.graph.nodes) if result in node.args]
            user = self.graph.nodes[users[0]] if self.uses[result] == 1 and users else None
            if user is None or user.op != "add":
                return ()
            other = self.graph.nodes[user.args[0] if user.args[1] == result else user.args[1]]
            if other.op != "parameter":
                return ()
            found.append((users[0], other.name))
        return tuple(found)

    def _assignment(self, index: int) -> str:
        """Write a value down if it has a name or several users; else it is written where it is used."""
        node = self.graph.nodes[index]
        wanted = (node.label or self.uses[index] != 1 or index in self.deep) and index not in self.locals
        return self._assign(index) if wanted else ""

    def _assign(self, index: int) -> str:
        right = self._spelled(index)
        return f"{self._name(index)} = {right}"

    def _name(self, index: int) -> str:
        if index not in self.locals:
            unnamed = not self.graph.nodes[index].label and self.graph.nodes[index].op != "matmul"
            results = (key.name for key, at in self.graph.results.items() if at == index and key.kind == "hoisted")
            hoisted = next(results, "")
            wanted = hoisted if unnamed and hoisted else self.graph.name_of(index)
            self.locals[index] = self._fresh(_safe(wanted))
        return self.locals[index]

    def _operand(self, index: int, *, inside: str = "") -> str:
        node = self.graph.nodes[index]
        if node.op == "constant":
            return repr(node.value) if node.value >= 0 else f"({node.value!r})"
        if not node.args:
            return self.names[node.key]
        if index in self.locals:
            return self.locals[index]
        written = self._spelled(index)
        binds_weaker = OPS[node.op].precedence <= OPS[inside].precedence if inside in OPS else False
        return f"({written})" if binds_weaker else written

    def _spelled(self, index: int) -> str:
        node = self.graph.nodes[index]
        inside = node.op if SPELLING[node.op].startswith(("{", "-")) else ""
        operands = [self._operand(arg, inside=inside) for arg in node.args]
        size = self.names[Key("size", node.name)] if node.op == "expand" else ""
        like = self.names[LIKE] if node.op == "expand" else ""
        return SPELLING[node.op].format(*operands, operands=", ".join(operands), size=size, like=like)

    def _order_arguments(self, first: Sequence[Key], stacked: list[Product]) -> tuple[Key, ...]:
        """Order the leaves: `first`, then by use; a parameter that only stacked products read comes in a stack."""
        done = {index for product in stacked for index in product.results}
        done |= {index for product in stacked for index, _ in self.biased.get(product, ())}
        read = {arg for index, node in enumerate(self.graph.nodes) if index not in done for arg in node.args}
        read.update(product.operand for product in stacked)
        read.update(self.graph.results.values())
        keys = [node.key for index, node in self.graph.leaves() if index in read and node.op != "constant"]
        expanded = [Key("size", node.name) for node in self.graph.nodes if node.op == "expand"]
        keys += [*expanded, LIKE] if expanded else []
        return tuple(dict.fromkeys([*first, *keys]))

    def _fresh(self, wanted: str) -> str:
        name = wanted
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


def _is_stacked(product: Product) -> bool:
    return product.operand >= 0 and len(product.results) > 1


_SPELLED: Mapping[Kind, str] = {"state": "{0}_prev", "cotangent": "d_{0}", "size": "size_{0}"}


def _identifier(key: Key) -> str:
    of = Key.parse(key.name) if key.kind == "cotangent" else key
    plain = (of.name or of.kind).replace(".", "_")
    return _safe(_SPELLED.get(key.kind, "{0}").format(plain))


def _safe(name: str) -> str:
    plain = ascii_name(name)
    return f"{plain}_" if keyword.iskeyword(plain) else plain


def _pack_name(parameters: tuple[str, ...]) -> str:
    return "__".join(_safe(name.replace(".", "_")) for name in parameters)
