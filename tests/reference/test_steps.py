"""The truth is checked too: against torch.nn where it has the cell, else against what the formulas imply."""

import math

import pytest
import torch

import loopcell
from tests.reference.steps import STEPS

INPUT, HIDDEN, PROJECTED, BATCH = 3, 4, 2, 5
FAR = 50.0  # a pre-activation at which a gate is fully open, or closed with the other sign


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def drawn(*shape):
    return torch.randn(*shape, dtype=torch.float64)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(7)


def parameters(*gates, past=HIDDEN):
    """W, U and b of each gate."""
    return {
        f"{space}.{gate}": drawn(*shape)
        for gate in gates
        for space, shape in {"W": (HIDDEN, INPUT), "U": (HIDDEN, past), "b": (HIDDEN,)}.items()
    }


def renamed(p, old, new, sign=1):
    """The parameters of one gate under another's name."""
    return {f"{space}.{new}": sign * p[f"{space}.{old}"] for space in "WUb"}


def torch_weights(p, gates):
    """W, U, b and a second bias of zeros, stacked in torch.nn's order."""
    W, U, b = (torch.cat([p[f"{space}.{gate}"] for gate in gates]) for space in "WUb")
    return {"weight_ih": W, "weight_hh": U, "bias_ih": b, "bias_hh": torch.zeros_like(b)}


def test_every_registered_cell_has_an_independent_step():
    lacks = sorted(set(loopcell.cells.names()) - set(STEPS))
    assert not lacks, f"write a step of {', '.join(lacks)} by hand, and add it to tests/reference/steps.py"
    assert sorted(STEPS) == sorted(loopcell.cells.names())


@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_rnn_is_torchs(nonlinearity):
    p, x, h = parameters("h"), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN)
    theirs = torch.nn.RNNCell(INPUT, HIDDEN, nonlinearity=nonlinearity, dtype=torch.float64)
    theirs.load_state_dict(torch_weights(p, "h"))
    close(STEPS["rnn" if nonlinearity == "tanh" else "rnn_relu"](x, (h,), p)[0], theirs(x, h))


def test_lstm_is_torchs():
    p, x, h, c = parameters(*"ifgo"), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN), drawn(BATCH, HIDDEN)
    theirs = torch.nn.LSTMCell(INPUT, HIDDEN, dtype=torch.float64)
    theirs.load_state_dict(torch_weights(p, "ifgo"))
    for ours, expected in zip(STEPS["lstm"](x, (h, c), p)[1], theirs(x, (h, c)), strict=True):
        close(ours, expected)


def test_lstm_projected_is_torchs():
    p, x, r, c = (
        parameters(*"ifgo", past=PROJECTED),
        drawn(BATCH, INPUT),
        drawn(BATCH, PROJECTED),
        drawn(BATCH, HIDDEN),
    )
    p["P.h"] = drawn(PROJECTED, HIDDEN)
    theirs = torch.nn.LSTM(INPUT, HIDDEN, proj_size=PROJECTED, dtype=torch.float64)
    weights = {f"{name}_l0": value for name, value in torch_weights(p, "ifgo").items()}
    theirs.load_state_dict(weights | {"weight_hr_l0": p["P.h"]})
    _, (expected_r, expected_c) = theirs(x[None], (r[None], c[None]))
    _, (new_r, new_c) = STEPS["lstm_projected"](x, (r, c), p)
    close(new_r, expected_r[0])
    close(new_c, expected_c[0])


def test_gru_is_torchs():
    p, x, h = parameters(*"rzn"), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN)
    p["d.n"] = drawn(HIDDEN)
    weights = torch_weights(p, "rzn")
    weights["bias_hh"] = torch.cat([torch.zeros(2 * HIDDEN, dtype=torch.float64), p["d.n"]])
    theirs = torch.nn.GRUCell(INPUT, HIDDEN, dtype=torch.float64)
    theirs.load_state_dict(weights)
    close(STEPS["gru"](x, (h,), p)[0], theirs(x, h))


