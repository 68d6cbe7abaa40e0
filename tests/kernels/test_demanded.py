"""A back end by name: whatever would run as PyTorch operations raises, with the reason and the cure."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from unittest.mock import patch

import pytest
import torch
from torch.autograd import forward_ad
from torch.utils.flop_counter import FlopCounterMode

import loopcell
from loopcell import LSTM, Recurrent, WordVectors, backend, cells
from loopcell.backends.c.toolchain.build import BuildError
from loopcell.errors import UsageError
from loopcell.runtime import Lengths, dispatch, obstacles, on_native, on_triton, programs, refuse_fallback, routes
from tests.paths import ELSEWHERE, path


def net(**kwargs):
    return Recurrent(cells.get("gru"), 3, 4, **kwargs)


def inputs(**kwargs):
    return torch.randn(5, 2, 3, **kwargs)


class Wrapped(torch.Tensor):
    """A tensor of another kind."""


def no_compiler(monkeypatch):
    monkeypatch.setattr(dispatch, "compiler", lambda: None)
    dispatch._can_compile.cache_clear()
    net()(inputs())


def another_device(monkeypatch):
    net(device="meta")(inputs(device="meta"))


def another_dtype(monkeypatch):
    # No network can be made of them, and a product of such numbers is an error of PyTorch's own.
    routes.route([torch.zeros(2).to(torch.float8_e5m2)])


def mixed_dtypes(monkeypatch):
    made = net()
    made.l0.W.n.data = made.l0.W.n.data.double()
    made(inputs())


def torch_func(monkeypatch):
    made = net()
    torch.func.grad(lambda x: made(x)[0].sum())(inputs())


def forward_mode(monkeypatch):
    with forward_ad.dual_level():
        net()(forward_ad.make_dual(inputs(), inputs()))


def another_kind_of_tensor(monkeypatch):
    net()(inputs().as_subclass(Wrapped))


def gradient_of_gradient(monkeypatch):
    x = inputs(requires_grad=True)
    torch.autograd.grad(net()(x)[0].sum(), x, create_graph=True)


def a_mode_in_the_backward_pass(monkeypatch):
    y, _ = net()(inputs())
    with FlopCounterMode(display=False):
        y.sum().backward()


def a_compiler_that_refuses(monkeypatch):
    def broken(*_):
        raise BuildError("the compiler has had enough")

    monkeypatch.setattr(programs, "Kernels", broken)
    programs.kernels_of.cache_clear()
    net()(inputs())


CASES = {
    no_compiler: obstacles.NO_COMPILER,
    another_device: obstacles.OTHER_DEVICE,
    another_dtype: obstacles.other_dtype(torch.float8_e5m2),
    mixed_dtypes: obstacles.MIXED,
    torch_func: obstacles.TORCH_FUNC,
    forward_mode: obstacles.FORWARD_MODE,
    another_kind_of_tensor: obstacles.other_tensor("a Wrapped"),
    gradient_of_gradient: obstacles.HIGHER_ORDER,
    a_mode_in_the_backward_pass: obstacles.observed_backward("a dispatch mode"),
    a_compiler_that_refuses: obstacles.not_built("the compiler has had enough"),
}
"""What stands against kernels, and what a user has done to come there."""


def resets():
    net()(inputs(), reset=torch.zeros(5, 2, dtype=torch.bool))


def recorded():
    net().record(inputs(), "z")


def other_equations():
    Recurrent(cells.get("mgu"), 3, 4)(inputs())


def draws():
    Recurrent(cells.zoneout(cells.get("gru"), 0.1), 3, 4)(inputs())


def a_projection_as_long_as_the_cell_state():
    Recurrent(cells.get("lstm_projected"), 3, 4, sizes={"proj": 4})(inputs())


def a_device_without_operators():
    net(device="meta")(inputs(device="meta"))


def no_cudnn():
    with patch.object(on_native, "_is_fast_on_cuda", lambda *_: False):
        refuse_fallback(routes.obstacle("native", torch.device("cuda"), torch.float32))


def a_dtype_that_no_operator_has():
    routes.route([torch.zeros(2).to(torch.float8_e5m2)])


def a_gradient_of_a_gradient():
    gradient_of_gradient(None)


def dropout_in_a_gradient_of_a_gradient():
    x = inputs(requires_grad=True)
    with backend("auto"), path(ELSEWHERE):
        torch.autograd.grad(LSTM(3, 4, 2, dropout=0.5)(x)[0].sum(), x, create_graph=True)


NATIVE = {
    resets: obstacles.RESETS,
    recorded: obstacles.RECORDS,
    other_equations: obstacles.NOT_NATIVE,
    draws: obstacles.DRAWS,
    a_projection_as_long_as_the_cell_state: obstacles.SQUARE_PROJECTION,
    a_device_without_operators: obstacles.no_operator(torch.device("meta")),
    no_cudnn: obstacles.NO_CUDNN,
    a_dtype_that_no_operator_has: obstacles.other_dtype(torch.float8_e5m2),
    a_gradient_of_a_gradient: obstacles.HIGHER_ORDER,
}
"""What stands against torch's own operator."""


