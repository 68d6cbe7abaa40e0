"""Networks from the weights of a file, by the names of the equations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from loopcell import cells
from loopcell.equations import Cell
from loopcell.errors import FileFormatError
from loopcell.importing.contents import listed
from loopcell.layers import GRU, LSTM, RNN, Recurrent

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

Network = Recurrent | RNN | LSTM | GRU
"""A recurrent network, of any equations or in the place of torch.nn's."""

Directions = Sequence[Mapping[str, Tensor]]
"""The weights of one layer: for each direction the parameters by the names of the equations."""


def without_spaces(cell: Cell, weights: Mapping[str, Tensor]) -> Cell:
    """Return the cell without the namespaces of which a file has no weights at all: without biases, say."""
    wanted = dict.fromkeys(name.partition(".")[0] for name in cell.graph.parameters)
    given = {name.partition(".")[0] for name in weights}
    gone = [space for space in wanted if space not in given]
    return cells.without(cell, *gone) if gone else cell


def network_of(where: str, cell: Cell, layers: Sequence[Directions], *, batch_first: bool = False) -> Recurrent:
    """Return a network that has the weights of a file.

    Args:
        where: what has the weights, as the start of a sentence.
        cell: the equations.
        layers: for each layer and direction all parameters of the cell.
        batch_first: as in `Recurrent`.

    Raises:
        FileFormatError: a tensor is missing, left over, of another shape or no float.
    """
    first = layers[0][0]
    hidden, input_size = _sizes(where, first)
    _check_float(where, first)
    with torch.random.fork_rng(devices=[]):  # an import draws nothing from the caller's generator
        net = Recurrent(
            cell,
            input_size,
            hidden,
            num_layers=len(layers),
            bidirectional=len(layers[0]) == 2,
            batch_first=batch_first,
            dtype=next(iter(first.values())).dtype,
        )
    for layer, directions in enumerate(layers):
        for direction, weights in enumerate(directions):
            _fill(where, net, (layer, direction), weights)
    return net.eval()


def _fill(where: str, net: Recurrent, place: tuple[int, int], weights: Mapping[str, Tensor]) -> None:
    expected = {name: tuple(tensor.shape) for name, tensor in net.weights(*place).items()}
    if expected.keys() != weights.keys():
        odd = sorted(expected.keys() ^ weights.keys())
        raise FileFormatError(f"{where} and its cell `{net.cell.name}` do not agree on {listed(odd)}")
    _check_float(where, weights)
    demand_finite(where, weights)
    for name, shape in expected.items():
        if tuple(weights[name].shape) != shape:
            raise FileFormatError(
                f"{where} has {list(weights[name].shape)} where `{name}` of {net.input_size} inputs and "
                f"{net.hidden_size} units is {list(shape)}"
            )
    with torch.no_grad():
        for name, tensor in weights.items():
            net.assign(*place, name, tensor)


def _sizes(where: str, weights: Mapping[str, Tensor]) -> tuple[int, int]:
    """Return H and I, from the first matrix of the input."""
    matrix = next((tensor for name, tensor in weights.items() if name.startswith("W.")), None)
    if matrix is None or matrix.ndim != 2 or 0 in matrix.shape:
        raise FileFormatError(f"{where} has no weights of the input [units, inputs]")
    return matrix.shape[0], matrix.shape[1]


def _check_float(where: str, weights: Mapping[str, Tensor]) -> None:
    kinds = {tensor.dtype for tensor in weights.values()}
    if len(kinds) != 1 or kinds.pop() not in FLOATS:
        found = ", ".join(sorted(str(tensor.dtype).removeprefix("torch.") for tensor in weights.values()))
        raise FileFormatError(f"{where} has weights that are not all of one float type ({found[:80]})")


def demand_finite(where: str, weights: Mapping[str, Tensor]) -> None:
    """Refuse weights that are no numbers, such as those of a training that went wrong.

    Args:
        where: what has the weights, as the start of a sentence.
        weights: by name.

    Raises:
        FileFormatError: one is NaN or infinite; the sentence names the tensor.
    """
    for name, tensor in weights.items():
        wrong = int((~torch.isfinite(tensor)).sum())
        if wrong:
            raise FileFormatError(
                f"{where} has {wrong:,} of {tensor.numel():,} numbers in `{name}` that are NaN or infinite: its "
                "training went wrong, or the file is damaged"
            )


def linear_of(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """Return a linear layer of a weight [O, I] and a bias [O]; shapes are checked before."""
    with torch.no_grad():
        made: nn.Linear = nn.utils.skip_init(  # type: ignore[no-untyped-call]  # torch's
            nn.Linear, weight.shape[1], weight.shape[0], bias=bias is not None, dtype=weight.dtype
        )
        made.weight.copy_(weight)
        if bias is not None:
            made.bias.copy_(bias)
    return made


def gatewise(space: str, gates: Sequence[str], packed: Tensor) -> dict[str, Tensor]:
    """Return the parts of a packed tensor [G * n, ...] by the names of the equations, such as "W.i"."""
    parts = packed.chunk(len(gates))
    return {f"{space}.{gate}": part for gate, part in zip(gates, parts, strict=True)}


def check_shape(where: str, name: str, tensor: Tensor, *shape: int | None) -> None:
    """Refuse a tensor of another shape; None stands for any length.

    Raises:
        FileFormatError: its shape is another.
    """
    fits = tensor.ndim == len(shape) and all(
        length in (None, found) for length, found in zip(shape, tensor.shape, strict=True)
    )
    if not fits:
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise FileFormatError(f"`{name}` of {where} is {list(tensor.shape)}, not [{wanted}]")
