"""The gradient that reaches a state, by steps back from where each row of a batch ends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.equations.graph import Graph
from loopcell.runtime.programs import known_names


def changing_states(graph: Graph) -> list[str]:
    """Return the states that a cell computes; one that it hands on as it was has no gradient of its own."""
    known = known_names(graph)
    return [state for state in graph.states if graph.nodes[known[state]].args]


def last_outputs(output: Tensor, rows: Lengths, directions: int) -> Tensor:
    """Return the sum over rows of what each direction gives at the step that it reads last, along one direction.

    Args:
        output: [T, B, D * O].
        rows: where rows end.
        directions: D.
    """
    drawn = torch.randn(output.shape[-1], generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = (drawn / drawn.norm()).to(output)
    ways = torch.chunk(output, directions, dim=-1)
    along = torch.chunk(weights, directions)
    # Reversed, the last valid step is first; the other direction ends at the first step by itself.
    last = [rows.reverse(ways[0].contiguous())[0], *(way[0] for way in ways[1:])]
    return torch.stack([torch.sum(one @ part) for one, part in zip(last, along, strict=True)]).sum()


def norms_from_the_end(gradient: Tensor, rows: Lengths) -> npt.NDArray[np.float64]:
    """Return the root mean square over the rows that are so long of a gradient's norms, from the last step back, [T].

    Args:
        gradient: [T, B, n] in the order in which its direction reads; zeros past each row's end.
        rows: where rows end.
    """
    squares = rows.reverse(gradient.detach()).double().square().sum(-1)
    mask = rows.mask
    counts = squares.new_full((len(squares),), squares.shape[1]) if mask is None else mask.sum(1).double()
    norms: npt.NDArray[np.float64] = (squares.sum(1) / counts.clamp(min=1)).sqrt().cpu().numpy()
    return norms
