"""A stack of layers over one cell: what Recurrent and the torch.nn replacements share."""

from __future__ import annotations

import copy
import itertools
import math
import operator
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from loopcell.equations import Cell
from loopcell.errors import InputError, TensorError
from loopcell.layers import boundary
from loopcell.layers.again import Again, stacked
from loopcell.layers.recording import Recording
from loopcell.layers.sequences import as_lengths, check_reset, checked_lengths, repack, unpack
from loopcell.layers.state import State, check_state_name
from loopcell.layers.stepper import Stepper
from loopcell.runtime import Executable, Lengths, Plan, Weights


class Stack(nn.Module):
    """Layers and directions of one cell; subclasses say how its parameters are kept.

    Attributes:
        cell: the equations.
        input_size: I.
        hidden_size: H.
        num_layers: L.
        bidirectional: read both ways; D = 2 directions, else 1.
        batch_first: input and output are [B, T, ...] rather than [T, B, ...].
        dropout: probability of dropping an output of every layer but the last, in training.
        structure: names of attributes from which kernels are made; setting one makes them anew.
        autocast_keeps_dtype: under autocast results have the dtype of the state, where it is longer than autocast's.
    """

    structure: ClassVar[frozenset[str]] = frozenset(
        {"cell", "input_size", "hidden_size", "num_layers", "bidirectional", "sizes"}
    )
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
        _check_stack(num_layers, dropout)
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
        self.cell = cell
        self.sizes = MappingProxyType({name: whole(size) for name, size in sizes.items()})
        self._kept_steps: int | None = None
        self._executables: tuple[Executable, ...] | None = self._make_executables()
        self._again = Again()

    @property
    def executables(self) -> tuple[Executable, ...]:
        """What runs each layer."""
        if self._executables is None:
            self._check_structure()
            self._executables = self._make_executables()
        return self._executables

    def _check_structure(self) -> None:
        """Refuse a structure for which the network has not the parameters."""
        suffixes = [suffix(layer, direction) for layer, direction in self.places()]
        if suffixes != self._kept_suffixes():
            raise TensorError(
                f"num_layers={self.num_layers} and bidirectional={self.bidirectional} need the parameters of "
                f"{', '.join(suffixes)}; the network has those of {', '.join(self._kept_suffixes())}: make a new one"
            )
        try:
            known = set(self.weights(0, 0))
        except AttributeError as error:  # a packed tensor that other settings have no use for
            raise TensorError(f"{error}, which its settings need now: make a new network") from None
        missing = [name for name in self.cell.graph.parameters if name not in known]
        if missing:
            raise TensorError(
                f"cell `{self.cell.name}` has the parameters {', '.join(missing)}, which the network has not: "
                "make a new one"
            )

    @abstractmethod
    def _kept_suffixes(self) -> list[str]:
        """Return the layers and directions of which there are parameters, as by `suffix`."""

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute; what was made from the structure is made anew where that changes."""
        constructed = "_executables" in vars(self)
        if constructed:
            _check_setting(name, value)
        changes = name in self.structure and constructed and vars(self).get(name) != value
        super().__setattr__(name, value)
        if changes:
            self._executables = None
            self._again = Again()

    def __getstate__(self) -> dict[str, Any]:
        """Return what travels in a pickle: the cell does, the functions made from it are made again."""
        state = {name: value for name, value in self._lasting().items() if name != "_executables"}
        return {**state, "sizes": dict(self.sizes)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        sizes = MappingProxyType(state["sizes"])
        super().__setstate__({**state, "sizes": sizes, "_again": Again()})  # type: ignore[no-untyped-call]  # torch's
        self._executables = self._make_executables()

    def __deepcopy__(self, memo: dict[int, Any]) -> Stack:
        """Copy parameters and settings; the cell and what was made from it never change, and are shared."""
        for shared in (self.cell, self.sizes, self._executables):
            memo[id(shared)] = shared
        new = memo[id(self)] = type(self).__new__(type(self))
        vars(new).update(copy.deepcopy(self._lasting(), memo))
        vars(new)["_again"] = Again()
        return new

    def _lasting(self) -> dict[str, Any]:
        """Return what a copy has too: all but the memory of calls."""
        return {name: value for name, value in vars(self).items() if name != "_again"}

    @property
    def num_directions(self) -> int:
        """D, 2 if bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def checkpoints(self) -> bool:
        """Whether the gradient computes again what `gradient_checkpointing_enable` did not keep."""
        return self._kept_steps is not None

    @property
    def output_size(self) -> int:
        """Length of the output: D times what the cell gives."""
        return self.num_directions * self.executables[0].output_size

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield (layer, direction) in the order of the states' first axis."""
        return itertools.product(range(self.num_layers), range(self.num_directions))

    @abstractmethod
    def weights(self, layer: int, direction: int) -> dict[str, Tensor]:
        """Return the parameters of one layer and direction, by the names of the equations."""

    def sources(self, layer: int, direction: int) -> Weights:
        """Return the same as the tensors in which the network keeps them."""
        return Weights.of(self.weights(layer, direction))

    @abstractmethod
    def assign(self, layer: int, direction: int, name: str, value: Tensor) -> None:
        """Overwrite one parameter of the equations in place, such as "b.f" with ones."""

    def gradient_checkpointing_enable(self, steps: int | None = None) -> None:
        """Keep less memory for the gradient: the states every few steps; what lies between is computed again.

        Results and gradients stay what they are, and training takes about one forward pass more. Inside torch.compile,
        a trace or a mode it has no effect.

        Args:
            steps: between the states that are kept; None: the square root of T, which is where memory is least.

        Raises:
            InputError: steps is below 1.
        """
        if steps is not None and (not isinstance(steps, int) or steps < 1):
            raise InputError(f"steps is a whole number of at least 1, not {steps!r}")
        self._kept_steps = steps or 0

    def gradient_checkpointing_disable(self) -> None:
        """Keep everything again that the gradient needs."""
        self._kept_steps = None

    def stepper(self, batch_size: int = 1, state: State | None = None) -> Stepper:
        """Return the network one step at a time, for control loops, live audio and generation.

        Args:
            batch_size: B, how many rows every step has.
            state: where to start; None starts at zero.

        Raises:
            InputError: the network is bidirectional, or the state does not fit.
        """
        return Stepper(self, batch_size, state)

    def record(
        self,
        x: Tensor,
        *names: str,
        state: State | None = None,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
    ) -> Recording:
        """Run as a call does, and return named quantities at every step of every layer.

        Args:
            x: the input, a tensor as in a call.
            names: the author's names of values, such as "i", "f", "c"; a state's name is the state after the step.
                None: all that have a name.
            state: as in a call.
            lengths: as in a call.
            reset: as in a call.

        Returns:
            The output, the final state, and for every name one tensor [T, B, n] a layer and direction. Past a row's
            end they are 0. They carry no gradient.

        Raises:
            InputError: there is no value of a name; or the input is off.
        """
        if isinstance(x, PackedSequence):
            raise InputError("a recording takes a padded tensor and lengths=, not a PackedSequence")
        names = names or self.executables[0].names
        y, new, values = self.run(x, state, lengths, reset, record=names)
        assert isinstance(y, Tensor)  # a tensor went in
        return Recording(y, new, values)

    def executable(self, layer: int) -> Executable:
        """Return what runs a layer."""
        return self.executables[layer]

    def output_sizes(self) -> list[int]:
        """Return the length of every layer's output, for one direction."""
        return [executable.output_size for executable in self.executables]

    def plan(self) -> list[Plan]:
        """Return for every layer which path runs it, and why."""
        weight = boundary.first_parameter(self, torch.empty(0))
        return [executable.plan(weight.device, weight.dtype, training=self.training) for executable in self.executables]

    def initial_state(
        self, batch_size: int, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> State:
        """Return the state at rest: zeros [L * D, B, n] for each state of the cell."""
        weight = boundary.first_parameter(self, torch.empty(0))
        device, dtype = device or weight.device, dtype or weight.dtype
        rows = self.num_layers * self.num_directions
        sizes = self.executables[0].state_sizes
        return State(
            **{name: torch.zeros(rows, batch_size, size, device=device, dtype=dtype) for name, size in sizes.items()}
        )

    def run(
        self,
        x: Tensor | PackedSequence,
        state: State | None,
        lengths: Tensor | Sequence[int] | None,
        reset: Tensor | None,
        record: tuple[str, ...] = (),
    ) -> tuple[Tensor | PackedSequence, State, dict[str, tuple[Tensor, ...]]]:
        """Check the input, bring it to [T, B, I], run every layer, and give the output the input's form."""
        form = self._again.form(self, x) if lengths is None and reset is None and not record else None
        if form is not None:
            assert isinstance(x, Tensor)  # nothing else has a form
            again = self._again.run(self, form, x, state)
            if again is not None:
                return *again, {}
        if isinstance(x, PackedSequence):
            if lengths is not None or reset is not None:
                raise InputError(
                    "a PackedSequence carries its own lengths; pass a padded tensor to use lengths= or reset="
                )
            return self._run_packed(x, state)
        if not isinstance(x, Tensor) or x.dim() not in (2, 3):
            raise TensorError(f"the input must be {boundary.expected(self)}; got {boundary.described(x)}")
        check_reset(reset)
        unbatched = x.dim() == 2
        time_first, batch_reset = boundary.time_first(self, x, reset, unbatched=unbatched)
        boundary.check_input(self, x, time_first)
        state = boundary.checked_state(self, state, time_first, unbatched=unbatched)
        rows = checked_lengths(time_first, as_lengths(lengths, time_first.shape[1]), batch_reset)
        y, new, recorded = self._layers(rows.without_padding(time_first), state, rows, record)

        def outer(tensor: Tensor) -> Tensor:
            if unbatched:
                return tensor.squeeze(1)
            return tensor.transpose(0, 1) if self.batch_first else tensor

        if unbatched:
            new = new.map(lambda tensor: tensor.squeeze(1))
        if form is not None:
            self._again.remember(self, form, x)
        return outer(y), new, {name: tuple(map(outer, values)) for name, values in recorded.items()}

    def _run_packed(
        self, packed: PackedSequence, state: State | None
    ) -> tuple[PackedSequence, State, dict[str, tuple[Tensor, ...]]]:
        if packed.data.dim() != 2:
            raise TensorError(
                f"a PackedSequence must hold all steps of all rows as [steps, {self.input_size}]; "
                f"got {boundary.described(packed.data)}"
            )
        x, packed_lengths = unpack(packed)
        boundary.check_input(self, packed.data, x)
        before = boundary.checked_state(self, state, x, unbatched=False)
        if state is not None and packed.sorted_indices is not None:
            before = before.select(packed.sorted_indices)
        y, new, _ = self._layers(x, before, checked_lengths(x, packed_lengths, None), packed=True)
        if packed.unsorted_indices is not None:
            new = new.select(packed.unsorted_indices)
        return repack(y, packed_lengths, packed), new, {}

    def _layers(
        self, x: Tensor, state: State, rows: Lengths, record: tuple[str, ...] = (), *, packed: bool = False
    ) -> tuple[Tensor, State, dict[str, list[Tensor]]]:
        finals: list[list[Tensor]] = []
        recorded: dict[str, list[Tensor]] = {name: [] for name in record}
        ways = rows.directions(self.num_directions)
        segment = math.isqrt(rows.steps) if self._kept_steps == 0 else self._kept_steps or 0
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self.num_directions):
                before = [tensor[len(finals)] for tensor in state.values()]
                inner = rows.reverse(x) if direction else x
                weights, way = self.sources(layer, direction), ways[direction]
                y, after, seen = self.executables[layer](
                    inner, before, weights, way, training=self.training, record=record, segment=segment
                )
                for name, value in seen.items():
                    recorded[name].append(rows.reverse(value) if direction else value)
                outputs.append(rows.reverse(y) if direction else y)
                finals.append(after)
            x = outputs[0] if len(outputs) == 1 else torch.cat(outputs, -1)
            if self.dropout and layer < self.num_layers - 1:
                x = self._dropped(x, rows, packed=packed)
        new = {name: stacked([final[place] for final in finals]) for place, name in enumerate(state)}
        return x, State.of(new), recorded

    def _dropped(self, x: Tensor, rows: Lengths, *, packed: bool) -> Tensor:
        """Return a layer's outputs [T, B, O] after dropout; where the input was packed, drawn for valid steps alone.

        So torch.nn draws, and one seed gives the same run.
        """
        if not (packed and self.training and rows.lengths is not None):
            return functional.dropout(x, self.dropout, self.training)
        valid = pack_padded_sequence(x, rows.lengths.cpu())
        dropped = PackedSequence(functional.dropout(valid.data, self.dropout), valid.batch_sizes)
        return pad_packed_sequence(dropped, total_length=rows.steps)[0]

    def _make_executables(self) -> tuple[Executable, ...]:
        def made(input_size: int) -> Executable:
            sizes = self.cell.resolve_sizes(input_size=input_size, hidden_size=self.hidden_size, sizes=self.sizes)
            return Executable(self.cell, sizes, autocast_keeps_dtype=self.autocast_keeps_dtype)

        first = made(self.input_size)
        between = first.output_size * self.num_directions
        return (first, *(made(between) for _ in range(1, self.num_layers)))

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


