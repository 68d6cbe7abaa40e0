"""Laws of form: how data lies in memory, and how a network or cell was stored, changes no number."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from loopcell.equations import Cell
from loopcell.errors import CheckFailed
from loopcell.layers import Recurrent, State
from loopcell.testing.case import Case, observe, padded, run
from loopcell.testing.closeness import TOLERANCES, assert_all_close


def batch_first_is_transposed(case: Case) -> None:
    """Check batch_first: [B, T, ...] goes in and comes out; the states keep their form."""
    time_first, batch_first = case.net(bidirectional=True), case.net(bidirectional=True, batch_first=True)
    x, lengths, reset, state = case.inputs(), case.lengths(), case.reset(), case.state(time_first)

    def transposed(x: Tensor, state: State) -> tuple[Tensor, State]:
        y, final = padded(batch_first(x.transpose(0, 1), state, lengths=lengths, reset=reset.T))
        return y.transpose(0, 1), final

    expected = observe(time_first, run(time_first, lengths=lengths, reset=reset), x, state)
    assert_all_close(observe(batch_first, transposed, x, state), expected)


def memory_layout_does_not_matter(case: Case) -> None:
    """Check that inputs and states that are views with gaps give what their compact copies give."""
    net, x, lengths = case.net(bidirectional=True), case.inputs(), case.lengths()
    state = case.state(net)
    plain = run(net, lengths=lengths)

    def scattered(x: Tensor, state: State) -> tuple[Tensor, State]:
        return plain(_with_gaps(x), state.map(_with_gaps))

    assert_all_close(observe(net, scattered, x, state), observe(net, plain, x, state))


def single_precision_follows_double(case: Case) -> None:
    """Check that float32 gives float32 throughout, within its precision what float64 gives for the same numbers."""
    double, single = case.net().float().double(), case.net(dtype=torch.float32)
    x, state = case.inputs().float(), case.state(double).to(torch.float32)
    observed = observe(single, run(single), x, state)
    for name, tensor in observed.items():
        if tensor.dtype != torch.float32:
            raise CheckFailed(f"{name} is {tensor.dtype} for a network and input of torch.float32")
    widened = {name: tensor.double() for name, tensor in observed.items()}
    expected = observe(double, run(double), x.double(), state.to(torch.float64))
    # A step may amplify the rounding of the step before, so more is allowed than between two runs in float32.
    assert_all_close(widened, expected, tolerance=10 * TOLERANCES[torch.float32])


def a_state_dict_is_the_whole_network(case: Case) -> None:
    """Check that a fresh network that loads another's state_dict gives exactly what the other gives."""
    for num_layers, bidirectional in ((1, True), (2, False)):
        net = case.net(num_layers=num_layers, bidirectional=bidirectional)
        other = case.fresh(num_layers=num_layers, bidirectional=bidirectional).eval()
        other.load_state_dict(net.state_dict())
        _demand_equal(case, net, other)


def a_cell_survives_json(case: Case) -> None:
    """Check that a cell that was written as JSON and read back gives exactly what the cell gives."""
    read = Cell.from_json(case.cell.to_json())
    if read.fingerprint != case.cell.fingerprint:
        raise CheckFailed(f"the fingerprint was {case.cell.fingerprint} and is {read.fingerprint} after JSON")
    again = Case(read, case.input_size, case.hidden_size, case.sizes, case.steps, case.batch)
    net, other = case.net(), again.net()
    other.load_state_dict(net.state_dict())
    _demand_equal(case, net, other)


def a_missing_state_is_zero(case: Case) -> None:
    """Check that a call without a state starts at zero, which is what initial_state gives."""
    net, x = case.net(bidirectional=True), case.inputs()
    state = case.state(net).map(torch.zeros_like)
    expected = observe(net, run(net), x, state)
    for other in (lambda x, _: padded(net(x)), lambda x, _: padded(net(x, net.initial_state(case.batch)))):
        observed = observe(net, other, x, state)
        for name in list(observed):
            if name.startswith("the gradient of the initial"):
                observed[name] = expected[name]  # nobody can ask for it: the zeros are the network's own
        assert_all_close(observed, expected)


def a_single_sequence_needs_no_batch(case: Case) -> None:
    """Check that an input [T, I] with states [L * D, n] gives what a batch of one gives."""
    net, x = case.net(bidirectional=True), case.inputs(batch=1)
    state = case.state(net, batch=1)

    def unbatched(x: Tensor, state: State) -> tuple[Tensor, State]:
        y, final = padded(net(x.squeeze(1), state.map(lambda tensor: tensor.squeeze(1))))
        return y.unsqueeze(1), final.map(lambda tensor: tensor.unsqueeze(1))

    assert_all_close(observe(net, unbatched, x, state), observe(net, run(net), x, state))


def a_packed_sequence_is_lengths(case: Case) -> None:
    """Check that a PackedSequence gives what the padded input with lengths gives."""
    net, x, lengths = case.net(bidirectional=True), case.inputs(), case.lengths().clamp(min=1)
    state = case.state(net)

    def packed(x: Tensor, state: State) -> tuple[Tensor, State]:
        result = net(pack_padded_sequence(x, lengths, enforce_sorted=False), state)
        y, final = cast("tuple[PackedSequence, State]", result)
        return pad_packed_sequence(y, total_length=case.steps)[0], final

    assert_all_close(observe(net, packed, x, state), observe(net, run(net, lengths=lengths), x, state))


def _demand_equal(case: Case, net: Recurrent, other: Recurrent) -> None:
    x, lengths, reset, state = case.inputs(), case.lengths(), case.reset(), case.state(net)
    expected = observe(net, run(net, lengths=lengths, reset=reset), x, state)
    observed = observe(other, run(other, lengths=lengths, reset=reset), x, state)
    assert_all_close(observed, expected, tolerance=0.0)


def _with_gaps(tensor: Tensor) -> Tensor:
    """Return an equal tensor whose entries lie apart, in another order, in memory."""
    wide = tensor.repeat_interleave(2, dim=-1).transpose(0, -1).contiguous().transpose(0, -1)
    return wide[..., ::2]
