"""Several networks as one: what they say is averaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """Networks of one kind that learned from different examples.

    It is one network with the parameters of all, so that a file, a device and a dtype are those of any network. What
    looks inside looks into the first member: `reader` is its reader.

    Args:
        make: makes a member.
        size: how many there are.
        beside: arguments of a class that stands beside this one among the bases.

    Attributes:
        trained: int64, how many of them training came to; the others do not count.
    """

    trained: Tensor

    def __init__(self, make: Callable[[], nn.Module], size: int, *beside: Any) -> None:
        super().__init__(*beside)
        self.members = nn.ModuleList(make() for _ in range(size))
        self.register_buffer("trained", torch.tensor(size))

    @property
    def reader(self) -> nn.Module:
        """The reader of the first member."""
        return self.members[0].get_submodule("reader")

    def learned(self) -> list[Any]:
        """Return the members that training came to: the first one at least."""
        return list(self.members)[: max(1, int(self.trained))]

    def loss(self, batch: Any) -> Any:
        """Return the loss of the first member: each learns by its own."""
        return self.members[0].loss(batch)  # type: ignore[operator] # Trainable

    def summed(self, buffer: str) -> Tensor:
        """Return the sum of a buffer over the members, such as that of counts."""
        return torch.stack([member.get_buffer(buffer) for member in self.learned()]).sum(0)


def first_member(network: nn.Module) -> nn.Module:
    """Return the network itself, or of an ensemble its first member."""
    return network.members[0] if isinstance(network, Ensemble) else network


def members_of(network: nn.Module) -> list[Any]:
    """Return the networks whose answers count: those of an ensemble that were trained, or the network itself."""
    return network.learned() if isinstance(network, Ensemble) else [network]


def mean(parts: list[Tensor]) -> Tensor:
    """Return the mean of the members' answers."""
    return torch.stack(parts).mean(0)