@pytest.fixture(autouse=True)
def _as_it_was():
    yield
    dispatch._can_compile.cache_clear()
    programs.kernels_of.cache_clear()
    programs._REFUSALS.clear()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_each_obstacle_is_an_error(case, monkeypatch):
    with backend("c"), pytest.raises(UsageError) as caught:
        case(monkeypatch)
    assert str(caught.value) == (
        f'backend("c") demands kernels, and they cannot run: {CASES[case].reason}; {CASES[case].cure}'
    )


@pytest.mark.parametrize("case", NATIVE, ids=lambda case: case.__name__)
def test_each_obstacle_to_torchs_operator_is_an_error(case):
    with backend("native"), pytest.raises(UsageError) as caught:
        case()
    demand, stands = 'backend("native") demands torch\'s own operator, and it cannot run', NATIVE[case]
    assert str(caught.value) == f"{demand}: {stands.reason}; {stands.cure}"


@pytest.mark.parametrize(
    "case", [resets, recorded, other_equations, draws, a_gradient_of_a_gradient, a_projection_as_long_as_the_cell_state]
)
def test_the_next_path_takes_over_where_nothing_is_demanded(case):
    with path(ELSEWHERE):
        case()


def test_torchs_operator_does_not_wait_for_lengths_where_triton_runs(monkeypatch):
    """They are copied to the CPU where it is that or the reference path, or where the operator is demanded."""
    runner = net().executable(0).runner(training=False)
    lengths = Lengths(5, torch.ones(2, dtype=torch.int64, device="meta"))

    def stands():
        return routes.obstacle("native", torch.device("cpu"), torch.float32, runner, lengths)

    monkeypatch.setattr(on_triton, "obstacle", lambda *_: obstacles.MIXED)
    assert stands() is None
    monkeypatch.setattr(on_triton, "obstacle", lambda *_: None)
    assert stands() is obstacles.LENGTHS_ON_DEVICE
    with backend("native"):
        assert stands() is None


def test_dropout_that_nobody_knows_has_no_second_derivative():
    with pytest.raises(UsageError, match="drew the dropout between layers itself"):
        dropout_in_a_gradient_of_a_gradient()


def test_each_obstacle_has_a_case():
    """An obstacle that is added gets a case here; the one that asks for the reference path excludes a demand."""
    made = {value for value in vars(obstacles).values() if isinstance(value, obstacles.Obstacle)}
    others = {obstacles.REFERENCE_ASKED_FOR, obstacles.DROPPED_TWICE, obstacles.LENGTHS_ON_DEVICE}
    assert made - others <= {*CASES.values(), *NATIVE.values()}
    makers = {
        name
        for name, value in vars(obstacles).items()
        if getattr(value, "__annotations__", {}).get("return") == "Obstacle"
    }
    assert makers == {
        "asked_for_another",
        "no_operator",
        "other_dtype",
        "other_tensor",
        "observed_backward",
        "not_built",
    }


