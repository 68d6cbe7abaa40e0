"""The plain runner is checked against torch.nn, which knows directions, stacks and packed sequences."""

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tests.reference.sequence import run_stack
from tests.reference.steps import STEPS

T, B, INPUT, H = 5, 3, 2, 4


def network(bidirectional):
    torch.manual_seed(3)
    theirs = torch.nn.RNN(INPUT, H, num_layers=2, bidirectional=bidirectional, bias=True, dtype=torch.float64)
    weights = theirs.state_dict()
    layers = [
        {
            "W.h": weights[f"weight_ih_l{layer}{suffix}"],
            "U.h": weights[f"weight_hh_l{layer}{suffix}"],
            "b.h": weights[f"bias_ih_l{layer}{suffix}"] + weights[f"bias_hh_l{layer}{suffix}"],
        }
        for layer in range(2)
        for suffix in (["", "_reverse"] if bidirectional else [""])
    ]
    start = torch.randn(len(layers), B, H, dtype=torch.float64)
    return theirs, layers, torch.randn(T, B, INPUT, dtype=torch.float64), start


@pytest.mark.parametrize("bidirectional", [False, True])
def test_lengths_directions_and_layers_are_torchs(bidirectional):
    theirs, layers, x, start = network(bidirectional)
    lengths = [2, 5, 1]
    packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    expected, expected_final = theirs(packed, start)
    y, final = run_stack(
        STEPS["rnn"], x, {"h": start}, layers, output_size=H, bidirectional=bidirectional, lengths=lengths
    )
    torch.testing.assert_close(y, pad_packed_sequence(expected)[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(final["h"], expected_final, rtol=0, atol=1e-12)


def test_a_reset_splits_a_row_into_two_sequences_in_both_directions():
    theirs, layers, x, start = network(bidirectional=True)
    reset = torch.zeros(T, B, dtype=torch.bool)
    reset[2] = True
    first, last = start.clone(), start.clone()
    first[1::2] = 0  # backwards, the first episode is entered afresh
    last[0::2] = 0  # forwards, the last one is
    y_first, final_first = theirs(x[:2], first)
    y_last, final_last = theirs(x[2:], last)
    y, final = run_stack(STEPS["rnn"], x, {"h": start}, layers, output_size=H, bidirectional=True, reset=reset)
    torch.testing.assert_close(y, torch.cat([y_first, y_last]), rtol=0, atol=1e-12)
    torch.testing.assert_close(final["h"][0::2], final_last[0::2], rtol=0, atol=1e-12)
    torch.testing.assert_close(final["h"][1::2], final_first[1::2], rtol=0, atol=1e-12)
