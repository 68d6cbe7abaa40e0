"""The tensors of torch's operators, made of a cell's parameters.

The operators take, for each layer and direction, weight_ih [G * H, I], weight_hh [G * H, O], bias_ih and bias_hh
[G * H], and weight_hr [O, H] of a projection, gate after gate. A network that keeps its parameters so, as loopcell.LSTM
does, passes them as they lie. Any other one has them put together at each call, differentiable: a copy that outlives a
call would not see `parameter.data.copy_(...)`, which no version counter counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import torch
from torch import Tensor

from loopcell.backends.weights import ParameterSlice, WeightLayout, Weights
from loopcell.passes.recognise import Gate, Term, TorchForm


def operator_weights(form: TorchForm, weights: Weights, inputs: int, outputs: int) -> list[Tensor]:
    """Return the operator's tensors of one layer and direction, differentiable.

    Args:
        form: the cell.
        weights: its parameters.
        inputs: I, the length of the input.
        outputs: O, the length of the hidden state.
    """
    places = _places(form, weights.layout)
    if places is not None:
        found = [weights.bases[place] for place in places]
        if found[0].shape[0] == found[1].shape[0] and found[1].shape[0] == _rows_of(form, found, outputs):
            return found
    return _put_together(form, weights.named(), inputs, outputs)


def _rows_of(form: TorchForm, tensors: Sequence[Tensor], outputs: int) -> int:
    """Return how many rows the packed matrices have: the hidden size, which a projection shortens, for each gate."""
    hidden = tensors[-1].shape[1] if form.projection else outputs
    return len(form.gates) * hidden


# -- parameters that lie as the operator wants them --------------------------------------------------------------------


@lru_cache(maxsize=256)
def _places(form: TorchForm, layout: WeightLayout) -> tuple[int, ...] | None:
    """Return which tensors of a network are the operator's own, in its order; None where some have to be made."""
    count = len(form.gates)
    kinds = [[gate.input for gate in form.gates], [gate.hidden for gate in form.gates]]
    found = [_packed([_parts(layout, terms) for terms in gates], count) for gates in kinds]
    if form.has_bias:
        biases = [_two_biases(layout, gate) for gate in form.gates]
        found += [_packed([pair[place : place + 1] for pair in biases], count) for place in (0, 1)]
    if form.projection:
        found.append(_packed([_parts(layout, ((form.projection, 1.0),))], 1))
    places = tuple(base for base in found if base is not None)
    return places if len(places) == len(found) else None


def _parts(layout: WeightLayout, terms: Sequence[Term]) -> list[ParameterSlice]:
    """Return the slices that add up to a sum of parameters; none where one is multiplied with a number."""
    if any(number != 1.0 for _, number in terms):
        return []
    return [part for name, _ in terms for part in layout.slices[name]]


def _two_biases(layout: WeightLayout, gate: Gate) -> list[ParameterSlice]:
    """Return the slices of a gate's bias_ih and bias_hh; none where it has not one of each."""
    parts = _parts(layout, gate.bias)
    if gate.inner:
        inner = _parts(layout, gate.inner)
        parts = parts + inner if len(parts) == len(inner) == 1 else []
    return parts if len(parts) == 2 else []


def _packed(gates: Sequence[Sequence[ParameterSlice]], count: int) -> int | None:
    """Return the tensor that is these slices, one for each gate and in order; None where there is no such tensor."""
    bases = {part.base for parts in gates for part in parts}
    if any(len(parts) != 1 for parts in gates) or len(bases) != 1:
        return None
    whole = count == 1 and gates[0][0].count < 0
    rows = gates[0][0].count
    if not whole and any(part.count != rows or part.start != at * rows for at, (part,) in enumerate(gates)):
        return None
    return bases.pop()


# -- parameters that are put together ----------------------------------------------------------------------------------


def _put_together(form: TorchForm, named: Mapping[str, Tensor], inputs: int, outputs: int) -> list[Tensor]:
    like = next(iter(named.values()))
    hidden = named[form.projection].shape[1] if form.projection else outputs

    def stacked(gates: Sequence[Sequence[Term]], *width: int) -> Tensor:
        parts = [_sum(terms, named) for terms in gates]
        made = [like.new_zeros((hidden, *width)) if part is None else part for part in parts]
        return made[0] if len(made) == 1 else torch.cat(made)

    found = [
        stacked([gate.input for gate in form.gates], inputs),
        stacked([gate.hidden for gate in form.gates], outputs),
    ]
    if form.has_bias:
        found += [stacked([gate.bias for gate in form.gates]), stacked([gate.inner for gate in form.gates])]
    if form.projection:
        found.append(named[form.projection])
    return found


def _sum(terms: Sequence[Term], named: Mapping[str, Tensor]) -> Tensor | None:
    """Return the sum of parameters, each times its number; None where there are none."""
    total: Tensor | None = None
    for name, number in terms:
        one = named[name] if number == 1.0 else named[name] * number
        total = one if total is None else total + one
    return total
