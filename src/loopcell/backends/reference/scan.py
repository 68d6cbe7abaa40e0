"""Programs whose loop is a parallel scan over time, in plain PyTorch: operations grow with the root of T, not with T.

The steps are cut into blocks, and all blocks run their first step at once, then their second, and so on: once from 0,
which gives each block's share in the state after it, and once more from the true state before it. Between the two stand
the carries, block after block. The second pass is the recurrence itself, so a result is as exact as the loop's; only a
carry meets a product of coefficients, and that is kept as a mantissa and an exponent, so that it leaves no number's
range: coefficients above 1 or far below it are as safe as gates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from loopcell.backends.lengths import Lengths
from loopcell.backends.reference.emit import Function, emit
from loopcell.backends.reference.sequence import Leaves, ReferenceProgram, call, of_no_step
from loopcell.backends.scan import ScanRunner, scan_states, states_before
from loopcell.equations.keys import OUTPUT, Key
from loopcell.equations.names import ascii_name
from loopcell.passes.scan import COEFFICIENT, OFFSET, scan, state_after

_MOST_EXPONENT = 3 * 126
"""Beyond it 2^e takes any float32 to 0 or to infinity; a third of it is a float32 of its own."""


# -- the scan itself --------------------------------------------------------------------------------------------------


def blocked_scan(coefficient: Tensor, offset: Tensor, first: Tensor, restart: Tensor | None, reverse: bool) -> Tensor:
    """Run a scan as PyTorch operations; a `ScanRunner`. Half precision is computed in float32."""
    if offset.dtype.itemsize < torch.float32.itemsize:
        return blocked_scan(coefficient.float(), offset.float(), first.float(), restart, reverse).to(offset.dtype)
    if reverse:
        later, restarts_later = _one_step_later(coefficient, restart)
        return blocked_scan(later, offset.flip(0), first, restarts_later, False).flip(0)
    steps, size = len(offset), max(1, math.isqrt(len(offset) // 2))
    a, b, restarts = (_in_blocks(tensor, size, fill) for tensor, fill in ((coefficient, 1), (offset, 0), (restart, 0)))
    assert a is not None  # restarts alone may be None
    assert b is not None
    states = _run_blocks(a, b, restarts, _carries(a, b, restarts, first))
    return torch.stack(states, 1).flatten(0, 1)[:steps]


def _one_step_later(coefficient: Tensor, restart: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Return coefficients and restarts as a reverse scan meets them: those of the step after, the last step first."""
    later = torch.cat([torch.ones_like(coefficient[:1]), coefficient[1:].flip(0)])
    if restart is None:
        return later, None
    restarts_later = torch.cat([torch.zeros_like(restart[:1]), restart[1:].flip(0)])
    # What restarts read nothing of the step before, so no gradient passes: not even where a is no number.
    return later.masked_fill(restarts_later.unsqueeze(-1), 0.0), restarts_later


