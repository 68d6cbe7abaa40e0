"""A cell made ready for both back ends, and its kernels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
from torch import Tensor

from loopcell.backends.c import Factors, Kernels, Tiles
from loopcell.backends.lengths import Lengths
from loopcell.backends.reference import Function, ReferenceProgram, call, emit, reference_program, run
from loopcell.backends.weights import Weights
from loopcell.equations.graph import Graph
from loopcell.equations.keys import Key
from loopcell.errors import InputError, LoopcellError
from loopcell.passes import build_program
from loopcell.passes.fuse import Fused
from loopcell.passes.pipeline import ByIdentity
from loopcell.runtime.asked import refuse_fallback
from loopcell.runtime.obstacles import not_built


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

    def invariants(self, leaves: Mapping[Key, Tensor], weights: Weights, sizes: Mapping[str, int]) -> dict[Key, Tensor]:
        """Compute the loop invariants, values that are the same at every step, by key."""
        if self.once is None:
            return {}
        return dict(zip(self.once.results, call(self.once, _values(leaves, weights, sizes)), strict=True))

    def run_reference(
        self, leaves: Mapping[Key, Tensor], weights: Weights, sizes: Mapping[str, int], lengths: Lengths
    ) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
        """Run in plain PyTorch; arguments and results as of `Executable.__call__`."""
        return run(self.reference, _values(leaves, weights, sizes), lengths)

    def reference_gradients(
        self,
        leaves: Mapping[Key, Tensor],
        weights: Weights,
        sizes: Mapping[str, int],
        lengths: Lengths,
        arriving: Sequence[Tensor | None],
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        """Return the gradients by the equations as PyTorch operations; differentiable where gradients are enabled.

        The tensors are taken as they are: a copy would lose what they carry (a tangent, a batch of cotangents).

        Args:
            leaves: the tensors of a call, by key, in order; those that want a gradient require one.
            weights: the parameters, likewise.
            sizes: by name.
            lengths: where rows end and start afresh.
            arriving: the gradients of the output and of the final states; None for zeros.
            wanted: which of the leaves, and of the weights' tensors behind them, want a gradient.
        """

        def results() -> list[Tensor]:
            output, states, _ = self.run_reference(leaves, weights, sizes, lengths)
            return [output, *states]

        return gradients_of(results, (*leaves.values(), *weights.bases), arriving, wanted)


def gradients_of(
    results: Callable[[], Sequence[Tensor]],
    tensors: Sequence[Tensor],
    arriving: Sequence[Tensor | None],
    wanted: Sequence[bool],
) -> list[Tensor | None]:
    """Return gradients by PyTorch operations; differentiable where gradients are enabled.

    Args:
        results: computes what the gradient is of.
        tensors: what it reads; those that want a gradient require one.
        arriving: the gradients of the results; None for zeros.
        wanted: which of the tensors want a gradient.
    """
    create_graph = torch.is_grad_enabled()  # then this gradient is itself differentiated
    with torch.enable_grad():
        found = results()
    inputs = [tensor for tensor, want in zip(tensors, wanted, strict=True) if want]
    # A result that hangs on none of them has no gradient, such as the output of no steps.
    pairs = [(y, d) for y, d in zip(found, arriving, strict=True) if d is not None and y.requires_grad]
    given = iter(
        torch.autograd.grad(
            [y for y, _ in pairs], inputs, [d for _, d in pairs], create_graph=create_graph, allow_unused=True
        )
    )
    return [next(given) if want else None for want in wanted]


def _values(leaves: Mapping[Key, Tensor], weights: Weights, sizes: Mapping[str, int]) -> dict[Key, Tensor | int]:
    values: dict[Key, Tensor | int] = {Key("size", name): size for name, size in sizes.items()}
    return {**values, **leaves, **{Key("parameter", name): weight for name, weight in weights.named().items()}}


@lru_cache(maxsize=256)
def _made(reference: ReferenceProgram) -> Programs:
    fused = reference.program.fused
    once = emit(fused.once, "once") if fused.once.results else None
    return Programs(reference, fused, once)


def known_names(graph: Graph) -> dict[str, int]:
    """Return what can be recorded: values that have a name, and the states after the step."""
    labels = {node.label: index for index, node in enumerate(graph.nodes) if node.label and node.args}
    return {**labels, **{state: graph.result("state", state) for state in graph.states}}


def named_values(graph: Graph, names: Sequence[str]) -> dict[str, int]:
    """Return the positions of some of these values, by name.

    Raises:
        InputError: there is no value of a name.
    """
    known = known_names(graph)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"cell `{graph.name}` has no value named {unknown[0]!r}; it has {', '.join(known)}")
    return {name: known[name] for name in names}


@lru_cache(maxsize=256)
def _recording(key: ByIdentity, names: tuple[str, ...]) -> Graph:
    graph = key.graph
    recorded = {Key("record", name): index for name, index in named_values(graph, names).items()}
    return replace(graph, results={**graph.results, **recorded})


def recording(graph: Graph, names: tuple[str, ...]) -> Graph:
    """Return a cell's graph with named values among its results.

    Raises:
        InputError: there is no value of that name.
    """
    return _recording(ByIdentity(graph), names) if names else graph


_REFUSALS: dict[tuple[Programs, torch.dtype, Factors], str] = {}


def why_not_built(programs: Programs, dtype: torch.dtype, factors: Factors = Factors.FULL) -> str | None:
    """Return why a program's kernels could not be built; None where they are there, or no call has needed them."""
    return _REFUSALS.get((programs, dtype, factors))


@lru_cache(maxsize=256)
def kernels_of(
    programs: Programs, dtype: torch.dtype, factors: Factors = Factors.FULL, tiles: Tiles = Tiles.AMX
) -> Kernels | None:
    """Return a program's compiled loops; None, with one warning, where they cannot be built.

    Raises:
        UsageError: they cannot, and are demanded.
    """
    _REFUSALS.pop((programs, dtype, factors), None)  # of an earlier try, which the cache has dropped since
    try:
        return Kernels(programs.fused, dtype, factors, tiles)
    except LoopcellError as error:
        _REFUSALS[programs, dtype, factors] = str(error)
        refuse_fallback(not_built(str(error)))
        warnings.warn(
            f"no fused kernel for {programs.fused.core.name}, which runs on plain PyTorch: {error}", stacklevel=2
        )
        return None