@pytest.mark.parametrize("case", [torch_func, forward_mode, gradient_of_gradient, a_mode_in_the_backward_pass])
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_the_same_runs_where_kernels_are_not_demanded(case, monkeypatch):
    with backend("auto"):
        case(monkeypatch)


def test_kernels_that_are_demanded_give_the_same_numbers():
    made, x = LSTM(3, 4, num_layers=2, bidirectional=True), inputs(requires_grad=True)
    found = []
    for name in ("auto", "c"):
        with backend(name):
            assert [plan.backend for plan in made.plan()] == ["c", "c"]
            y, _ = made(x)
            (gradient,) = torch.autograd.grad(y.sum(), x)
        found.append((y, gradient))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_the_plan_raises_as_a_call_does():
    with backend("c"), pytest.raises(UsageError, match="cannot run: the kernels are for the CPU; move the network"):
        net(device="meta").plan()


def test_a_demand_of_the_forward_pass_holds_for_its_gradient():
    x = inputs(requires_grad=True)
    with backend("c"):
        y, _ = net()(x)
    with pytest.raises(UsageError, match="a gradient of a gradient is wanted"):
        torch.autograd.grad(y.sum(), x, create_graph=True)


def test_a_refused_kernel_is_an_error_each_time_and_no_warning(monkeypatch):
    for _ in range(2):
        with backend("c"), pytest.raises(UsageError, match="no kernel could be built: the compiler has had enough"):
            a_compiler_that_refuses(monkeypatch)


def test_a_kernel_that_was_refused_earlier_is_an_error_when_it_is_demanded(monkeypatch):
    made = net()
    with pytest.warns(UserWarning, match="no fused kernel for gru"):
        a_compiler_that_refuses(monkeypatch)
    with backend("c"), pytest.raises(UsageError, match="no kernel could be built: the compiler has had enough"):
        made(inputs())


def test_a_stepper_is_of_kernels_or_an_error():
    with backend("c"):
        assert net().stepper(2).fused
        with pytest.raises(UsageError, match="the kernels are for the CPU"):
            net(device="meta").stepper(2)


@pytest.mark.parametrize("mode", [nullcontext, lambda: FlopCounterMode(display=False)])
def test_the_operator_is_kernels_too(mode):
    with backend("c"), mode():
        y, _ = net()(inputs())
        y.sum().backward()


def test_the_operators_gradient_of_a_gradient():
    x = inputs(requires_grad=True)
    with backend("c"), FlopCounterMode(display=False):
        y, _ = net()(x)
        with pytest.raises(UsageError, match="a gradient of a gradient is wanted"):
            torch.autograd.grad(y.sum(), x, create_graph=True)


def test_word_vectors_too(monkeypatch):
    monkeypatch.setattr(dispatch, "compiler", lambda: None)
    dispatch._can_compile.cache_clear()
    with backend("c"), pytest.raises(UsageError, match="there is no C compiler"):
        WordVectors(vector_size=4, epochs=1, min_count=1, progress=False, random_state=0).fit(["a b a b a b"] * 5)


def test_the_environment_demands_them_for_a_process():
    program = """
import torch
from loopcell import GRU
net = GRU(3, 4)
print(net.plan()[0].backend)
net.to("meta").plan()
"""
    place = {**os.environ, "LOOPCELL_BACKEND": "c"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=place)
    assert done.stdout == "c\n"
    assert 'UsageError: backend("c") demands kernels, and they cannot run: the kernels are for the CPU' in done.stderr


def test_unknown_names_are_told_the_known_ones():
    with (
        pytest.raises(UsageError, match="there is no back end 'C'; there are auto, native, triton, c, reference"),
        loopcell.backend("C"),
    ):
        pass
