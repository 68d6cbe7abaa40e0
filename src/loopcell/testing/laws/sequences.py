"""Laws of time and of the batch: however a computation is cut up, its result is the same."""

from __future__ import annotations

import torch
from torch import Tensor

from loopcell.layers import Recurrent, State
from loopcell.testing.case import Case, observe, padded, run
from loopcell.testing.closeness import assert_all_close, assert_close


def chunks_make_the_whole(case: Case) -> None:
    """Check that a sequence run whole, in two chunks and step by step gives the same, the state being handed on."""
    net, x = case.net(num_layers=2), case.inputs()
    state = case.state(net)
    whole = observe(net, run(net), x, state)
    for cuts in ([case.steps // 2], list(range(1, case.steps))):

        def cut_up(x: Tensor, state: State, cuts: list[int] = cuts) -> tuple[Tensor, State]:
            outputs = []
            for chunk in x.tensor_split(cuts):
                y, state = padded(net(chunk, state))
                outputs.append(y)
            return torch.cat(outputs), state

        assert_all_close(observe(net, cut_up, x, state), whole)


def rows_do_not_see_each_other(case: Case) -> None:
    """Check that a row of a batch gives what it gives alone."""
    net, x = case.net(), case.inputs()
    state = case.state(net)

    def one_by_one(x: Tensor, state: State) -> tuple[Tensor, State]:
        return _joined([padded(net(x[:, row : row + 1], _row(state, row))) for row in range(case.batch)])

    assert_all_close(observe(net, run(net), x, state), observe(net, one_by_one, x, state))


def padding_changes_nothing(case: Case) -> None:
    """Check that what stands past a row's length changes no result or gradient, in either direction."""
    net, x, lengths = case.net(bidirectional=True), case.inputs(), case.lengths()
    state = case.state(net)
    past_the_end = (torch.arange(case.steps).unsqueeze(1) >= lengths).unsqueeze(-1)
    plain = run(net, lengths=lengths)

    def with_other_padding(x: Tensor, state: State) -> tuple[Tensor, State]:
        return plain(torch.where(past_the_end, float("nan"), x), state)

    expected = observe(net, plain, x, state)
    assert_all_close(observe(net, with_other_padding, x, state), expected)
    padding_gradient = expected["the gradient of the input"] * past_the_end
    assert_close("the gradient of the padding", padding_gradient, torch.zeros_like(x))


def lengths_are_slices(case: Case) -> None:
    """Check that a row with a length gives what its slice gives, zeros past it, its state after its own last step."""
    for net in (case.net(), case.net(bidirectional=True)):
        x, lengths, state = case.inputs(), case.lengths(), case.state(net)

        def sliced(x: Tensor, state: State, net: Recurrent = net, lengths: Tensor = lengths) -> tuple[Tensor, State]:
            rows = enumerate(lengths.tolist())
            return _joined([_slice(net, x[:, row : row + 1], _row(state, row), n) for row, n in rows])

        assert_all_close(observe(net, run(net, lengths=lengths), x, state), observe(net, sliced, x, state))


def a_reset_is_a_fresh_start(case: Case) -> None:
    """Check that a reset inside a sequence gives what separate sequences give, each started at zero, both ways."""
    for net in (case.net(), case.net(bidirectional=True)):
        x, lengths, reset, state = case.inputs(), case.lengths(), case.reset(), case.state(net)

        def episodes(x: Tensor, state: State, net: Recurrent = net) -> tuple[Tensor, State]:
            rows = enumerate(case.lengths().tolist())
            return _joined(
                [_episodes(net, x[:, row : row + 1], _row(state, row), n, case.reset()[:n, row]) for row, n in rows]
            )

        at_once = run(net, lengths=lengths, reset=reset)
        assert_all_close(observe(net, at_once, x, state), observe(net, episodes, x, state))


def no_steps_change_nothing(case: Case) -> None:
    """Check that a sequence of no steps gives no output and the states as they came, gradients passing through."""
    net = case.net(bidirectional=True)
    x, state = case.inputs(steps=0), case.state(net)
    observed = observe(net, run(net), x, state)
    assert_close("the output", observed["the output"], x.new_zeros(0, case.batch, net.output_size))
    for name, tensor in state.items():
        assert_close(f"the final {name}", observed[f"the final {name}"], tensor)
    through = observe(net, lambda x, state: (x.new_zeros(0), state), x, state)
    for name in state:
        key = f"the gradient of the initial {name}"
        assert_close(key, observed[key], through[key])


def directions_are_two_networks(case: Case) -> None:
    """Check that a bidirectional layer is two networks, one of which reads the sequence backwards."""
    both, x = case.net(bidirectional=True), case.inputs()
    ways = [case.net(), case.net()]
    for way, prefix in zip(ways, ("l0.", "l0_reverse."), strict=True):
        _borrow(way, both, prefix)
    state = case.state(both)
    y, final = padded(both(x, state))
    forwards, after = padded(ways[0](x, state.map(lambda tensor: tensor[:1])))
    backwards, before = padded(ways[1](x.flip(0), state.map(lambda tensor: tensor[1:])))
    assert_close("the output", y, torch.cat([forwards, backwards.flip(0)], dim=-1))
    for name in final:
        assert_close(f"the final {name}", final[name], torch.cat([after[name], before[name]]))


def layers_are_networks_in_a_row(case: Case) -> None:
    """Check that a stack of two layers is two networks, the second of which reads the first one's output."""
    if not case.is_stackable:
        return
    stack, x = case.net(num_layers=2), case.inputs()
    lower = case.net()
    _borrow(lower, stack, "l0.")
    upper = case.fresh(input_size=lower.output_size).eval()
    _borrow(upper, stack, "l1.")
    state = case.state(stack)
    y, final = padded(stack(x, state))
    between, after_lower = padded(lower(x, state.map(lambda tensor: tensor[:1])))
    above = torch.cat([between, x[..., case.input_size :]], -1)  # further inputs go to every layer
    expected, after_upper = padded(upper(above, state.map(lambda tensor: tensor[1:])))
    assert_close("the output", y, expected)
    for name in final:
        assert_close(f"the final {name}", final[name], torch.cat([after_lower[name], after_upper[name]]))


def _row(state: State, row: int) -> State:
    return state.select([row])


def _joined(rows: list[tuple[Tensor, State]]) -> tuple[Tensor, State]:
    """Put rows that were run alone back into a batch."""
    first = rows[0][1]
    states = {name: torch.cat([final[name] for _, final in rows], dim=1) for name in first}
    return torch.cat([y for y, _ in rows], dim=1), State(**states)


def _slice(net: Recurrent, x: Tensor, state: State, length: int) -> tuple[Tensor, State]:
    if length == 0:
        return x.new_zeros(len(x), 1, net.output_size), state
    y, state = padded(net(x[:length], state))
    return torch.cat([y, y.new_zeros(len(x) - length, 1, net.output_size)]), state


def _episodes(net: Recurrent, x: Tensor, state: State, length: int, reset: Tensor) -> tuple[Tensor, State]:
    """Run the episodes of one row one by one: forwards `state` enters the first, backwards the last."""
    if length == 0:
        return _slice(net, x, state, 0)
    starts = [step for step in range(1, length) if reset[step]]
    bounds = list(zip([0, *starts], [*starts, length], strict=True))
    outputs, finals = [], []
    for start, end in bounds:
        enters = torch.zeros(net.num_directions, 1, 1, dtype=torch.bool)
        enters[0] = start == 0 and not reset[0]
        enters[1:] = end == length
        y, final = padded(net(x[start:end], State(**{name: tensor * enters for name, tensor in state.items()})))
        outputs.append(y)
        finals.append(final)
    outputs.append(x.new_zeros(len(x) - length, 1, net.output_size))
    left = {name: torch.cat([finals[-1][name][:1], finals[0][name][1:]]) for name in state}
    return torch.cat(outputs), State(**left)


def _borrow(net: Recurrent, lender: Recurrent, prefix: str) -> None:
    """Give a network of one layer and direction the parameters of one layer and direction of another."""
    lent = {name: tensor for name, tensor in lender.state_dict().items() if name.startswith(prefix)}
    net.load_state_dict({f"l0.{name.removeprefix(prefix)}": tensor for name, tensor in lent.items()})
