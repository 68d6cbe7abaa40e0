"""A stage of equations in whole numbers in C: the loops of float arithmetic, each value a line of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from loopcell.equations import Graph
from loopcell.equations.graph import Node
from loopcell.equations.keys import Key
from loopcell.export.c.code import StageCode
from loopcell.export.c.equations import EquationsWriter
from loopcell.export.c.fixed.lowering import FixedEquations
from loopcell.export.c.fixed.numbers import ON_THE_WAY, STORED
from loopcell.export.c.names import Names, local_names
from loopcell.export.c.products import ProductGroup
from loopcell.export.c.weights import Array
from loopcell.passes.sweeps import Sweep

SPELLING = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "minimum": "least({0}, {1})",
    "maximum": "most({0}, {1})",
    "neg": "-{0}",
    "abs": "magnitude({0})",
    "relu": "positive({0})",
    "expand": "{0}",
    "sized": "{0}",
    "where": "({0}) ? {1} : {2}",
}
"""Operations over numbers of one fraction."""
ALONE = {"mul": "(int64_t){0} * {1}", "div": "ratio({0}, {1})", "sqrt": "root(lifted({0}, {up}))"}
"""Operations over numbers as they are."""


def fixed_equations_code(fixed: FixedEquations, stage_name: str, fields: Names, tables: dict[str, Array]) -> StageCode:
    """Return a stage of equations in C.

    Args:
        fixed: what is computed, with its formats.
        stage_name: its name in C.
        fields: the names of fields that are taken in the model's and the state's struct.
        tables: of functions that stages before it have, by name; those that it has beside them are added.
    """
    return FixedWriter(fixed, stage_name, fields, tables).code()


class FixedWriter(EquationsWriter):
    """Writes one stage in whole numbers."""

    number = "int16_t"

    def __init__(self, fixed: FixedEquations, stage_name: str, fields: Names, tables: dict[str, Array]) -> None:
        self.fixed = fixed
        super().__init__(fixed.stage, stage_name, fields, fixed.matrices)
        self.tables = tables
        self.new_tables: list[Array] = []
        self.inverses: dict[str, Array] = {}
        for table in fixed.tables.values():
            if table.name not in self.tables:
                what = f"{table.op}, between its entries by straight lines"
                self.tables[table.name] = Array(fields.take(table.name), table.values.astype(np.int16), what)
                self.new_tables.append(self.tables[table.name])
        for inverse in fixed.inverses.values():
            if inverse.name and inverse.name not in self.inverses:
                name = fields.take(f"{stage_name}_{inverse.name}_inverse")
                what = f"1 / {inverse.name}, in units of 2^{-inverse.fraction}"
                self.inverses[inverse.name] = Array(name, inverse.values.astype(np.int32), what)

    # -- the function ----------------------------------------------------------------------------------

    def _further_arrays(self) -> tuple[Array, ...]:
        return (*self.new_tables, *self.inverses.values())

    def _further_needs(self) -> list[tuple[str, str]]:
        return [("int *clipped", "&clipped")]

    def _declarations(self) -> Iterator[str]:
        for index in self._in_memory():
            yield f"{self._kind(index)} {self.graph.nodes[index].label}[{self.length(index)}];"
        for state, name in self.deferred.items():
            yield f"int16_t {name}[{self.stage.states[state]}];"

    def _kind(self, index: int) -> str:
        return "int16_t" if self.fixed.formats[index].bits == STORED else "int32_t"

    def _scalar(self, index: int) -> str:
        return f"const {self._kind(index)} {self.graph.nodes[index].label} = {self._expression(index)};"

    def _product(self, group: ProductGroup) -> Iterator[str]:
        first = group.results[0]
        down = self.fixed.natural(first) - self.fixed.formats[first].fraction
        scales = f"model->{group.scales.name}, " if group.scales else ""
        operand, rows = self._vector(group.operand), self.length(first)
        yield f"int32_t {group.scratch}[{group.rows}]; /* {group.array.comment}, {self._about(first)} */"
        yield (
            f"product(model->{group.array.name}, {scales}{operand}, {group.columns}, {group.rows}, {down}, "
            f"{group.scratch}, clipped);"
        )
        for place, index in enumerate(group.results):
            name = self.graph.nodes[index].label
            yield f"const int32_t *const {name} = {group.scratch}{f' + {place * rows}' if place else ''};"

    def _about(self, index: int) -> str:
        return f"in units of 2^{-self.fixed.formats[index].fraction}"

    def _loop(self, sweep: Sweep) -> Iterator[str]:
        for index in sweep.sums:
            yield f"int64_t all_{self.graph.nodes[index].label} = 0;"
        yield from self._loop_alone(sweep)
        for index in sweep.sums:
            label = self.graph.nodes[index].label
            yield f"const {self._kind(index)} {label} = {self._narrowed(index, f'all_{label}')};"

    def _sum(self, index: int) -> str:
        return f"all_{self.graph.nodes[index].label} += {self._value(self.graph.nodes[index].args[0])};"

    def _equation(self, index: int) -> str:
        kind = "" if index in self.region.spilled else f"const {self._kind(index)} "
        place = self.places[self.graph.nodes[index].label]
        return f"{kind}{place} = {self._expression(index)}; /* {self._about(index)} */"

    def _stored(self, key: Key, index: int, value: str) -> str:
        down = self.fixed.formats[index].fraction - self.fixed.target(key)
        return f"stored({value}, {down}, clipped)"

    def _scratch(self) -> int:
        spilled = sum(self.length(index) * (2 if self._kind(index) == "int16_t" else 4) for index in self._in_memory())
        deferred = 2 * sum(self.stage.states[state] for state in self.deferred)
        return self.products.scratch + -(-(spilled + deferred) // 4)

    # -- values ----------------------------------------------------------------------------------------

    def _named(self, graph: Graph) -> Graph:
        words = local_names(graph)
        nodes = (replace(node, label=words[i] if node.args else "") for i, node in enumerate(graph.nodes))
        return replace(graph, nodes=tuple(nodes))

    def _leaf(self, node: Node) -> str:
        if node.op in ("constant", "size"):
            value = self.fixed.constants[next(i for i, one in enumerate(self.graph.nodes) if one is node)]
            return f"({value})" if value < 0 else str(value)
        return f"{self._leaf_vector(node)}[{'unit' if node.dims else '0'}]"

    def _value(self, index: int) -> str:
        node = self.graph.nodes[index]
        return self.places[node.label] if node.args else self._leaf(node)

    def _expression(self, index: int) -> str:
        node = self.graph.nodes[index]
        if index in self.fixed.inverses:
            return self._narrowed(index, self._times_inverse(index))
        values = [self._value(arg) for arg in node.args]
        if index in self.fixed.tables:
            return self._function(index, values[0])
        if node.op in ("mul", "div", "sqrt"):
            up = 2 * self.fixed.natural(index) - self.fixed.formats[node.args[0]].fraction
            return self._narrowed(index, ALONE[node.op].format(*values, up=up))
        return self._together(index, node, values)

    def _together(self, index: int, node: Node, values: list[str]) -> str:
        """Return an operation over numbers that are brought to one fraction."""
        fractions = [self.fixed.formats[arg].fraction for arg in node.args]
        together = max(fractions[1:] if node.op == "where" else fractions)
        raised = [
            f"lifted({value}, {together - one})" if together > one else value
            for value, one in zip(values, fractions, strict=True)
        ]
        if node.op == "greater":
            return f"{raised[0]} > {raised[1]} ? {1 << self.fixed.formats[index].fraction} : 0"
        raised = [values[0], *raised[1:]] if node.op == "where" else raised
        return self._narrowed(index, SPELLING[node.op].format(*raised))

    def _times_inverse(self, index: int) -> str:
        dividend, divisor = self.graph.nodes[index].args
        inverse = self.fixed.inverses[index]
        if not inverse.name:
            return f"(int64_t){self._value(dividend)} * {int(inverse.values[0])}"
        place = "unit" if self.graph.nodes[divisor].dims else "0"
        return f"(int64_t){self._value(dividend)} * model->{self.inverses[inverse.name].name}[{place}]"

    def _function(self, index: int, argument: str) -> str:
        table, own = self.fixed.tables[index], self.fixed.formats[index]
        given = self.fixed.formats[self.graph.nodes[index].args[0]]
        if given.fraction != table.argument:
            argument = f"narrow_quietly({argument}, {given.fraction - table.argument})"
        name = f"{table.op}_of" if table.op in ("sigmoid", "tanh") else "function_of"
        found = f"{name}(model->{self.tables[table.name].name}, {argument})"
        return found if own.bits == ON_THE_WAY else self._narrowed(index, found, table.result)

    def _narrowed(self, index: int, value: str, natural: int | None = None) -> str:
        own = self.fixed.formats[index]
        down = (self.fixed.natural(index) if natural is None else natural) - own.fraction
        if own.quiet:
            return f"narrow_quietly({value}, {down})"
        return f"{'stored' if own.bits == STORED else 'narrow'}({value}, {down}, clipped)"

    def _vectors(self, fields: Names) -> dict[str, Array]:
        read = {arg for node in self.graph.nodes for arg in node.args if node.op != "div" or arg == node.args[0]}
        names = {node.name for i, node in enumerate(self.graph.nodes) if node.op == "parameter" and i in read}
        names |= {
            self.graph.nodes[i].name for i in self.graph.results.values() if self.graph.nodes[i].op == "parameter"
        }
        return {
            name: Array(fields.take(f"{self.stage_name}_{name}"), values.astype(np.int32), name)
            for name, values in self.fixed.vectors.items()
            if name in names
        }
