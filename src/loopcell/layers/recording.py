"""Recording: what happened inside a network, by the names in its equations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from torch import Tensor

from loopcell.errors import InputError
from loopcell.layers.state import State


@dataclass(frozen=True, eq=False)
class Recording(Mapping[str, tuple[Tensor, ...]]):
    """Named quantities at every step: `recording["f"][k]` is the forget gate of layer and direction k, [T, B, n].

    Index k = layer * D + direction, as in the states; [B, T, n] with batch_first, [T, n] for one sequence. The reverse
    direction's values stand at the step of the input that they belong to.

    Attributes:
        output: what the call returns.
        state: the state after each row's last step.
        named: by name.
    """

    output: Tensor
    state: State
    named: Mapping[str, tuple[Tensor, ...]]

    def __getitem__(self, name: str) -> tuple[Tensor, ...]:
        try:
            return self.named[name]
        except KeyError:
            raise InputError(f"nothing was recorded under {name!r}; there is {', '.join(self.named)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.named)

    def __len__(self) -> int:
        return len(self.named)

    def __repr__(self) -> str:
        shapes = ", ".join(f"{name}: {[list(value.shape) for value in values]}" for name, values in self.named.items())
        return f"Recording({shapes})"
