"""State: what a recurrent network carries from one call to the next, as a named value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from loopcell.errors import FileFormatError, InputError
from loopcell.files.tensors import FileKind, TensorFile, read_tensor_file, write_tensor_file

_STATE = FileKind("loopcell-state", 1, "loopcell state")


class State(Mapping[str, Tensor]):
    """The states of a recurrent network by name: `state.h`, `state.c`, each [L * D, B, n].

    A state never hides in a module: it goes into a call and comes back from it. L counts layers, D directions;
    index k * D + d is layer k, direction d, as in torch.nn. `n` is the state's own length.
    A State is an immutable mapping and a torch pytree, so torch.func, torch.compile and copies see its tensors.
    """

    def __init__(self, /, **tensors: Tensor) -> None:
        for name, tensor in tensors.items():
            if not isinstance(tensor, Tensor):
                raise InputError(
                    f"state `{name}` must be a tensor [layers * directions, batch, size], not {type(tensor).__name__}"
                )
        self._tensors = tensors

    def __getattr__(self, name: str) -> Tensor:
        if name.startswith("_"):  # asked for while a copy is being made, before there are tensors
            raise AttributeError(name)
        try:
            return self._tensors[name]
        except KeyError:
            raise AttributeError(f"this state has {', '.join(self._tensors)}, no {name!r}") from None

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        return f"State({', '.join(f'{name}: {list(tensor.shape)}' for name, tensor in self.items())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (dict(self._tensors),))

    @property
    def batch_size(self) -> int:
        """B, the number of rows."""
        return next(iter(self.values())).shape[-2]

    def map(self, change: Callable[[Tensor], Tensor]) -> State:
        """Return the state with every tensor changed."""
        return State(**{name: change(tensor) for name, tensor in self.items()})

    def detach(self) -> State:
        """Return the state cut off from the past: no gradient flows into what made it (truncated BPTT)."""
        return self.map(Tensor.detach)

    def clone(self) -> State:
        """Return a copy in memory of its own."""
        return self.map(Tensor.clone)

    def to(self, *args: Any, **kwargs: Any) -> State:
        """Return the state on another device or in another dtype; arguments as in Tensor.to."""
        return self.map(lambda tensor: tensor.to(*args, **kwargs))

    def select(self, rows: Tensor | list[int] | slice) -> State:
        """Return the state of some rows of the batch, in that order.

        Args:
            rows: row numbers, a bool mask [B], or a slice.
        """
        if isinstance(rows, slice):
            return self.map(lambda tensor: tensor[..., rows, :])
        index = torch.as_tensor(rows)
        return self.map(lambda tensor: tensor[..., index.to(tensor.device), :])

    def reset(self, rows: Tensor) -> State:
        """Return the state with some rows back at zero.

        Args:
            rows: bool [B], true where a row starts afresh.

        Raises:
            InputError: the mask is not bool or not [B].
        """
        if rows.dtype != torch.bool or rows.shape != (self.batch_size,):
            raise InputError(
                f"reset takes a bool mask [{self.batch_size}], one entry a row; got {rows.dtype} {list(rows.shape)}"
            )
        mask = rows.unsqueeze(-1)
        return self.map(lambda tensor: torch.where(mask.to(tensor.device), torch.zeros_like(tensor), tensor))

    def save(self, path: str | Path) -> None:
        """Write the state to a safetensors file, whole or not at all.

        Raises:
            FileWriteError: the disk is full, or the folder cannot be written.
        """
        # A file orders its tensors as it likes; their own order is part of the state.
        write_tensor_file(Path(path), _STATE, TensorFile(dict(self), {"names": list(self)}))

    @classmethod
    def load(cls, path: str | Path) -> State:
        """Read a state back.

        Raises:
            FileFormatError: the file is missing, truncated, foreign, damaged or of a newer format.
        """
        content = read_tensor_file(Path(path), _STATE)
        names = content.facts.get("names")
        if not isinstance(names, list) or set(names) != set(content.tensors) or len(names) != len(content.tensors):
            raise FileFormatError(f"{path} is damaged: it names the states {names}, and holds {list(content.tensors)}")
        return cls(**{name: content.tensors[name] for name in names})


def _rebuild(tensors: dict[str, Tensor]) -> State:
    return State(**tensors)


def _flatten(state: State) -> tuple[list[Tensor], tuple[str, ...]]:
    return list(state.values()), tuple(state)


def _unflatten(tensors: Any, names: Any) -> State:
    # While a pytree is being mapped its leaves may be anything, so the check for tensors is left out.
    state = State()
    vars(state)["_tensors"] = dict(zip(names, tensors, strict=True))
    return state


pytree.register_pytree_node(
    State,
    _flatten,
    _unflatten,
    serialized_type_name="loopcell.State",
    to_dumpable_context=list,
    from_dumpable_context=tuple,
    flatten_with_keys_fn=lambda state: (
        [(pytree.MappingKey(name), tensor) for name, tensor in state.items()],
        tuple(state),
    ),
)
