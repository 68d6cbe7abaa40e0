"""The settings of a stack: attributes that may change at any time, and what is made from them when they do."""

from __future__ import annotations

import itertools
import operator
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

from torch import nn

from loopcell import cells
from loopcell.equations import Cell
from loopcell.errors import InputError
from loopcell.layers.call_cache import CallCache
from loopcell.layers.further_inputs import check_input_name
from loopcell.layers.spec import StackSpec, make_executables
from loopcell.layers.state import check_state_name


class StackSettings(nn.Module):
    """The settings of a stack, as attributes that a user may change, and the `StackSpec` that is made from them.

    Attributes:
        cell: the equations.
        input_size: I.
        hidden_size: H.
        num_layers: L.
        bidirectional: sequences are read in both directions; D = 2, else 1.
        batch_first: input and output are [B, T, ...] rather than [T, B, ...].
        dropout: probability of dropping an output of every layer but the last, in training.
        sizes: other sizes that the cell names; read-only.
        checkpoint_steps: see `gradient_checkpointing_enable`; None where it is not enabled, 0 for the square root of T.
        structure: names of attributes from which kernels are made; setting one makes them anew.
        autocast_keeps_dtype: under autocast results have the dtype of the state, where it is longer than autocast's.
    """

    structure: ClassVar[frozenset[str]] = frozenset(
        {"cell", "input_size", "hidden_size", "num_layers", "bidirectional", "sizes"}
    )
    _call_settings: ClassVar[frozenset[str]] = frozenset({"batch_first", "dropout", "checkpoint_steps"})
    autocast_keeps_dtype: ClassVar[bool] = False

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        *,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        num_layers = whole(num_layers)
        check_num_layers(num_layers)
        check_dropout(dropout)
        self.input_size = whole(input_size)
        self.hidden_size = whole(hidden_size)
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self._prepare(cell, sizes or {})

    def _prepare(self, cell: Cell, sizes: Mapping[str, int]) -> None:
        """Take the cell, and make ready to run it in every layer; the other settings are there."""
        for name in cell.states:
            check_state_name(name)
        for name in cell.inputs[1:]:
            check_input_name(name)
        self.cell = cell
        self.sizes = sizes
        self.checkpoint_steps: int | None = None
        self._use(self._make_spec())

    @property
    def sizes(self) -> Mapping[str, int]:
        """Other sizes that the cell names, by name."""
        return MappingProxyType(vars(self)["sizes"])

    @sizes.setter
    def sizes(self, sizes: Mapping[str, int]) -> None:
        vars(self)["sizes"] = {name: whole(size) for name, size in sizes.items()}  # a dict, which can be pickled

    @property
    def spec(self) -> StackSpec:
        """The settings as one value, and what runs each layer."""
        if self._spec is None:
            self._check_structure()
            self._use(self._make_spec())
            assert self._spec is not None  # just made
        return self._spec

    def _use(self, spec: StackSpec | None) -> None:
        """Run what a spec says from now on; None: what the attributes say when it is needed."""
        self._spec = spec
        self._calls = CallCache()

    def _make_spec(self) -> StackSpec:
        executables = make_executables(
            self.cell,
            self.input_size,
            self.hidden_size,
            self.num_layers,
            num_directions=self.num_directions,
            sizes=self.sizes,
            autocast_keeps_dtype=self.autocast_keeps_dtype,
        )
        return StackSpec(
            self.cell,
            self.input_size,
            self.num_layers,
            self.bidirectional,
            self.batch_first,
            self.dropout,
            self.checkpoint_steps,
            executables,
            executables[0].state_sizes,
            executables[0].further,
        )

    @abstractmethod
    def _check_structure(self) -> None:
        """Refuse a structure for which the network has not the parameters."""

    @property
    def num_directions(self) -> int:
        """D, 2 if bidirectional."""
        return 2 if self.bidirectional else 1

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield (layer, direction) in the order of the states' first axis."""
        return itertools.product(range(self.num_layers), range(self.num_directions))

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; what was made from the settings is made anew where they change."""
        is_setting = name in self.structure or name in self._call_settings
        if not is_setting or "_spec" not in vars(self):  # before the constructor is done nothing was made
            super().__setattr__(name, value)
            return
        if name == "cell":
            value = cells.get(value)  # a name is taken here as in the constructor
        check_setting(name, value)  # before it is set: what is refused leaves the network as it was
        changes = vars(self).get(name) != value
        super().__setattr__(name, value)
        if changes and name in self.structure:
            self._use(None)  # later: several may change, one by one, before they fit the parameters
        elif changes and self._spec is not None:
            self._use(replace(self._spec, **{name: value}))  # at once: torch.compile cannot trace through it later

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what a pickle or a copy holds, and make what a pickle does not hold: see `StackSpec`."""
        state = dict(state)
        earlier = state.pop("_kept_steps", None)  # the name of `checkpoint_steps` in earlier versions
        super().__setstate__({"checkpoint_steps": earlier, **state})  # type: ignore[no-untyped-call]  # torch's
        self._use(state.get("_spec") or self._make_spec())

    def gradient_checkpointing_enable(self, steps: int | None = None) -> None:
        """Save less memory for backward: the states every few steps; what lies between is computed again.

        Results and gradients stay what they are, and training takes about one forward pass more. Inside torch.compile,
        a trace or a mode it has no effect.

        Args:
            steps: between the states that are saved; None: the square root of T, which is where memory is least.

        Raises:
            InputError: steps is below 1.
        """
        if steps is not None and (not isinstance(steps, int) or steps < 1):
            raise InputError(f"steps is a whole number of at least 1, not {steps!r}")
        self.checkpoint_steps = steps or 0

    def gradient_checkpointing_disable(self) -> None:
        """Save everything for backward that the gradient needs."""
        self.checkpoint_steps = None

    def extra_repr(self) -> str:
        """Describe the layer as torch prints it."""
        parts = [self.cell.name, str(self.input_size), str(self.hidden_size)]
        if self.num_layers != 1:
            parts.append(f"num_layers={self.num_layers}")
        parts += [f"{name}={size}" for name, size in self.sizes.items()]
        parts += [f"{name}=True" for name in ("batch_first", "bidirectional") if getattr(self, name)]
        if self.dropout:
            parts.append(f"dropout={self.dropout}")
        return ", ".join(parts)


