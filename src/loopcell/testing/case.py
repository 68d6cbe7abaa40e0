"""The case that a law is tried on: a cell with sizes, small random data, and everything that a run of it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from loopcell.cells import get
from loopcell.equations import Cell
from loopcell.layers import Recurrent, State

Run = Callable[[Tensor, State], tuple[Tensor, State]]
"""From an input [T, B, I] and the states before it to the output and the states after it."""

Observed = dict[str, Tensor]
"""What a run gives, by name: "the output", "the final h", "the gradient of W.i", ..."""


class JoinedInputs(Recurrent):
    """A network that takes all inputs of its cell as one, side by side: what a law does to an input it does to all."""

    def forward(self, x: Tensor | PackedSequence, state: State | None = None, **options: Any) -> Any:
        """Run over a batch of sequences; arguments and results as of `Recurrent`."""
        widths = [self.input_size, *(width for _, width in self.spec.further.values())]
        data = x if isinstance(x, Tensor) else x.data
        parts = [part if isinstance(x, Tensor) else x._replace(data=part) for part in torch.split(data, widths, -1)]
        inputs: dict[str, Any] = dict(zip(self.spec.further, parts[1:], strict=True))
        return super().forward(parts[0], state, **options, **inputs)


@dataclass(frozen=True, init=False)
class Case:
    """A cell with the sizes and the small random data that laws are tried on.

    Attributes:
        cell: the cell; given by name, that of the library.
        input_size: I.
        hidden_size: H.
        sizes: other sizes that the cell names.
        steps: T, at least 1.
        batch: B, at least 1.
    """

    cell: Cell
    input_size: int
    hidden_size: int
    sizes: Mapping[str, int] | None
    steps: int
    batch: int

    def __init__(
        self,
        cell: str | Cell,
        input_size: int = 3,
        hidden_size: int = 5,
        sizes: Mapping[str, int] | None = None,
        steps: int = 5,
        batch: int = 3,
    ) -> None:
        given = {"cell": get(cell), "input_size": input_size, "hidden_size": hidden_size, "sizes": sizes}
        for name, value in {**given, "steps": steps, "batch": batch}.items():
            object.__setattr__(self, name, value)  # frozen, and written once

    def net(
        self,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        batch_first: bool = False,
        dtype: torch.dtype = torch.float64,
    ) -> Recurrent:
        """Return a network in evaluation mode; two calls with equal arguments give equal parameters.

        Parameters lie near, not at, their start values: what starts at 0 or 1 would hide a wrong gradient.
        """
        net = self.fresh(num_layers=num_layers, bidirectional=bidirectional, batch_first=batch_first)
        with torch.no_grad():
            for number, (name, parameter) in enumerate(net.named_parameters()):
                noise = _normal(parameter.shape, seed=1000 + number)
                starts_at = {"zeros": 0.0, "ones": 1.0}.get(self.cell.initial.get(name.split(".")[1], ""), 0.0)
                parameter.copy_(starts_at + noise * min(0.4, self.hidden_size**-0.5))
        return net.to(dtype).eval()

    def fresh(
        self,
        *,
        input_size: int | None = None,
        num_layers: int = 1,
        bidirectional: bool = False,
        batch_first: bool = False,
    ) -> Recurrent:
        """Return a network with parameters as they are drawn, in float64.

        Args:
            input_size: I, if not the case's.
            num_layers: L; 1 where the cell can have no more, since an input or a state is as long as its first input.
            bidirectional: both directions are read.
            batch_first: input and output are [B, T, ...].
        """
        kind = JoinedInputs if len(self.cell.inputs) > 1 else Recurrent
        return kind(
            self.cell,
            self.input_size if input_size is None else input_size,
            self.hidden_size,
            num_layers if self.is_stackable else 1,
            bidirectional=bidirectional,
            batch_first=batch_first,
            sizes=self.sizes,
            dtype=torch.float64,
        )

    @property
    def is_stackable(self) -> bool:
        """True if a second layer may read the outputs of a first one: nothing but x is as long as the input."""
        return list(self.cell.graph.declared_sizes.values()).count("input") < 2

    @property
    def joined_size(self) -> int:
        """The length of all inputs of a step together."""
        if len(self.cell.inputs) < 2:
            return self.input_size
        return self.input_size + sum(width for _, width in self.fresh().spec.further.values())

    def inputs(self, *, steps: int | None = None, batch: int | None = None, seed: int = 1) -> Tensor:
        """Return a random input [T, B, I]; behind it all further inputs, which are times or masks: none is below 0."""
        T = self.steps if steps is None else steps
        B = self.batch if batch is None else batch
        drawn = _normal((T, B, self.joined_size), seed=seed)
        return torch.cat([drawn[..., : self.input_size], drawn[..., self.input_size :].abs()], -1)

    def state(self, net: Recurrent, *, batch: int | None = None) -> State:
        """Return random states before the first step, each [L * D, B, n]."""
        rest = net.initial_state(self.batch if batch is None else batch)
        return State(
            **{name: 0.7 * _normal(tensor.shape, seed=50 + place) for place, (name, tensor) in enumerate(rest.items())}
        )

    def lengths(self) -> Tensor:
        """Return lengths [B] in no order, from T down to 0."""
        return torch.tensor([(3 + 2 * row) % (self.steps + 1) for row in range(self.batch)])

    def reset(self) -> Tensor:
        """Return bool [T, B]: episodes that start at several steps, the first and the last among them."""
        step = torch.arange(self.steps).unsqueeze(1)
        row = torch.arange(self.batch)
        return (step + row) % 3 == 0


def run(net: Recurrent, *, lengths: Tensor | None = None, reset: Tensor | None = None) -> Run:
    """Return the plain run of a network over a sequence."""

    def plain(x: Tensor, state: State) -> tuple[Tensor, State]:
        return padded(net(x, state, lengths=lengths, reset=reset))

    return plain


def padded(result: object) -> tuple[Tensor, State]:
    """Give the result of a call with a padded input its type."""
    return cast("tuple[Tensor, State]", result)


def observe(net: Recurrent, how: Run, x: Tensor, state: State) -> Observed:
    """Run and return the output, the final states, and the gradient of everything that the run depends on.

    The gradient is that of a sum in which every entry of the output and of every final state has a weight of its
    own, so a gradient that fails to arrive through one of them shows.
    """
    x = x.detach().clone().requires_grad_()
    state = state.map(lambda tensor: tensor.detach().clone().requires_grad_())
    y, final = how(x, state)
    named = {"the input": x} | {f"the initial {name}": tensor for name, tensor in state.items()}
    named |= dict(net.named_parameters())
    # The zeros keep a result that is cut off from everything comparable: its gradients are then zero.
    loss = weighed(y, final) + torch.stack([0 * tensor.sum() for tensor in named.values()]).sum()
    gradients = torch.autograd.grad(loss, list(named.values()))
    observed = {"the output": y.detach()} | {f"the final {name}": tensor.detach() for name, tensor in final.items()}
    return observed | {f"the gradient of {name}": gradient for name, gradient in zip(named, gradients, strict=True)}


def weighed(y: Tensor, final: State) -> Tensor:
    """Return a scalar to which every entry of the output and of the final states counts, each differently."""
    parts = [y, *final.values()]
    return torch.stack([(part * _weights(part, place)).sum() for place, part in enumerate(parts)]).sum()


def _weights(like: Tensor, place: int) -> Tensor:
    # No draw: torch.func.vmap refuses those.
    return torch.cos(1.7 * torch.arange(like.numel(), dtype=like.dtype, device=like.device) + place).view(like.shape)


def _normal(shape: torch.Size | tuple[int, ...], *, seed: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
