"""Whoever wants to see operations sees them, and gets the right numbers: modes, traces, transformations, subclasses.

Each runs on a network that was called before, whose kernel is remembered, and on one that was not.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch._subclasses.functional_tensor import FunctionalTensor, FunctionalTensorMode
from torch._subclasses.schema_check_mode import SchemaCheckMode
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode
from torch.testing._internal.logging_tensor import LoggingTensor, LoggingTensorMode, capture_logs
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

import loopcell
from loopcell import Recurrent, cell, sigmoid, tanh
from tests.paths import ELSEWHERE, path

STEPS, ROWS, WIDTH, UNITS = 4, 2, 3, 5


@cell
def notebook(x, h, *, W, U, b):
    """A cell that no library has."""
    f = sigmoid(W.f @ x + U.f @ h + b.f)
    return f * h + (1 - f) * tanh(W.g @ x + U.g @ (f * h) + b.g)


KINDS = {
    "RNN": lambda: loopcell.RNN(WIDTH, UNITS),
    "GRU": lambda: loopcell.GRU(WIDTH, UNITS, batch_first=True),
    "LSTM": lambda: loopcell.LSTM(WIDTH, UNITS, 2),
    "LSTM both ways": lambda: loopcell.LSTM(WIDTH, UNITS, bidirectional=True, bias=False),
    "notebook": lambda: Recurrent(notebook, WIDTH, UNITS),
}


@pytest.fixture(params=KINDS)
def net(request):
    torch.manual_seed(0)
    return KINDS[request.param]()


@pytest.fixture(params=["auto", ELSEWHERE])
def order(request):
    """The order in which back ends are tried."""
    with path(request.param):
        yield request.param


@pytest.fixture(params=["cold", "called", "called in inference mode", "called for gradients", ELSEWHERE])
def history(request):
    """What a network has run before; elsewhere than in kernels of C nothing is remembered of it."""

    def call(net, x):
        if request.param in ("called", ELSEWHERE):
            with torch.no_grad():
                net(x), net(x)
        elif request.param == "called in inference mode":
            with torch.inference_mode():
                net(x), net(x)
        elif request.param == "called for gradients":
            net(x)[0].sum().backward()
            net.zero_grad()

    with path(ELSEWHERE if request.param == ELSEWHERE else "auto"):
        yield call


@pytest.fixture
def x():
    torch.manual_seed(1)
    return torch.randn(ROWS, STEPS, WIDTH)  # whichever axis a network takes for time


def expected(net, x):
    with loopcell.backend("reference"):
        y, state = net(x)
    return y, state


def gradients(y, net, x):
    """By backward(): FlopCounterMode and CommDebugMode do not allow torch.autograd.grad on leaves."""
    leaves = [x, *net.parameters()]
    for leaf in leaves:
        leaf.grad = None
    y.square().sum().backward()
    return [leaf.grad for leaf in leaves if leaf.requires_grad]


class Seen(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.operators = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.operators.append(str(func))
        return func(*args, **(kwargs or {}))


class SeenFunctions(TorchFunctionMode):
    def __init__(self):
        super().__init__()
        self.functions = []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        self.functions.append(str(func))
        return func(*args, **(kwargs or {}))


@contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def quiet_log():
    """torch's logging tensors write records that only their own handler can format."""
    log = logging.getLogger("LoggingTensor")
    before, log.propagate = log.propagate, False
    try:
        with capture_logs():
            yield
    finally:
        log.propagate = before


@contextmanager
def logging_mode():
    with quiet_log(), LoggingTensorMode():
        yield


def comm_debug():
    from torch.distributed.tensor.debug import CommDebugMode

    return CommDebugMode()


