"""Looking into a model while it reads one sequence: the values of its recurrent layers, whatever model it is.

A model calls its recurrent layers with inputs that it has prepared, in one call or in many (a decoder writes token by
token). Forward hooks keep what every call was given; each call is then made once more with recording, so that no model
needs a second, slower form that can be looked into. Both are made in evaluation: with dropout or draws the second call
would not be the first one again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from loopcell.backends.lengths import Lengths
from loopcell.equations import Cell
from loopcell.errors import InputError
from loopcell.insight.evaluation import in_evaluation
from loopcell.layers import State
from loopcell.layers.further_inputs import read_inputs
from loopcell.layers.sequences import as_lengths, checked_lengths
from loopcell.layers.stack import Stack

Numbers = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LayerView:
    """One layer in one direction, at every step of a sequence.

    Attributes:
        name: what the model calls it, such as "reader.recurrent, layer 0, backward".
        cell: its equations.
        quantities: what has a name in the equations, [T, n] each; a state's name is the state after the step. The
            backward direction's values stand at the step of the input that they belong to.
    """

    name: str
    cell: Cell
    quantities: Mapping[str, Numbers]

    def is_gate(self, name: str) -> bool:
        """Say whether a quantity lies between 0 and 1 by its equation: a sigmoid."""
        return any(node.label == name and node.op == "sigmoid" for node in self.cell.graph.nodes)


@dataclass(frozen=True, eq=False)
class LayersCall:
    """A call of recurrent layers, as it was made.

    Attributes:
        layers: which were called.
        x: the input.
        state: the state given, if one was.
        others: lengths and reset, and the cell's further inputs by name.
        result: what the call returned.
    """

    layers: Stack
    x: Tensor
    state: State | None
    others: dict[str, Any]
    result: Any

    @classmethod
    def of(cls, layers: Stack, given: tuple[Any, ...], named: Mapping[str, Any], result: Any) -> LayersCall:
        """Return the call that a forward hook was told of."""
        x, state, lengths, reset = _arguments(*given, **named)
        further = {name: named[name] for name in layers.spec.further if name in named}
        return cls(layers, x, _as_state(layers, state), {"lengths": lengths, "reset": reset, **further}, result)

    @property
    def in_rows(self) -> bool:
        """Say whether it was called with a padded batch: no PackedSequence, no sequence without an axis of rows."""
        return isinstance(self.x, Tensor) and self.x.dim() == 3

    def has_steps(self, most: int | None = None) -> bool:
        """Say whether it was called with a padded batch in which a row has a step.

        Args:
            most: rows that are looked at; None for all.
        """
        if not self.in_rows or not self.x.numel():
            return False
        lengths = as_lengths(self.others["lengths"], self.x.shape[0 if self.layers.batch_first else 1])
        return lengths is None or bool(lengths[:most].any())

    def time_first(self, most: int | None = None) -> tuple[Tensor, Lengths, dict[str, Tensor], dict[str, Tensor]]:
        """Return the input [T, B, I] with zeros past each row's end, the rows, and by name the states before them.

        Last come the cell's further inputs, by name and in the form of the input. What was not given as a state is not
        there. Gradients do not flow into what is returned.

        Args:
            most: rows that are taken; None for all.
        """
        x, reset, lengths = self.x.detach(), self.others["reset"], self.others["lengths"]
        if self.layers.batch_first:
            x, reset = x.transpose(0, 1), None if reset is None else reset.transpose(0, 1)
        lengths = as_lengths(lengths, x.shape[1])
        cut = slice(None) if most is None else slice(0, most)
        x, reset = x[:, cut], None if reset is None else reset[:, cut]
        rows = checked_lengths(x, None if lengths is None else lengths[cut], reset)
        initial = {name: tensor.detach()[:, cut].contiguous() for name, tensor in (self.state or {}).items()}
        further = {name: rows.without_padding(one[:, cut].detach()) for name, one in self._further(self.x).items()}
        return rows.without_padding(x), rows, initial, further

    def _further(self, x: Tensor) -> dict[str, Tensor]:
        """Return the further inputs as [T, B, n], by name."""
        spec = self.layers.spec
        given = {name: value for name, value in self.others.items() if name in spec.further}
        return read_inputs(spec, given, x.transpose(0, 1) if spec.batch_first else x)

    def copied(self) -> LayersCall:
        """Return the call with copies of its tensors: a loop may write its next step into the same ones."""
        x = self.x.clone() if isinstance(self.x, Tensor) else self.x
        state = None if self.state is None else State(**{name: part.clone() for name, part in self.state.items()})
        further = {name: self.others[name] for name in self.layers.spec.further}
        further = {name: one.clone() if isinstance(one, Tensor) else one for name, one in further.items()}
        return replace(self, x=x, state=state, others={**self.others, **further})


def look_inside(model: nn.Module, read: Callable[[], object]) -> tuple[LayerView, ...]:
    """Return what the recurrent layers of a model computed for one sequence.

    Args:
        model: any module; its recurrent layers are found, in the order of the model. It reads in evaluation, and is
            left as it was.
        read: makes the model read the sequence, with a batch of one.

    Returns:
        One view for each layer and direction of each `loopcell.Recurrent`, `LSTM`, `GRU` or `RNN` that was called.
        Where there were several calls, their steps stand one after the other.

    Raises:
        InputError: nothing recurrent was called, or a batch has more than one sequence.
    """
    names = {module: name for name, module in model.named_modules() if isinstance(module, Stack)}
    with in_evaluation(model), torch.no_grad():
        with calls_of(names, copied=True) as calls:
            read()
        if not calls:
            raise InputError("nothing to look into: the model called no layer of loopcell (loopcell.Recurrent)")
        return tuple(view for layers, name in names.items() for view in _views(layers, name, calls))


@contextmanager
def calls_of(layers: Iterable[Stack], *, copied: bool = False) -> Iterator[list[LayersCall]]:
    """Keep every call of some layers within the block: the tensors themselves, which have gradients, or copies."""
    calls: list[LayersCall] = []

    def keep(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any], result: object) -> None:
        assert isinstance(module, Stack)  # it is hooked to nothing else
        call = LayersCall.of(module, given, named, result)
        calls.append(call.copied() if copied else call)

    handles = [module.register_forward_hook(keep, with_kwargs=True) for module in layers]
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()


def _arguments(
    x: Any = None, state: Any = None, *, lengths: Any = None, reset: Any = None, **torch_names: Any
) -> tuple[Any, Any, Any, Any]:
    """Return what a call was given, by the names of `loopcell.Recurrent` or by those of torch.nn (input, hx)."""
    return torch_names.get("input", x), torch_names.get("hx", state), lengths, reset


def _as_state(layers: Stack, given: Any) -> State | None:
    """Return a state as one, also where it was given as torch.nn's tensors."""
    if given is None or isinstance(given, State):
        return given
    tensors = given if isinstance(given, tuple) else (given,)
    return State(**dict(zip(layers.cell.states, tensors, strict=True)))


