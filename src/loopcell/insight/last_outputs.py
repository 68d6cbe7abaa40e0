"""The number whose gradient is looked at where there is no loss: each row's last output along a random direction."""

from __future__ import annotations

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths


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
