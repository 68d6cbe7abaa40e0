"""A model for audio plug-ins as a list of layers: what RTNeural's and NAM's files hold and may be given."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from loopcell import cells
from loopcell.equations import Cell
from loopcell.errors import InputError
from loopcell.importing.building import Network
from loopcell.importing.chain import Chain

Model = nn.Module | Sequence[nn.Module]
"""A chain, a network alone, or layers in the order in which they run."""

_NAMES = {
    fingerprint: cells.get(name).name
    for name in ("lstm", "gru")
    for fingerprint in (
        cells.get(name).fingerprint,
        cells.without(
            name, *sorted({p.partition(".")[0] for p in cells.get(name).graph.parameters} & {"b", "d"})
        ).fingerprint,
    )
}
"""The two cells of these files, with biases and without, by their equations."""


def layers_in(model: Model) -> list[nn.Module]:
    """Return the layers of a model, in order; what does nothing outside of training is left out.

    Raises:
        InputError: it is no model.
    """
    if isinstance(model, Chain):
        found = list(model.layers)
    elif isinstance(model, Network | nn.Linear):
        found = [model]
    elif isinstance(model, Sequence | nn.Sequential):
        found = list(model)
    else:
        raise InputError(f"a model to write is a chain, a network or a list of layers, not {type(model).__name__}")
    return [layer for layer in found if not isinstance(layer, nn.Dropout | nn.Identity)]


def cell_name(net: Network) -> str:
    """Return "lstm" or "gru".

    Raises:
        InputError: the network is of other equations, or reads in both directions.
    """
    if net.bidirectional:
        raise InputError("the network reads in both directions, and these files are of models that run step by step")
    name = _NAMES.get(net.cell.fingerprint)
    if name is None:
        raise InputError(
            f"the network's cell is `{net.cell.name}`; these files have the equations of `lstm` and `gru` alone"
        )
    return name


def weights_of(net: Network, layer: int) -> dict[str, Tensor]:
    """Return a layer's parameters by the names of the equations, with zeros for biases that it has not."""
    found = {name: tensor.detach().cpu().float() for name, tensor in net.weights(layer, 0).items()}
    full: Cell = cells.get(cell_name(net))
    zeros = torch.zeros(net.hidden_size)
    return {name: found.get(name, zeros) for name in full.graph.parameters}


def packed(weights: dict[str, Tensor], space: str, gates: Sequence[str]) -> Tensor:
    """Return the parts of a namespace as one tensor [G * n, ...]."""
    return torch.cat([weights[f"{space}.{gate}"] for gate in gates])
