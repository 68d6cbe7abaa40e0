"""The result of an import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import nn

from loopcell.errors import UsageError
from loopcell.importing.building import Network
from loopcell.importing.contents import listed


@dataclass(frozen=True)
class Imported:
    """The result of an import: the whole as a module, and the recurrent networks in it.

    Attributes:
        model: everything that was read, as one module that computes what the other system computes; in evaluation
            mode. With a single network and nothing around it, that network.
        networks: the recurrent networks by the name that the file has for them; parts of `model`, not copies.
        read: the names of the tensors that were read.
        left_out: what the file has and a network has no use for, such as the state of the optimizer or the dropout of
            a training; each with a word about it.
        facts: what else the file says, such as the sample rate of an audio model.
    """

    model: nn.Module
    networks: Mapping[str, Network]
    read: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def network(self) -> Network:
        """The recurrent network, where there is one.

        Raises:
            UsageError: there are several; the message names them.
        """
        if len(self.networks) != 1:
            raise UsageError(
                f"there are {len(self.networks)} networks, {listed(self.networks)}: use networks[...] with one of these"
            )
        return next(iter(self.networks.values()))