def test_peepholes_of_zero_leave_an_lstm():
    p, x, states = parameters(*"ifgo"), drawn(BATCH, INPUT), (drawn(BATCH, HIDDEN), drawn(BATCH, HIDDEN))
    blind = p | {f"p.{gate}": torch.zeros(HIDDEN, dtype=torch.float64) for gate in "ifo"}
    close(STEPS["lstm_peephole"](x, states, blind)[0], STEPS["lstm"](x, states, p)[0])


def test_each_peephole_acts_as_a_bias_of_its_weight_times_the_cell_state_that_its_gate_sees():
    p, x, (h, c) = parameters(*"ifgo"), drawn(1, INPUT), (drawn(1, HIDDEN), drawn(1, HIDDEN))
    seeing = p | {f"p.{gate}": drawn(HIDDEN) for gate in "ifo"}
    _, (_, new_c) = STEPS["lstm_peephole"](x, (h, c), seeing)
    seen = {"i": c[0], "f": c[0], "o": new_c[0]}
    biased = p | {f"b.{gate}": p[f"b.{gate}"] + seeing[f"p.{gate}"] * value for gate, value in seen.items()}
    close(STEPS["lstm_peephole"](x, (h, c), seeing)[0], STEPS["lstm"](x, (h, c), biased)[0])


def test_coupled_gates_are_an_lstm_whose_input_gate_is_the_forget_gate_negated():
    p, x, states = parameters(*"fgo"), drawn(BATCH, INPUT), (drawn(BATCH, HIDDEN), drawn(BATCH, HIDDEN))
    mirrored = p | renamed(p, "f", "i", sign=-1)  # sigmoid(-a) = 1 - sigmoid(a)
    close(STEPS["lstm_coupled"](x, states, p)[0], STEPS["lstm"](x, states, mirrored)[0])


@pytest.mark.parametrize(("keeps", "lets"), [("gru", "gru_lets_after"), ("gru_keeps_before", "gru_lets_before")])
def test_the_two_conventions_of_the_update_gate_mirror_each_other(keeps, lets):
    p, x, h = parameters(*"rzn"), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN)
    p["d.n"] = drawn(HIDDEN)
    mirrored = p | renamed(p, "z", "z", sign=-1)
    close(STEPS[keeps](x, (h,), p)[0], STEPS[lets](x, (h,), mirrored)[0])


@pytest.mark.parametrize("name", ["gru", "gru_keeps_before", "light_gru"])
def test_an_update_gate_that_keeps_and_is_open_keeps_the_state(name):
    p, x, h = parameters(*"rzn"), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN)
    p |= {"d.n": drawn(HIDDEN), "b.z": torch.full((HIDDEN,), FAR, dtype=torch.float64)}
    close(STEPS[name](x, (h,), p)[0], h)


def test_the_place_of_the_reset_matters_only_if_the_recurrent_product_mixes_units():
    p, x, h = parameters(*"rzn"), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN)
    p["d.n"] = torch.zeros(HIDDEN, dtype=torch.float64)
    assert not torch.allclose(STEPS["gru"](x, (h,), p)[0], STEPS["gru_keeps_before"](x, (h,), p)[0])
    p["U.n"] = torch.diag(drawn(HIDDEN))
    close(STEPS["gru"](x, (h,), p)[0], STEPS["gru_keeps_before"](x, (h,), p)[0])


def test_minimal_gated_unit_is_a_gru_with_one_gate_for_both():
    p, x, h = parameters("f", "g"), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN)
    doubled = renamed(p, "f", "r") | renamed(p, "f", "z") | renamed(p, "g", "n")
    close(STEPS["mgu"](x, (h,), p)[0], STEPS["gru_lets_before"](x, (h,), doubled)[0])


def test_update_gate_rnn_is_a_gru_whose_reset_gate_is_open():
    p, x, h = parameters("g", "c"), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN)
    opened = parameters("r") | {"b.r": torch.full((HIDDEN,), FAR, dtype=torch.float64)}
    opened |= renamed(p, "g", "z") | renamed(p, "c", "n")
    close(STEPS["ugrnn"](x, (h,), p)[0], STEPS["gru_keeps_before"](x, (h,), opened)[0])