def suffix(layer: int, direction: int) -> str:
    """Return how a layer and direction is named, in modules and in torch.nn's parameters."""
    return f"l{layer}_reverse" if direction else f"l{layer}"


def _check_stack(num_layers: int, dropout: float) -> None:
    if not isinstance(num_layers, int) or num_layers < 1:
        raise InputError(f"num_layers must be a whole number of at least 1, not {num_layers!r}")
    if not isinstance(dropout, (int, float)) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
        raise InputError(f"dropout is the probability of dropping an output, from 0 to 1, not {dropout!r}")


def _check_setting(name: str, value: Any) -> None:
    """Refuse a value that a constructor would refuse, for an attribute that a user sets.

    Raises:
        InputError: which it is, and what it may be.
    """
    if name in ("batch_first", "bidirectional") and not isinstance(value, bool):
        raise InputError(f"{name} must be True or False, not {value!r}")
    if name == "cell" and not isinstance(value, Cell):
        raise InputError(f"the cell must be made by @cell or be one of loopcell.cells, not {type(value).__name__}")
    if name in ("num_layers", "dropout"):
        _check_stack(value if name == "num_layers" else 1, value if name == "dropout" else 0.0)


def whole(size: Any) -> Any:
    """Return a size as a plain int, numpy's included; what is no whole number stays, for the error to show."""
    try:
        return operator.index(size)
    except TypeError:
        return size