def _views(layers: Stack, name: str, calls: list[LayersCall]) -> Iterator[LayerView]:
    recordings = [_recorded(call) for call in calls if call.layers is layers]
    if not recordings:
        return
    for place, (layer, direction) in enumerate(layers.places()):
        quantities = {
            quantity: np.concatenate([recording[quantity][place] for recording in recordings])
            for quantity in recordings[0]
        }
        way = (", forward", ", backward")[direction] if layers.bidirectional else ""
        yield LayerView(f"{name or type(layers).__name__}, layer {layer}{way}", layers.cell, quantities)


def _recorded(call: LayersCall) -> dict[str, list[Numbers]]:
    """Make a call once more, and return its quantities as [T, n] of each layer and direction, by name."""
    recording = call.layers.record(call.x, state=call.state, **call.others)
    batch = None if call.x.dim() == 2 else (0 if call.layers.batch_first else 1)
    if batch is not None and call.x.shape[batch] != 1:
        raise InputError(f"one sequence is looked at, and the model read a batch of {call.x.shape[batch]}")
    return {
        name: [_numbers(value if batch is None else value.select(batch, 0)) for value in values]
        for name, values in recording.items()
    }


def _numbers(tensor: Tensor) -> Numbers:
    found: Numbers = tensor.detach().cpu().float().numpy()
    return found
