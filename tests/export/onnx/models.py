"""Models to export: a cell with two layers and weights large enough to matter, and drawn data."""

import numpy as np
import torch

from loopcell import Recurrent, cells
from loopcell.errors import InputError
from loopcell.export import step_model_of as model_of

__all__ = ["model_of", "network_of", "sequences_of"]


def network_of(cell, *, layers=2, seed=0):
    cell = cells.get(cell)
    torch.manual_seed(seed)
    net = _first_that_fits(cell, [(5, layers), (3, layers), (5, 1)])
    with torch.no_grad():  # larger than at the start of a training, where all gates are half open
        for weight in net.parameters():
            weight.add_(0.4 * torch.randn_like(weight))
    return net.eval()


def _first_that_fits(cell, sizes):
    """Some cells want an input as long as their state, others cannot be stacked."""
    own = {size: 4 for size in cell.sizes if size not in ("input", "hidden")}
    (hidden, layers), *others = sizes
    try:
        return Recurrent(cell, input_size=3, hidden_size=hidden, num_layers=layers, sizes=own)
    except InputError:
        if not others:
            raise
        return _first_that_fits(cell, others)


def sequences_of(model, steps, seed=0):
    rng = np.random.default_rng(seed)
    return {one.name: rng.normal(size=(steps, one.size)).astype(np.float32) for one in model.inputs}
