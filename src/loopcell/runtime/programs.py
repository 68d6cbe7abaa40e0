"""A cell made ready for both back ends, and its kernels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from loopcell.backends.c import Kernels
from loopcell.backends.reference import Function, ReferenceProgram, call, emit, reference_program, run
from loopcell.backends.weights import Weights
from loopcell.equations.graph import Graph
from loopcell.errors import InputError, LoopcellError
from loopcell.passes import build_program
from loopcell.passes.fuse import Fused
from loopcell.runtime.rows import Rows


@dataclass(frozen=True, eq=False)
class Programs:
    """A graph made ready for both back ends.

    Attributes:
        reference: for plain PyTorch.
        fused: for kernels.
        once: what is computed before a kernel is called; None if nothing.
    """

    reference: ReferenceProgram
    fused: Fused
    once: Function | None

    @classmethod
    def of(cls, graph: Graph, *, training: bool) -> Programs:
        """Return the programs of a graph, the same ones for every network of the cell."""
        return _made(reference_program(build_program(graph, training=training)))

    def held(self, leaves: Mapping[str, Tensor], weights: Weights, sizes: Mapping[str, int]) -> dict[str, Tensor]:
        """Compute what holds for the whole sequence, by key."""
        if self.once is None:
            return {}
        return dict(zip(self.once.results, call(self.once, _values(leaves, weights, sizes)), strict=True))

    def run_reference(
        self, leaves: Mapping[str, Tensor], weights: Weights, sizes: Mapping[str, int], rows: Rows
    ) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
        """Run in plain PyTorch; arguments and results as of `Executable.__call__`."""
        return run(self.reference, _values(leaves, weights, sizes), rows.masks())


def _values(leaves: Mapping[str, Tensor], weights: Weights, sizes: Mapping[str, int]) -> dict[str, Tensor | int]:
    values: dict[str, Tensor | int] = {f"size.{name}": size for name, size in sizes.items()}
    return {**values, **leaves, **{f"parameter.{name}": weight for name, weight in weights.named().items()}}


@lru_cache(maxsize=256)
def _made(reference: ReferenceProgram) -> Programs:
    fused = reference.program.fused
    once = emit(fused.once, "once") if fused.once.results else None
    return Programs(reference, fused, once)


def known_names(graph: Graph) -> dict[str, int]:
    """Return what can be recorded: values that have a name, and the states after the step."""
    labels = {node.label: index for index, node in enumerate(graph.nodes) if node.label and node.args}
    return {**labels, **{state: graph.results[f"state.{state}"] for state in graph.states}}


@lru_cache(maxsize=256)
def _watched_by_identity(key: _Identity, names: tuple[str, ...]) -> Graph:
    graph = key.graph
    known = known_names(graph)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"cell `{graph.name}` has no value named {unknown[0]!r}; it has {', '.join(known)}")
    return replace(graph, results={**graph.results, **{f"record.{name}": known[name] for name in names}})


class _Identity:
    """A graph as a cache key: graphs hold dictionaries, so the object itself is the key."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def __hash__(self) -> int:
        return id(self.graph)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.graph is other.graph


def watched(graph: Graph, names: tuple[str, ...]) -> Graph:
    """Return a cell's graph with named values among its results.

    Raises:
        InputError: there is no value of that name.
    """
    return _watched_by_identity(_Identity(graph), names)


_REFUSALS: dict[tuple[Programs, torch.dtype], str] = {}


def why_not_built(programs: Programs, dtype: torch.dtype) -> str | None:
    """Return why a program's kernels could not be built; None where they are there, or nobody has asked for them."""
    return _REFUSALS.get((programs, dtype))


@lru_cache(maxsize=256)
def kernels_of(programs: Programs, dtype: torch.dtype) -> Kernels | None:
    """Return a program's compiled loops; None, with one warning, where they cannot be built."""
    _REFUSALS.pop((programs, dtype), None)  # of an earlier try, where it was forgotten
    try:
        return Kernels(programs.fused, dtype)
    except LoopcellError as error:
        _REFUSALS[programs, dtype] = str(error)
        warnings.warn(
            f"no fused kernel for {programs.fused.core.name}, which runs on plain PyTorch: {error}", stacklevel=2
        )
        return None
