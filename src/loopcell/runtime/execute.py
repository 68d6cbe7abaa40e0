"""One cell over one sequence in one direction: draws, programs, the chosen back end."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn import functional

from loopcell.backends.c import Kernels, run_fused
from loopcell.backends.reference import Masks, ReferenceProgram, reference_program, run
from loopcell.equations import Cell
from loopcell.equations.graph import Node
from loopcell.errors import LoopcellError
from loopcell.passes import build_program
from loopcell.runtime.plan import choose


@dataclass(frozen=True)
class Rows:
    """Where the rows of a batch end and start afresh.

    Attributes:
        steps: T.
        lengths: int64 [B], or None where every row is T long.
        reset: bool [T, B], true where a row's state becomes 0 before the step; never past a row's end. Or None.
    """

    steps: int
    lengths: Int64[Tensor, " B"] | None = None
    reset: Bool[Tensor, "T B"] | None = None

    def valid(self) -> Bool[Tensor, "T B"] | None:
        """Return where there is something to compute; None where everywhere."""
        if self.lengths is None:
            return None
        return torch.arange(self.steps, device=self.lengths.device).unsqueeze(1) < self.lengths

    def masks(self) -> Masks:
        """Return the same as masks over [T, B]."""
        return Masks(self.valid(), self.reset)


class Executable:
    """A cell made ready to run with known sizes.

    Everything is built here, so that a call (perhaps while torch.compile captures it) only runs it.

    Attributes:
        cell: the equations.
        sizes: every size by name.
        output_size: O, the length of the output.
        state_sizes: the length of every state, by name.
    """

    def __init__(self, cell: Cell, sizes: Mapping[str, int]) -> None:
        graph = cell.graph
        self.cell = cell
        self.sizes = dict(sizes)
        lengths = {key: sizes[graph.nodes[index].dims[0]] for key, index in graph.results.items()}
        self.output_size = lengths.pop("output")
        self.state_sizes = {key.removeprefix("state."): length for key, length in lengths.items()}
        self._training = reference_program(build_program(graph, training=True))
        self._evaluation = reference_program(build_program(graph, training=False))
        self._input = next((node.key for _, node in graph.leaves("input")), "input.unused")
        self._draws = tuple(node for _, node in graph.leaves("random"))
        self._dropped_weights = {node.name: node.value for _, node in graph.leaves("parameter") if node.value}

    def __call__(
        self,
        x: Float[Tensor, "T B I"],
        states: Sequence[Float[Tensor, "B _"]],
        parameters: Mapping[str, Tensor],
        rows: Rows,
        *,
        training: bool,
    ) -> tuple[Float[Tensor, "T B O"], list[Float[Tensor, "B _"]]]:
        """Run the cell over a sequence.

        Args:
            x: the input [T, B, I].
            states: the states before the first step, each [B, n], in the cell's order.
            parameters: by name such as "W.i".
            rows: lengths and resets.
            training: draw random numbers, rather than take their means.

        Returns:
            The output [T, B, O] and the states after the last step.
        """
        leaves: dict[str, Tensor | int] = {f"size.{name}": size for name, size in self.sizes.items()}
        leaves[self._input] = x
        leaves |= {f"state.{name}": state for name, state in zip(self.cell.states, states, strict=True)}
        leaves |= {f"parameter.{name}": self._weight(name, weight, training) for name, weight in parameters.items()}
        if training:
            leaves |= {node.key: self._draw(node, x) for node in self._draws}
        reference = self._training if training else self._evaluation
        fused = choose(self.cell.name, x.device, x.dtype).fused and _are_alike(leaves, x)
        kernels = _kernels(reference, x.dtype) if fused else None
        if kernels is None:
            return run(reference, leaves, rows.masks())
        return run_fused(kernels, reference, leaves, rows.masks(), rows.lengths)

    def _weight(self, name: str, weight: Tensor, training: bool) -> Tensor:
        rate = self._dropped_weights.get(name, 0.0)
        return functional.dropout(weight, rate) if training and rate else weight

    def _draw(self, node: Node, x: Tensor) -> Tensor:
        random = node.random
        assert random is not None  # every random leaf says what it draws
        rows = x.shape[:-1] if random.each == "step" else x.shape[1:-1]
        chances = torch.full((*rows, self.sizes[node.dims[0]]), random.probability, dtype=x.dtype, device=x.device)
        return torch.bernoulli(chances) * random.scale


def _are_alike(leaves: Mapping[str, Tensor | int], x: Tensor) -> bool:
    """Say whether all tensors have one dtype and device: PyTorch converts what it can, a kernel reads memory."""
    tensors = (value for value in leaves.values() if isinstance(value, Tensor))
    return all(tensor.dtype == x.dtype and tensor.device == x.device for tensor in tensors)


@lru_cache(maxsize=256)
def _kernels(reference: ReferenceProgram, dtype: torch.dtype) -> Kernels | None:
    """Return a program's compiled loops; None, with one warning, where they cannot be built."""
    try:
        return Kernels(reference.program, dtype)
    except LoopcellError as error:
        warnings.warn(
            f"no fused kernel for {reference.program.cell.name}, which runs on plain PyTorch: {error}", stacklevel=2
        )
        return None