def test_indrnn_is_a_relu_rnn_with_a_diagonal_matrix():
    p, x, h = parameters("h"), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN)
    diagonal = p | {"U.h": torch.diag(p["U.h"][0])}
    close(STEPS["indrnn"](x, (h,), p | {"u.h": p["U.h"][0]})[0], STEPS["rnn_relu"](x, (h,), diagonal)[0])


def test_min_gru_with_closed_and_open_gate():
    p, x, h = parameters("z", "n"), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN)
    candidate = torch.nn.functional.linear(x, p["W.n"], p["b.n"])
    for bias, expected in ((-FAR, h), (FAR, candidate)):
        close(
            STEPS["min_gru"](x, (h,), p | {"b.z": torch.full((HIDDEN,), bias, dtype=torch.float64)})[0],
            expected,
        )


def test_min_lstm_weighs_past_and_candidate_by_gates_that_sum_to_one():
    p, x, h = parameters("n"), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN)
    p |= {f"W.{gate}": torch.zeros(HIDDEN, INPUT, dtype=torch.float64) for gate in "fi"}
    p["b.f"] = torch.zeros(HIDDEN, dtype=torch.float64)  # forget gate 1/2
    p["b.i"] = torch.full((HIDDEN,), -math.log(3), dtype=torch.float64)  # input gate 1/4
    candidate = torch.nn.functional.linear(x, p["W.n"], p["b.n"])
    close(STEPS["min_lstm"](x, (h,), p)[0], h * 2 / 3 + candidate / 3)


def test_sru_with_closed_and_open_gates():
    p, x, c = parameters("f", "r", "c", "h"), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN)
    p |= {"v.f": drawn(HIDDEN), "v.r": drawn(HIDDEN)}
    full = torch.full((HIDDEN,), FAR, dtype=torch.float64)
    highway = torch.nn.functional.linear(x, p["W.h"])
    output, (kept,) = STEPS["sru"](x, (c,), p | {"b.f": full, "b.r": -full})
    close(kept, c)
    close(output, highway)
    output, (replaced,) = STEPS["sru"](x, (c,), p | {"b.f": -full, "b.r": full})
    close(replaced, torch.nn.functional.linear(x, p["W.c"]))
    close(output, replaced)


def normed_parameters(gates, others=()):
    p = {f"{space}.{gate}": drawn(HIDDEN, n) for gate in gates for space, n in (("W", INPUT), ("U", HIDDEN))}
    p |= {f"gain.{gate}{side}": drawn(HIDDEN) for gate in gates for side in "xh"}
    return (
        p
        | {f"shift.{gate}": drawn(HIDDEN) for gate in (*gates, *others)}
        | {f"gain.{other}": drawn(HIDDEN) for other in others}
    )


@pytest.mark.parametrize(
    ("name", "gates", "others", "count"),
    [("lstm_layer_norm", "ifgo", "c", 2), ("gru_layer_norm", "rzn", "", 1)],
)
def test_layer_norm_undoes_the_scale_of_a_product(name, gates, others, count):
    p, x, states = (
        normed_parameters(gates, others),
        drawn(BATCH, INPUT),
        tuple(drawn(BATCH, HIDDEN) for _ in range(count)),
    )
    scaled = p | {f"W.{gates[0]}": 1e3 * p[f"W.{gates[0]}"]}
    torch.testing.assert_close(STEPS[name](x, states, scaled)[0], STEPS[name](x, states, p)[0], rtol=0, atol=1e-4)


def test_layer_normed_lstm_of_gain_zero_has_the_gates_of_its_shifts():
    p, x, (h, c) = (
        normed_parameters("ifgo", "c"),
        drawn(BATCH, INPUT),
        (drawn(BATCH, HIDDEN), drawn(BATCH, HIDDEN)),
    )
    p |= {name: torch.zeros_like(value) for name, value in p.items() if name.startswith("gain.") and name != "gain.c"}
    _, (new_h, new_c) = STEPS["lstm_layer_norm"](x, (h, c), p)
    expected = torch.sigmoid(p["shift.f"]) * c + torch.sigmoid(p["shift.i"]) * torch.tanh(p["shift.g"])
    close(new_c, expected)
    centred = expected - expected.mean(-1, keepdim=True)
    normed = centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    close(new_h, torch.sigmoid(p["shift.o"]) * torch.tanh(normed * p["gain.c"] + p["shift.c"]))


