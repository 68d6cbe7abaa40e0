"""Recurrent networks with other layers before, between and after them, run one after the other."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from loopcell.errors import InputError
from loopcell.importing.building import Network
from loopcell.layers import State


class Chain(nn.Module):
    """Layers that run one after the other, with the states of the recurrent ones going in and coming out.

    Args:
        layers: by name, in the order in which they run. Recurrent ones are batch-first.
        initial: the state [L * D, 1, n] at which a network starts, by the network's name; zeros where none is given.
    """

    def __init__(self, layers: Mapping[str, nn.Module], initial: Mapping[str, State] | None = None) -> None:
        super().__init__()
        self.names = tuple(layers)
        self.layers = nn.ModuleList(layers.values())
        self._initial = {name: tuple(state) for name, state in (initial or {}).items()}
        for name, state in (initial or {}).items():
            for key, tensor in state.items():
                self.register_buffer(_buffer(self.names.index(name), key), tensor)

    @property
    def networks(self) -> dict[str, Network]:
        """The recurrent networks, by name."""
        named = zip(self.names, self.layers, strict=True)
        return {name: layer for name, layer in named if isinstance(layer, Network)}

    def initial_state(self, batch_size: int) -> dict[str, State]:
        """Return the states at which a batch of sequences starts, by the networks' names."""
        return {name: self._initial_state(name, net, batch_size) for name, net in self.networks.items()}

    def _initial_state(self, name: str, net: Network, batch_size: int) -> State:
        place = self.names.index(name)
        if name not in self._initial:
            return net.initial_state(batch_size)
        held = {key: getattr(self, _buffer(place, key)) for key in self._initial[name]}
        return State(**{key: tensor.expand(-1, batch_size, -1).contiguous() for key, tensor in held.items()})

    def forward(self, x: Tensor, states: Mapping[str, State] | None = None) -> tuple[Tensor, dict[str, State]]:
        """Run over a batch of sequences.

        Args:
            x: [B, T, I]; of symbols [B, T].
            states: what an earlier call returned; None starts at `initial_state`.

        Returns:
            The output of the last layer, and the states after the last step by the networks' names.

        Raises:
            InputError: a network's state is missing, or the input does not fit.
        """
        before = self.initial_state(x.shape[0]) if states is None else states
        missing = [name for name in self.networks if name not in before]
        if missing:
            raise InputError(f"states has no state of `{missing[0]}`; pass all that a call returned, or None to start")
        after: dict[str, State] = {}
        for name, layer in zip(self.names, self.layers, strict=True):
            if isinstance(layer, Network):
                y, finals, _ = layer.run(x, before[name], None, None)  # the replacements of torch.nn's take no State
                assert isinstance(y, Tensor)  # a tensor went in
                x, after[name] = y, State.of(finals)
            else:
                x = layer(x)
        return x, after


def _buffer(place: int, key: str) -> str:
    return f"initial_{place}_{key}"


class LastStep(nn.Module):
    """The last output of a sequence [B, T, D * O] as each direction reads: the reverse one ends at the first step.

    Args:
        num_directions: D.
    """

    def __init__(self, num_directions: int) -> None:
        super().__init__()
        self.num_directions = num_directions

    def forward(self, y: Tensor) -> Tensor:
        """Return [B, D * O]."""
        if self.num_directions == 1:
            return y[:, -1]
        forward, reverse = y.chunk(2, -1)
        return torch.cat([forward[:, -1], reverse[:, 0]], -1)


class TimeReversed(nn.Module):
    """A sequence [B, T, ...] from its last step to its first."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the sequence turned round."""
        return x.flip(1)
