"""The products of a stage in C: those that share an operand are one loop over rows that lie one below the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from loopcell.backends.c.codegen.layout import Region
from loopcell.errors import UsageError
from loopcell.export.c.names import Names
from loopcell.export.c.product import Packing
from loopcell.export.c.weights import Array
from loopcell.export.step_model import Equations
from loopcell.passes.sweeps import Contraction


@dataclass(frozen=True)
class ProductGroup:
    """Products of one operand, done as one.

    Attributes:
        array: the matrices.
        operand: the vector's node.
        results: the products' nodes, whose rows lie one below the other.
        columns: of the matrices.
        rows: of all of them, filled up to whole blocks.
        scratch: the name of the array that they are written to.
        scales: of the rows of matrices in int8.
        places: of the blocks that are not zero, where only these are stored.
    """

    array: Array
    operand: int
    results: tuple[int, ...]
    columns: int
    rows: int
    scratch: str
    scales: Array | None
    places: Array | None


class Products:
    """All products of a stage, and their weights.

    A matrix that is multiplied with two operands is stored once, by itself.

    Args:
        region: the sweeps of the stage.
        stage: its parameters and sizes.
        stage_name: its name in C.
        fields: the names that are taken in the model's struct.
        form: how products are written.

    Attributes:
        arrays: the weights.
        scratch: floats that results need.
        multiply_adds: of all products of a step.
        left_out: numbers of zero blocks, which are neither stored nor multiplied.
        columns: the most of a matrix.
    """

    def __init__(self, region: Region, stage: Equations, stage_name: str, fields: Names, form: Packing) -> None:
        self._graph, self._stage, self._stage_name = region.graph, stage, stage_name
        self._fields, self._form = fields, form
        self._arrays: dict[tuple[str, ...], tuple[Array, Array | None, Array | None]] = {}
        parts = [part for sweep in region.sweeps for part in sweep.contractions]
        uses = Counter(name for part in parts for name in part.segments[0][1])
        scratch = Names()
        self._groups = {id(part): tuple(self._grouped(part, uses, scratch)) for part in parts}
        self.arrays = tuple(array for stored in self._arrays.values() for array in stored if array is not None)
        groups = [group for groups in self._groups.values() for group in groups]
        self.scratch = sum(group.rows for group in groups)
        self.columns = max((group.columns for group in groups), default=0)
        self.left_out = sum(group.rows * group.columns - group.array.values.size for group in groups if group.places)
        dense = sum(stage.parameters[name].size for part in parts for _, names in part.segments for name in names)
        self.multiply_adds = max(0, dense - self.left_out)

    def of(self, part: Contraction) -> tuple[ProductGroup, ...]:
        """Return the products of a contraction, in order."""
        return self._groups[id(part)]

    def _grouped(self, part: Contraction, uses: Counter[str], scratch: Names) -> Iterator[ProductGroup]:
        if part.transposed:
            raise UsageError(f"the C target has no code for products with a transposed matrix ({self._stage_name})")
        operand, names = part.segments[0]
        shared = [(i, name) for i, name in zip(part.results, names, strict=True) if uses[name] == 1]
        groups = [shared] if shared else []
        groups += [[(i, name)] for i, name in zip(part.results, names, strict=True) if uses[name] > 1]
        for group in groups:
            array, scales, places = self._stored(tuple(name for _, name in group))
            columns = self._stage.parameters[group[0][1]].shape[1]
            yield ProductGroup(
                array,
                operand,
                tuple(index for index, _ in group),
                columns,
                self._form.padded(sum(len(self._stage.parameters[name]) for _, name in group)),
                scratch.take(f"products_{array.name.removeprefix(self._stage_name + '_')}"),
                scales,
                places,
            )

    def _stored(self, names: tuple[str, ...]) -> tuple[Array, Array | None, Array | None]:
        if names not in self._arrays:
            spaces = dict.fromkeys(name.split(".")[0] for name in names)
            word = next(iter(spaces)) if len(spaces) == 1 and len(names) > 1 else "_".join(names)
            packed = self._form.pack([self._stage.parameters[name] for name in names])
            field, about = self._fields.take(f"{self._stage_name}_{word}"), ", ".join(names)
            scales = places = None
            if packed.scales is not None:
                scales = Array(self._fields.take(f"{field}_scales"), packed.scales, f"of each row of {about}")
            if packed.places is not None:
                what = f"for every {self._form.rows} rows of {about}, how many columns are not zero, and which"
                places = Array(self._fields.take(f"{field}_columns"), packed.places, what)
            self._arrays[names] = Array(field, packed.values, about), scales, places
        return self._arrays[names]
