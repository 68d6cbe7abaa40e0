"""Draws: the random numbers of a call, made before anything runs, so that every path takes the same ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from loopcell.backends.weights import Weights
from loopcell.equations.graph import Node


def drawn(node: Node, x: Tensor, sizes: Mapping[str, int]) -> Tensor:
    """Draw a random leaf.

    Args:
        node: the leaf.
        x: the input [T, B, I].
        sizes: every size by name.

    Returns:
        [T, B, n], or [B, n] where it is drawn once a sequence.
    """
    random = node.random
    assert random is not None  # every random leaf says what it draws
    rows = x.shape[:-1] if random.each == "step" else x.shape[1:-1]
    chances = torch.full((*rows, sizes[node.dims[0]]), random.probability, dtype=x.dtype, device=x.device)
    return torch.bernoulli(chances) * random.scale


def dropped(weights: Weights, rates: Mapping[str, float]) -> Weights:
    """Return weights with entries dropped, at the rates of those parameters that have one.

    A parameter of the equations may be some rows of a packed tensor, so each becomes a tensor of its own.
    """
    named = weights.named()
    return Weights.of(
        {name: functional.dropout(weight, rates[name]) if name in rates else weight for name, weight in named.items()}
    )
