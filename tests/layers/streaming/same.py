"""Numbers that are the same bit for bit, NaN included; and networks of any cell with its further inputs."""

from __future__ import annotations

import torch

from loopcell import Recurrent


def bits(tensor):
    """The bits of a tensor: NaN equals itself, and 0 is not -0."""
    whole = {2: torch.int16, 4: torch.int32, 8: torch.int64}[tensor.element_size()]
    return tensor.contiguous().view(whole)


def same(one, other):
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(bits(one), bits(other))


def network(cell, *, input_size=3, hidden_size=19, num_layers=2, dtype=torch.float32, **options):
    """A network of any cell of the library, with the sizes and the layers that it may have."""
    sizes = {name: 2 for name in ("proj", "rank") if name in cell.sizes}
    sized = {node.name for node in cell.graph.nodes if node.op == "sized"}
    if sized or any(size == "input" for size in cell.graph.declared_sizes.values()):
        num_layers = 1
    if "hidden" in sized:
        input_size = hidden_size
    sizes |= {name: input_size for name in sized if name in sizes}
    net = Recurrent(cell, input_size, hidden_size, num_layers, sizes=sizes or None, dtype=dtype, **options)
    return net.eval()


def inputs_of(net, steps, batch, dtype=torch.float32):
    """An input [T, B, I] and the further inputs by name."""
    x = torch.randn(steps, batch, net.input_size, dtype=dtype)
    further = {name: torch.rand(steps, batch, found.width, dtype=dtype) for name, found in net.spec.further.items()}
    return x, further


def cut(total, sizes):
    """Yield slices of so many steps, of the sizes in turn, and the rest at last."""
    start = 0
    for size in sizes:
        stop = min(total, start + size)
        yield slice(start, stop)
        start = stop
    yield slice(start, total)