def test_layer_normed_gru_of_gain_zero_has_the_gates_of_its_shifts():
    p, x, h = normed_parameters("rzn"), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN)
    p |= {name: torch.zeros_like(value) for name, value in p.items() if name.startswith("gain.")}
    z = torch.sigmoid(p["shift.z"])
    close(STEPS["gru_layer_norm"](x, (h,), p)[0], (1 - z) * torch.tanh(p["shift.n"]) + z * h)


def test_without_time_that_passed_nothing_fades():
    p = parameters(*"rzn") | {"d.n": drawn(HIDDEN), "G.h": drawn(HIDDEN), "b.h": -drawn(HIDDEN).abs()}
    x, h, c = drawn(BATCH, INPUT), drawn(BATCH, HIDDEN), drawn(BATCH, HIDDEN)
    now = torch.cat([x, torch.zeros(BATCH, 1, dtype=torch.float64)], -1)
    close(STEPS["gru_decay"](now, (h,), p)[0], STEPS["gru"](x, (h,), p)[0])
    p = parameters(*"ifgo", "d")
    for ours, theirs in zip(STEPS["lstm_time_aware"](now, (h, c), p)[1], STEPS["lstm"](x, (h, c), p)[1], strict=True):
        close(ours, theirs)


def test_after_a_long_time_nothing_of_the_state_is_left():
    p = parameters(*"rzn") | {"d.n": drawn(HIDDEN), "G.h": drawn(HIDDEN).abs() + 1, "b.h": drawn(HIDDEN)}
    x, h = drawn(BATCH, INPUT), drawn(BATCH, HIDDEN)
    later = torch.cat([x, torch.full((BATCH, 1), 1e3, dtype=torch.float64)], -1)
    close(STEPS["gru_decay"](later, (h,), p)[0], STEPS["gru"](x, (0 * h,), p)[0])


def gru_d_parameters():
    p = parameters(*"rzn") | {f"V.{gate}": drawn(HIDDEN, INPUT) for gate in "rzn"}
    return p | {"G.x": drawn(INPUT).abs() + 1, "b.x": drawn(INPUT), "G.h": drawn(HIDDEN, INPUT), "b.h": drawn(HIDDEN)}


def test_gru_d_of_what_was_all_observed_is_a_gru_with_a_faded_state_and_the_masks_weights_in_its_biases():
    p, x, h, last = gru_d_parameters(), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN), drawn(BATCH, INPUT)
    delta = drawn(BATCH, INPUT).abs()
    _, (new, kept) = STEPS["gru_d"](torch.cat([x, torch.ones_like(x), delta], -1), (h, last), p)
    biased = p | {f"b.{gate}": p[f"b.{gate}"] + p[f"V.{gate}"].sum(-1) for gate in "rzn"}
    left = torch.exp(-torch.relu(delta @ p["G.h"].T + p["b.h"]))
    close(new, STEPS["gru_lets_before"](x, (left * h,), biased)[0])
    close(kept, x)


def test_gru_d_of_what_is_missing_reads_the_last_value_at_first_and_the_mean_in_the_end():
    p, x, h, last = gru_d_parameters(), drawn(BATCH, INPUT), drawn(BATCH, HIDDEN), drawn(BATCH, INPUT)
    none = torch.zeros_like(x)
    p |= {"G.h": torch.zeros(HIDDEN, INPUT, dtype=torch.float64), "b.x": -p["b.x"].abs()}
    left = torch.exp(-torch.relu(p["b.h"])) * h
    for delta, read in ((none, last), (none + 1e3, none)):
        _, (new, kept) = STEPS["gru_d"](torch.cat([x, none, delta], -1), (h, last), p)
        close(new, STEPS["gru_lets_before"](read, (left,), p)[0])
        close(kept, last)
