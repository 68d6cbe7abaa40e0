"""Laws of differentiation: every gradient is the one that the equations have."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError
from torch.func import functional_call, grad, jacrev, vmap

from loopcell.backends.lengths import Lengths
from loopcell.backends.reference import DerivedProgram, ReferenceProgram, run as run_reference, run_derived
from loopcell.equations.keys import Key
from loopcell.errors import CheckFailed
from loopcell.layers import Recurrent, State
from loopcell.passes import build_program
from loopcell.testing.case import Case, observe, padded, run, weighed
from loopcell.testing.closeness import assert_all_close, assert_close

_STEP = 1e-6
_NUMERICAL = 1e-7
"""A central difference in double precision: the step, and how exact it is (rounding 1e-16 / step, curvature step^2)."""


def gradients_are_numerical_ones(case: Case) -> None:
    """Check that every gradient is the slope that shows when what it belongs to is moved a little."""
    net, x = case.net(), case.inputs()
    state = case.state(net)
    observed = observe(net, run(net), x, state)
    moved = {"the input": x} | {f"the initial {name}": tensor for name, tensor in state.items()}
    moved |= {name: parameter.detach() for name, parameter in net.named_parameters()}

    def loss() -> Tensor:
        return weighed(*padded(net(x, state)))

    for seed, (name, tensor) in enumerate(moved.items()):
        direction = torch.randn(tensor.shape, dtype=tensor.dtype, generator=torch.Generator().manual_seed(seed))
        slope = (observed[f"the gradient of {name}"] * direction).sum()
        assert_close(f"the gradient of {name}", slope, numerical_slope(loss, tensor, direction), tolerance=_NUMERICAL)


def numerical_slope(function: Callable[[], Tensor], tensor: Tensor, direction: Tensor) -> Tensor:
    """Return how fast a scalar changes when a tensor moves in a direction, by a central difference.

    Args:
        function: computes the scalar from `tensor`, which it reads anew at each call.
        tensor: moved in place, and back again; float64, for its precision.
        direction: as large as `tensor`.
    """
    with torch.no_grad():
        original = tensor.clone()
        tensor.copy_(original + _STEP * direction)
        above = function()
        tensor.copy_(original - _STEP * direction)
        below = function()
        tensor.copy_(original)
        return (above - below) / (2 * _STEP)


def the_derived_backward_is_autograds(case: Case) -> None:
    """Check the derived reverse step against autograd's gradients, with lengths and resets too."""
    net, x = case.net(), case.inputs()
    state = case.state(net)
    reference = ReferenceProgram(build_program(case.cell.graph, training=False))
    derived = DerivedProgram.of(reference)
    whole = Lengths(case.steps)
    for lengths in (whole, Lengths(case.steps, case.lengths()).with_reset(case.reset())):

        def by_autograd(x: Tensor, state: State, lengths: Lengths = lengths) -> tuple[Tensor, State]:
            return _named(state, *run_reference(reference, _leaves(case, net, x, state), lengths)[:2])

        def by_derivation(x: Tensor, state: State, lengths: Lengths = lengths) -> tuple[Tensor, State]:
            return _named(state, *run_derived(derived, _leaves(case, net, x, state), lengths))

        assert_all_close(observe(net, by_derivation, x, state), observe(net, by_autograd, x, state))


def gradients_have_gradients(case: Case) -> None:
    """Check that gradients can be differentiated again, and that their slopes are numerical ones."""
    small = Case(case.cell, case.input_size, case.hidden_size, case.sizes, steps=3, batch=2)
    net, x = small.net(), small.inputs()
    state = small.state(net)
    parameters = dict(net.named_parameters())
    lengths, reset = torch.tensor([3, 2]), torch.tensor([[False, True], [True, False], [False, False]])

    def function(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        start = State(**dict(zip(state, rest, strict=False)))
        given = dict(zip(parameters, rest[len(state) :], strict=True))
        y, final = padded(functional_call(net, given, (x, start), {"lengths": lengths, "reset": reset}))
        return y, *final.values()

    tensors = [x, *state.values(), *parameters.values()]
    arguments = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    try:
        torch.autograd.gradgradcheck(function, arguments, fast_mode=True, atol=1e-5)
    except GradcheckError as error:
        raise CheckFailed(f"the second derivative is off: {error}") from None


def vmap_is_a_loop(case: Case) -> None:
    """Check torch.func.vmap over inputs, and over gradients of single examples, against a loop over them."""
    net = case.net()
    inputs = torch.stack([case.inputs(seed=seed) for seed in (1, 2)])
    state = case.state(net)
    y, final = vmap(lambda x: padded(net(x, state)))(inputs)
    for place, x in enumerate(inputs):
        expected, expected_final = padded(net(x, state))
        assert_close("the output under vmap", y[place], expected)
        for name in state:
            assert_close(f"the final {name} under vmap", final[name][place], expected_final[name])
    _check_single_gradients(net, inputs[0], state)


def _check_single_gradients(net: Recurrent, x: Tensor, state: State) -> None:
    parameters = {name: parameter.detach() for name, parameter in net.named_parameters()}

    def loss(parameters: dict[str, Tensor], x: Tensor, state: State) -> Tensor:
        start = state.map(lambda tensor: tensor.unsqueeze(1))
        return weighed(*padded(functional_call(net, parameters, (x.unsqueeze(1), start))))

    single = vmap(grad(loss), in_dims=(None, 1, 1))(parameters, x, state)
    for row in range(x.shape[1]):
        alone = State(**{name: tensor[:, row] for name, tensor in state.items()})
        expected = grad(loss)(parameters, x[:, row], alone)
        for name, gradient in expected.items():
            assert_close(f"the gradient of {name} for row {row} under vmap", single[name][row], gradient)


def jacrev_is_rows_of_gradients(case: Case) -> None:
    """Check that torch.func.jacrev gives the gradient of every entry of the output."""
    net, x = case.net(), case.inputs(steps=2, batch=1)
    state = case.state(net, batch=1)
    jacobian = jacrev(lambda x: padded(net(x, state))[0])(x)
    x = x.requires_grad_()
    y = padded(net(x, state))[0] + 0 * x.sum()  # an output that ignores the input has a gradient too
    for place in torch.cartesian_prod(*(torch.arange(size) for size in y.shape)).tolist():
        (expected,) = torch.autograd.grad(y[tuple(place)], x, retain_graph=True)
        assert_close(f"the Jacobian at {place}", jacobian[tuple(place)], expected)


def _leaves(case: Case, net: Recurrent, x: Tensor, state: State) -> dict[Key, Tensor | int]:
    """Return what a program reads, by the keys of its leaves."""
    sizes = case.cell.resolve_sizes(input_size=case.input_size, hidden_size=case.hidden_size, sizes=case.sizes)
    leaves: dict[Key, Tensor | int] = {Key("size", name): size for name, size in sizes.items()}
    widths = [case.input_size, *(width for _, width in net.spec.further.values())]
    parts = zip(case.cell.inputs or ("x",), torch.split(x, widths, -1), strict=True)
    leaves |= {Key("input", name): part for name, part in parts}
    leaves |= {Key("state", name): tensor[0] for name, tensor in state.items()}
    return leaves | {Key("parameter", name): weight for name, weight in net.weights(0, 0).items()}


def _named(like: State, y: Tensor, final: list[Tensor]) -> tuple[Tensor, State]:
    return y, State(**{name: tensor.unsqueeze(0) for name, tensor in zip(like, final, strict=True)})
