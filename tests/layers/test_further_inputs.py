"""The inputs that a call takes by name: forms, lengths, layers, errors."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from loopcell import Recurrent, cell, tanh
from loopcell.errors import ArgumentError, InputError, TensorError
from tests.reference.decays import gru_d, gru_decay

T, B, D, H = 6, 4, 3, 5


def drawn(net, batch=B, steps=T):
    """The input and the further ones of a network, float64."""
    torch.manual_seed(2)
    x = torch.randn(steps, batch, net.input_size, dtype=torch.float64)
    return x, {
        name: torch.rand(steps, batch, width, dtype=torch.float64) for name, (_, width) in net.spec.further.items()
    }


def made(name, **options):
    torch.manual_seed(1)
    return Recurrent(name, D, H, dtype=torch.float64, **options)


def close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "step"), [("gru_decay", gru_decay), ("gru_d", gru_d)])
def test_a_call_is_the_papers_loop(name, step):
    net = made(name)
    x, given = drawn(net)
    y, state = net(x, **given)
    states = tuple(torch.zeros(B, size, dtype=torch.float64) for size in net.spec.state_sizes.values())
    weights = net.weights(0, 0)
    for t in range(T):
        output, states = step(torch.cat([x[t], *(value[t] for value in given.values())], -1), states, weights)
        close(y[t], output)
    for found, expected in zip(state.values(), states, strict=True):
        close(found[0], expected)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("name", ["gru_decay", "gru_d", "lstm_time_aware"])
def test_forms_of_an_input(name, batch_first):
    net = made(name, batch_first=batch_first)
    x, given = drawn(net)

    def form(tensor):
        return tensor.transpose(0, 1) if batch_first else tensor

    y, state = net(form(x), **{key: form(value) for key, value in given.items()})
    plain = {key: value.squeeze(-1) if not net.spec.further[key].size else value for key, value in given.items()}
    close(net(form(x), **{key: form(value) for key, value in plain.items()})[0], y)  # one number needs no last axis
    for row in range(B):
        alone = {key: value[:, row] for key, value in plain.items()}
        close(net(x[:, row], **alone)[0], form(y)[:, row])
    lengths = torch.tensor([6, 1, 4, 3])
    packed = {key: pack_padded_sequence(value, lengths, enforce_sorted=False) for key, value in given.items()}
    expected, last = net(form(x), **{key: form(value) for key, value in given.items()}, lengths=lengths)
    found, state = net(pack_padded_sequence(x, lengths, enforce_sorted=False), **packed)
    close(form(pad_packed_sequence(found)[0]), expected)
    close(state.h, last.h)


def test_what_stands_past_the_end_has_no_influence_on_any_input():
    net = made("gru_d", bidirectional=True)
    x, given = drawn(net)
    lengths = torch.tensor([6, 0, 4, 3])
    past = (torch.arange(T).unsqueeze(1) >= lengths).unsqueeze(-1)
    y, state = net(x, **given, lengths=lengths)
    spoiled = {key: value.masked_fill(past, torch.nan) for key, value in given.items()}
    found, after = net(x.masked_fill(past, torch.nan), **spoiled, lengths=lengths)
    assert torch.equal(found, y)
    assert torch.equal(after.h, state.h)


def test_missing_values_are_not_read():
    net = made("gru_d")
    x, given = drawn(net)
    mask = (torch.rand(T, B, D) < 0.6).double()
    given["mask"] = mask
    y, _ = net(x, **given)
    holed = x.masked_fill(mask == 0, torch.nan).requires_grad_()
    found, _ = net(holed, **given)
    assert torch.equal(found, y)
    (gradient,) = torch.autograd.grad(found.square().sum(), holed)
    assert torch.equal(gradient[mask == 0], torch.zeros(int((mask == 0).sum()), dtype=torch.float64))
    assert gradient.isfinite().all()


def test_time_passes_for_every_layer():
    net = made("gru_decay", num_layers=2, bidirectional=True)
    x, given = drawn(net)
    y, _ = net(x, **given)
    weights = dict(net.named_parameters())

    def layer(number, inputs):
        halves = []
        for place, flip in ((f"l{number}.", False), (f"l{number}_reverse.", True)):
            p = {name.removeprefix(place): value for name, value in weights.items() if name.startswith(place)}
            h, outputs = (torch.zeros(B, H, dtype=torch.float64),), {}
            for t in reversed(range(T)) if flip else range(T):
                outputs[t], h = gru_decay(torch.cat([inputs[t], given["dt"][t]], -1), h, p)
            halves.append(torch.stack([outputs[t] for t in range(T)]))
        return torch.cat(halves, -1)

    close(y, layer(1, layer(0, x)))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda given: given.pop("dt"),
            TensorError,
            r"cell `gru_d` also reads dt: pass dt=..., `dt` as \[time, batch, 3\]",
        ),
        (lambda given: given.clear(), TensorError, r"also reads mask and dt: pass mask=..., dt=..., `mask` as"),
        (lambda given: given.update(dt=None), TensorError, r"also reads dt: pass dt=..., `dt` as"),
        (
            lambda given: given.update(delta=given["dt"]),
            ArgumentError,
            "a call of cell `gru_d` takes state, lengths, reset, mask, dt, and no argument 'delta'",
        ),
        (
            lambda given: given.update(dt=given["dt"][:2]),
            TensorError,
            r"input `dt` must be \[time, batch, 3\], of time 6 and batch 4 as the first input; got \[2, 4, 3\]",
        ),
        (
            lambda given: given.update(mask=given["mask"] > 0),
            TensorError,
            r"input `mask` is torch.bool and the first input torch.float64; convert it: mask.to\(torch.float64\)",
        ),
        (
            lambda given: given.update(dt=given["dt"].to("meta")),
            TensorError,
            r"input `dt` is on meta and the first input on cpu; move it: dt.to\('cpu'\)",
        ),
        (
            lambda given: given.update(dt=given["dt"].numpy()),
            TensorError,
            r"input `dt` must be a tensor \[time, batch, 3\]; got ndarray",
        ),
    ],
)
def test_what_does_not_fit_is_refused(change, error, message):
    net = made("gru_d")
    x, given = drawn(net)
    change(given)
    with pytest.raises(error, match=message):
        net(x, **given)


def test_a_cell_of_one_input_takes_no_other():
    with pytest.raises(
        ArgumentError, match="a call of cell `gru` takes state, lengths, reset, and no argument 'length'"
    ):
        Recurrent("gru", 3, 4)(torch.zeros(2, 2, 3), length=[2, 2])
    with pytest.raises(TypeError):  # as Python says it
        Recurrent("gru", 3, 4)(torch.zeros(2, 2, 3), dt=torch.zeros(2, 2))


def test_inputs_are_packed_alike_or_refused():
    net = made("gru_decay")
    x, given = drawn(net)
    packed = pack_padded_sequence(x, torch.tensor([6, 1, 4, 3]), enforce_sorted=False)
    other = pack_padded_sequence(given["dt"], torch.tensor([5, 1, 4, 3]), enforce_sorted=False)
    for wrong in (given["dt"], other):
        with pytest.raises(
            TensorError, match="input `dt` must be a PackedSequence, packed with the lengths of the first"
        ):
            net(packed, dt=wrong)


def test_layers_that_would_share_a_mask_are_refused():
    with pytest.raises(
        InputError, match="cell `gru_d` reads `mask`, which is as long as its input, and the layers above"
    ):
        Recurrent("gru_d", 3, 4, 2)
    net = made("gru_d")
    net.num_layers = 2
    with pytest.raises(InputError):
        net(torch.zeros(T, B, D, dtype=torch.float64))


def test_a_state_as_long_as_the_input():
    @cell
    def remembers(x, h, before: input, *, W, U, V):
        h = tanh(W.h @ x + U.h @ h + V.h @ before)
        return h, x

    net = Recurrent(remembers, 3, 4)
    _, state = net(torch.zeros(2, 5, 3))
    assert (state.h.shape, state.before.shape) == ((1, 5, 4), (1, 5, 3))
    assert Recurrent(remembers, 4, 4, 2)(torch.zeros(2, 5, 4))[1].before.shape == (2, 5, 4)
    with pytest.raises(InputError, match="which is 3 for the first layer and 4 for the others: use num_layers=1"):
        Recurrent(remembers, 3, 4, 2)


@pytest.mark.parametrize("name", ["state", "lengths", "reset", "hx"])
def test_an_input_named_as_an_argument_of_a_call_is_refused(name):
    namespace = {"tanh": tanh, "cell": cell}
    exec(f"@cell\ndef one(x, {name}, /, h, *, W):\n    return tanh(W.h @ x) * {name} + h\n", namespace)
    with pytest.raises(InputError, match=f"an input cannot be named `{name}`: a call has an argument of that name"):
        Recurrent(namespace["one"], 3, 4)


def test_a_size_of_its_own_is_asked_for():
    @cell
    def noted(x, note, /, h, *, W, U, V):
        return tanh(W.h @ x + U.h @ h + V.h @ note)

    with pytest.raises(InputError, match="cell `noted` needs the size 'note': pass sizes="):
        Recurrent(noted, 3, 4)
    net = Recurrent(noted, 3, 4, 2, sizes={"note": 2})  # each layer reads it
    assert net(torch.zeros(T, B, 3), note=torch.zeros(T, B, 2))[0].shape == (T, B, 4)


def test_recorded_values():
    net = made("gru_decay")
    x, given = drawn(net)
    seen = net.record(x, "gamma", **given)
    p = net.weights(0, 0)
    close(seen["gamma"][0], torch.exp(-torch.relu(p["G.h"] * given["dt"] + p["b.h"])))
    with pytest.raises(TensorError, match="also reads dt"):
        net.record(x, "gamma")


@pytest.mark.parametrize("name", ["gru_decay", "gru_d"])
def test_step_by_step(name):
    net = made(name)
    x, given = drawn(net)
    y, state = net(x, **given)
    stepper = net.stepper(B)
    for t in range(T):
        close(stepper.step(x[t], **{key: value[t] for key, value in given.items()}), y[t])
    close(stepper.state.h, state.h)
    with pytest.raises(TensorError, match=f"cell `{name}` also reads"):
        stepper.step(x[0])
    with pytest.raises(TensorError, match=r"of a step must be \[batch.*of batch 4; got \[2, "):
        stepper.step(x[0], **{key: value[0, :2] for key, value in given.items()})
    with pytest.raises(InputError, match=r"a step takes torch\.float64"):
        stepper.step(x[0].float(), **{key: value[0] for key, value in given.items()})


def test_copies_and_pickles_read_the_same_inputs():
    net = made("gru_d")
    x, given = drawn(net)
    for again in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(again(x, **given)[0], net(x, **given)[0])


def test_a_module_around_it_is_traced_by_fx():
    class Around(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = made("gru_decay")

        def forward(self, x, dt):
            return self.layers(x, dt=dt)[0]

    module = Around()
    x, given = drawn(module.layers)
    assert torch.equal(torch.fx.symbolic_trace(module)(x, given["dt"]), module(x, given["dt"]))