def whole(size: Any) -> Any:
    """Return a size as a plain int, numpy's included; what is no whole number stays, for the error to show."""
    try:
        return operator.index(size)
    except TypeError:
        return size


def check_num_layers(num_layers: object) -> None:
    """Refuse a number of layers below 1.

    Raises:
        InputError: it is no whole number of at least 1.
    """
    if not isinstance(num_layers, int) or num_layers < 1:
        raise InputError(f"num_layers must be a whole number of at least 1, not {num_layers!r}")


def check_dropout(dropout: object) -> None:
    """Refuse what is no probability.

    Raises:
        InputError: it is no number from 0 to 1.
    """
    if not isinstance(dropout, (int, float)) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
        raise InputError(f"dropout is the probability of dropping an output, from 0 to 1, not {dropout!r}")


def _check_steps(steps: object) -> None:
    if steps is not None and (not isinstance(steps, int) or steps < 0):
        raise InputError(f"checkpoint_steps is a whole number, 0 for the square root of T, or None, not {steps!r}")


def _check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise InputError(f"{name} must be True or False, not {value!r}")


def check_setting(name: str, value: object) -> None:
    """Refuse a value that a constructor would refuse, for an attribute that a user sets.

    Raises:
        InputError: which it is, and what it may be.
    """
    if name in ("batch_first", "bidirectional"):
        _check_flag(name, value)
    elif name == "num_layers":
        check_num_layers(value)
    elif name == "dropout":
        check_dropout(value)
    elif name == "checkpoint_steps":
        _check_steps(value)
