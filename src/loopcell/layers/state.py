"""State: what a recurrent network carries from one call to the next, as a named value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load as read_tensors, save as write_tensors
from torch import Tensor
from torch.utils import _pytree as pytree

from loopcell.errors import FileFormatError, InputError
from loopcell.files import atomic_write

_FORMAT = "loopcell-state"
_VERSION = 1


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
        """Write the state to a safetensors file, atomically."""
        tensors = {name: tensor.detach().contiguous().cpu() for name, tensor in self.items()}
        # The file orders tensors as it likes; their own order is part of the state.
        metadata = {"format": _FORMAT, "format_version": str(_VERSION), "names": ",".join(tensors)}
        with atomic_write(Path(path)) as temporary:
            temporary.write_bytes(write_tensors(tensors, metadata))

    @classmethod
    def load(cls, path: str | Path) -> State:
        """Read a state back.

        Raises:
            FileFormatError: the file is missing, truncated or not a state of a version that this one reads.
        """
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
            tensors = read_tensors(Path(path).read_bytes())
        except (OSError, safetensors.SafetensorError) as error:
            raise FileFormatError(f"{path} cannot be read as a state: {error}") from None
        if metadata.get("format") != _FORMAT:
            raise FileFormatError(f"{path} is a safetensors file, but not a loopcell state")
        if metadata.get("format_version") != str(_VERSION):
            raise FileFormatError(
                f"{path} has state format {metadata.get('format_version')}; this version reads format {_VERSION}"
            )
        names = metadata.get("names", "").split(",")
        if sorted(names) != sorted(tensors):
            raise FileFormatError(f"{path} names the states {', '.join(names)}, and holds {', '.join(tensors)}")
        return cls(**{name: tensors[name] for name in names})


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