MODES = {
    "dispatch mode": Seen,
    "function mode": SeenFunctions,
    "FlopCounterMode": lambda: FlopCounterMode(display=False),
    "SchemaCheckMode": SchemaCheckMode,
    "LoggingTensorMode": logging_mode,
    "CommDebugMode": comm_debug,
    "deterministic": deterministic,
    "anomaly": torch.autograd.detect_anomaly,
    "saved-tensor hooks": lambda: torch.autograd.graph.saved_tensors_hooks(torch.clone, torch.clone),
    "default device": lambda: torch.device("cpu"),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("grad", [False, True])
def test_numbers_under_every_mode(net, history, x, mode, grad):
    history(net, x)
    x.requires_grad_(grad)
    with torch.set_grad_enabled(grad):
        wanted, state = expected(net, x)
        wanted_gradients = gradients(wanted, net, x) if grad else ()
        with MODES[mode]():
            y, last = net(x)
            found = gradients(y, net, x) if grad else ()
    torch.testing.assert_close(y, wanted)
    torch.testing.assert_close(last, state)
    torch.testing.assert_close(found, wanted_gradients, rtol=1e-4, atol=1e-5)


def test_a_backward_pass_that_is_watched_alone(net, x):
    wanted = gradients(expected(net, x)[0], net, x)
    y, _ = net(x)
    with Seen() as seen:
        found = gradients(y, net, x)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    assert any("mm" in name for name in seen.operators)


def test_modes_see_the_operator(net, history, x):
    history(net, x)
    with Seen() as seen, SeenFunctions() as functions, torch.no_grad():
        net(x)
    if net.plan()[0].backend == "reference":  # whose operations are seen one by one
        return
    assert "loopcell.run.default" in seen.operators
    assert any("loopcell" in name for name in functions.functions)
    assert "loopcell::run, which a dispatch mode sees" in plan_under(Seen(), net)
    assert "loopcell::run, which a function mode sees" in plan_under(SeenFunctions(), net)
    assert "loopcell::run" not in plan_under(torch.device("cpu"), net)


def plan_under(mode, net):
    with mode:
        return net.plan()[0].reason


def test_flops_are_those_of_the_products(order, x):
    """2 * T * B * (G * H * I + G * H * H) forward, and twice that for the gradients of input and weights."""
    for kind, gates in ((loopcell.RNN, 1), (loopcell.GRU, 3), (loopcell.LSTM, 4)):
        net, x = kind(WIDTH, UNITS), x.detach().requires_grad_()
        forward = 2 * x.shape[0] * x.shape[1] * gates * UNITS * (WIDTH + UNITS)
        with FlopCounterMode(display=False) as counter:
            net(x)
        assert counter.get_total_flops() == forward
        with FlopCounterMode(display=False) as counter:
            net(x)[0].sum().backward()
        assert counter.get_total_flops() == 3 * forward


@pytest.mark.parametrize("given", [False, True], ids=["at rest", "hx"])
def test_fake_tensors(net, history, x, given):
    history(net, x)
    with torch.no_grad():
        state = net(x)[1] if given else None
    with FakeTensorMode() as mode, torch.no_grad():
        fake = torch.utils._pytree.tree_map_only(torch.Tensor, mode.from_tensor, (x, state))
        weights = {name: mode.from_tensor(tensor) for name, tensor in net.named_parameters()}
        y, last = torch.func.functional_call(net, weights, fake if given else fake[:1])
    real, end = net(x)
    assert y.shape == real.shape
    assert type(y) is not torch.Tensor
    shapes = torch.utils._pytree.tree_map(lambda tensor: tensor.shape, (last, end))
    assert shapes[0] == shapes[1] or list(shapes[0].values()) == list(shapes[1].values())
    assert torch.equal(net(x)[0], real)  # what was fake is not remembered


def test_a_network_of_fake_parameters(order, x):
    with FakeTensorMode():
        net = loopcell.LSTM(WIDTH, UNITS)
        y, _ = net(torch.randn(STEPS, ROWS, WIDTH))
        y.sum().backward()
        assert net.weight_ih_l0.grad.shape == (4 * UNITS, WIDTH)
    assert y.shape == (STEPS, ROWS, UNITS)


def test_functional_tensors(net, history, x):
    history(net, x)
    wanted = expected(net, x)[0]
    with FunctionalTensorMode(), torch.no_grad():
        y, _ = net(FunctionalTensor.to_functional(x))
        y = torch._from_functional_tensor(y.elem)
    torch.testing.assert_close(y, wanted)
    torch.testing.assert_close(torch.func.functionalize(lambda x: net(x)[0])(x), wanted)


def test_subclasses_keep_their_kind(net, history, x):
    history(net, x)
    wanted = expected(net, x)[0]

    class Named(torch.Tensor):
        pass

    y, _ = net(x.as_subclass(Named))
    assert type(y) is Named
    torch.testing.assert_close(y.as_subclass(torch.Tensor), wanted)
    with torch.no_grad(), quiet_log():
        y, _ = net(LoggingTensor(x))
    assert type(y) is LoggingTensor
    torch.testing.assert_close(y.elem, wanted)


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("watched", [False, True])
def test_many_gradients_at_once(net, history, x, watched):
    history(net, x)

    def output(x):
        return net(x)[0].sum((1, 2))

    with loopcell.backend("reference"):
        wanted = torch.autograd.functional.jacobian(output, x)
    with Seen() if watched else torch.enable_grad():
        found = torch.autograd.functional.jacobian(output, x, vectorize=True)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    x.requires_grad_()
    y = output(x)
    leaves = [x, *net.parameters()]
    one_by_one = [torch.autograd.grad(entry, leaves, retain_graph=True) for entry in y]
    at_once = torch.autograd.grad(y, leaves, torch.eye(len(y)), is_grads_batched=True, retain_graph=True)
    for place, gradient in enumerate(at_once):
        wanted_gradient = torch.stack([gradients[place] for gradients in one_by_one])
        torch.testing.assert_close(gradient, wanted_gradient, rtol=1e-4, atol=1e-5)
    (batched,) = torch.autograd.grad(y, x, torch.eye(len(y)), is_grads_batched=True, retain_graph=True)
    torch.testing.assert_close(batched, wanted, rtol=1e-4, atol=1e-5)
    mapped = torch.vmap(lambda v: torch.autograd.grad(y, x, v, retain_graph=True)[0])(torch.eye(len(y)))
    torch.testing.assert_close(mapped, wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.func.jacrev(output)(x.detach()), wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.func.jacfwd(output)(x.detach()), wanted, rtol=1e-4, atol=1e-5)


def test_forward_mode_derivatives(net, history, x):
    history(net, x)
    tangent = torch.randn(x.shape)
    with forward_ad.dual_level():
        y, _ = net(forward_ad.make_dual(x, tangent))
        found = forward_ad.unpack_dual(y).tangent
    _, wanted = torch.func.jvp(lambda x: net(x)[0], (x,), (tangent,))
    torch.testing.assert_close(found, wanted)


def test_second_derivatives_under_a_mode(order, net, x):
    x = x.double().requires_grad_()
    net.double()

    def second(run):
        y, _ = run(x)
        (first,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        return torch.autograd.grad(first.square().sum(), x)[0]

    with loopcell.backend("reference"):
        wanted = second(net)
    with Seen():
        torch.testing.assert_close(second(net), wanted)
    torch.testing.assert_close(second(net), wanted)


@pytest.mark.parametrize("given", [False, True], ids=["at rest", "hx"])
def test_the_meta_device(order, net, x, given):
    state = net(x)[1] if given else None
    meta = net.to("meta")
    x, state = torch.utils._pytree.tree_map_only(torch.Tensor, lambda tensor: tensor.to("meta"), (x, state))
    y, _ = meta(x, state) if given else meta(x)
    assert y.device.type == "meta"
    assert y.shape[:2] == x.shape[:2]


def test_a_tensor_that_is_negated_lazily(net, history, x):
    history(net, x)
    lazy = torch.complex(torch.zeros_like(x), -x).conj().imag
    assert lazy.is_neg()
    torch.testing.assert_close(net(lazy)[0], expected(net, x)[0])


def test_inference_then_training(order, net, x):
    with torch.inference_mode():
        before = net(x)[0].clone()
        net(x)
    net(x)[0].sum().backward()
    assert all(weight.grad is not None for weight in net.parameters())
    torch.testing.assert_close(net(x)[0].detach(), before)


def test_a_stepper_made_for_inference_serves_later():
    net = loopcell.GRU(WIDTH, UNITS)
    with torch.inference_mode():
        stepper = net.stepper(2)
        first = stepper.step(torch.ones(2, WIDTH)).clone()
    stepper.reset()
    stepper.state = net.initial_state(2)
    assert torch.equal(stepper.step(torch.ones(2, WIDTH)), first)


def test_a_stepper_does_not_run_unseen():
    net = loopcell.GRU(WIDTH, UNITS)
    stepper = net.stepper(2)
    for mode in (Seen(), SeenFunctions()):
        with mode, pytest.raises(loopcell.errors.InputError, match=r"memory, which a .* mode does not see"):
            stepper.step(torch.ones(2, WIDTH))
    with FakeTensorMode() as fake, pytest.raises(loopcell.errors.InputError, match="a stepper"):
        stepper.step(fake.from_tensor(torch.ones(2, WIDTH)))
    torch.testing.assert_close(stepper.step(torch.ones(2, WIDTH)), net(torch.ones(1, 2, WIDTH))[0][0])


def test_memory_that_was_taken_away(net, x):
    weight = next(net.parameters())
    weight.untyped_storage().resize_(0)
    with pytest.raises(loopcell.errors.InputError, match="has no memory"):
        net(x)


@pytest.mark.parametrize("backend", ["auto", ELSEWHERE, "reference"])
def test_another_default_device_makes_nothing_elsewhere(net, x, backend):
    given = {"lengths": [1, x.shape[0]] + [0] * (x.shape[1] - 2)} if not net.batch_first else {"lengths": [1, 4]}
    reset = torch.rand(x.shape[:2]) > 0.5
    with loopcell.backend("reference"):
        wanted = [net(x, **given), net(x, reset=reset), net(x)]
    with path(backend), torch.device("meta"):
        found = [net(x, **given), net(x, reset=reset), net(x)]
        if not net.bidirectional:
            stepper = net.stepper(2)
            stepper.step(x[0, :2])
            state = stepper.state.select([1]).reset([True])
            assert next(iter(state.values())).device.type == "cpu"
    torch.testing.assert_close(found, wanted)