def _in_blocks(tensor: Tensor | None, size: int, fill: int) -> Tensor | None:
    """Return [T, ...] as [blocks, size, ...], filled up with steps that change nothing."""
    if tensor is None:
        return None
    missing = -len(tensor) % size
    padded = torch.cat([tensor, tensor.new_full((missing, *tensor.shape[1:]), fill)]) if missing else tensor
    return padded.view(len(padded) // size, size, *tensor.shape[1:])


def _run_blocks(a: Tensor, b: Tensor, restart: Tensor | None, carry: Tensor) -> list[Tensor]:
    """Return the state after each step of a block, for all blocks at once, [blocks, B, n] a step."""
    states = []
    for step in range(a.shape[1]):
        if restart is not None:
            carry = carry.masked_fill(restart[:, step].unsqueeze(-1), 0.0)
        carry = torch.addcmul(b[:, step], a[:, step], carry)
        states.append(carry)
    return states


def _carries(a: Tensor, b: Tensor, restart: Tensor | None, first: Tensor) -> Tensor:
    """Return the state before each block, [blocks, B, n]."""
    share = _run_blocks(a, b, restart, torch.zeros_like(a[:, 0]))[-1]
    mantissa, exponent = _products(a)
    forgets = None if restart is None else restart.any(1).unsqueeze(-1)
    carry, carries = first, []
    for block in range(len(a)):
        carries.append(carry)
        passed_on = _scaled(mantissa[block] * carry, exponent[block])
        if forgets is not None:
            passed_on = passed_on.masked_fill(forgets[block], 0.0)
        carry = passed_on + share[block]
    return torch.stack(carries)


def _products(a: Tensor) -> tuple[Tensor, Tensor]:
    """Return the product of each block's coefficients as mantissa and exponent, [blocks, B, n]."""
    mantissa = torch.ones_like(a[:, 0])
    exponent = torch.zeros_like(mantissa, dtype=torch.int32)
    for step in range(a.shape[1]):
        product = mantissa * a[:, step]
        mantissa, shift = torch.frexp(product)
        # The exponent of infinity and NaN is anything that the C library likes.
        exponent = exponent + torch.where(torch.isfinite(product), shift, 0)
    return mantissa, exponent


def _scaled(value: Tensor, exponent: Tensor) -> Tensor:
    """Return value * 2^exponent, in three parts: 2^exponent alone may be no number where the result is one."""
    most = _MOST_EXPONENT * (8 if value.dtype == torch.float64 else 1)
    part = exponent.clamp(-most, most) // 3
    rest = exponent.clamp(-most, most) - 2 * part
    return torch.ldexp(torch.ldexp(torch.ldexp(value, part), part), rest)


# -- programs ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StateFunction:
    """A state that is scanned.

    Attributes:
        state: its key.
        before: gives the coefficient and the offset of every step.
    """

    state: Key
    before: Function


@dataclass(frozen=True)
class ScannedProgram:
    """A program whose loop is scans over time.

    Attributes:
        reference: the program.
        scans: the states, in the order of computation.
        after: the output and what is recorded, from all states.
    """

    reference: ReferenceProgram
    scans: tuple[StateFunction, ...]
    after: Function


@lru_cache(maxsize=256)
def scanned_program(reference: ReferenceProgram) -> ScannedProgram | None:
    """Return a program as scans over time, the same one for all networks of the cell; None where it is none."""
    scanned = scan(reference.program.loop)
    if scanned is None:
        return None
    name = ascii_name(reference.program.cell.name)
    scans = (StateFunction(Key("state", s.state), emit(s.before, f"{name}_recurrence")) for s in scanned.scans)
    return ScannedProgram(reference, tuple(scans), emit(scanned.after, f"{name}_after"))


def run_scanned(
    scanned: ScannedProgram, leaves: Leaves, lengths: Lengths, run: ScanRunner = blocked_scan
) -> tuple[Tensor, list[Tensor], dict[str, Tensor]]:
    """Run a program over a sequence by scans; arguments and results as of `sequence.run`.

    Args:
        scanned: the program.
        leaves: as of `sequence.run`.
        lengths: where rows end and start afresh.
        run: what runs each scan.
    """
    values: dict[Key, Tensor | int] = {**leaves, **scanned.reference.hoisted(leaves)}
    last: dict[Key, Tensor] = {}
    for part in scanned.scans:
        last[part.state] = _scan_state(part, values, lengths, run)
    results = dict(zip(scanned.after.results, call(scanned.after, values), strict=True))
    like = last[scanned.reference.states[0]]
    named = {key.name: _over_time(results[key].detach(), like, lengths) for key in scanned.reference.recorded}
    output, states = _over_time(results[OUTPUT], like, lengths), [last[key] for key in scanned.reference.states]
    if not lengths.steps:
        output, *states = of_no_step([output, *states], leaves)
    return output, states, named


def _scan_state(part: StateFunction, values: dict[Key, Tensor | int], lengths: Lengths, run: ScanRunner) -> Tensor:
    """Scan one state: add it to the values, as it is before and after every step, and return it after the last."""
    first = values[part.state]
    assert isinstance(first, Tensor)  # sizes are the only leaves that are not tensors
    found = dict(zip(part.before.results, call(part.before, values), strict=True))
    shape = (lengths.steps, *first.shape)
    a, b = (found[key].expand(shape) for key in (COEFFICIENT, OFFSET))
    if lengths.mask is not None:  # past a row's end its state stays
        valid = lengths.mask.unsqueeze(-1)
        a, b = torch.where(valid, a, 1.0), torch.where(valid, b, 0.0)
    states = scan_states(run, a, b, first, lengths.reset)
    values[part.state] = states_before(states, first, lengths.reset)
    values[state_after(part.state.name)] = states
    return states[-1] if lengths.steps else first


def _over_time(value: Tensor, like: Tensor, lengths: Lengths) -> Tensor:
    """Return a result as [T, B, n], with 0 past every row's end."""
    value = value.expand(lengths.steps, *like.shape[:-1], value.shape[-1])
    return value if lengths.mask is None else value.masked_fill(~lengths.mask.unsqueeze(-1), 0.0)
