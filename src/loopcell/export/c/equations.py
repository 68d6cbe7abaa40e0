"""A stage of equations in C: its sweeps as loops over units, each equation under the name that its author gave it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from loopcell.backends.c.codegen.layout import Region
from loopcell.equations import Graph, Key
from loopcell.equations.graph import Node
from loopcell.equations.keys import OUTPUT
from loopcell.equations.printing import Printer, Style, text
from loopcell.errors import UsageError
from loopcell.export.c.code import StageCode, comment, indented
from loopcell.export.c.names import Names, local_names
from loopcell.export.c.product import Packing, ProductForm
from loopcell.export.c.products import ProductGroup, Products
from loopcell.export.c.spelling import SPELLING, number
from loopcell.export.c.weights import Array
from loopcell.export.step_model import Equations
from loopcell.passes.sweeps import Sweep


def equations_code(stage: Equations, stage_name: str, fields: Names, form: ProductForm) -> StageCode:
    """Return a stage of equations in C.

    Args:
        stage: what is computed.
        stage_name: its name in C.
        fields: the names of fields that are taken in the model's and the state's struct.
        form: how products are written.
    """
    return EquationsWriter(stage, stage_name, fields, form).code()


class EquationsWriter:
    """Writes one stage.

    A value has a name in C where its author gave it one, where several others or another sweep read it, or where an
    expression would be nested too deep; all others are written inside the expression of their user.
    """

    number = "float"
    """The type in C of what flows."""

    def __init__(self, stage: Equations, stage_name: str, fields: Names, form: Packing) -> None:
        self.stage, self.stage_name = stage, stage_name
        self.region = Region(stage.graph, 1)
        self.sweep_of = {index: place for place, sweep in enumerate(self.region.sweeps) for index in computed(sweep)}
        self.graph = self._named(stage.graph)
        self.results: dict[int, list[Key]] = {}
        for key, index in stage.graph.results.items():
            self.results.setdefault(index, []).append(key)
        self.fields = {state: fields.take(f"{stage_name}_{state}") for state in stage.states}
        self.products = Products(self.region, stage, stage_name, fields, form)
        self.vectors = self._vectors(fields)
        self.places = {node.label: self._place(i, node) for i, node in enumerate(self.graph.nodes) if node.label}
        style = Style(self._leaf, lambda node: self.places[node.label], SPELLING.__getitem__, "({0})", "")
        self.printer = Printer(self.graph, style)
        self.deferred = {state: f"next_{state}" for state in stage.states if not self._in_place(state)}

    # -- the function ----------------------------------------------------------------------------------

    def code(self) -> StageCode:
        """Return the function and what it needs."""
        inputs = {name: reads for name, reads in self.stage.reads.items() if name in self.graph.inputs}
        arrays = (*self.products.arrays, *self.vectors.values(), *self._further_arrays())
        needs = [("const MODEL *model", "model")] if arrays else []
        needs += [("STATE *state", "state")] if self.fields else []
        needs += [(f"const {self.number} *{self._input(name)}", f"<{reads}>") for name, reads in inputs.items()]
        needs += [(f"{self.number} *output", f"<{self.stage.gives.name}>"), *self._further_needs()]
        title = f"{self.stage_name}: {self.stage.doc}" if self.stage.doc else self.stage_name
        lines = (
            *comment(f"{title}\n\n" + "\n".join(f"    {line}" for line in text(self.stage.graph).split("\n"))),
            f"static void step_{self.stage_name}({', '.join(parameter for parameter, _ in needs)}) {{",
            *indented((*self._declarations(), *self._sweeps(), *self._ending())),
            "}",
        )
        call = f"step_{self.stage_name}({', '.join(argument for _, argument in needs)});"
        states = tuple((self.fields[state], size) for state, size in self.stage.states.items())
        return StageCode(
            lines,
            call,
            arrays,
            states,
            self._scratch(),
            self.products.multiply_adds,
            self.products.columns,
            self.products.left_out,
        )

    def _further_arrays(self) -> tuple[Array, ...]:
        return ()

    def _further_needs(self) -> list[tuple[str, str]]:
        return []

    def _scratch(self) -> int:
        spilled = sum(self.length(index) for index in self._in_memory())
        return spilled + self.products.scratch + sum(self.stage.states[state] for state in self.deferred)

    def _declarations(self) -> Iterator[str]:
        for index in self._in_memory():
            yield f"float {self.graph.nodes[index].label}[{self.length(index)}];"
        for state, name in self.deferred.items():
            yield f"float {name}[{self.stage.states[state]}];"

    def _sweeps(self) -> Iterator[str]:
        for sweep in self.region.sweeps:
            for index in sweep.scalars:
                if self.graph.nodes[index].label:
                    yield self._scalar(index)
            for contraction in sweep.contractions:
                for group in self.products.of(contraction):
                    yield from self._product(group)
            yield from self._loop(sweep)

    def _scalar(self, index: int) -> str:
        return f"const float {self.graph.nodes[index].label} = {self.printer.right_side(index)};"

    def _product(self, group: ProductGroup) -> Iterator[str]:
        operand = self._vector(group.operand)
        names = [self.graph.nodes[index].label for index in group.results]
        rows = self.length(group.results[0])
        scales = f"model->{group.scales.name}, " if group.scales else ""
        ends = f"{operand}, {group.columns}, {group.rows}, {group.scratch});"
        product = f"product(model->{group.array.name}, {scales}{ends}"
        if group.places:
            product = f"sparse_product(model->{group.array.name}, model->{group.places.name}, {scales}{ends}"
        yield f"float {group.scratch}[{group.rows}]; /* {group.array.comment} */"
        yield product
        for place, name in enumerate(names):
            yield f"const float *const {name} = {group.scratch}{f' + {place * rows}' if place else ''};"

    def _loop(self, sweep: Sweep) -> Iterator[str]:
        """Yield the loop over units, unless all there is to it are products."""
        for index in sweep.sums:
            yield f"float {self.graph.nodes[index].label} = 0.0f;"
        yield from self._loop_alone(sweep)

    def _loop_alone(self, sweep: Sweep) -> Iterator[str]:
        size = self._numbers(sweep)
        body = list(self._equations_of(sweep))
        if body:
            yield f"for (int unit = 0; unit < {size}; unit++) {{"
            yield from indented(body)
            yield "}"

    def _equations_of(self, sweep: Sweep) -> Iterator[str]:
        stores: list[str] = []
        for contraction in sweep.contractions:
            for index in contraction.results:
                stores += self._stores(index)
        for index in sweep.pointwise:
            node = self.graph.nodes[index]
            if node.label:
                yield self._equation(index)
                stores += self._stores(index)
        for index in sweep.sums:
            yield self._sum(index)
        yield from stores

    def _equation(self, index: int) -> str:
        kind = "" if index in self.region.spilled else "const float "
        return f"{kind}{self.places[self.graph.nodes[index].label]} = {self.printer.right_side(index)};"

    def _sum(self, index: int) -> str:
        node = self.graph.nodes[index]
        return f"{node.label} += {self.printer.operand(node.args[0])};"

    # -- results ---------------------------------------------------------------------------------------

    def _stores(self, index: int) -> Iterator[str]:
        """Yield what stores a vector's number where it is a result."""
        for key in self.results.get(index, ()):
            yield f"{self._target(key)}[unit] = {self._stored(key, index, self.places[self.graph.nodes[index].label])};"

    def _stored(self, key: Key, index: int, value: str) -> str:
        """Return a result as it is stored."""
        del key, index
        return value

    def _target(self, key: Key) -> str:
        return "output" if key == OUTPUT else self.deferred.get(key.name, f"state->{self.fields.get(key.name)}")

    def _ending(self) -> Iterator[str]:
        """Yield what is stored after all sweeps: leaves, numbers, and states that were read until here."""
        for key, index in self.stage.graph.results.items():
            node = self.graph.nodes[index]
            if node.args and node.dims:
                continue
            count = self.stage.gives.size if key == OUTPUT else self.stage.states[key.name]
            value = self.places[node.label] if node.label and node.args else self._leaf(node)
            stored = self._stored(key, index, value)
            yield f"for (int unit = 0; unit < {count}; unit++) {self._target(key)}[unit] = {stored};"
        for state, name in self.deferred.items():
            count = self.stage.states[state]
            yield f"for (int unit = 0; unit < {count}; unit++) state->{self.fields[state]}[unit] = {name}[unit];"

    def _in_place(self, state: str) -> bool:
        """Say whether a new state may be written at once: nothing reads the one before in a later sweep."""
        after = self.graph.result("state", state)
        node = self.graph.nodes[after]
        if not (node.args and node.dims):
            return False
        before = {i for i, leaf in self.graph.leaves("state") if leaf.name == state}
        if before.intersection(self.results):
            return False
        users = [i for i, other in enumerate(self.graph.nodes) if before.intersection(other.args)]
        return all(self.sweep_of[user] <= self.sweep_of[after] for user in users)

    # -- values ----------------------------------------------------------------------------------------

    def _named(self, graph: Graph) -> Graph:
        """Return the graph with labels for all values that are no part of their user's expression."""
        words = local_names(graph)

        def labelled(kept: set[int]) -> Graph:
            nodes = (replace(node, label=words[i] if i in kept else "") for i, node in enumerate(graph.nodes))
            return replace(graph, nodes=tuple(nodes))

        kept = {i for i in range(len(graph.nodes)) if graph.nodes[i].args and not self._is_inside(graph, i)}
        deep = {index for index in labelled(kept).deep_values() if graph.nodes[index].args}
        return labelled(kept | deep)

    def _is_inside(self, graph: Graph, index: int) -> bool:
        node = graph.nodes[index]
        if node.label or node.op in ("matmul", "sum") or index in self.region.spilled:
            return False
        if graph.count_uses()[index] != 1 or index in graph.results.values():
            return False
        user = next(i for i, other in enumerate(graph.nodes) if index in other.args)
        return self.sweep_of[user] == self.sweep_of[index]

    def _place(self, index: int, node: Node) -> str:
        in_memory = index in self.region.spilled or node.op == "matmul"
        return f"{node.label}[unit]" if in_memory else node.label

    def _in_memory(self) -> list[int]:
        return [index for index in self.region.spilled if self.graph.nodes[index].op != "matmul"]

    def _leaf(self, node: Node) -> str:
        if node.op == "constant":
            return number(node.value)
        if node.op == "size":
            return number(self.stage.sizes[node.name])
        return f"{self._leaf_vector(node)}[{'unit' if node.dims else '0'}]"

    def _leaf_vector(self, node: Node) -> str:
        if node.op == "state":
            return f"state->{self.fields[node.name]}"
        if node.op == "parameter":
            return f"model->{self.vectors[node.name].name}"
        if node.op == "input":
            return self._input(node.name)
        raise UsageError(f"the C target has no code for {node.op} leaves, such as {node.name!r} of {self.stage_name}")

    def _vector(self, index: int) -> str:
        node = self.graph.nodes[index]
        return node.label if node.args else self._leaf_vector(node)

    def _input(self, name: str) -> str:
        words = local_names(self.stage.graph)
        return next(words[index] for index, node in self.stage.graph.leaves("input") if node.name == name)

    def _vectors(self, fields: Names) -> dict[str, Array]:
        """Return the parameters that are no matrices of products, by name."""
        vectors = [name for name, shape in self.stage.graph.parameters.items() if len(shape) < 2]
        return {
            name: Array(fields.take(f"{self.stage_name}_{name}"), self.stage.parameters[name].reshape(-1), name)
            for name in vectors
        }

    def length(self, index: int) -> int:
        """Return the length of a vector."""
        return self.stage.sizes[self.graph.nodes[index].dims[0]]

    def _numbers(self, sweep: Sweep) -> int:
        first = next(iter((*sweep.pointwise, *(i for part in sweep.contractions for i in part.results))), None)
        if first is None:
            first = next((self.graph.nodes[index].args[0] for index in sweep.sums), None)
        return 0 if first is None else self.length(first)


def computed(sweep: Sweep) -> Iterator[int]:
    """Yield the values that a sweep computes."""
    yield from (*sweep.scalars, *sweep.pointwise, *sweep.sums)
    for part in sweep.contractions:
        yield from part.results
