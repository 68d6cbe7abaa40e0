"""State: what a recurrent network carries from one call to the next, as a named value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from loopcell.errors import FileFormatError, InputError, quoted
from loopcell.files.tensors import FileKind, TensorFile, read_tensor_file, write_tensor_file

_STATE = FileKind("loopcell-state", 1, "loopcell state")
_LEAST_AXES = 2  # of a tensor of a state: without a batch it is [L * D, n]


class State(Mapping[str, Tensor]):
    """The states of a recurrent network by name: `state.h`, `state.c`, each [L * D, B, n].

    A state never hides in a module: it goes into a call and comes back from it. L counts layers, D directions;
    index k * D + d is layer k, direction d, as in torch.nn. `n` is the state's own length.
    A State is an immutable mapping and a torch pytree, so torch.func, torch.compile and copies see its tensors.
    """

    _tensors: dict[str, Tensor]

    def __init__(self, /, **tensors: Tensor) -> None:
        for name, tensor in tensors.items():
            check_state_name(name)
            if not isinstance(tensor, Tensor):
                raise InputError(
                    f"state `{name}` must be a tensor [layers * directions, batch, size], not {type(tensor).__name__}"
                )
        object.__setattr__(self, "_tensors", tensors)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a State does not change; make a new one, as in State(h=...) or state.map(...)")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a State does not change; make a new one, as in State(h=...) or state.map(...)")

    def __eq__(self, other: object) -> bool:
        """Tell states apart by identity, as tensors are: whether numbers agree is a question to torch."""
        return True if self is other else NotImplemented

    def __hash__(self) -> int:
        return id(self)

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

    @classmethod
    def of(cls, tensors: dict[str, Tensor]) -> State:
        """Return the state of tensors whose names are known to be good."""
        state = cls()
        vars(state)["_tensors"] = tensors
        return state

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

        Raises:
            InputError: there is no such row, or the mask is not [B].
        """
        if isinstance(rows, slice):
            return self.map(lambda tensor: tensor[..., rows, :])
        try:
            index = rows if isinstance(rows, Tensor) else torch.as_tensor(rows, device="cpu")
            index = index if index.numel() else index.long()  # nothing has no type of its own
            return self.map(lambda tensor: tensor[..., index.to(tensor.device), :])
        except (IndexError, TypeError, ValueError):
            raise InputError(
                f"select takes row numbers below {self.batch_size}, a bool mask [{self.batch_size}] or a slice; "
                f"got {rows!r}"
            ) from None

    def reset(self, rows: Tensor | list[bool]) -> State:
        """Return the state with some rows back at zero.

        Args:
            rows: bool [B], true where a row starts afresh.

        Raises:
            InputError: the mask is not bool or not [B].
        """
        mask = torch.as_tensor(rows, device="cpu") if isinstance(rows, list) else rows
        mask = mask if isinstance(mask, Tensor) else None
        if mask is None or mask.dtype != torch.bool or mask.shape != (self.batch_size,):
            came = type(rows).__name__ if mask is None else f"{mask.dtype} {list(mask.shape)}"
            raise InputError(f"reset takes a bool mask [{self.batch_size}], one entry a row; got {came}")
        mask = mask.unsqueeze(-1)
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
        if not _are_names(names) or not names or sorted(names) != sorted(content.tensors):
            held = quoted(list(content.tensors))
            raise FileFormatError(f"{path} is damaged: it names the states {quoted(names)}, and holds {held}")
        try:
            state = cls(**{name: content.tensors[name] for name in names})
        except InputError as error:
            raise FileFormatError(f"{path} is damaged: {error}") from None
        for name, tensor in state.items():
            if tensor.ndim < _LEAST_AXES or not tensor.is_floating_point():
                raise FileFormatError(
                    f"{path} is damaged: the state {quoted(name)} is {tensor.dtype} of shape {list(tensor.shape)}, "
                    "and not numbers [layers * directions, batch, size]"
                )
        return state


_TAKEN = frozenset(dir(State))


def check_state_name(name: str) -> None:
    """Refuse a name under which State, or a network, could not give the tensor back as an attribute.

    Raises:
        InputError: the name is one of State's own.
    """
    if name.startswith("_"):
        raise InputError(f"a state cannot be named `{name}`: names with _ before them are State's own; pick another")
    if name in _TAKEN:
        raise InputError(f"a state cannot be named `{name}`: State has an attribute of that name; pick another")


def _are_names(found: object) -> TypeGuard[list[str]]:
    return isinstance(found, list) and all(isinstance(name, str) for name in found)


def _rebuild(tensors: dict[str, Tensor]) -> State:
    return State(**tensors)


def _flatten(state: State) -> tuple[list[Tensor], tuple[str, ...]]:
    return list(state.values()), tuple(state)


def _unflatten(tensors: Any, names: Any) -> State:
    # While a pytree is being mapped its leaves may be anything, so the check for tensors is left out.
    return State.of(dict(zip(names, tensors, strict=True)))


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
