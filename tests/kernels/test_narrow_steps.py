"""Steps on narrow weights give what the network gives whose matrices were rounded by hand."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import loopcell
from loopcell import GRU, LSTM, RNN, Recurrent, cell, cells, sigmoid, sized, tanh
from loopcell.errors import InputError, TensorError, UsageError
from loopcell.runtime import dispatch, narrow as narrow_room
from tests.kernels.test_laws import ALL
from tests.laws.table import case

WIDTHS = ("bf16", "int8")
TOLERANCE = {"bf16": 2e-5, "int8": 1e-3}
"""Of values around 1. In int8 an operand is rounded too, to 14 bits where the CPU multiplies no whole digits of 8."""


def rounded_by_hand(matrix, width):
    """Numbers of a matrix as a kernel has them: int8 with a scale for each row, or the upper half of a float."""
    numbers = matrix.detach().numpy().astype(np.float64)
    if width == "bf16":
        words = matrix.detach().numpy().astype(np.float32).view(np.uint32).astype(np.uint64)
        even = words + 0x7FFF + ((words >> 16) & 1)  # to the nearest, and of two as near to the even one
        found = ((even >> 16) << 16).astype(np.uint32).view(np.float32)
    else:
        scale = (np.abs(numbers).max(axis=1, keepdims=True) / 127).astype(np.float32).astype(np.float64)
        found = np.rint(numbers / scale) * scale
    return torch.from_numpy(np.ascontiguousarray(found)).to(matrix.dtype)


def matrices_of(net):
    """Names of the parameters that products of a step read, from the equations."""
    graph = net.spec.executables[0].runner(training=False).programs.fused.core
    products = [node for node in graph.nodes if node.op == "matmul"]
    return {graph.nodes[node.args[0]].name for node in products}


def with_rounded_matrices(net, width):
    other = copy.deepcopy(net)
    for layer in range(net.num_layers):
        for name, value in net.weights(layer, 0).items():
            if name in matrices_of(net):
                other.assign(layer, 0, name, rounded_by_hand(value, width))
    return other


def steps_of(stepper, x, **inputs):
    return torch.stack([stepper.step(now, **{k: v[t] for k, v in inputs.items()}).clone() for t, now in enumerate(x)])


def assert_the_same(net, width, x, state=None, **inputs):
    stepper = net.stepper(x.shape[1], state, weights=width)
    assert stepper.fused
    full = with_rounded_matrices(net, width).stepper(x.shape[1], state)
    torch.testing.assert_close(
        steps_of(stepper, x, **inputs),
        steps_of(full, x, **inputs),
        rtol=TOLERANCE[width],
        atol=TOLERANCE[width],
        equal_nan=True,
    )
    for name, tensor in stepper.state.items():
        torch.testing.assert_close(tensor, full.state[name], rtol=TOLERANCE[width], atol=TOLERANCE[width])


CASES = [(name, width) for name in ALL for width in WIDTHS if width == "int8" or name in cells.CELLS]


@pytest.mark.parametrize(("name", "width"), CASES)
def test_every_cell_is_the_one_with_rounded_matrices(name, width):
    tried = case(ALL[name], input_size=5, hidden_size=19, batch=3, steps=6)
    net = tried.net(dtype=torch.float32)
    widths = {name: further.width for name, further in net.spec.further.items()}
    x, *rest = tried.inputs().float().split([net.input_size, *widths.values()], -1)
    assert_the_same(net, width, x, tried.state(net).to(torch.float32), **dict(zip(widths, rest, strict=True)))


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("batch", [1, 2, 5, 12, 13, 30])
@pytest.mark.parametrize("sizes", [(1, 1), (3, 16), (34, 65)])
def test_odd_sizes_and_batches_up_to_several_blocks_of_rows(sizes, batch, width):
    torch.manual_seed(0)
    net = LSTM(*sizes, num_layers=2)
    assert_the_same(net, width, torch.randn(4, batch, sizes[0]))


@pytest.mark.parametrize("width", WIDTHS)
def test_torch_compatible_networks(width):
    torch.manual_seed(0)
    for net in (GRU(7, 33), RNN(7, 33, nonlinearity="relu"), LSTM(7, 33, proj_size=5, batch_first=True)):
        assert_the_same(net, width, torch.randn(5, 2, 7))


@pytest.mark.parametrize("width", WIDTHS)
def test_many_rows_on_two_threads_are_the_same_rows(width):
    net, x = GRU(64, 128), torch.randn(3, 40, 64)
    alone = steps_of(net.stepper(40, weights=width), x)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert torch.equal(steps_of(net.stepper(40, weights=width), x), alone)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("width", WIDTHS)
def test_a_row_does_not_depend_on_its_neighbours(width):
    torch.manual_seed(0)
    net, x = LSTM(6, 21, 2), torch.randn(5, 9, 6)
    all_rows = steps_of(net.stepper(9, weights=width), x)
    for row in range(9):
        assert torch.equal(steps_of(net.stepper(1, weights=width), x[:, row : row + 1]), all_rows[:, row : row + 1])


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_not_finite_in_a_row_stays_in_it(width, bad):
    net, x = LSTM(6, 21), torch.randn(3, 4, 6)
    good = steps_of(net.stepper(4, weights=width), x)
    x[1, 2, 3] = bad
    found = steps_of(net.stepper(4, weights=width), x)
    assert torch.equal(found[:, [0, 1, 3]], good[:, [0, 1, 3]])
    assert torch.equal(found[0], good[0])
    if width == "int8" or math.isnan(bad):  # in bf16 an infinity saturates gates, as in the network
        assert found[1:, 2].isnan().all()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("size", [0.0, 1e-38, 1e-33, 1e6, 1e30])
def test_operands_of_any_size(width, size):
    @cell
    def products(x, h, *, W, U):
        return W.x @ x + 0 * (U.h @ h)

    net = Recurrent(products, 40, 7)
    x = torch.rand(1, 2, 40) * size
    expected = steps_of(with_rounded_matrices(net, width).stepper(2), x)
    off = (steps_of(net.stepper(2, weights=width), x) - expected).abs().max()
    assert off <= 1e-4 * 40 * max(size, 1e-30)


def test_int8_adds_whole_numbers_of_the_largest_size():
    """255 of 255 and 127 of 127 everywhere: no sum of a long operand leaves 32 bits, or 16 on the way."""

    @cell
    def products(x, h, *, W, U):
        return W.x @ x + 0 * (U.h @ h)

    net = Recurrent(products, 4099, 3)
    signs = torch.tensor([1.0, -1.0, 1.0]).unsqueeze(1)
    net.assign(0, 0, "W.x", signs * torch.ones(3, 4099))
    for sign in (1.0, -1.0):
        found = net.stepper(weights="int8").step(torch.full((1, 4099), sign))
        torch.testing.assert_close(found, 4099 * sign * signs.T, rtol=1e-5, atol=0)


@pytest.mark.parametrize("cc", ["gcc", "clang"])
@pytest.mark.parametrize("name", ["avx512", "avx2", "plain"])
@pytest.mark.parametrize("width", WIDTHS)
def test_vectors_of_other_widths_and_compilers(width, name, cc, aimed):
    """avx512 has no dot product of whole numbers here, so digits are of 7 bits there and with avx2; plain has 8."""
    aimed(name, cc)
    torch.manual_seed(0)
    for net in (GRU(9, 21), Recurrent("rnn", 3, 70)):
        assert_the_same(net, width, torch.randn(4, 3, net.input_size))


def test_errors_are_reported_and_within_their_bounds():
    torch.manual_seed(0)
    net, x = LSTM(16, 64, 2), torch.randn(50, 3, 16)
    found = {width: net.stepper(3, weights=width) for width in WIDTHS}
    for width, bound in (("bf16", 1 / 256), ("int8", 1 / 254)):
        error, by_hand = found[width].weight_error, 0.0
        for layer in range(2):
            for name in matrices_of(net):
                matrix = net.weights(layer, 0)[name].detach()
                off = (rounded_by_hand(matrix, width) - matrix).abs().amax(1) / matrix.abs().amax(1)
                by_hand = max(by_hand, float(off.max()))
        assert error == pytest.approx(by_hand, rel=1e-4)
        assert bound / 4 < error <= bound * (1 + 1e-6)
        before = found[width].state
        drift = found[width].compare(x)
        assert torch.equal(found[width].state.h, before.h)
        right, rounded = steps_of(net.stepper(3), x), steps_of(found[width], x)
        difference = (rounded - right).double()
        torch.testing.assert_close(drift.by_step, difference.abs().amax((1, 2)))
        assert drift.weight_error == error
        assert drift.largest == float(drift.by_step.max()) > 1e-4
        assert drift.relative == pytest.approx(float(difference.norm() / right.double().norm()))
        assert f"weights off by at most {error:.2%} of their row's largest; outputs over 50 steps" in str(drift)
    assert net.stepper().weight_error == 0


def test_comparison_takes_further_inputs_and_no_steps():
    net = Recurrent("gru_decay", 3, 9)
    drift = net.stepper(weights="int8").compare(torch.randn(4, 2, 3), dt=torch.rand(4, 2))
    assert drift.by_step.shape == (4,)
    assert 0 < drift.relative < 0.1
    nothing = LSTM(3, 5).stepper(weights="bf16").compare(torch.randn(0, 2, 3))
    assert (nothing.largest, nothing.relative, len(nothing.by_step)) == (0.0, 0.0, 0)


@pytest.mark.parametrize("width", WIDTHS)
def test_weights_are_rounded_anew_where_they_are_taken_anew(width):
    net, x = LSTM(3, 17), torch.randn(1, 3)
    stepper = net.stepper(weights=width)
    before = stepper.step(x).clone()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(2.1)
    stepper.reset()
    assert torch.equal(stepper.step(x), before)
    stepper.reset()
    stepper.refresh()
    assert torch.equal(stepper.step(x), net.stepper(weights=width).step(x))
    assert not torch.equal(stepper.step(x), before)


@pytest.mark.parametrize("travel", [copy.deepcopy, lambda stepper: pickle.loads(pickle.dumps(stepper))])
def test_a_copy_has_the_same_width(travel):
    net, x = GRU(3, 17), torch.randn(6, 2, 3)
    stepper = net.stepper(2, weights="int8")
    steps_of(stepper, x[:3])
    other = travel(stepper)
    assert (other.weights, other.weight_error) == ("int8", stepper.weight_error)
    assert torch.equal(steps_of(other, x[3:]), steps_of(stepper, x[3:]))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_network_in_half_precision(dtype):
    torch.manual_seed(0)
    net, x = LSTM(6, 20).to(dtype), torch.randn(5, 3, 6).to(dtype)
    stepper = net.stepper(3, weights="int8")
    expected = steps_of(copy.deepcopy(net).float().stepper(3, weights="int8"), x.float())
    found = steps_of(stepper, x)
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected.to(dtype))
    if dtype == torch.bfloat16:
        assert net.stepper(3, weights="bf16").weight_error == 0


def test_matrices_of_invariants_alone_stay_as_they_are():
    @cell
    def shifted(x, h, *, W, V, p):
        return tanh(W.x @ x + sigmoid(V.p @ sized(p.p, "rank")) + 0.5 * h)

    net = Recurrent(shifted, 3, 9, sizes={"rank": 4})
    assert matrices_of(net) == {"W.x"}
    assert_the_same(net, "int8", torch.randn(4, 2, 3))


def test_what_cannot_be_narrow_is_refused():
    with pytest.raises(UsageError, match='weights must be "bf16" or "int8", or None as they are; got \'int4\''):
        LSTM(3, 5).stepper(weights="int4")
    with pytest.raises(InputError, match='"int8" is for a network in float32 or half precision; it is in float64'):
        LSTM(3, 5, dtype=torch.float64).stepper(weights="int8")
    with pytest.raises(UsageError, match="own, so there is nothing to compare"):
        LSTM(3, 5).stepper().compare(torch.zeros(1, 1, 3))
    for x in (torch.zeros(1, 3), torch.zeros(2, 0, 3), [[[0.0] * 3]]):
        with pytest.raises(InputError, match=r"compared on is a tensor \[T, B, I\] of at least one row; got "):
            LSTM(3, 5).stepper(weights="bf16").compare(x)
    with pytest.raises(InputError, match="`dt` must have the 4 steps of the input"):
        Recurrent("gru_decay", 3, 9).stepper(weights="bf16").compare(torch.zeros(4, 2, 3), dt=torch.zeros(3, 2))
    broad = Recurrent("rnn", 65_537, 2)
    with pytest.raises(InputError, match="adds up at most 65,536 products, and an operand has 65,537 numbers; use"):
        broad.stepper(weights="int8")
    assert broad.stepper(weights="bf16").fused


@pytest.mark.parametrize("bad", [math.nan, -math.inf])
def test_weights_that_int8_cannot_hold_are_refused(bad):
    net = Recurrent("gru", 3, 5)
    with torch.no_grad():
        net.get_parameter("l0.U.n")[1, 2] = bad
    with pytest.raises(TensorError, match=r"`U\.n` has a weight that is NaN or infinite, which int8 cannot hold"):
        net.stepper(weights="int8")
    assert not net.stepper(weights="bf16").step(torch.ones(1, 3)).isfinite().all() or math.isinf(bad)


def test_without_kernels_there_is_an_error_and_no_slower_path(monkeypatch):
    net = LSTM(3, 5)
    wanted = 'a stepper with weights="int8" runs on kernels alone, and they cannot run: '
    with loopcell.backend("reference"), pytest.raises(UsageError, match=f"{wanted}it was asked for; ask for"):
        net.stepper(weights="int8")
    with FlopCounterMode(display=False), pytest.raises(UsageError, match=f"{wanted}a dispatch mode looks on"):
        net.stepper(weights="int8")
    with pytest.raises(UsageError, match=f"{wanted}the kernels are for the CPU; move the network"):
        LSTM(3, 5, device="meta").stepper(weights="int8")
    monkeypatch.setattr(dispatch, "_can_compile", lambda: False)
    monkeypatch.setattr(dispatch, "_warn_of_no_compiler", lambda: None)
    with pytest.raises(UsageError, match=rf"{wanted}there is no C compiler; `pip install .*, or leave `weights`"):
        net.stepper(weights="int8")


def test_a_kernel_that_cannot_be_built_is_an_error(monkeypatch):
    monkeypatch.setenv("LOOPCELL_CFLAGS", "-Dreal=1")
    narrow_room.narrow_kernels_of.cache_clear()
    with pytest.raises(loopcell.errors.LoopcellError, match="refused a generated kernel"):
        LSTM(3, 5).stepper(weights="int8")
