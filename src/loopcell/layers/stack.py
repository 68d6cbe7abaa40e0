"""A stack of layers over one cell: what Recurrent and the torch.nn replacements share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from loopcell.errors import InputError, TensorError
from loopcell.layers import boundary
from loopcell.layers.call_cache import CallKey, call_key, readable_inputs
from loopcell.layers.further_inputs import read_inputs, unpacked_inputs
from loopcell.layers.layer_by_layer import LayersResults, run_layers, stacked
from loopcell.layers.recording import Recording
from loopcell.layers.sequences import as_lengths, check_reset, checked_lengths, repack, unpack
from loopcell.layers.settings import StackSettings
from loopcell.layers.spec import StackSpec
from loopcell.layers.state import State
from loopcell.layers.stepper import Stepper, Width
from loopcell.layers.streaming.of_network import StreamedNetwork
from loopcell.runtime import Executable, Lengths, Plan, Weights

Results = tuple[Tensor, dict[str, Tensor], dict[str, tuple[Tensor, ...]]]
"""The output, the final states [L * D, B, n] by name, and what was recorded, by name, for each layer and direction."""

_NO_INPUTS: Mapping[str, Any] = {}


class Stack(StreamedNetwork, StackSettings):
    """Layers and directions of one cell; subclasses say which modules and tensors hold its parameters."""

    @abstractmethod
    def _suffixes(self) -> list[str]:
        """Return the layers and directions of which there are parameters, as by `suffix`."""

    @abstractmethod
    def weights(self, layer: int, direction: int) -> dict[str, Tensor]:
        """Return the parameters of one layer and direction, by the names of the equations."""

    def _check_structure(self) -> None:
        """Refuse a structure for which the network has not the parameters."""
        suffixes, present = [suffix(layer, direction) for layer, direction in self.places()], self._suffixes()
        if suffixes != present:
            raise TensorError(
                f"num_layers={self.num_layers} and bidirectional={self.bidirectional} need the parameters of "
                f"{', '.join(suffixes)}; the network has those of {', '.join(present)}: make a new one"
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

    @property
    def output_size(self) -> int:
        """Length of the output: D times what the cell gives."""
        return self.num_directions * self.spec.executables[0].output_size

    def sources(self, layer: int, direction: int) -> Weights:
        """Return the same as the tensors that hold them."""
        return Weights.of(self.weights(layer, direction))

    @abstractmethod
    def assign(self, layer: int, direction: int, name: str, value: Tensor) -> None:
        """Overwrite one parameter of the equations in place, such as "b.f" with ones."""

    def stepper(self, batch_size: int = 1, state: State | None = None, *, weights: Width | None = None) -> Stepper:
        """Return the network one step at a time, for control loops, live audio and generation.

        Args:
            batch_size: B, how many rows every step has.
            state: where to start; None starts at zero.
            weights: "bf16" or "int8", the width to which matrices of weights are rounded; None: as they are.

        Raises:
            InputError, UsageError: the network is bidirectional, the state does not fit, or weights cannot be narrow.
        """
        return Stepper(self, batch_size, state, weights)

    def record(
        self,
        x: Tensor,
        *names: str,
        state: State | None = None,
        lengths: Tensor | Sequence[int] | None = None,
        reset: Tensor | None = None,
        **inputs: Tensor,
    ) -> Recording:
        """Run as a call does, and return named quantities at every step of every layer.

        Args:
            x: the input, a tensor as in a call.
            names: of values, such as "i", "f", "c"; a state's name is the state after the step. None: all with a name.
            state: as in a call.
            lengths: as in a call.
            reset: as in a call.
            inputs: the cell's further inputs by name, as in a call.

        Returns:
            The output, the final state, and for every name one tensor [T, B, n] a layer and direction. Past a row's
            end they are 0. They carry no gradient.

        Raises:
            InputError: there is no value of a name; or the input is off.
        """
        if isinstance(x, PackedSequence):
            raise InputError("a recording takes a padded tensor and lengths=, not a PackedSequence")
        y, states, values = self.run(x, state, lengths, reset, names or self.spec.executables[0].names, inputs)
        assert isinstance(y, Tensor)  # a tensor went in
        return Recording(y, State.of(states), values)

    def executable(self, layer: int) -> Executable:
        """Return what runs a layer."""
        return self.spec.executables[layer]

    def plan(self) -> list[Plan]:
        """Return for every layer which path runs it, and why."""
        weight = self._any_parameter()
        executables = self.spec.executables
        return [executable.plan(weight.device, weight.dtype, training=self.training) for executable in executables]

    def initial_state(
        self, batch_size: int, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> State:
        """Return the state at rest: zeros [L * D, B, n] for each state of the cell."""
        weight = self._any_parameter()
        device, dtype = device or weight.device, dtype or weight.dtype
        return State.of(boundary.zero_state(self.spec, batch_size, device=device, dtype=dtype))

    def _any_parameter(self) -> Tensor:
        """Return some parameter; a tensor of the default dtype and device where there is none."""
        weight = boundary.first_parameter(self)
        return torch.empty(0) if weight is None else weight

    # -- a call ----------------------------------------------------------------------------------------

    def run(
        self,
        x: Tensor | PackedSequence,
        state: State | None,
        lengths: Tensor | Sequence[int] | None,
        reset: Tensor | None,
        record: tuple[str, ...] = (),
        inputs: Mapping[str, Any] = _NO_INPUTS,
    ) -> tuple[Tensor | PackedSequence, dict[str, Tensor], dict[str, tuple[Tensor, ...]]]:
        """Run every layer, as an earlier call ran or after all checks.

        Returns:
            The output in the form of the input, the final states by name, and what was recorded.
        """
        spec, key = self.spec if self._spec is None else self._spec, None
        if lengths is None and reset is None and not record:
            # Before all checks: the call that is remembered passed them, and what may have changed is looked at.
            key = call_key(spec, x, training=self.training)
            found = self._run_cached(spec, key, x, state, inputs)
            if found is not None:
                return found
        if isinstance(x, PackedSequence):
            if lengths is not None or reset is not None:
                raise InputError(
                    "a PackedSequence carries its own lengths; pass a padded tensor to use lengths= or reset="
                )
            return self._run_packed(spec, x, state, inputs)
        if not isinstance(x, Tensor) or x.dim() not in (2, 3):
            raise TensorError(f"the input must be {boundary.expected(spec)}; got {boundary.described(x)}")
        return self._run_padded(spec, x, state, lengths, reset, record, key, inputs)

    def _run_cached(
        self, spec: StackSpec, key: CallKey | None, x: Any, state: Any, inputs: Mapping[str, Any]
    ) -> Results | None:
        """Run the kernels of an earlier call; None where there was none like this one, or they cannot run now."""
        cached = self._calls.find(key, state)
        if cached is None:
            return None
        x = x.transpose(0, 1) if spec.batch_first else x
        further = readable_inputs(spec, inputs, x) if inputs or spec.further else ()
        results = None if further is None else cached.run(x, state, self.sources, further)
        if results is None:
            return None
        y, finals = results
        return y.transpose(0, 1) if spec.batch_first else y, stacked(cached.shapes, finals), {}

    def _run_padded(
        self,
        spec: StackSpec,
        original: Tensor,
        state: State | None,
        lengths: Tensor | Sequence[int] | None,
        reset: Tensor | None,
        record: tuple[str, ...],
        key: CallKey | None,
        inputs: Mapping[str, Any],
    ) -> Results:
        """Check a call on a tensor, bring it to [T, B, I], run it, and remember its kernel calls by its key."""
        if reset is not None:  # first, since `time_first` asks for its axes
            check_reset(reset)
        unbatched, weight = original.dim() == 2, boundary.first_parameter(self)
        x, reset = boundary.time_first(spec, original, reset, unbatched=unbatched)
        boundary.check_input(spec, original, x, weight)
        further = read_inputs(spec, inputs, x, unbatched=unbatched) if inputs or spec.further else _NO_INPUTS
        initial = boundary.initial_state(spec, state, x, weight, unbatched=unbatched)
        rows = Lengths(x.shape[0])
        if lengths is not None or reset is not None:
            rows = checked_lengths(x, as_lengths(lengths, x.shape[1]), reset)
        results = run_layers(self, spec, x, initial, rows, record, further=further)
        if key is not None:
            self._calls.add(key, spec, x, results.kernel_calls)
        return _in_callers_form(spec, results, unbatched=unbatched)

    def _run_packed(
        self, spec: StackSpec, packed: PackedSequence, state: State | None, inputs: Mapping[str, Any]
    ) -> tuple[PackedSequence, dict[str, Tensor], dict[str, tuple[Tensor, ...]]]:
        """Check a call on a PackedSequence, and run it as padded rows in packed (sorted) order."""
        if packed.data.dim() != 2:
            raise TensorError(
                f"a PackedSequence must hold all steps of all rows as [steps, {spec.input_size}]; "
                f"got {boundary.described(packed.data)}"
            )
        weight = boundary.first_parameter(self)
        x, packed_lengths = unpack(packed)
        boundary.check_input(spec, packed.data, x, weight)
        initial = boundary.initial_state(spec, state, x, weight)
        if state is not None:
            initial = boundary.in_order(initial, packed.sorted_indices)
        further = unpacked_inputs(spec, inputs, packed, x) if inputs or spec.further else _NO_INPUTS
        rows = checked_lengths(x, packed_lengths, None)
        results = run_layers(self, spec, x, initial, rows, packed=True, further=further)
        # Rows were sorted by length for packing, and the caller's state is not.
        return (
            repack(results.output, packed_lengths, packed),
            boundary.in_order(results.states, packed.unsorted_indices),
            {},
        )


def suffix(layer: int, direction: int) -> str:
    """Return how a layer and direction is named, in modules and in torch.nn's parameters."""
    return f"l{layer}_reverse" if direction else f"l{layer}"


def _in_callers_form(spec: StackSpec, results: LayersResults, *, unbatched: bool) -> Results:
    """Give results the form of the caller's input."""

    def outer(y: Tensor) -> Tensor:
        return boundary.in_callers_form(spec, y, unbatched=unbatched)

    states = {name: tensor.squeeze(1) if unbatched else tensor for name, tensor in results.states.items()}
    recorded = {name: tuple(map(outer, values)) for name, values in results.recorded.items()}
    return outer(results.output), states, recorded
